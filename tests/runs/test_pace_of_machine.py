"""How fast the machine was measured reaches what a run is said to cost; else it is assumed."""

import pytest

from fabriek.engines import local_pace
from fabriek.runs import actions, engine


@pytest.fixture(autouse=True)
def on_the_processor(monkeypatch):
    monkeypatch.setattr(engine, "device", lambda: "cpu")


def priced(world):
    knobs = {"size": "mini", "epochs": 50}
    return actions.price_for(world.wish(knobs=knobs), case=world.case, by=world.person)


def test_a_measured_pace_is_counted_with_though_the_rows_were_counted_before(world, settings):
    assumed = priced(world)

    local_pace.measure(settings.ENGINE_HOME, lambda: 50e9)

    slow = priced(world)
    assert slow.gpu_seconds == pytest.approx(2 * assumed.gpu_seconds, rel=0.2)
    assert any("100 GFLOP/s; that is assumed" in why for why in assumed.why)
    assert any("50 GFLOP/s, measured on this machine" in why for why in slow.why)


def test_the_nodes_of_a_cluster_are_not_said_to_be_this_machine(world, settings):
    local_pace.measure(settings.ENGINE_HOME, lambda: 50e9)
    settings.ENGINE = "slurm"

    engine.measure_pace()

    assert any("that is assumed" in why for why in priced(world).why)
