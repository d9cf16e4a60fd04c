"""A command beside a job: its bytes go through as they are, on each engine."""

import os
import subprocess

import pytest

from fabriek.engines.base import EngineDown, Job, Phase
from fabriek.engines.fake import Fake
from fabriek.engines.local import Local
from tests.engines.cluster import Cluster

BYTES = bytes(range(256)) * 1000 + b"no line end"
SAYS = ("/bin/sh", "-c", "echo $SLURM_JOB_ID; id -un")


@pytest.fixture
def cluster(tmp_path):
    cluster = Cluster(tmp_path).open()
    yield cluster
    cluster.clear()


def passed_through(command):
    # Not its stderr: a connection that ssh keeps for others holds that open.
    done = subprocess.run(
        command,
        input=BYTES,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={"PATH": os.defpath},
    )
    assert done.returncode == 0
    return done.stdout


def test_on_one_machine_the_command_is_started_as_it_is(tmp_path):
    engine = Local(tmp_path, gpus=1)

    assert passed_through(engine.reach("fabriek-a", ("/bin/cat",))) == BYTES


def test_the_fake_knows_only_its_own_jobs(tmp_path):
    engine = Fake()
    job = Job(key="a", account="x", folder=tmp_path, command=("x",), gpus=1, timeout_s=60)
    engine.submit(job)

    assert engine.reach("a", ("/bin/cat",)) == ("/bin/cat",)
    with pytest.raises(EngineDown):
        engine.reach("b", ("/bin/cat",))


@pytest.mark.slurm
def test_on_a_cluster_it_is_a_step_of_the_job(cluster):
    cluster.submit("a", "sleep 500")
    cluster.reached("a", Phase.RUNNING)
    [number] = cluster.numbers("a")

    through = passed_through(cluster.engine.reach(cluster.key("a"), ("/bin/cat",)))
    said = passed_through(cluster.engine.reach(cluster.key("a"), SAYS)).decode().split()

    assert through == BYTES
    assert said == [number, "root"]


@pytest.mark.slurm
@pytest.mark.parametrize("key", ["fabriek-never", "../a", "a b", ""])
def test_a_job_that_is_not_ours_cannot_be_reached(cluster, key):
    with pytest.raises(EngineDown):
        cluster.engine.reach(key, ("/bin/cat",))


@pytest.mark.slurm
def test_a_step_ends_with_its_job(cluster):
    cluster.submit("a", "sleep 500")
    cluster.reached("a", Phase.RUNNING)
    command = cluster.engine.reach(cluster.key("a"), ("/bin/cat",))
    with subprocess.Popen(command, stdin=-1, stdout=-1, stderr=-1, bufsize=0) as beside:
        beside.stdin.write(b"there?")
        there = beside.stdout.read(6)

        cluster.engine.cancel(cluster.key("a"))

        assert there == b"there?"
        assert beside.wait(60) != 0


@pytest.mark.slurm
def test_over_ssh_the_bytes_go_through_as_well(cluster, login_node, monkeypatch):
    monkeypatch.setenv("PATH", f"{login_node}:{os.environ['PATH']}")
    monkeypatch.delenv("SLURM_CONF", raising=False)
    near = cluster.folder / "s"  # a socket's path may not be long
    far = cluster.another(home=near, ssh="root@127.0.0.1")
    try:
        far.submit(cluster.job("a", "sleep 500"))
        cluster.reached("a", Phase.RUNNING)

        assert passed_through(far.reach(cluster.key("a"), ("/bin/cat",))) == BYTES
    finally:
        for socket in near.glob("slurm/ssh-*"):
            words = ["/usr/bin/ssh", "-O", "exit", "-S", socket, "x"]
            subprocess.run(words, capture_output=True, check=False)
