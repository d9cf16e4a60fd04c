"""The Slurm engine on a real cluster: what it does, and what it refuses."""

import grp
import os
import pwd
import shutil
import subprocess
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from fabriek.engines.base import Budget, BudgetsHeldUp, JobRejected, Phase, Reason
from fabriek.engines.slurm_writes import LOAD_FROM
from tests.engines.cluster import CONF, Cluster, said
from tests.engines.waiting import eventually

pytestmark = pytest.mark.slurm


@pytest.fixture(scope="module")
def account(tmp_path_factory):
    """Open one account for all tests that do not change it: that takes seconds."""
    return Cluster(tmp_path_factory.mktemp("account")).open(gpu_seconds=10**9).account


@pytest.fixture
def cluster(tmp_path, account):
    cluster = Cluster(tmp_path, account=account)
    yield cluster
    cluster.clear()


@pytest.fixture
def paid(tmp_path):
    """Give an account of the test's own."""
    cluster = Cluster(tmp_path).open()
    yield cluster
    cluster.clear()


# What a job finds and leaves behind


def test_a_job_runs_in_its_folder_and_leaves_its_log_and_exit(cluster):
    job = cluster.submit("a", "echo out; echo err >&2; pwd; id -un; exit 3")

    seen = cluster.ended()

    assert (seen.phase, seen.reason, seen.exit_code) == (Phase.FAILED, Reason.EXIT, 3)
    me = pwd.getpwuid(os.getuid()).pw_name
    assert (job.folder / "log").read_text() == f"out\nerr\n{job.folder}\n{me}\n"
    assert (job.folder / "exit").read_text() == "3\n"


def test_a_command_that_does_not_exist_fails_and_the_log_says_why(cluster):
    job = cluster.job("a", "")
    cluster.engine.submit(replace(job, command=("no-such-program",)))

    seen = cluster.ended()

    assert (seen.reason, seen.exit_code) == (Reason.EXIT, 127)
    assert "No such file or directory" in (job.folder / "log").read_text()


def test_a_job_knows_nothing_of_the_portal_nor_of_the_accounts_shell(cluster, monkeypatch):
    for name in ("FABRIEK_SECRET_KEY", "DATABASE_URL", "SBATCH_EXPORT", "SBATCH_OUTPUT"):
        monkeypatch.setenv(name, "/do-not-tell")
    job = cluster.submit("a", "exec env -0 >told", environment=(("SEED", "7"),), gpus=2)

    cluster.ended()

    lines = (job.folder / "told").read_text()[:-1].split("\0")
    told = dict(line.split("=", 1) for line in lines)
    given = {"PATH", "HOME", "LANG", "SEED", "FABRIEK_JOB", "FABRIEK_GPUS", "PWD"}
    assert told.keys() - {"CUDA_VISIBLE_DEVICES", "OLDPWD", "SHLVL", "_"} == given
    assert (told["HOME"], told["FABRIEK_JOB"]) == (str(job.folder), job.key)
    assert len(told["FABRIEK_GPUS"].split(",")) == 2


def test_a_gigabyte_of_log_hurts_nobody(cluster):
    job = cluster.submit("a", "yes | head -c 1000000000; echo done")

    seen = cluster.ended()

    assert seen.phase == Phase.SUCCEEDED
    assert (job.folder / "log").stat().st_size == 1_000_000_005


def test_hostile_words_stay_words(cluster):
    words = ("--output=/etc/passwd", "#SBATCH --hold", "\r\n", "$(id)", "'; id; '", "é")
    job = replace(cluster.job("a", ""), command=("/usr/bin/printf", "%s|", *words))
    cluster.engine.submit(job)

    cluster.ended()

    assert (job.folder / "log").read_bytes().decode() == "".join(f"{word}|" for word in words)


# Ends that somebody forces


def test_a_job_that_takes_too_long_may_write_a_checkpoint_first(cluster):
    script = "trap 'touch checkpoint; exit 0' TERM; while :; do sleep 0.02; done"
    job = cluster.submit("a", script, timeout_s=4)

    seen = cluster.ended()

    assert (seen.phase, seen.reason, seen.exit_code) == (Phase.FAILED, Reason.TIMEOUT, 0)
    assert 3 <= seen.elapsed_s < 60  # Slurm's own limit is a whole minute
    assert (job.folder / "checkpoint").exists()


def test_a_cancelled_job_may_write_a_checkpoint_too(cluster):
    script = "trap 'touch checkpoint; exit 0' TERM; : >ready; while :; do sleep 0.02; done"
    job = cluster.submit("a", script)
    eventually((job.folder / "ready").exists, within_s=20)

    cluster.engine.cancel(job.key)

    seen = cluster.ended()
    assert (seen.phase, seen.exit_code) == (Phase.CANCELLED, 0)
    assert (job.folder / "checkpoint").exists()


def test_a_job_that_ignores_sigterm_is_killed_after_the_grace(cluster):
    job = cluster.submit("a", "trap '' TERM; : >ready; while :; do sleep 0.02; done")
    eventually((job.folder / "ready").exists, within_s=20)

    cluster.engine.cancel(job.key)

    seen = cluster.ended()
    assert (seen.phase, seen.reason, seen.exit_code) == (Phase.CANCELLED, Reason.CANCELLED, 137)


def test_a_job_killed_by_somebody_else_is_seen_as_killed(cluster):
    cluster.submit("a", "kill -s KILL $$")

    seen = cluster.ended()

    assert (seen.phase, seen.reason, seen.exit_code) == (Phase.FAILED, Reason.KILLED, 137)


# The queue


def test_a_job_that_waits_says_why_and_how_many_are_before_it(cluster):
    said("scontrol", "update", "partition=narrow", "state=down")
    try:
        engine = cluster.another(partition="narrow")
        for name in "ab":
            engine.submit(cluster.job(name, "true"))

        first, second = (eventually(lambda n=n: _why(cluster, n)) for n in "ab")
    finally:
        said("scontrol", "update", "partition=narrow", "state=up")

    assert first.reason == "PartitionDown"
    assert second.queue_position == first.queue_position + 1


def test_a_thousand_keys_cost_two_commands(cluster, monkeypatch):
    cluster.submit("a", "sleep 500")
    keys = [cluster.key(f"no-{n}") for n in range(1000)]
    asked = _recorded(cluster.folder, monkeypatch)

    seen = cluster.engine.look([cluster.key(), *keys])

    assert seen.keys() == {cluster.key()}
    assert asked() == ["squeue", "sacct"]
    cluster.engine.look([cluster.key()])
    assert asked() == ["squeue", "sacct", "squeue"]


def test_a_job_with_our_key_by_somebody_else_is_not_ours(cluster):
    somebody = pwd.getpwnam("nobody")
    sbatch = ["sbatch", f"--job-name={cluster.key()}", "--wrap=true", "--output=/dev/null"]
    said("sacctmgr", "-i", "add", "user", "nobody", f"account={cluster.account}")
    done = subprocess.run(
        [*sbatch, f"--account={cluster.account}", "--chdir=/"],
        env={"PATH": os.environ["PATH"], "SLURM_CONF": str(CONF)},
        user=somebody.pw_uid,
        group=grp.getgrgid(somebody.pw_gid).gr_gid,
        extra_groups=[],
        cwd="/",
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr

    assert cluster.engine.look([cluster.key()]) == {}


def test_submitters_at_once_make_one_job(cluster):
    job = cluster.job("a", "echo once >>times")
    portals = [cluster.another() for _ in range(6)]
    threads = [threading.Thread(target=portal.submit, args=(job,)) for portal in portals]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    cluster.ended()
    assert (job.folder / "times").read_text() == "once\n"
    assert len(cluster.numbers()) == 1


# Budgets


def test_a_budget_is_an_account_and_a_qos_of_its_name(paid):
    paid.tell(gpu_seconds=7_230)

    qos = said("sacctmgr", "-nP", "show", "qos", paid.account, "format=flags,grptresmins")
    [line] = qos.split()
    assert line == "DenyOnLimit,NoDecay|gres/gpu=121"
    tree = ("format=parentname,user,qos",)
    account = f"account={paid.account}"
    rows = said("sacctmgr", "-nP", "show", "assoc", "where", account, *tree).split()
    me = pwd.getpwuid(os.getuid()).pw_name
    assert rows == [f"fabriek-tests||{paid.account}", f"|{me}|{paid.account}"]


def test_what_is_told_already_is_not_written_again(paid, monkeypatch):
    asked = _recorded(paid.folder, monkeypatch)

    paid.tell()
    paid.tell()

    assert asked() == ["sacctmgr", "sacctmgr"]  # each read once


def test_a_job_larger_than_its_budget_is_refused_by_slurm_too(paid):
    paid.tell(gpu_seconds=600)

    with pytest.raises(JobRejected) as refused:
        paid.submit("a", "true", timeout_s=3600)

    assert refused.value.code == "over_budget"
    assert paid.engine.look([paid.key()]) == {}


def test_a_job_that_waits_for_budget_says_so_and_starts_when_there_is_more(paid):
    paid.tell(gpu_seconds=600)
    paid.submit("a", "sleep 500", timeout_s=600)
    paid.reached("a", Phase.RUNNING)
    paid.submit("b", "true", timeout_s=600)
    waits = eventually(lambda: _why(paid, "b"), within_s=20)

    paid.tell(gpu_seconds=6000)

    assert paid.ended("b").phase == Phase.SUCCEEDED
    assert waits.reason == "QOSGrpGRESMinutes"


def test_a_budget_that_slurm_does_not_take_is_not_taken_for_told(paid, monkeypatch):
    shim = paid.folder / "sacctmgr"
    real = shutil.which("sacctmgr")
    shim.write_text(f'#!/bin/sh\ncase "$*" in *readonly*) exec {real} "$@";; esac\n')
    shim.chmod(0o700)
    monkeypatch.setenv("PATH", f"{paid.folder}:{os.environ['PATH']}")

    for tell in (
        lambda: paid.tell(account=f"{paid.account}y"),
        lambda: paid.tell(gpu_seconds=60),
        lambda: paid.tell(is_open=False),
    ):
        with pytest.raises(BudgetsHeldUp):
            tell()


def test_an_account_of_somebody_else_is_left_alone(paid, caplog):
    theirs = f"{paid.account}x"
    said("sacctmgr", "-i", "add", "account", theirs, "parent=root")

    paid.tell(account=theirs)
    paid.tell(account=theirs, is_open=False)

    rows = said("sacctmgr", "-nP", "show", "assoc", "where", f"account={theirs}")
    assert len(rows.splitlines()) == 1
    assert "is not ours" in caplog.text
    assert said("sacctmgr", "-nP", "show", "qos", theirs) == ""


@pytest.mark.parametrize(
    ("wish", "code"),
    [
        ({"account": "nobody-knows"}, "account_unknown"),
        ({"gpus": 5}, "too_many_gpus"),
        ({"gpus": 5, "nodes": 5}, "too_many_nodes"),
        ({"key": "a,b"}, "bad_key"),
    ],
)
def test_a_job_that_can_never_run_here_is_refused(cluster, wish, code):
    job = replace(cluster.job("a", "true"), **wish)

    with pytest.raises(JobRejected) as refused:
        cluster.engine.submit(job)

    assert refused.value.code == code
    assert cluster.engine.look([job.key]) == {}


# Over SSH


def test_a_login_node_does_as_well(paid, login_node, monkeypatch):
    monkeypatch.setenv("PATH", f"{login_node}:{os.environ['PATH']}")
    monkeypatch.delenv("SLURM_CONF", raising=False)
    near = Path(f"/tmp/fs-{paid.account}")  # noqa: S108 a socket's path may not be long
    me = pwd.getpwuid(os.getuid()).pw_name
    far = paid.another(home=near, ssh=f"{me}@127.0.0.1")
    job = paid.job("a", 'printf %s "$WORD"', environment=(("WORD", "it's $HOME"),))
    try:
        far.submit(job)
        far.submit(job)
        eventually(lambda: far.look([job.key])[job.key].phase.is_final, within_s=20)

        assert (job.folder / "log").read_text() == "it's $HOME"
        assert len(paid.numbers()) == 1
        assert list(near.glob("slurm/ssh-*"))  # one connection serves all commands
        eventually(lambda: job.key in [one.key for one in far.usage(0)], within_s=20)
        far.cancel(job.key)
        names = [f"{paid.account}-{number:02}" for number in range(LOAD_FROM // 2)]
        far.tell_budgets([Budget(account=name, gpu_seconds=60) for name in names])
        assert {*names} <= {*paid.engine.budgets.accounts()}
        paid.tell(engine=far, is_open=False)
        with pytest.raises(JobRejected):
            far.submit(replace(job, key=paid.key("b")))
    finally:
        for socket in near.glob("slurm/ssh-*"):
            subprocess.run(
                ["/usr/bin/ssh", "-O", "exit", "-S", socket, "x"], capture_output=True
            )
        shutil.rmtree(near)


def _why(cluster, name):
    seen = cluster.seen(name)
    return seen if seen.reason not in {"", "None"} and seen.queue_position else None


def _recorded(folder, monkeypatch):
    """Note each command of Slurm that is started, and run it all the same."""
    shims, log = folder / "shims", folder / "asked"
    shims.mkdir()
    for name in ("squeue", "sacct", "sbatch", "scancel", "sacctmgr", "id"):
        shim = shims / name
        shim.write_text(f'#!/bin/sh\necho {name} >>{log}\nexec {shutil.which(name)} "$@"\n')
        shim.chmod(0o700)
    monkeypatch.setenv("PATH", f"{shims}:{os.environ['PATH']}")
    return lambda: log.read_text().split()
