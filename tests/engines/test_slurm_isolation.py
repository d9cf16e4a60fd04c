"""Jobs of two cases on a real Slurm, each as its own Unix account, out of each other's way."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from fabriek.engines.base import JobHeldUp, JobRejected, Phase, Reason
from fabriek.engines.slurm_home import Home
from tests.engines import strangers
from tests.engines.cluster import CONF, Cluster, part, said
from tests.engines.strangers import (
    accounts,
    as_account,
    let_in,
    new_prefix,
    open_place,
    uid,
)
from tests.engines.waiting import eventually

pytestmark = pytest.mark.slurm


@pytest.fixture(scope="module")
def names():
    prefix = new_prefix()
    with accounts(f"{prefix}c26-0001", f"{prefix}c26-0002") as names:
        yield names


@pytest.fixture(scope="module")
def account(names):
    """Open a budget that both cases may use: telling Slurm takes seconds."""
    with open_place() as place:
        cluster = Cluster(place)
        cluster.tell(users=names)
        return cluster.account


@pytest.fixture
def cluster(account):
    """Give a cluster whose folders lie where other accounts can pass."""
    with open_place() as place:
        cluster = Cluster(place, account=account)
        cluster.conf.chmod(0o644)
        yield cluster
        cluster.clear()


def submitted(cluster, name, script, user, **more):
    job = cluster.job(name, script, user=user, **more)
    let_in(job.folder, user)
    cluster.engine.submit(job)
    return job


def test_a_job_runs_as_the_account_it_is_submitted_for(cluster, names):
    job = submitted(cluster, "a", "id -un; id -Gn; touch made", names[0])

    seen = cluster.ended()

    assert (seen.phase, seen.exit_code) == (Phase.SUCCEEDED, 0)
    user, groups = (job.folder / "log").read_text().splitlines()
    assert user == names[0]
    assert groups == f"{names[0]} fabriek-cases"
    assert (job.folder / "made").stat().st_uid == uid(names[0])
    [row] = said("squeue", "-h", "--states=all", f"--name={job.key}", "--format=%u").split()
    assert row == names[0]


def test_a_job_cannot_come_into_the_folder_of_another_case(cluster, names):
    theirs = cluster.job("b", "true", user=names[1])
    let_in(theirs.folder, names[1])
    (theirs.folder / "secret").write_text("theirs")
    (theirs.folder / "secret").chmod(0o644)
    tries = f"""
        cat {theirs.folder}/secret && echo READ
        ls {theirs.folder} && echo LISTED
        echo mine >{theirs.folder}/planted && echo WROTE
        ln {theirs.folder}/secret linked && echo LINKED
        ls {theirs.folder.parent} && echo NAMES
        cat secret
    """
    mine = cluster.job("a", tries, user=names[0])
    let_in(mine.folder, names[0])
    (mine.folder / "secret").write_text("my own")
    (mine.folder / "secret").chmod(0o644)
    cluster.engine.submit(mine)

    seen = cluster.ended()

    told = (mine.folder / "log").read_text()
    assert seen.phase is Phase.SUCCEEDED  # the last try is its own file, which it can read
    assert told.count("ermission denied") == 5
    assert told.splitlines()[-1] == "my own"
    assert not {"READ", "LISTED", "WROTE", "LINKED", "NAMES"} & {*told.split()}
    assert sorted(one.name for one in theirs.folder.iterdir()) == ["secret"]


def test_a_job_cannot_look_into_the_process_of_another_case(cluster, names):
    waits = submitted(
        cluster,
        "b",
        "echo $$ >pid; sleep 60",
        names[1],
        environment=(("TOKEN", "theirs"),),
    )
    pid = int(eventually(lambda: _text(waits.folder / "pid").strip(), within_s=30))
    assert b"TOKEN=theirs" in Path(f"/proc/{pid}/environ").read_bytes()
    script = (
        f"cat /proc/{pid}/environ; ls /proc/{pid}/cwd/; kill -9 {pid}; cat /proc/$$/environ"
    )
    mine = submitted(cluster, "a", script, names[0], environment=(("TOKEN", "mine"),))

    cluster.ended()

    told = (mine.folder / "log").read_text()
    assert "TOKEN=mine" in told
    assert "theirs" not in told
    assert "ot permitted" in told
    assert cluster.seen("b").phase is Phase.RUNNING


def test_a_job_cannot_read_the_home_of_the_engine(cluster, names):
    job = submitted(cluster, "a", f"ls {cluster.home}/slurm", names[0])

    seen = cluster.ended()

    assert seen.phase is Phase.FAILED
    assert "ermission denied" in (job.folder / "log").read_text()


def test_what_the_job_makes_can_be_read_and_removed_by_the_portal_alone(cluster, names):
    job = submitted(
        cluster, "a", "mkdir -p deep/er; echo out >deep/er/file; ls -ld deep", names[0]
    )
    cluster.ended()

    made = job.folder / "deep" / "er" / "file"
    others = as_account(names[1], "cat", str(made))

    assert made.read_text() == "out\n"
    assert (others.returncode, others.stdout) == (1, "")
    made.unlink()
    assert not made.exists()


def test_a_job_of_another_account_is_ended_when_that_is_asked_for(cluster, names):
    submitted(cluster, "a", "sleep 60", names[0])
    cluster.reached("a", Phase.RUNNING)

    cluster.engine.cancel(cluster.key())

    seen = cluster.ended()
    assert (seen.phase, seen.reason) == (Phase.CANCELLED, Reason.CANCELLED)


def test_a_job_that_is_started_again_runs_as_the_same_account(cluster, names):
    script = "id -un; [ -e again ] && exit 0; touch again; sleep 60"
    job = submitted(cluster, "a", script, names[0])
    eventually((job.folder / "again").exists, within_s=30)
    number = (cluster.home / "slurm" / "jobs" / job.key / "number").read_text()
    told = as_account(
        names[0], "scontrol", "requeue", number, env=os.environ | {"SLURM_CONF": str(CONF)}
    )
    assert told.returncode == 0, told.stderr

    def over():
        cluster.hurry()
        seen = cluster.seen()
        return seen if seen.phase.is_final else None

    assert eventually(over, within_s=60).phase is Phase.SUCCEEDED
    assert (job.folder / "log").read_text().split().count(names[0]) == 2


def test_a_stranger_whose_job_has_our_name_is_not_believed(cluster, names):
    key = cluster.key()
    _strangers_job(cluster, names[1], key, "sleep 60")
    job = submitted(cluster, "a", "exit 3", names[0])

    seen = cluster.ended()

    assert (seen.phase, seen.exit_code) == (Phase.FAILED, 3)
    rows = said("squeue", "-h", f"--name={key}", "--format=%u").split()
    assert names[1] in rows
    cluster.engine.cancel(key)
    assert names[1] in said("squeue", "-h", f"--name={key}", "--format=%u").split()
    assert job.key == key


def test_a_stranger_does_not_stand_for_a_job_that_was_never_sent(cluster, names):
    """After a death between intent and sbatch the queue is asked who has our name."""
    job = cluster.job("a", "true", user=names[0])
    let_in(job.folder, names[0])
    _strangers_job(cluster, names[1], job.key, "sleep 60")
    home = Home(cluster.home / "slurm")
    home.make()
    with home.locked(job.key):
        home.intend(job)

    cluster.another().submit(job)

    assert cluster.ended(within_s=60).phase is Phase.SUCCEEDED


def test_our_own_job_is_found_after_a_death_though_its_number_was_lost(cluster, names):
    job = submitted(cluster, "a", "sleep 60", names[0])
    (cluster.home / "slurm" / "jobs" / job.key / "number").unlink()

    cluster.another().submit(job)

    assert len(cluster.numbers()) == 1


def test_an_account_that_does_not_exist_holds_up_its_job_alone(cluster, names):
    ghost = cluster.job("a", "true", user="fab-c26-9999")
    other = cluster.job("b", "true", user=names[0])
    let_in(other.folder, names[0])

    with pytest.raises(JobHeldUp) as trouble:
        cluster.engine.submit(ghost)
    cluster.engine.submit(other)

    assert trouble.value.code == "account_missing"
    assert cluster.numbers("a") == set()
    assert cluster.ended("b").phase is Phase.SUCCEEDED


def test_a_folder_that_the_account_cannot_use_holds_up_the_job_until_it_can(cluster, names):
    job = cluster.job("a", "true", user=names[0])
    job.folder.chmod(0o700)

    with pytest.raises(JobHeldUp) as trouble:
        cluster.engine.submit(job)
    let_in(job.folder, names[0])
    cluster.engine.submit(job)

    assert (trouble.value.code, str(job.folder) in str(trouble.value)) == (
        "account_cannot_reach",
        True,
    )
    assert cluster.ended().phase is Phase.SUCCEEDED


def test_a_program_that_the_account_cannot_start_holds_up_the_job(cluster, names):
    job = cluster.job("a", "true", user=names[0])
    let_in(job.folder, names[0])
    hidden = cluster.folder / "closed"
    hidden.mkdir(mode=0o700)
    (hidden / "python").symlink_to(sys.executable)
    wish = type(job)(
        **{name: getattr(job, name) for name in job.__slots__}
        | {"command": (str(hidden / "python"), "-c", "1")}
    )

    with pytest.raises(JobHeldUp) as trouble:
        cluster.engine.submit(wish)

    assert trouble.value.code == "account_cannot_reach"
    assert str(hidden) in str(trouble.value)


@pytest.mark.parametrize("user", ["-x", "a b", "a;id", "root\n", "A", "x" * 33])
def test_a_user_that_would_be_an_option_or_a_command_is_refused(cluster, user):
    with pytest.raises(JobRejected) as refused:
        cluster.engine.submit(cluster.job("a", "true", user=user))

    assert refused.value.code == "bad_user"


def test_five_accounts_cost_no_more_commands_than_one(cluster, names, monkeypatch):
    for name, user in (("a", names[0]), ("b", names[1]), ("c", "")):
        job = cluster.job(name, "true", user=user)
        if user:
            let_in(job.folder, user)
        cluster.engine.submit(job)
    keys = [cluster.key(name) for name in "abc"]
    eventually(lambda: all(one.phase.is_final for one in cluster.engine.look(keys).values()))
    asked = []
    monkeypatch.setattr(
        subprocess, "run", lambda words, **more: asked.append(words[0]) or _run(words, **more)
    )

    seen = cluster.engine.look(keys)

    assert len(seen) == 3
    assert asked == ["squeue"]


def test_while_nobody_answers_nothing_is_concluded_of_a_job_of_another_account(cluster, names):
    submitted(cluster, "a", "true", names[0])
    cluster.ended()
    part("stop", "slurmdbd")
    try:
        seen = cluster.engine.look([cluster.key()])
    finally:
        part("start", "slurmdbd")

    assert seen[cluster.key()].phase is Phase.SUCCEEDED


# --- a portal that is not root -----------------------------------------------------------
PORTAL = """
import sys
from pathlib import Path
from fabriek.engines.base import Job
from fabriek.engines.slurm import Site, Slurm
from fabriek.kernel import acl

place, conf, root, account, key, user, uid = sys.argv[1:]
site = Site(conf=conf, root=root, partition="gpu", grace_s=1)
engine = Slurm(Path(place) / "home", site)
folder = Path(place) / "run"
if not folder.exists():
    folder.mkdir(mode=0o700)
    folder.chmod(0o1700)
    acl.admit(folder, int(uid))
script = "id -un; umask 077; mkdir -p deep; echo out >deep/made; sleep 60"
job = Job(key=key, account=account, folder=folder, command=("/bin/sh", "-c", script), gpus=1,
          timeout_s=60, user=user)
engine.submit(job)
engine.submit(job)
while not (folder / "deep" / "made").exists():
    engine.look([key])
engine.cancel(key)
while not (seen := engine.look([key])[key]).phase.is_final:
    pass
made = folder / "deep" / "made"
print(seen.phase, (folder / "log").read_text().split()[0], made.read_text())
made.unlink()
(folder / "deep").rmdir()
"""


@pytest.fixture
def portal(names):
    if not shutil.which("sudo"):
        pytest.skip("no sudo is installed")
    with strangers.portal(f"{names[0].partition('-')[0]}-portal") as name:
        yield name


def as_portal(cluster, portal, user, *, key):
    place = cluster.folder / "portal"
    place.mkdir(exist_ok=True)
    os.chown(place, uid(portal), -1)
    place.chmod(0o711)
    words = [place, cluster.conf, cluster.root, cluster.account, key, user, str(uid(user))]
    return as_account(
        portal,
        sys.executable,
        "-c",
        PORTAL,
        *map(str, words),
        env={"PATH": os.environ["PATH"]},
        timeout=120,
    )


def test_a_portal_that_is_not_root_does_it_all_through_sudo(cluster, names, portal):
    told = as_portal(cluster, portal, names[0], key=cluster.key())

    assert told.stdout.split() == ["cancelled", names[0], "out"], told.stderr
    assert len(cluster.numbers()) == 1


def test_a_portal_that_sudo_does_not_let_become_the_account_is_told_so(cluster, portal):
    told = as_portal(cluster, portal, "nobody", key=cluster.key())

    assert "JobHeldUp: Nothing can be run as nobody (sudo:" in told.stderr
    assert cluster.numbers() == set()


def test_a_portal_that_is_not_root_lets_the_hook_make_accounts(portal, names):
    name = f"{names[0].partition('-')[0]}-c26-0009"
    made = as_account(portal, "sudo", "-n", "--", str(strangers.HOOK), "ensure", name)
    gone = as_account(portal, "sudo", "-n", "--", str(strangers.HOOK), "remove", name)
    other = as_account(portal, "sudo", "-n", "--", "/usr/sbin/useradd", name)

    assert (made.returncode, gone.returncode, other.returncode) == (0, 0, 1)


_run = subprocess.run


def _strangers_job(cluster, name, key, script):
    words = [f"--job-name={key}", f"--account={cluster.account}", f"--qos={cluster.account}"]
    told = as_account(
        name,
        "sbatch",
        *words,
        "--gpus-per-node=1",
        "--time=2",
        "--output=/dev/null",
        f"--wrap={script}",
        env={"PATH": os.environ["PATH"], "SLURM_CONF": str(CONF)},
    )
    assert told.returncode == 0, told.stderr
    # One that still waits before ours would make that wait too.
    runs = ("squeue", "-h", "--states=RUNNING", f"--name={key}", "--format=%i")
    eventually(lambda: said(*runs), within_s=30)


def _text(path):
    return path.read_text() if path.exists() else ""


# --- over SSH ----------------------------------------------------------------------------
@pytest.fixture
def far(cluster, login_node, monkeypatch):
    """Give a portal elsewhere, which signs in to the login node as root."""
    monkeypatch.setenv("PATH", f"{login_node}:{os.environ['PATH']}")
    monkeypatch.delenv("SLURM_CONF", raising=False)
    near = cluster.folder / "s"  # a socket's path may not be long
    yield cluster.another(home=near, ssh="root@127.0.0.1")
    for socket in near.glob("slurm/ssh-*"):
        words = ["/usr/bin/ssh", "-O", "exit", "-S", socket, "x"]
        subprocess.run(words, capture_output=True, check=False)


def test_the_login_node_becomes_the_account(cluster, far, names):
    job = cluster.job("a", "id -un; sleep 60", user=names[0])
    let_in(job.folder, names[0])

    far.submit(job)
    eventually(lambda: _text(job.folder / "log"), within_s=30)
    far.cancel(job.key)

    eventually(lambda: far.look([job.key])[job.key].phase is Phase.CANCELLED, within_s=30)
    assert (job.folder / "log").read_text().split()[0] == names[0]
    assert len(cluster.numbers()) == 1


def test_an_account_that_the_login_node_does_not_know_holds_up_its_job(cluster, far):
    with pytest.raises(JobHeldUp) as trouble:
        far.submit(cluster.job("a", "true", user="fab-c26-9999"))

    assert trouble.value.code == "account_not_ours"
    assert cluster.numbers() == set()
