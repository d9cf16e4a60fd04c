"""Checkpoints that a job left for the next one: copied as far as they are what they say."""

import os

import pytest

from fabriek.engines.base import Phase, Sighting
from fabriek.runs import actions, folders, reasons, taken_along
from fabriek.runs.states import RunState
from tests.runs.world import passes, seen_again

pytestmark = pytest.mark.django_db


@pytest.fixture
def stopped(world, engine):
    run = world.ask()
    passes(engine)
    (run.folder / "checkpoints").mkdir()
    (run.folder / "checkpoints" / "step-1").write_bytes(os.urandom(1000))
    engine.move(run.key, Sighting(Phase.FAILED, 30, "killed"))
    passes(engine)
    return seen_again(run)


def left_in(run):
    return sorted(path.name for path in (run.folder / "checkpoints").iterdir())


def test_a_file_of_holes_is_left_behind(stopped, world, engine, caplog):
    with (stopped.folder / "checkpoints" / "hollow").open("wb") as file:
        file.truncate(2**40)
    onward = actions.go_on(stopped, by=world.person)

    passes(engine)

    assert left_in(onward) == ["step-1"]
    assert "checkpoints/hollow" in caplog.text


@pytest.mark.parametrize("limit", ["bytes", "files"])
def test_more_than_the_factory_copies_ends_the_run_in_words_and_leaves_nothing(
    stopped, world, engine, settings, monkeypatch, limit
):
    if limit == "bytes":
        settings.OUTPUTS_LIMIT_BYTES = 1500
    else:
        monkeypatch.setattr(taken_along, "CHECKPOINTS_MAX", 1)
    (stopped.folder / "checkpoints" / "step-2").write_bytes(os.urandom(1000))
    before = world.left()
    onward = actions.go_on(stopped, by=world.person)

    passes(engine)

    ended = seen_again(onward)
    assert (ended.state, ended.reason) == (RunState.FAILED, "checkpoints_too_large")
    assert "more checkpoints than the factory copies" in str(reasons.ENDINGS[ended.reason])
    assert not (onward.folder / "checkpoints").exists()
    assert not (onward.folder / taken_along.PART).exists()
    assert world.left() == before


def test_as_much_as_the_factory_copies_is_copied(stopped, world, engine, settings):
    settings.OUTPUTS_LIMIT_BYTES = 2000
    (stopped.folder / "checkpoints" / "step-2").write_bytes(os.urandom(1000))
    onward = actions.go_on(stopped, by=world.person)

    passes(engine)

    assert left_in(onward) == ["step-1", "step-2"]


def test_one_name_is_enough_to_know_that_there_is_a_checkpoint(stopped):
    for number in range(50):
        (stopped.folder / "checkpoints" / str(number)).touch()

    assert folders.has_checkpoint(stopped)
    for path in (stopped.folder / "checkpoints").iterdir():
        path.unlink()
    assert not folders.has_checkpoint(stopped)
