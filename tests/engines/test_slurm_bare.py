"""A start at which Slurm gave a job none of its GPUs, run by a real shell.

So it may be on a node that has not yet said what it has since Slurm's controller came back.
"""

import os

import pytest

from fabriek.engines.base import Reason
from fabriek.engines.slurm_ask import Row, accounting_rows
from fabriek.engines.slurm_home import Home, trail_in
from fabriek.engines.slurm_program import BARE_STARTS_MAX
from fabriek.engines.slurm_sights import Sights
from tests.engines.test_slurm_words import a_job, begun

# Starts what is to run on each node once, on one that has no GPUs for it.
SRUN = """#!/bin/sh
while [ "$1" != /bin/sh ]; do shift; done
SLURMD_NODENAME=gpu1 SLURM_STEP_GPUS= "$@"
"""
SCONTROL = """#!/bin/sh
echo "$@" >>"$(dirname "$0")/asked"
"""


@pytest.fixture
def tools(tmp_path):
    """Give a folder with a scontrol, which notes what it is asked, and an srun."""
    folder = tmp_path / "tools"
    folder.mkdir()
    for name, text in (("scontrol", SCONTROL), ("srun", SRUN)):
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    return folder


@pytest.fixture
def bare(tools):
    """Start a job as Slurm does that has no GPUs for it."""

    def begin(job, **told):
        path = f"{tools}:{os.environ['PATH']}"
        return begun(job, PATH=path, SLURM_JOB_GPUS="", **told).wait()

    return begin


def a_job_in(tmp_path, *command, **wish):
    (tmp_path / "run").mkdir()
    return a_job(tmp_path / "run", *command, **wish)


def asked(tools):
    return (tools / "asked").read_text().splitlines()


def test_work_does_not_begin_without_gpus_and_is_started_again(tmp_path, tools, bare):
    job = a_job_in(tmp_path, "/bin/echo", "works")

    assert bare(job) == 0

    assert asked(tools) == ["requeue 7"]
    assert not (job.folder / "log").exists()
    assert not (job.folder / "exit").exists()
    assert trail_in(job.folder).held_s == 0
    assert begun(job).wait() == 0
    assert (job.folder / "log").read_text() == "works\n"


def test_what_never_gets_its_gpus_ends_and_says_so(tmp_path, tools, bare):
    job = a_job_in(tmp_path, "/bin/echo", "works")

    codes = [bare(job) for _ in range(BARE_STARTS_MAX)]

    assert codes == [0] * (BARE_STARTS_MAX - 1) + [124]
    assert len(asked(tools)) == BARE_STARTS_MAX - 1
    assert not (job.folder / "log").exists()
    home = Home(tmp_path / "home")
    (home.root / "jobs" / job.key).mkdir(parents=True)
    home.intend(job)
    row = Row(
        number="7",
        user="ai",
        key=job.key,
        account="eu-1",
        state="FAILED",
        exit_code=124,
        started_at=200.0,
        ended_at=201.0,
    )
    assert Sights(home).sighting(job.key, row, []).reason is Reason.NO_GPUS


def test_one_bare_node_of_several_is_enough(tmp_path, tools, bare):
    job = a_job_in(tmp_path, "/bin/echo", "works", gpus=4, nodes=2)

    code = begun(job, PATH=f"{tools}:{os.environ['PATH']}").wait()

    assert code == 0
    assert asked(tools)[0] == "requeue 7"
    assert "gave gpu1 none of the GPUs" in (job.folder / "log").read_text()


def test_a_bare_start_of_before_excuses_no_work_that_saves_nothing(tmp_path, tools, bare):
    job = a_job_in(tmp_path, "/bin/sh", "-c", "exit 75")
    bare(job)

    code = begun(job, PATH=f"{tools}:{os.environ['PATH']}").wait()

    assert code == 75
    assert asked(tools) == ["requeue 7"]


@pytest.mark.parametrize(
    ("given", "wanted", "held_s"),
    [
        ("cpu=1,gres/gpu=1", "cpu=1,gres/gpu=1", 6),
        ("cpu=1", "cpu=1,gres/gpu=1", 0),
        ("cpu=1", "cpu=1", 6),  # of a site that does not count GPUs
    ],
)
def test_a_stretch_without_gpus_held_none(given, wanted, held_s):
    fields = ("7", "ai", "REQUEUED", "eu-1", "100", "106", "6", "0:0", given, wanted, "90", "a")

    (row,) = accounting_rows("~x~".join(fields) + "\n", "~x~")

    assert (row.started_at, row.elapsed_s) == (100.0, held_s)
