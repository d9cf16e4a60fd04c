"""Runs on lent data on a real cluster: a session of the same case gets in to none of them."""

import os
import subprocess

import pytest

from fabriek.engines.slurm_home import Home
from fabriek.engines.slurm_script import beside
from fabriek.runs.states import RunState
from tests.agreements.policy_world import an_agreement
from tests.engines import strangers
from tests.engines.cluster import CONF
from tests.factories import a_case, a_person
from tests.runs.world import TEXT, a_text, followed
from tests.slurm.test_isolation import cluster, factory, place, program, world  # noqa: F401

pytestmark = [pytest.mark.slurm, pytest.mark.django_db]


def test_who_is_in_a_session_gets_into_neither_folder_nor_job_of_a_run_on_shared_data(
    world,  # noqa: F811
    machine,
    factory,  # noqa: F811
    program,  # noqa: F811
    settings,
):
    owner = a_person()
    lent = a_text(a_case(lead=owner), owner)
    an_agreement(lent.repository, world.case, place="shared")
    program(sh="sleep 600")
    asked = world.ask(inputs={"dataset": lent})
    session, apart = world.case.unix_account, asked.unix_account
    try:
        run = followed(machine, asked, RunState.RUNNING, within_s=60)
        data = str(run.folder / "inputs/dataset/text.txt")
        number = Home(settings.ENGINE_HOME / "slurm").number(run.key)
        environment = {"PATH": os.environ["PATH"], "SLURM_CONF": str(CONF)}

        inside = subprocess.run(
            machine.reach(run.key, ("cat", data)), capture_output=True, text=True, check=False
        )
        read = strangers.as_account(session, "cat", data)
        key = strangers.as_account(session, "cat", str(run.folder / "hub-key"))
        step = strangers.as_account(session, *beside(number, ("cat", data)), env=environment)

        assert apart == f"{session}-l"
        assert inside.stdout == TEXT
        for refused in (read, key, step):
            assert (refused.returncode != 0, refused.stdout) == (True, "")
    finally:
        strangers.remove(apart)
