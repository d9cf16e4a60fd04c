"""Slurm's controller is away for two minutes while runs are asked for, end and are unwanted."""

import sys
import time

import pytest

from fabriek.allocations import queries as allocation_queries
from fabriek.runs import actions
from fabriek.runs.models import Run
from fabriek.runs.states import UNFINISHED, RunState
from tests.engines.cluster import mended, part
from tests.engines.waiting import eventually
from tests.runs.world import followed, passes, seen_again
from tests.slurm.accounting import held_by

pytestmark = [pytest.mark.slurm, pytest.mark.slow]

AWAY_S = 120
RUNNING = ("ends", "fails", "overruns", "goes-on", "unwanted")
ASKED = ("asked-for", "taken-back", "asked-late")
ENDS = {
    "ends": ("succeeded", ""),
    "fails": ("failed", "exit"),
    "overruns": ("failed", "timeout"),
    "goes-on": ("succeeded", ""),
    "unwanted": ("cancelled", "cancelled"),
    "asked-for": ("succeeded", ""),
    "taken-back": ("cancelled", "cancelled"),
    "asked-late": ("succeeded", ""),
}
PAUSE_S = 1.0  # between passes, as the loop makes it
WAITS_FOR_GO = """
import os, pathlib, sys, time
folder = pathlib.Path(sys.argv[1])
gpus = [number for number in os.environ["FABRIEK_GPUS"].split(",") if number]
with (folder / "began").open("a") as began:
    began.write(f"once, on {len(gpus)}\\n")
while not (folder / "go").exists():
    time.sleep(0.1)
sys.exit(int((folder / "go").read_text()))
"""


@pytest.fixture
def waits_for_go(monkeypatch):
    def command(run):
        return (sys.executable, "-c", WAITS_FOR_GO, str(run.folder))

    monkeypatch.setattr("fabriek.runs.jobs.command_of", command)


def test_two_minutes_without_a_controller_lose_nothing(world, machine, cluster, waits_for_go):
    wishes = {"ends": {}, "fails": {"gpus": 2}, "overruns": {"timeout_s": 60}, "goes-on": {}}
    runs = {name: world.ask(**wish) for name, wish in (wishes | {"unwanted": {}}).items()}
    for run in runs.values():
        followed(machine, run, RunState.RUNNING, within_s=60)

    part("stop", "slurmctld")
    try:
        _pass_for(AWAY_S, machine, _what_happens(world, runs))
        meanwhile = {name: seen_again(run).state for name, run in runs.items()}
    finally:
        mended()
    for name in ("goes-on", "asked-for", "asked-late"):
        _go(runs[name])
    eventually(lambda: _all_over(machine, cluster, runs), within_s=90)

    assert meanwhile == dict.fromkeys(RUNNING, "running") | dict.fromkeys(ASKED, "waiting")
    ended = {name: seen_again(run) for name, run in runs.items()}
    assert {name: (run.state, run.reason) for name, run in ended.items()} == ENDS
    began = [run for name, run in ended.items() if name != "taken-back"]
    notes = [(run.folder / "began").read_text() for run in began]
    assert notes == [f"once, on {run.gpus}\n" for run in began]
    # What ended meanwhile held its GPUs, for Slurm, until its controller was back.
    held = held_by(*(run.key for run in began), stretches=len(began))
    held = {key: sum(stretches) for key, stretches in held.items()}
    assert {run.key: world.bill(run) for run in ended.values()} == held | {
        ended["taken-back"].key: 0
    }
    assert world.held() == 0
    assert not allocation_queries.drift().exists()


def _what_happens(world, runs):
    def ask(name):
        runs[name] = world.ask()

    return [
        (5, lambda: ask("asked-for")),
        (5, lambda: ask("taken-back")),
        (10, lambda: _go(runs["ends"])),
        (10, lambda: _go(runs["fails"], code=3)),
        (20, lambda: actions.cancel(runs["unwanted"], by=world.person)),
        (30, lambda: actions.cancel(runs["taken-back"], by=world.person)),
        (100, lambda: ask("asked-late")),
    ]


def _pass_for(seconds, machine, events):
    """Pass as the loop does, and let things happen meanwhile, each at its second."""
    began, left = time.monotonic(), list(events)
    while (since_s := time.monotonic() - began) < seconds or left:
        while left and left[0][0] <= since_s:
            left.pop(0)[1]()
        passes(machine)
        time.sleep(PAUSE_S)


def _go(run, code=0):
    run.folder.mkdir(exist_ok=True)
    (run.folder / "go").write_text(str(code))


def _all_over(machine, cluster, runs):
    """Pass, and let what Slurm started without GPUs wait for its nodes, but not two minutes."""
    for name in ("asked-for", "asked-late"):
        cluster.hurry_key(runs[name].key, in_s=6)
    passes(machine)
    return not Run.objects.filter(state__in=UNFINISHED).exists()
