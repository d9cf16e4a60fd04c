"""The loop with a real Slurm: what tests/runs/test_with_local_engine.py shows, on a cluster."""

from functools import partial

import pytest

from fabriek.engines.slurm import Slurm
from fabriek.runs import actions, folders
from fabriek.runs.engine import device, engine
from fabriek.runs.states import RunState
from fabriek.serve import doctor
from tests.engines.cluster import mended, part, said
from tests.engines.waiting import eventually
from tests.runs import world as following
from tests.runs.test_with_local_engine import FAILS, SLEEPS, TRAINS
from tests.runs.world import passes, seen_again

pytestmark = pytest.mark.slurm
# A cluster takes longer to begin and to tell than this machine.
followed = partial(following.followed, within_s=60)
over = partial(following.over, within_s=60)


def test_a_run_trains_on_the_cluster_and_is_billed_what_slurm_counted(world, machine, program):
    program(TRAINS)
    run = world.ask(seed=7)

    ended = over(machine, run)

    assert (ended.state, ended.exit_code) == (RunState.SUCCEEDED, 0)
    assert ended.scores == {"loss_before": 3.0, "loss_after": 1.0}
    assert list(ended.metrics.order_by("step").values_list("value", flat=True)) == [3, 2, 1]
    assert folders.log_tail(ended).startswith("read 2200 seed 7")
    assert world.bill(run) == ended.elapsed_s * ended.gpus == ended.gpu_seconds_used
    assert world.held() == 0
    [record] = eventually(lambda: _usage(machine, run), within_s=20)
    assert (record.account, record.elapsed_s) == (world.allocation.account, ended.elapsed_s)


def test_the_allocation_is_a_budget_of_slurm(world, machine):
    passes(machine)

    account = world.allocation.account
    qos = said("sacctmgr", "-nP", "show", "qos", account, "format=grptresmins").strip()
    assert qos == f"gres/gpu={world.allocation.gpu_seconds_granted // 60}"


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
    assert world.bill(run) == ended.elapsed_s * ended.gpus


def test_runs_asked_for_while_nobody_answers_are_sent_later_and_once(world, machine, program):
    program(TRAINS)
    passes(machine)
    part("stop", "slurmctld")
    try:
        run = world.ask()
        passes(machine, 2)
        waits = seen_again(run)
    finally:
        mended()
    waits.claimed_until = None  # what a claim that ran out looks like
    waits.save(update_fields=["claimed_until"])

    ended = over(machine, run)

    assert waits.state == RunState.WAITING
    assert ended.state == RunState.SUCCEEDED
    [_record] = eventually(lambda: _usage(machine, run), within_s=20)
    assert world.bill(run) == ended.elapsed_s * ended.gpus


@pytest.mark.django_db
def test_the_settings_name_the_engine_and_the_doctor_finds_it_good(machine):
    assert isinstance(machine, Slurm)
    assert engine() is machine
    assert device() == "cpu"
    found = next(one for one in doctor.examine() if one.what == "Engine")
    assert (found.verdict, found.said) == ("good", "slurm, computes on cpu")


@pytest.mark.django_db
def test_the_doctor_says_when_the_cluster_does_not_answer(machine, cluster):
    cluster.silence()

    found = next(one for one in doctor.examine() if one.what == "Engine")

    assert found.verdict == "lacking"
    assert found.said.startswith("squeue:")


def _usage(machine, run):
    return [record for record in machine.usage(0) if record.key == run.key]
