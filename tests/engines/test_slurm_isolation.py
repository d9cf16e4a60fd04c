"""Jobs of two cases on a real Slurm, each as its own Unix account, out of each other's way."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from fabriek.engines.base import EngineDown, JobHeldUp, JobRejected, Phase, Reason
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
        "echo $$ >pid; sleep 500",
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
    submitted(cluster, "a", "sleep 500", names[0])
    cluster.reached("a", Phase.RUNNING)

    cluster.engine.cancel(cluster.key())

    seen = cluster.ended()
    assert (seen.phase, seen.reason) == (Phase.CANCELLED, Reason.CANCELLED)


def test_a_job_that_is_started_again_runs_as_the_same_account(cluster, names):
    script = "id -un; [ -e again ] && exit 0; touch again; sleep 500"
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
    _strangers_job(cluster, names[1], key, "sleep 500")
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
    _strangers_job(cluster, names[1], job.key, "sleep 500")
    home = Home(cluster.home / "slurm")
    home.make()
    with home.locked(job.key):
        home.intend(job)

    cluster.another().submit(job)

    assert cluster.ended(within_s=60).phase is Phase.SUCCEEDED


def test_our_own_job_is_found_after_a_death_though_its_number_was_lost(cluster, names):
    job = submitted(cluster, "a", "sleep 500", names[0])
    (cluster.home / "slurm" / "jobs" / job.key / "number").unlink()

    cluster.another().submit(job)

    assert len(cluster.numbers()) == 1


LIES = """
    export SLURM_CONF={conf}
    number=$(squeue --me --noheader --name={key} --format=%i)
    scontrol update jobid=$number name=innocent || exit 9
    now=$(date +%s); rm -f .times
    printf "start $now $number\\nend $((now + 1)) $number\\n" >.times; echo 0 >exit
    : >lied; while [ ! -e go ]; do sleep 0.05; done; exit 3
"""


def liar(cluster, user):
    """Let a job run that has another name by now, and wrote that it was over."""
    script = LIES.format(conf=CONF, key=cluster.key())
    job = submitted(cluster, "a", script, user, gpus=2)
    eventually((job.folder / "lied").exists, within_s=30)
    return job


def test_a_job_that_renames_itself_and_writes_that_it_is_over_is_followed(cluster, names):
    job = liar(cluster, names[0])
    first = cluster.seen()
    eventually(lambda: cluster.seen().elapsed_s >= 3, within_s=20)
    (job.folder / "go").touch()

    seen = cluster.ended()

    assert first.phase is Phase.RUNNING
    assert (seen.phase, seen.elapsed_s >= 3) == (Phase.FAILED, True)
    number = (cluster.home / "slurm" / "jobs" / job.key / "number").read_text()
    held = ("sacct", "-Xna", f"--jobs={number}", "--format=ElapsedRaw,State,JobName")
    told = eventually(lambda: "FAILED" in said(*held) and said(*held).split())
    assert told[0] == str(seen.elapsed_s)
    assert told[2] != job.key


def test_a_job_that_renamed_itself_is_found_in_the_accounting_alone(
    cluster, names, monkeypatch
):
    job = liar(cluster, names[0])
    (job.folder / "go").touch()
    number = (cluster.home / "slurm" / "jobs" / job.key / "number").read_text()
    state = ("sacct", "-Xna", f"--jobs={number}", "--format=State")
    eventually(lambda: said(*state).split() == ["FAILED"], within_s=30)
    before = cluster.seen()
    # As when Slurm's queue forgot it, some minutes later.
    monkeypatch.setattr("fabriek.engines.slurm_ask.Slurm.queue", lambda _self: [])

    seen = cluster.another().look([job.key])[job.key]

    assert (seen.phase, seen.elapsed_s) == (Phase.FAILED, before.elapsed_s)


def test_a_job_that_renamed_itself_is_ended_when_that_is_asked_for(cluster, names):
    job = liar(cluster, names[0])
    cluster.seen()

    cluster.engine.cancel(job.key)

    seen = cluster.ended()
    assert (seen.phase, seen.reason) == (Phase.CANCELLED, Reason.CANCELLED)
    cluster.engine.cancel(job.key)


def test_a_job_that_the_accounting_does_not_know_is_not_believed(cluster, names):
    """Whoever could not be told of at all could write an end as it likes."""
    job = submitted(cluster, "a", "true", names[0])
    cluster.ended()
    (cluster.home / "slurm" / "jobs" / job.key / "number").write_text("66999999")

    assert cluster.another().look([job.key]) == {}


def test_an_account_that_is_gone_keeps_no_other_run_from_its_end(cluster, names):
    gone = cluster.job("gone", "true", user=f"{names[0][:9]}-c26-0099")
    home = Home(cluster.home / "slurm")
    home.make()
    with home.locked(gone.key):
        home.intend(gone)
        home.sent(gone.key, "66999998")
    job = submitted(cluster, "a", "true", names[0])
    cluster.ended()

    seen = cluster.engine.look([job.key, gone.key])

    assert {key: one.phase for key, one in seen.items()} == {job.key: Phase.SUCCEEDED}


def test_the_number_that_an_account_has_is_asked_where_jobs_are_submitted(
    cluster, names, monkeypatch
):
    assert cluster.engine.uid_of(names[0]) == uid(names[0])
    with monkeypatch.context() as patched:
        patched.setattr(subprocess, "run", _nothing)
        assert cluster.engine.uid_of(names[0]) == uid(names[0])
    with pytest.raises(JobHeldUp) as trouble:
        cluster.engine.uid_of("fab-c26-9999")
    assert trouble.value.code == "account_missing"


@pytest.mark.parametrize("ends_with", [124, 137])
def test_an_sbatch_that_is_ended_halfway_may_have_submitted_the_job(
    cluster, names, monkeypatch, ends_with
):
    real, shims = shutil.which("sbatch"), cluster.folder / "shims"
    shims.mkdir()
    (shims / "sbatch").write_text(
        "#!/bin/sh\necho 'sudo: unable to resolve host portal' >&2\n"
        f'{real} "$@" >/dev/null; echo "sudo: a password is required" >&2; exit {ends_with}\n'
    )
    (shims / "sbatch").chmod(0o755)
    job = cluster.job("a", "echo once >>times", user=names[0])
    let_in(job.folder, names[0])
    with monkeypatch.context() as patched:
        patched.setenv("PATH", f"{shims}:{os.environ['PATH']}")
        with pytest.raises(EngineDown):
            cluster.engine.submit(job)

    cluster.engine.submit(job)

    assert cluster.ended().phase is Phase.SUCCEEDED
    assert len(cluster.numbers()) == 1
    assert (job.folder / "times").read_text() == "once\n"


def test_a_warning_of_sudo_is_no_refusal(cluster, names, monkeypatch):
    shims = cluster.folder / "shims"
    shims.mkdir()
    (shims / "sbatch").write_text(
        "#!/bin/sh\necho 'sudo: unable to resolve host portal: x' >&2\nexit 1\n"
    )
    (shims / "sbatch").chmod(0o755)
    job = cluster.job("a", "true", user=names[0])
    let_in(job.folder, names[0])
    monkeypatch.setenv("PATH", f"{shims}:{os.environ['PATH']}")

    with pytest.raises(EngineDown):
        cluster.engine.submit(job)


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
script = "id -un; umask 077; mkdir -p deep; echo out >deep/made; sleep 500"
job = Job(key=key, account=account, folder=folder, command=("/bin/sh", "-c", script), gpus=1,
          timeout_s=600, user=user)
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
        timeout=600,
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
    hook = ("sudo", "-n", "--", *strangers.LIMIT, str(strangers.HOOK))
    made = as_account(portal, *hook, "ensure", name)
    gone = as_account(portal, *hook, "remove", name)
    other = as_account(portal, "sudo", "-n", "--", "/usr/sbin/useradd", name)
    free = as_account(portal, "sudo", "-n", "--", *strangers.LIMIT, "/usr/sbin/useradd", name)

    codes = [told.returncode for told in (made, gone, other, free)]
    assert codes == [0, 0, 1, 1], made.stderr


CALLS_HOOK = """
import os, sys
sys.path[:0] = {path!r}
import django
django.setup()
from django.conf import settings
from fabriek.engines.base import JobHeldUp
from fabriek.runs import accounts
settings.UNIX_HOOK = {hook!r}
accounts.HOOK_S, accounts.KILL_S = 5, 1
for _ in range(2):
    try:
        accounts.ensure("fab-c99-0001")
    except JobHeldUp as trouble:
        print(trouble.code, trouble)
print([*accounts.known.failed])
"""


def test_a_hook_that_hangs_does_not_hold_up_a_portal_that_is_not_root(names):
    """It runs as root, so that this portal could not end it: it ends itself."""
    if not shutil.which("sudo"):
        pytest.skip("no sudo is installed")
    with open_place() as place:
        hook = place / "hook"
        hook.write_text(f"#!/bin/sh\necho $$ >>{place}/calls\ntrap '' TERM\nsleep 60\n")
        hook.chmod(0o755)
        name = f"{names[0].partition('-')[0]}-hangs"
        with strangers.portal(name, hook, ("/usr/bin/timeout", "-k", "1", "5")):
            (place / "home").mkdir()
            os.chown(place / "home", uid(name), -1)
            words = CALLS_HOOK.format(path=sys.path, hook=str(hook))
            told = as_account(
                name,
                sys.executable,
                "-c",
                words,
                env={
                    "PATH": os.environ["PATH"],
                    "DJANGO_SETTINGS_MODULE": "fabriek.settings",
                    "FABRIEK_HOME": str(place / "home"),
                    "FABRIEK_SECRET_KEY": "for this test",
                },
                timeout=300,
            )
        assert told.returncode == 0, told.stderr
        [number] = (place / "calls").read_text().split()

    lines = told.stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["account_hook", "account_hook", "['']"]
    assert "it was not over after 5 s" in lines[0], told.stderr
    eventually(lambda: not _text(Path(f"/proc/{number}/cmdline")))  # gone, or but its shadow


_run = subprocess.run


def _nothing(*_words, **_more):
    raise AssertionError("it was asked again")


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
    job = cluster.job("a", "id -un; sleep 500", user=names[0])
    let_in(job.folder, names[0])

    assert far.uid_of(names[0]) == uid(names[0])
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
    with pytest.raises(JobHeldUp):
        far.uid_of("fab-c26-9999")
    assert cluster.numbers() == set()
