"""When a run that waits is expected to start: kept coarsely, said in words, gone afterwards."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.utils import timezone, translation

from fabriek.engines.base import Phase, Sighting
from fabriek.runs import expected_start
from fabriek.runs.models import Run
from fabriek.runs.states import RunState
from tests.factories import a_run, an_allocation
from tests.runs.test_reconcile import GOOD_100, RUNNING_40, Counting
from tests.runs.world import passes, seen_again

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 11, 26, 11, 0, tzinfo=UTC)  # 12:00 in Amsterdam


@pytest.fixture
def noon():
    with time_machine.travel(NOON, tick=False):
        yield NOON


def queued(after=None, *, position=3, reason="Priority"):
    starts_at = None if after is None else (timezone.now() + after).timestamp()
    return Sighting(Phase.QUEUED, 0, reason, queue_position=position, starts_at=starts_at)


@pytest.fixture
def waiting(noon, world, engine):
    """Give a run that waits for two hours and twenty minutes, in a case of that day."""
    run = world.ask()
    passes(engine)
    engine.move(run.key, queued(timedelta(hours=2, minutes=20)))
    passes(engine)
    return seen_again(run)


# What is kept


def test_a_run_that_waits_keeps_when_it_is_expected_to_start(waiting, noon):
    assert waiting.starts_expected_at == noon + timedelta(hours=2, minutes=20)


@pytest.mark.parametrize(
    "seen",
    [RUNNING_40, GOOD_100, queued(), Sighting(Phase.CANCELLED, reason="cancelled")],
    ids=["started", "ended", "not told", "cancelled"],
)
def test_what_was_expected_is_gone_when_it_is_no_longer_so(waiting, engine, seen):
    engine.move(waiting.key, seen)

    passes(engine)

    assert seen_again(waiting).starts_expected_at is None


def test_a_run_that_is_lost_is_not_expected_to_start(waiting, engine):
    engine.lose(waiting.key)
    Run.objects.update(last_seen_at=timezone.now() - timedelta(hours=1))

    passes(engine)

    assert seen_again(waiting).state == RunState.LOST
    assert seen_again(waiting).starts_expected_at is None


def test_a_silent_engine_leaves_what_was_expected(waiting, engine, noon):
    engine.down = True

    passes(engine)

    assert seen_again(waiting).starts_expected_at == noon + timedelta(hours=2, minutes=20)


@pytest.mark.parametrize(
    ("left", "moved", "is_kept"),
    [
        (timedelta(minutes=20), timedelta(minutes=5), True),
        (timedelta(minutes=20), timedelta(minutes=6), False),
        (timedelta(minutes=20), -timedelta(minutes=6), False),
        (timedelta(hours=10), timedelta(minutes=59), True),
        (timedelta(hours=10), timedelta(minutes=61), True),
        (timedelta(hours=10), timedelta(minutes=70), False),
    ],
)
def test_an_estimate_stands_until_it_is_off_by_what_matters(noon, left, moved, is_kept):
    before = noon + left
    new = before + moved

    kept = expected_start.kept(before, new.timestamp())

    assert kept == (before if is_kept else new)


@pytest.mark.parametrize("told", [None, 0, -1, 4_294_967_294, 1e300, float("inf")])
def test_what_is_no_estimate_is_not_kept(noon, told):
    assert expected_start.kept(noon, told) is None


@pytest.mark.parametrize("number", [1, 30])
@pytest.mark.parametrize(("moved_s", "queries"), [(0, 5), (240, 5), (3600, 6)])
def test_estimates_that_move_a_little_are_not_written_anew(
    engine, noon, number, moved_s, queries, django_assert_num_queries
):
    allocation = an_allocation()
    runs = [a_run(allocation=allocation, state=RunState.QUEUED) for _ in range(number)]
    for run in runs:
        engine.move(run.key, queued(timedelta(hours=1)))
    passes(engine)
    for run in runs:
        engine.move(run.key, queued(timedelta(hours=1, seconds=moved_s)))
    counting = Counting(engine)

    # Ended budgets, untold budgets, waiting runs, living runs, who was seen; and what moved.
    with django_assert_num_queries(queries):
        passes(counting)

    [kept] = set(Run.objects.values_list("starts_expected_at", flat=True))
    assert kept == noon + timedelta(hours=1, seconds=moved_s if queries == 6 else 0)


# In words


@pytest.mark.parametrize(
    ("after", "english", "dutch"),
    [
        (timedelta(hours=2, minutes=22), "today around 14:20", "vandaag rond 14:20"),
        (timedelta(hours=2, minutes=23), "today around 14:25", "vandaag rond 14:25"),
        (timedelta(hours=11, minutes=50), "tomorrow around 00:00", "morgen rond 00:00"),
        (timedelta(hours=20), "tomorrow around 08:00", "morgen rond 08:00"),
        (timedelta(days=7), "on 3 December 2026", "op 3 december 2026"),
        (timedelta(seconds=30), "at any moment", "elk moment"),
        (-timedelta(minutes=5), "at any moment", "elk moment"),
        (-timedelta(minutes=11), "", ""),
    ],
)
def test_about_when_is_said_no_more_exactly_than_it_is_known(noon, after, english, dutch):
    assert expected_start.about(noon + after) == english
    with translation.override("nl"):
        assert expected_start.about(noon + after) == dutch


def test_the_sentence_is_honest_when_nobody_knows(waiting):
    assert expected_start.sentence(waiting) == (
        "The run is expected to start today around 14:20. It may become earlier or later."
    )

    waiting.starts_expected_at = None

    assert expected_start.sentence(waiting) == "It is not known yet when the run starts."


@pytest.mark.parametrize(
    "change",
    [
        {"state": RunState.WAITING, "queue_position": None, "waiting_reason": ""},
        {"state": RunState.SUCCEEDED},
        {"waiting_reason": "QOSGrpGRESMinutes"},
        {"cancel_asked_at": NOON},
    ],
    ids=["not sent", "over", "budget empty", "being stopped"],
)
def test_nothing_is_expected_of_a_run_that_does_not_wait_its_turn(waiting, change):
    for name, value in change.items():
        setattr(waiting, name, value)

    assert expected_start.sentence(waiting) == ""


# On every face

SAID = "The run is expected to start today around 14:20. It may become earlier or later."


def test_the_page_of_a_run_says_when_it_is_expected_to_start(waiting, world, browser):
    page = browser(world.person).get(waiting.get_absolute_url()).content.decode()

    assert SAID in page
    assert "Your run is third in the queue." in page


def test_the_live_part_tells_when_the_estimate_moved_and_not_before(waiting, world, browser):
    seen = browser(world.person)
    page = seen.get(waiting.get_absolute_url()).content.decode()
    address = page.partition('hx-get="')[2].partition('"')[0]

    assert seen.get(address).status_code == 204
    Run.objects.update(starts_expected_at=NOON + timedelta(hours=3))

    assert "today around 15:00" in seen.get(address).content.decode()


def test_the_list_of_runs_says_about_when(waiting, world, browser):
    page = browser(world.person).get("/runs/").content.decode()

    assert "starts today around 14:20" in page


def test_programs_get_the_moment_and_the_sentence(waiting, world, program):
    seen = program(world.person)

    run = seen.get(f"/api/runs/{waiting.code}").json()
    [listed] = seen.get("/api/runs/").json()["items"]

    assert run["expected_start"] == SAID
    assert run["starts_expected_at"] == listed["starts_expected_at"] == "2026-11-26T13:20:00Z"
