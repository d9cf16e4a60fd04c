"""The Slurm engine while parts of the cluster, or of itself, die."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
import time_machine

import fabriek
from fabriek.engines.base import EngineDown, Phase, Reason
from tests.engines.cluster import ROOT, STATE, Cluster, answers, mended, part, said
from tests.engines.waiting import eventually

pytestmark = pytest.mark.slurm

SOURCE = str(Path(fabriek.__file__).parents[1])
SUBMIT = """
    import sys
    from pathlib import Path
    from fabriek.engines.base import Job
    from fabriek.engines.slurm import Site, Slurm
    home, conf, root, key, account, folder, script = sys.argv[1:]
    engine = Slurm(Path(home), Site(conf=conf, root=root, partition="gpu"))
    print("ready", flush=True)
    engine.submit(Job(key=key, account=account, folder=Path(folder), gpus=1, timeout_s=60,
                      command=("/bin/sh", "-c", script)))
"""
WAITS = "while [ ! -e go ]; do sleep 0.05; done"


@pytest.fixture(scope="module")
def account(tmp_path_factory):
    whole = Cluster(tmp_path_factory.mktemp("account")).open(gpu_seconds=10**9)
    return whole.account


@pytest.fixture
def cluster(tmp_path, account):
    cluster = Cluster(tmp_path, account=account)
    yield cluster
    mended()
    eventually(lambda: answers(cluster.engine), within_s=40)
    cluster.clear()


# Nobody to ask


def test_runs_asked_for_and_ended_while_the_controller_is_down_come_right(cluster):
    ends = cluster.submit("ends", WAITS)
    cluster.reached("ends", Phase.RUNNING)
    asked = cluster.job("asked", "echo once >>times")
    part("stop", "slurmctld")
    for ask in (
        lambda: cluster.engine.submit(asked),
        lambda: cluster.engine.look([ends.key]),
        lambda: cluster.engine.cancel(ends.key),
    ):
        with pytest.raises(EngineDown):
            ask()
    (ends.folder / "go").touch()
    eventually((ends.folder / "exit").exists, within_s=20)

    part("start", "slurmctld")

    eventually(lambda: _submitted(cluster, asked), within_s=40)
    assert cluster.ended("asked").phase == Phase.SUCCEEDED
    assert (asked.folder / "times").read_text() == "once\n"
    seen = cluster.ended("ends")
    assert (seen.phase, seen.exit_code) == (Phase.SUCCEEDED, 0)


def test_without_accounting_jobs_in_the_queue_are_still_seen(cluster):
    runs = cluster.submit("runs", WAITS)
    cluster.reached("runs", Phase.RUNNING)
    gone = cluster.submit("gone", "true")
    cluster.ended("gone")
    part("stop", "slurmdbd")
    _forget_number(gone)

    seen = cluster.engine.look([runs.key, gone.key, "fabriek-never"])
    asked = cluster.job("asked", "true")
    cluster.engine.submit(asked)

    assert seen[runs.key].phase == Phase.RUNNING
    assert "fabriek-never" not in seen
    assert cluster.ended("asked").phase == Phase.SUCCEEDED
    with pytest.raises(EngineDown):
        cluster.engine.look(["fabriek-never"])
    with pytest.raises(EngineDown):
        cluster.engine.usage(0)
    with pytest.raises(EngineDown):
        cluster.tell(is_open=False)
    (runs.folder / "go").touch()
    assert cluster.ended("runs").phase == Phase.SUCCEEDED


def test_what_the_queue_forgot_is_unknown_until_the_accounting_answers(cluster):
    cluster.submit("gone", "exit 3")
    before = cluster.ended("gone")
    eventually(lambda: "FAILED" in _accounted(cluster, "gone"), within_s=20)
    _forget_all()
    stays = cluster.submit("stays", WAITS)
    part("stop", "slurmdbd")

    silent = cluster.engine.look([cluster.key("gone"), stays.key])

    assert silent[cluster.key("gone")].phase == Phase.UNKNOWN
    assert silent[stays.key].phase in {Phase.QUEUED, Phase.RUNNING}
    part("start", "slurmdbd")
    eventually(lambda: cluster.seen("gone").phase == Phase.FAILED, within_s=30)
    seen = cluster.seen("gone")
    assert (seen.reason, seen.exit_code) == (Reason.EXIT, 3)
    assert (seen.started_at, seen.elapsed_s) == (before.started_at, before.elapsed_s)
    (stays.folder / "go").touch()


def test_a_cluster_without_accounting_ends_in_a_true_state_from_the_folder(cluster):
    cluster.submit("well", "sleep 1.5")
    cluster.submit("ill", "exit 3")
    for name in ("well", "ill"):
        cluster.ended(name)
    _forget_all()
    text = cluster.conf.read_text()
    cluster.conf.write_text(
        text.replace("accounting_storage/slurmdbd", "accounting_storage/none").replace(
            "AccountingStorageEnforce=", "#"
        )
    )

    well, ill = cluster.seen("well"), cluster.seen("ill")

    assert (well.phase, well.reason, well.exit_code) == (Phase.SUCCEEDED, "", 0)
    assert 1 <= well.elapsed_s == well.ended_at - well.started_at
    assert (ill.phase, ill.reason, ill.exit_code) == (Phase.FAILED, Reason.EXIT, 3)


# Our own death


@pytest.mark.parametrize("attempt", range(12))
def test_kill_9_of_the_portal_loses_no_job_and_doubles_none(cluster, attempt):
    job = cluster.job("a", "echo once >>times")
    words = (cluster.home, cluster.conf, ROOT, job.key, job.account, job.folder)
    portal = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(SUBMIT), *map(str, words), job.command[2]],
        env={"PYTHONPATH": SOURCE, "PATH": os.environ["PATH"]},
        stdout=subprocess.PIPE,
    )
    portal.stdout.readline()
    time.sleep(random.Random(attempt).uniform(0, 0.06))  # sbatch takes 10 to 40 ms

    os.kill(portal.pid, signal.SIGKILL)
    portal.communicate()
    cluster.engine.submit(job)

    assert cluster.ended().phase == Phase.SUCCEEDED
    assert (job.folder / "times").read_text() == "once\n"
    assert len(cluster.numbers()) == 1


def test_an_answer_that_got_lost_is_found_in_queue_or_accounting(cluster):
    job = cluster.submit("a", "echo once >>times")
    cluster.ended()

    _forget_number(job, cluster)
    cluster.engine.submit(job)
    eventually(lambda: "COMPLETED" in _accounted(cluster, "a"), within_s=20)
    _forget_all()
    _forget_number(job, cluster)
    cluster.engine.submit(job)

    assert cluster.ended().phase == Phase.SUCCEEDED
    assert len(cluster.numbers()) == 1


@pytest.mark.parametrize("skew_s", [-300, 300])
def test_a_portal_whose_clock_is_wrong_tells_the_same(cluster, skew_s):
    with time_machine.travel(time.time() + skew_s, tick=True):
        job = cluster.submit("a", "echo once >>times")
        skewed = cluster.ended()
        eventually(lambda: "COMPLETED" in _accounted(cluster, "a"), within_s=20)
        _forget_all()
        _forget_number(job, cluster)
        cluster.engine.submit(job)
        late = cluster.seen()

    assert cluster.seen() == late == skewed
    assert (job.folder / "times").read_text() == "once\n"


# Started again


def test_a_job_that_is_requeued_is_one_run_and_all_it_held_counts(cluster):
    job = cluster.submit("a", f"echo began >>times; {WAITS}")
    first = cluster.reached("a", Phase.RUNNING)
    eventually(lambda: cluster.seen("a").elapsed_s >= 2, within_s=20)

    said("scontrol", "requeue", *cluster.numbers())
    eventually(lambda: _began_twice(cluster, job), within_s=40)
    again = eventually(lambda: _held_before(cluster, "a"), within_s=20)
    (job.folder / "go").touch()

    seen = cluster.ended()
    assert (seen.phase, seen.exit_code) == (Phase.SUCCEEDED, 0)
    assert seen.started_at == first.started_at == again.started_at
    assert seen.elapsed_s >= again.elapsed_s >= 2
    assert seen.elapsed_s < seen.ended_at - seen.started_at  # it waited in between
    eventually(lambda: len(list(_usage(cluster, job))) == 2, within_s=20)
    assert sum(record.elapsed_s for record in _usage(cluster, job)) == seen.elapsed_s


def test_a_job_that_is_preempted_goes_on_as_the_same_run(cluster):
    jobs = [cluster.submit(name, WAITS, gpus=4) for name in "abcd"]
    for name in "abcd":
        cluster.reached(name, Phase.RUNNING)
    urgent = cluster.another(partition="urgent")
    urgent.submit(cluster.job("urgent", "sleep 1", gpus=4))

    assert cluster.ended("urgent").phase == Phase.SUCCEEDED

    for job in jobs:
        (job.folder / "go").touch()
    eventually(lambda: _all_ended(cluster, "abcd"), within_s=40)
    ends = [cluster.seen(name).phase for name in "abcd"]
    assert ends == [Phase.SUCCEEDED] * 4
    stretches = [len((job.folder / ".times").read_text().splitlines()) for job in jobs]
    assert sum(stretches) > len(jobs) * 2  # one of them started twice


def test_a_job_whose_node_dies_starts_again_elsewhere(cluster):
    job = cluster.submit("a", f"echo began >>times; {WAITS}")
    cluster.reached("a", Phase.RUNNING)
    eventually((job.folder / "times").exists, within_s=20)
    [node] = said("squeue", "--noheader", f"--name={job.key}", "--format=%N").split()

    part("stop", node)
    said("scontrol", "update", f"nodename={node}", "state=down", "reason=died")

    eventually(lambda: _began_twice(cluster, job), within_s=40)
    (job.folder / "go").touch()
    assert cluster.ended().phase == Phase.SUCCEEDED


def _submitted(cluster, job):
    try:
        cluster.engine.submit(job)
    except EngineDown:
        return False
    return True


def _began_twice(cluster, job):
    cluster.hurry()
    return (job.folder / "times").read_text() == "began\nbegan\n"


def _all_ended(cluster, names):
    for name in names:
        cluster.hurry(name)
    return all(cluster.seen(name).phase.is_final for name in names)


def _held_before(cluster, name):
    seen = cluster.seen(name)
    return seen if seen.phase == Phase.RUNNING and seen.elapsed_s >= 2 else None


def _usage(cluster, job):
    return [
        record for record in cluster.engine.usage(time.time() - 600) if record.key == job.key
    ]


def _accounted(cluster, name):
    key = f"--name={cluster.key(name)}"
    return said("sacct", "-X", "-n", "-P", "-S", "now-1hour", "--format=State", key)


def _forget_number(job, cluster=None):
    """Leave what a portal leaves that died before it wrote down that sbatch answered."""
    home = cluster.home if cluster else job.folder.parent / "home"
    note = home / "slurm" / "jobs" / job.key
    (note / "number").unlink()
    assert json.loads((note / "job.json").read_text())


def _forget_all():
    """Let the controller start without any memory of jobs, as after the loss of its disk.

    It gives numbers out again from 1, so that this is also a test of numbers used again.
    """
    part("stop", "slurmctld")
    for name in ("job_state", "job_state.old"):
        (STATE / "slurmctld" / name).unlink(missing_ok=True)
    for folder in (STATE / "slurmctld").glob("hash.*"):
        shutil.rmtree(folder)
    part("start", "slurmctld")
