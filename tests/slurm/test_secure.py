"""The secure part of a real cluster: where a run was, as whom, and who of its case gets in."""

import os
import subprocess

import pytest

from fabriek.engines.slurm_home import Home
from fabriek.engines.slurm_script import beside
from fabriek.runs.engine import engine
from fabriek.runs.states import RunState
from tests.agreements.policy_world import an_agreement
from tests.engines import strangers
from tests.engines.cluster import CONF, said
from tests.engines.waiting import eventually
from tests.factories import a_case, a_person
from tests.runs.test_with_local_engine import TRAINS
from tests.runs.world import TEXT, a_text, followed, over, seen_again
from tests.slurm.test_isolation import cluster, factory, place, program, world  # noqa: F401

pytestmark = [pytest.mark.slurm, pytest.mark.django_db]


@pytest.fixture
def machine(machine, settings, factory):  # noqa: F811
    settings.SLURM_PARTITION = "gpu"
    settings.SLURM_SECURE_PARTITION = "safe"
    return engine()


@pytest.fixture
def lent(world):  # noqa: F811
    owner = a_person()
    lent = a_text(a_case(lead=owner), owner)
    an_agreement(lent.repository, world.case, place="secure")
    yield lent
    strangers.remove(f"{world.case.unix_account}-s")


def where(run):
    """Ask Slurm's accounting for the partition of a run, and for its user."""
    words = ("sacct", "-nPX", f"--name={run.key}", "--format=partition,user")
    return eventually(lambda: said(*words).strip(), within_s=20)


def test_a_run_on_secure_data_is_in_the_secure_partition_and_no_other_is(
    world,  # noqa: F811
    lent,
    machine,
    program,  # noqa: F811
):
    program(TRAINS)
    secure = world.ask(inputs={"dataset": lent})
    other = world.ask()

    for run in (secure, other):
        over(machine, run, within_s=60)
        assert seen_again(run).state == RunState.SUCCEEDED
        assert world.bill(run) == seen_again(run).elapsed_s
    plain = world.case.unix_account
    assert (where(secure), where(other)) == (f"safe|{plain}-s", f"gpu|{plain}")


def test_who_is_in_a_session_of_the_same_case_gets_into_neither_folder_nor_job(
    world,  # noqa: F811
    lent,
    machine,
    program,  # noqa: F811
    settings,
):
    program(sh="sleep 600")
    run = followed(machine, world.ask(inputs={"dataset": lent}), RunState.RUNNING, within_s=60)
    data = str(run.folder / "inputs/dataset/text.txt")
    number = Home(settings.ENGINE_HOME / "slurm").number(run.key)
    environment = {"PATH": os.environ["PATH"], "SLURM_CONF": str(CONF)}

    inside = subprocess.run(
        machine.reach(run.key, ("cat", data)), capture_output=True, text=True, check=False
    )
    session = world.case.unix_account
    read = strangers.as_account(session, "cat", data)
    step = strangers.as_account(session, *beside(number, ("cat", data)), env=environment)

    assert inside.stdout == TEXT
    assert (read.returncode != 0, read.stdout) == (True, "")
    assert "Permission denied" in read.stderr
    assert (step.returncode != 0, step.stdout) == (True, "")
    assert "denied" in step.stderr
