"""The loop with the engine for one machine: real processes, real folders, real bills."""

import sys

import pytest

from fabriek.engines.local import Local
from fabriek.runs import actions, folders
from fabriek.runs.states import RunState
from tests.engines.waiting import eventually
from tests.runs.world import followed, over, passes

# What a recipe is to the engine: a program that is given its run folder.
TRAINS = """
import json, pathlib, sys, time
folder = pathlib.Path(sys.argv[1])
manifest = json.loads((folder / "run.json").read_text())
text = (folder / "inputs" / "dataset" / "text.txt").read_text()
def tell(**event):
    with (folder / "events.jsonl").open("a") as file:
        file.write(json.dumps({"at": time.time(), **event}) + "\\n")
tell(kind="stage", name="Learning")
for step in (1, 2, 3):
    tell(kind="metrics", step=step, values={"loss": 4.0 - step})
tell(kind="result", scores={"loss_before": 3.0, "loss_after": 1.0})
print("read", len(text), "seed", manifest["seed"])
"""
FAILS = "import sys; print('no luck'); sys.exit(3)"
SLEEPS = "import time; print('asleep', flush=True); time.sleep(600)"


@pytest.fixture
def machine(tmp_path):
    return Local(tmp_path / "engine", gpus=1, grace_s=60, beat_s=0.1)


@pytest.fixture
def program(monkeypatch):
    """Let every recipe be this program; the engine, the folder and the loop are real."""

    def instead(source):
        def command(run):
            return (sys.executable, "-c", source, str(run.folder))

        monkeypatch.setattr("fabriek.runs.jobs.command_of", command)

    return instead


def test_a_run_trains_on_this_machine_and_is_billed(world, machine, program):
    program(TRAINS)
    run = world.ask(seed=7)

    ended = over(machine, run)

    assert (ended.state, ended.exit_code) == (RunState.SUCCEEDED, 0)
    assert ended.scores == {"loss_before": 3.0, "loss_after": 1.0}
    assert list(ended.metrics.order_by("step").values_list("value", flat=True)) == [3, 2, 1]
    assert folders.log_tail(ended).startswith("read 2200 seed 7")
    assert world.bill(run) == ended.elapsed_s == ended.gpu_seconds_used
    assert world.held() == 0


def test_a_program_that_stops_with_a_mistake_fails(world, machine, program):
    program(FAILS)
    run = world.ask()

    ended = over(machine, run)

    assert (ended.state, ended.reason, ended.exit_code) == (RunState.FAILED, "exit", 3)
    assert folders.log_piece(ended, 0) == ("no luck\n", 8)
    assert world.held() == 0


def test_a_running_program_is_stopped_when_somebody_wishes_so(world, machine, program):
    program(SLEEPS)
    run = world.ask()
    followed(machine, run, RunState.RUNNING)
    actions.cancel(run, by=world.person)

    ended = over(machine, run)

    assert (ended.state, ended.reason) == (RunState.CANCELLED, "cancelled")
    assert world.bill(run) == ended.elapsed_s


def test_the_loop_may_be_another_process_each_time(world, machine, program, tmp_path):
    program(TRAINS)
    run = world.ask()
    passes(machine)

    ended = over(Local(tmp_path / "engine", gpus=1, grace_s=2, beat_s=0.1), run)

    assert ended.state == RunState.SUCCEEDED


SAVES = """
import pathlib, signal, sys, time
folder = pathlib.Path(sys.argv[1]) / "checkpoints"
folder.mkdir(exist_ok=True)
def save(_number, _frame):
    for step in (1, 2, 3):
        (folder / f"step-{step:08d}.safetensors").write_bytes(b"weights")
    sys.exit(143)
signal.signal(signal.SIGTERM, save)
print("found", sorted(path.name for path in folder.iterdir()), flush=True)
time.sleep(600)
"""


def test_a_run_is_paused_and_goes_on_from_the_step_that_is_chosen(world, machine, program):
    program(SAVES)
    run = followed(machine, world.ask(), RunState.RUNNING)
    eventually(lambda: folders.log_tail(run).startswith("found []"))

    actions.pause(run, by=world.person)
    paused = over(machine, run)
    held = world.held()
    onward = actions.go_on(paused, by=world.person, from_step=2)
    again = followed(machine, onward, RunState.RUNNING)
    eventually(lambda: folders.log_tail(again))
    actions.cancel(again, by=world.person)
    over(machine, again)

    assert (paused.state, paused.reason, held) == (RunState.CANCELLED, "paused", 0)
    assert folders.log_tail(again) == (
        "found ['step-00000001.safetensors', 'step-00000002.safetensors']\n"
    )
