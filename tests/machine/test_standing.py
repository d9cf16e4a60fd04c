"""The loop keeps how the machine stands: seldom, in one row, and honest about silence."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.utils import timezone

from fabriek.engines.base import NodeState
from fabriek.engines.fake import Fake
from fabriek.machine import standing
from fabriek.machine.models import Standing
from fabriek.serve import loop
from tests.machine.sights import NODES, a_machine, a_node

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 11, 26, 11, 0, tzinfo=UTC)


class Counting(Fake):
    asked = 0

    def machine(self):
        self.asked += 1
        return super().machine()


def at(after_s=0):
    return time_machine.travel(NOON + timedelta(seconds=after_s), tick=False)


def test_nobody_looked_yet():
    assert standing.last() is None


def test_what_the_engine_tells_is_read_back_as_it_was():
    engine = a_machine(*NODES)

    seen = standing.last()

    assert seen.machine == engine.machine()
    assert seen.machine.nodes[3].state is NodeState.DOWN
    assert (seen.silent_since, seen.is_unwatched) == (None, False)
    machine = seen.machine
    assert (machine.gpus, machine.gpus_used, machine.gpus_free, machine.gpus_out) == (
        16,
        7,
        3,
        6,
    )


def test_the_engine_is_asked_once_in_fifteen_seconds():
    engine = Counting()

    for after_s in (0, 1, 14, 15, 16):
        with at(after_s):
            standing.keep(engine)

    assert engine.asked == 2
    assert standing.last().seen_at == NOON + timedelta(seconds=15)
    assert Standing.objects.count() == 1


@pytest.mark.parametrize("nodes", [1, 3])
def test_a_pass_that_need_not_look_costs_one_query(nodes, django_assert_num_queries):
    engine = a_machine(*(a_node(f"gpu{number}") for number in range(nodes)))

    with django_assert_num_queries(1):
        standing.keep(engine)


def test_a_silent_machine_stands_as_it_was_and_since_when_it_is_silent(caplog):
    engine = Fake()
    with at(0):
        standing.keep(engine)
    known = standing.last().machine
    engine.down = True

    for after_s in (20, 40):
        with at(after_s):
            standing.keep(engine)

    seen = standing.last()
    assert (seen.machine, seen.seen_at) == (known, NOON)
    assert seen.silent_since == NOON + timedelta(seconds=20)
    assert seen.asked_at == NOON + timedelta(seconds=40)
    assert "pretending to be down" in caplog.text
    engine.down = False
    with at(60):
        standing.keep(engine)
    assert standing.last().silent_since is None


def test_a_machine_that_never_answered_is_not_known():
    engine = Fake()
    engine.down = True

    standing.keep(engine)

    seen = standing.last()
    assert (seen.machine, seen.silent_since) == (None, seen.seen_at)


def test_a_silent_machine_is_not_asked_more_often():
    engine = Counting()
    engine.down = True

    for after_s in (0, 1, 2, 15):
        with at(after_s):
            standing.keep(engine)

    assert engine.asked == 2


def test_a_clock_that_was_put_back_does_not_stop_the_looking():
    engine = Counting()
    with at(3600):
        standing.keep(engine)

    with at(0):
        standing.keep(engine)

    assert engine.asked == 2


def test_what_another_version_wrote_is_as_if_nobody_looked():
    a_machine()
    Standing.objects.update(facts={"shape": 0, "machine": {"computers": 4}})

    assert standing.last() is None


def test_a_loop_that_stands_still_is_noticed():
    with at(0):
        standing.keep(Fake())

    with at(170):
        assert not standing.last().is_unwatched
    with at(190):
        assert standing.last().is_unwatched


def test_the_loop_looks_at_the_machine(settings):
    settings.ENGINE = "local"
    settings.ENGINE_GPUS = 3

    loop.look_at_machine()

    seen = standing.last()
    assert (seen.machine.gpus, seen.machine.gpus_free) == (3, 3)
    assert abs(seen.seen_at - timezone.now()) < timedelta(seconds=10)
