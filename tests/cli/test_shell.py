"""`fabriek shell` around its terminal: what it asks for, when it waits, how it leaves.

The terminal itself is tried on a real lab, in tests/lab/test_real_lab.py.
"""

import asyncio

import pytest

from fabriek.cli import shell, terminal
from fabriek.cli.terminal import Left, Resolver
from fabriek.lab import actions
from fabriek.runs.models import Run
from fabriek.runs.states import RunState
from fabriek_recipes.lab.knobs import READY
from tests.factories import a_case, a_person
from tests.runs.world import a_world

pytestmark = pytest.mark.django_db


@pytest.fixture
def world(db, settings):
    settings.LAB = True
    settings.LAB_URL = "https://*.lab.example.org"
    return a_world(gpu_seconds=360_000)


@pytest.fixture
def attached(monkeypatch):
    """Let the run become ready while somebody waits, and the terminal be left as is said."""
    doors = []

    def leaving(how, *, state=RunState.RUNNING):
        def ready(_pause_s):
            Run.objects.update(state=RunState.RUNNING, stage=READY)

        def attach(url, origin, **_trust):
            doors.append((url, origin))
            Run.objects.update(state=state)
            if isinstance(how, type):
                raise how
            return how

        monkeypatch.setattr(shell.time, "sleep", ready)
        monkeypatch.setattr(terminal, "attach", attach)
        return doors

    return leaving


def begun(world, **columns):
    run = actions.start(actions.Wish(), allocation=world.allocation, by=world.person)
    Run.objects.filter(pk=run.pk).update(**columns)
    return run


@pytest.mark.parametrize("words", [["--gpus", "1"], ["C26-0001", "--attach", "R26-0001"]])
def test_a_case_or_a_run_is_named_and_not_both(fabriek, words):
    result = fabriek(a_person(), "shell", *words)

    assert result.exit_code == 1
    assert result.stderr.startswith("Name a case, or a run to go into")


def test_leaving_the_shell_stops_the_run(fabriek, world, attached):
    doors = attached(Left.ENDED)

    result = fabriek(world.person, "shell", world.case.code, "--gpus", 2, "--hours", 3)

    run = Run.objects.get()
    assert result.exit_code == 0
    assert f"{run.code}: 6.0 GPU-hours are set aside" in result.stdout
    assert (
        f"{run.code} is being stopped. Its files are kept: --from {run.code}" in result.stdout
    )
    assert (run.gpus, run.timeout_s, run.cancel_asked_at is None) == (2, 3 * 3600, False)
    [(url, origin)] = doors
    assert url.startswith(f"{origin}/_fabriek/enter?ticket=")


@pytest.mark.parametrize(
    ("how", "more"), [(Left.DETACHED, []), (Left.ENDED, ["--keep"])], ids=["key", "keep"]
)
def test_a_run_that_goes_on_is_told_with_the_way_back(fabriek, world, attached, how, more):
    attached(how)

    result = fabriek(world.person, "shell", world.case.code, *more)

    code = Run.objects.get().code
    assert result.exit_code == 0
    assert f"Back in: fabriek shell --attach {code}" in result.stdout
    assert Run.objects.get().cancel_asked_at is None


def test_who_joins_a_run_leaves_it_as_it_was(fabriek, world, attached):
    run = begun(world, state=RunState.RUNNING, stage=READY)
    attached(Left.ENDED)

    result = fabriek(world.person, "shell", "--attach", run.code)

    assert (result.exit_code, Run.objects.get().cancel_asked_at) == (0, None)


def test_who_no_longer_waits_holds_no_gpu(fabriek, world, attached):
    attached(KeyboardInterrupt)

    result = fabriek(world.person, "shell", world.case.code)

    assert result.exit_code == 0
    assert Run.objects.get().cancel_asked_at is not None


@pytest.mark.parametrize(
    ("state", "said"),
    [(RunState.RUNNING, "The connection was lost"), (RunState.FAILED, "")],
)
def test_a_lost_connection_ends_badly_and_says_whether_the_run_goes_on(
    fabriek, world, attached, state, said
):
    attached(Left.LOST, state=state)

    result = fabriek(world.person, "shell", world.case.code)

    assert result.exit_code == 1
    assert result.stderr.startswith(said)
    assert Run.objects.get().cancel_asked_at is None


def test_a_run_that_ends_before_it_is_open_is_shown(fabriek, world):
    run = begun(world, state=RunState.FAILED, reason="too_many_gpus")

    result = fabriek(world.person, "shell", "--attach", run.code)

    assert result.exit_code == 1
    assert f"{run.code} · lab · {world.case.code}" in result.stdout


def test_a_door_that_stays_shut_is_told(fabriek, world, attached):
    run = begun(world, state=RunState.RUNNING, stage=READY)
    attached(Left.REFUSED)

    result = fabriek(world.person, "shell", "--attach", run.code)

    assert result.exit_code == 1
    assert (
        result.stderr
        == f"{run.code} did not let you in. Look at it: fabriek runs show {run.code}\n"
    )


def test_a_case_without_gpu_hours_is_refused_in_words(fabriek, world):
    poor = a_person()
    case = a_case(lead=poor)

    result = fabriek(poor, "shell", case.code)

    assert result.exit_code == 1
    assert "[no_allocation]" in result.stderr


def test_names_below_localhost_are_found_here():
    async def found():
        resolver = Resolver()
        try:
            return [one["host"] for one in await resolver.resolve("r26-0001.localhost", 80)]
        finally:
            await resolver.close()

    assert asyncio.run(found()) == ["127.0.0.1"]
