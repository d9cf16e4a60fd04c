"""The ledger on a real Slurm: what the factory does is there, and drift is set right."""

import io
import json
import sys
from dataclasses import dataclass
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.utils import timezone

from fabriek.allocations import actions as allocations
from fabriek.allocations.models import Allocation
from fabriek.people import logins
from fabriek.runs import actions, budgets
from fabriek.runs.engine import engine
from fabriek.runs.states import RunState
from tests.engines.cluster import mended, part, said
from tests.factories import a_share, staff
from tests.runs.test_with_local_engine import SLEEPS
from tests.runs.world import followed, over, passes

pytestmark = pytest.mark.slurm
PATIENCE_S = 60


@dataclass
class Ended:
    code: int
    out: str


@pytest.fixture
def machine(settings, machine, cluster):
    """Give a root of the test's own: diff and apply speak of all below it."""
    settings.SLURM_ACCOUNT = f"{cluster.account}-root"
    cluster.root = settings.SLURM_ACCOUNT
    cache.clear()
    return engine()


def by_hand(*words):
    said("sacctmgr", "-i", "-Q", *words)


def a_minute_later(machine):
    cache.clear()
    passes(machine)


def test_an_award_its_extension_and_its_end_reach_slurm(world, machine):
    passes(machine)
    account = world.allocation.account
    opened = budgets.use(account)
    eu, later = a_share("eu", is_state_aid=False), timezone.localdate() + timedelta(days=200)
    allocations.extend(world.allocation, ends_on=later, share=eu, gpu_hours=100, by=staff())
    passes(machine)
    extended = budgets.use(account)
    Allocation.objects.update(ends_on=timezone.localdate() - timedelta(days=1))
    passes(machine)
    ended = budgets.use(account)

    assert (opened.gpu_minutes_limit, opened.is_closed) == (600, False)
    assert (extended.gpu_minutes_limit, extended.is_closed) == (6_600, False)
    assert (opened.parent, extended.parent) == (
        f"{account}-root-nl",
        f"{account}-root-eu",
    )
    assert ended.is_closed
    assert budgets.drift() == []


def test_who_joins_a_consortium_may_use_its_budget_in_slurm(world, machine):
    passes(machine)
    logins.give(world.person, "games")
    a_minute_later(machine)
    joined = _members(world)
    logins.take_away(world.person)
    a_minute_later(machine)

    assert joined - _members(world) == {"games"}


def test_a_used_up_budget_is_closed_in_slurm(world, machine):
    allocations.hold(world.allocation, run_key="R-0", gpu_seconds=36_000)
    allocations.settle(world.allocation, run_key="R-0", gpu_seconds_used=36_000)
    passes(machine)
    never = budgets.use(world.allocation.account)
    allocations.correct(
        world.allocation, run_key="R-0", gpu_seconds_used=6_000, key="less", note="less"
    )
    passes(machine)

    assert never is None
    assert budgets.use(world.allocation.account).gpu_minutes_limit == 600


def test_a_database_that_is_away_is_told_later(world, machine):
    passes(machine)
    logins.give(world.person, "games")
    Allocation.objects.update(gpu_seconds_granted=72_000)
    part("stop", "slurmdbd")
    try:
        a_minute_later(machine)
        world.allocation.refresh_from_db()
        told = world.allocation.told_gpu_seconds
    finally:
        mended()

    a_minute_later(machine)

    world.allocation.refresh_from_db()
    assert (told, world.allocation.told_gpu_seconds) == (36_000, 72_000)
    assert budgets.drift() == []


def test_a_run_is_held_by_both_sides(world, machine, monkeypatch):
    def command(run):
        return (sys.executable, "-c", SLEEPS, str(run.folder))

    monkeypatch.setattr("fabriek.runs.jobs.command_of", command)
    run = world.ask()
    followed(machine, run, RunState.RUNNING, within_s=PATIENCE_S)

    shown = _command("slurm_show", world.allocation.account)

    assert shown.code == 0
    rows = {line[:30].strip(): line[30:].split() for line in shown.out.splitlines()}
    assert rows["new jobs"] == ["let", "in", "let", "in"]
    assert rows["granted, in GPU-hours"] == ["10.00", "10.00"]
    assert rows["jobs that wait or run"] == ["1", "-"]
    assert float(rows["kept for jobs, in GPU-hours"][1]) > 0
    actions.cancel(run, by=world.person)
    over(machine, run, within_s=PATIENCE_S)


def test_an_operator_sees_what_differs_and_sets_it_right(world, machine):
    passes(machine)
    account = world.allocation.account
    agreed = _command("slurm_diff")
    by_hand("modify", "qos", account, "set", "GrpTRESMins=gres/gpu=999999")
    by_hand("add", "user", "news", f"account={account}")

    differs, told = _command("slurm_diff"), _command("slurm_diff", "--json")
    applied, again = _command("slurm_apply"), _command("slurm_diff")

    assert (agreed.code, agreed.out) == (0, "Slurm and our books agree.\n")
    assert differs.code == 1
    assert differs.out.splitlines() == [
        account,
        "  limit of the QOS, in GPU-minutes: 999999 in Slurm, 600 in Fabriek",
        "  user news: may use it in Slurm, may not in Fabriek",
    ]
    assert [one["kind"] for one in json.loads(told.out)] == ["limit", "stranger"]
    assert applied.out.splitlines()[-1] == "All of it was mended (2)."
    assert (applied.code, again.code) == (0, 0)


def test_a_cluster_that_is_away_cannot_be_compared(world, machine):
    passes(machine)
    part("stop", "slurmdbd")
    try:
        with pytest.raises(CommandError, match="sacctmgr") as refused:
            call_command("slurm_diff")
    finally:
        mended()

    assert refused.value.returncode == 2


def test_an_account_that_nobody_knows_is_refused_in_words(world, machine):
    with pytest.raises(CommandError, match="Neither our ledger nor Slurm"):
        call_command("slurm_show", "a-typo")


def _members(world):
    where = ("where", f"account={world.allocation.account}", "format=user")
    return {*said("sacctmgr", "-nP", "list", "assoc", *where).split()}


def _command(*words):
    """Run a command of the server here, with its text and its status."""
    out = io.StringIO()
    code = 0
    try:
        call_command(*words, stdout=out)
    except SystemExit as ended:
        code = int(ended.code or 0)
    return Ended(code, out.getvalue())
