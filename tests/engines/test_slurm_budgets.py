"""Budgets on a real Slurm: what is told is there, what somebody changed is set right."""

import grp
import os
import pwd
import secrets
import shutil
import subprocess
import sys

import pytest

from fabriek.engines.base import Budget, EngineDown, JobRejected, Phase
from fabriek.engines.slurm_difference import What
from fabriek.engines.slurm_writes import LOAD_FROM
from tests.engines.cluster import CONF, DEV, STATE, Cluster, mended, part, said
from tests.engines.waiting import eventually

pytestmark = pytest.mark.slurm
ME = pwd.getpwuid(os.getuid()).pw_name
SOMEBODY, OTHER = "games", "news"  # users that every Debian has


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """Open one account below a root of this module's own: that takes seconds."""
    cluster = Cluster(tmp_path_factory.mktemp("first")).below_its_own_root()
    tell(cluster)
    return cluster


@pytest.fixture
def cluster(tmp_path, first):
    """Give the same account to each test, set right from what the one before did to it."""
    cluster = Cluster(tmp_path, account=first.account)
    cluster.root = first.root
    cluster.engine = cluster.another()
    assert cluster.engine.budgets.mend([budget(cluster)]) == []
    yield cluster
    cluster.clear()


@pytest.fixture
def alone(tmp_path):
    """Give an account and a root that nothing else has: it is not set right afterwards."""
    cluster = Cluster(tmp_path).below_its_own_root()
    tell(cluster)
    yield cluster
    cluster.clear()


def tell(cluster, **more):
    wish = {"share": "nl", "share_percent": 27, "users": (SOMEBODY,)} | more
    cluster.tell(**wish)


def budget(cluster, **more):
    wish = {"account": cluster.account, "gpu_seconds": 360_000, "share": "nl"}
    return Budget(**wish | {"share_percent": 27, "users": (SOMEBODY,)} | more)


def tree(cluster, fields="account,parentname,user,share,grpsubmitjobs,qos"):
    """All associations below the root of this test, as sorted lines."""
    names = ",".join([cluster.root, *cluster.engine.budgets.accounts()])
    where = ("where", f"account={names}", f"format={fields}")
    return sorted(said("sacctmgr", "-nP", "list", "assoc", "woplimits", *where).split())


def qos(name):
    fields = "format=flags,usagefactor,grptresmins,description"
    return said("sacctmgr", "-nP", "list", "qos", "where", f"name={name}", fields).strip()


def everything_else(cluster):
    """Dump what is not of this test: it must be the same afterwards."""
    ours = {cluster.root, *cluster.engine.budgets.accounts()}
    listed = ("sacctmgr", "-nP", "list")
    fields = (
        "account,parentname,user,partition,share,grpsubmitjobs,maxsubmitjobs,qos,defaultqos"
    )
    rows = said(*listed, "assoc", "woplimits", f"format={fields}").splitlines()
    qoses = said(*listed, "qos", "format=name,flags,usagefactor,grptresmins,description")
    return (
        sorted(row for row in rows if row.partition("|")[0] not in ours),
        sorted(row for row in qoses.splitlines() if row.partition("|")[0] not in ours),
    )


def a_name():
    return f"t{secrets.token_hex(5)}"


def by_hand(*words):
    said("sacctmgr", "-i", "-Q", *words)


def as_somebody(cluster, *, user=SOMEBODY):
    """Submit around us, as a user of the cluster would."""
    who = pwd.getpwnam(user)
    command = ["sbatch", "--parsable", f"--account={cluster.account}", "--gpus-per-node=1"]
    command += ["--time=60", "--wrap=true", "--output=/dev/null", "--chdir=/"]
    return subprocess.run(
        [*command, f"--job-name={cluster.key('around')}"],
        env={"PATH": os.environ["PATH"], "SLURM_CONF": str(CONF)},
        user=who.pw_uid,
        group=grp.getgrgid(who.pw_gid).gr_gid,
        extra_groups=[],
        cwd="/",
        capture_output=True,
        text=True,
    )


# What is told


def test_a_budget_stands_below_its_share_and_is_limited_by_its_qos(alone):
    a, root = alone.account, alone.root

    assert tree(alone) == sorted(
        [
            f"{root}|root||1||",
            f"{root}-nl|{root}||27||",
            f"{a}|{root}-nl||1||{a}",
            f"{a}||{SOMEBODY}|1||",
            f"{a}||{ME}|1||",
        ]
    )
    assert qos(a) == f"DenyOnLimit,NoDecay|1.000000|gres/gpu=6000|fabriek fabriek/{root}"
    assert alone.engine.budgets.drift([budget(alone)]) == []


def test_it_is_raised_lowered_closed_and_opened_again(cluster):
    seen = []
    for gpu_seconds, is_open in ((720_000, True), (60, True), (60, False), (600, True)):
        tell(cluster, gpu_seconds=gpu_seconds, is_open=is_open)
        use = cluster.engine.budgets.use(cluster.account)
        seen.append((use.gpu_minutes_limit, use.is_closed))

    assert seen == [(12_000, False), (1, False), (1, True), (10, False)]


def test_members_come_and_go_and_a_share_moves(cluster):
    tell(cluster, users=(OTHER,), share="eu", share_percent=50)

    rows = tree(cluster, "account,parentname,user,share")
    a, root = cluster.account, cluster.root
    assert [row for row in rows if row.startswith(f"{a}|")] == sorted(
        [f"{a}|{root}-eu||1", f"{a}||{OTHER}|1", f"{a}||{ME}|1"]
    )
    assert f"{root}-eu|{root}||50" in rows


def test_many_new_budgets_are_there_after_one_call(alone):
    names = [f"{alone.account}-{number:02}" for number in range(LOAD_FROM // 2)]
    budgets = [
        budget(alone, account=name, gpu_seconds=60 * number)
        for number, name in enumerate(names, 1)
    ]
    before = everything_else(alone)

    alone.engine.tell_budgets(budgets)

    assert alone.engine.budgets.drift([*budgets, budget(alone)]) == []
    assert everything_else(alone) == before
    assert len(tree(alone)) == 2 + 3 * (1 + LOAD_FROM // 2)


def test_users_that_come_first_can_submit(cluster):
    assert as_somebody(cluster).returncode == 0


# Drift


@pytest.mark.parametrize(
    ("words", "what"),
    [
        ("modify qos {a} set GrpTRESMins=gres/gpu=1000000", What.LIMIT),
        ("modify qos {a} set GrpTRESMins=gres/gpu=-1", What.LIMIT),
        ("modify qos {a} set flags=NoDecay", What.FLAGS),
        ("modify qos {a} set flags+=OverPartQOS", What.FLAGS),
        ("modify qos {a} set UsageFactor=0", What.FACTOR),
        ("modify account {a} set qos+=normal", What.ALLOWED),
        ("modify account {a} set defaultqos=-1", What.ALLOWED),
        ("modify account {a} set GrpSubmitJobs=0", What.IS_CLOSED),
        ("modify account {a} set parent={root}", What.PARENT),
        ("modify account {root}-nl set fairshare=1", What.FAIRSHARE),
        ("add user news account={a}", What.STRANGER),
        ("add user news account={root}-nl", What.STRANGER),
        ("add user news account={root}", What.STRANGER),
        ("delete user name=games account={a}", What.NO_MEMBER),
        ("modify user games where account={a} set MaxSubmitJobs=0", What.BLOCKED),
        ("modify user games where account={a} set qos+=normal", What.OWN_QOS),
        ("add account {a}-stray parent={a}", What.STRAY),
    ],
)
def test_what_somebody_changed_by_hand_is_found_and_set_right(cluster, words, what):
    words = words.format(a=cluster.account, root=cluster.root)
    before = everything_else(cluster)
    by_hand(*words.split())
    budgets = cluster.engine.budgets

    assert [one.what for one in budgets.drift([budget(cluster)])] == [what]
    assert budgets.mend([budget(cluster)]) == []
    assert everything_else(cluster) == before


def test_telling_a_budget_sets_right_what_was_changed_in_it(cluster):
    by_hand("modify", "qos", cluster.account, "set", "flags=NoDecay")
    by_hand("modify", "account", cluster.account, "set", f"parent={cluster.root}")

    tell(cluster)

    assert cluster.engine.budgets.drift([budget(cluster)]) == []


def test_what_is_gone_is_made_again(cluster):
    by_hand("delete", "account", cluster.account)
    by_hand("delete", "qos", cluster.account)

    tell(cluster)

    assert cluster.engine.budgets.drift([budget(cluster)]) == []


def test_a_stranger_whose_job_waits_can_submit_no_more(cluster):
    by_hand("add", "user", OTHER, f"account={cluster.account}")
    said("scontrol", "update", "partition=gpu", "state=down")
    try:
        assert as_somebody(cluster, user=OTHER).returncode == 0

        tell(cluster)

        assert as_somebody(cluster, user=OTHER).returncode != 0
        assert cluster.engine.budgets.drift([budget(cluster)]) == []
    finally:
        said("scontrol", "update", "partition=gpu", "state=up")


# What is not ours


@pytest.mark.parametrize("description", ["physics", "fabriek"])
def test_an_account_and_a_qos_of_somebody_else_are_left_alone(cluster, description, caplog):
    theirs, more = a_name(), a_name()
    by_hand("add", "account", theirs, "parent=root", f"description={description}")
    by_hand("add", "qos", more, f"description={description}", "GrpTRESMins=gres/gpu=1")
    before = everything_else(cluster)

    cluster.engine.tell_budgets(
        [
            budget(cluster, account=theirs),
            budget(cluster, account=more),
            budget(cluster, gpu_seconds=60),
        ]
    )

    assert everything_else(cluster) == before
    assert qos(cluster.account).split("|")[2] == "gres/gpu=1"
    assert [record.levelname for record in caplog.records] == ["ERROR", "ERROR"]
    assert f"Slurm: {theirs} is not ours to change (foreign)." in caplog.text


def test_an_account_that_was_moved_out_of_ours_is_left_there(alone):
    elsewhere = a_name()
    by_hand("add", "account", elsewhere, "parent=root")
    by_hand("modify", "account", alone.account, "set", f"parent={elsewhere}")
    before = everything_else(alone)

    [left] = alone.engine.budgets.mend([budget(alone)])

    assert (left.account, left.what) == (alone.account, What.FOREIGN)
    assert everything_else(alone) == before


def test_a_tree_of_somebody_else_is_never_taken_for_ours(tmp_path):
    cluster = Cluster(tmp_path).below_its_own_root()
    by_hand("add", "account", cluster.root, "parent=root", "description=physics")
    by_hand("add", "account", f"{cluster.account}z", f"parent={cluster.root}")
    before = everything_else(cluster), tree(cluster)

    [left] = cluster.engine.budgets.mend([budget(cluster)])
    tell(cluster)

    assert (left.account, left.what) == (cluster.root, What.FOREIGN)
    assert (everything_else(cluster), tree(cluster)) == before


def test_a_hostile_description_is_no_account(cluster):
    theirs = a_name()
    lies = f"x\n{theirs}||{cluster.root}|1||||\nAccount|User|\n{theirs}|fabriek"
    by_hand("add", "account", theirs, "parent=root", f"description={lies}")
    before = everything_else(cluster)

    tell(cluster, account=theirs)
    cluster.engine.budgets.mend([budget(cluster), budget(cluster, account=theirs)])

    assert everything_else(cluster) == before


@pytest.fixture
def another_cluster():
    """Name one that the same database serves."""
    name = a_name()
    by_hand("add", "cluster", name)
    yield name
    by_hand("delete", "cluster", name)


def test_another_cluster_of_the_same_database_is_left_alone(alone, another_cluster):
    def there():
        rows = ("where", f"cluster={another_cluster}", "format=account,user,grpsubmitjobs,qos")
        return said("sacctmgr", "-nP", "list", "assoc", *rows)

    on = (f"cluster={another_cluster}", "parent=root")
    theirs, like_ours = a_name(), a_name()
    by_hand("add", "account", theirs, *on, "description=physics")
    for name in (like_ours, alone.account):
        by_hand("add", "account", name, *on, "description=fabriek")
    before = there()
    budgets = [budget(alone, account=name) for name in (theirs, like_ours, alone.account)]

    alone.engine.tell_budgets(budgets)
    closed = [budget(alone, account=one.account, is_open=False) for one in budgets]
    left = alone.engine.budgets.mend(closed)

    assert there() == before
    assert left == []
    assert {*alone.engine.budgets.accounts()} == {f"{alone.root}-nl", like_ours, alone.account}


@pytest.mark.parametrize("user", ["root account=root", "a,b", "Jan", "", "x\nadd user y", "-i"])
def test_a_user_that_would_be_more_than_a_name_is_left_out(cluster, user, caplog):
    before = everything_else(cluster), tree(cluster)

    tell(cluster, users=(SOMEBODY, user))

    assert (everything_else(cluster), tree(cluster)) == before
    assert "names users that cannot be on a cluster" in caplog.text


# Both sides enforce


def test_slurm_refuses_who_goes_around_us_beyond_the_budget_and_after_closing(cluster):
    tell(cluster, gpu_seconds=600)

    beyond = as_somebody(cluster)

    tell(cluster, is_open=False)
    closed = as_somebody(cluster)
    tell(cluster)
    within = as_somebody(cluster)
    assert "QOSMaxGRESMinutes" in beyond.stderr or "Job violates" in beyond.stderr
    assert (beyond.returncode, closed.returncode, within.returncode) == (1, 1, 0)


def test_who_is_no_member_is_refused(cluster):
    refusal = as_somebody(cluster, user=OTHER).stderr

    # Of one who was a member in the test before, Slurm may know the name, with no job allowed.
    assert "Invalid account" in refusal or "AssocMaxSubmitJobLimit" in refusal


def test_live_use_is_told_beside_the_limit(alone):
    alone.submit("a", "sleep 500", timeout_s=600)
    alone.reached("a", Phase.RUNNING)

    def promised():
        use = alone.engine.budgets.use(alone.account)
        return use if use.gpu_minutes_promised and use.jobs == 1 else None

    use = eventually(promised, within_s=20)

    assert (use.gpu_minutes_limit, use.is_closed) == (6_000, False)
    assert use.parent == f"{alone.root}-nl"
    assert use.gpu_minutes_promised <= 12
    assert alone.engine.budgets.use("nobody-knows") is None
    assert alone.engine.budgets.use("a b") is None


# Faults


def test_a_batch_that_the_database_does_not_survive_is_not_taken_for_told(cluster):
    wish = {"users": (SOMEBODY, OTHER), "gpu_seconds": 60, "share": "eu"}
    part("stop", "slurmdbd")
    try:
        with pytest.raises(EngineDown):
            tell(cluster, **wish)
    finally:
        mended()

    tell(cluster, **wish)

    assert cluster.engine.budgets.drift([budget(cluster, **wish)]) == []


def test_the_database_may_go_between_two_lines_of_a_batch(cluster, monkeypatch):
    wish = {"users": (SOMEBODY, OTHER), "gpu_seconds": 60, "share": "eu"}
    shim = cluster.folder / "sacctmgr"
    real = shutil.which("sacctmgr")
    # The first line gets through; then slurmdbd is gone before the others are read.
    shim.write_text(
        f'#!/bin/sh\ncase "$*" in *readonly*) exec {real} "$@";; esac\n'
        f'IFS= read -r first; echo "$first" | {real} "$@"; '
        f"FABRIEK_SLURM_STATE={STATE} {sys.executable} {DEV} stop slurmdbd; "
        f'exec {real} "$@"\n'
    )
    shim.chmod(0o700)
    try:
        with monkeypatch.context() as patch:
            patch.setenv("PATH", f"{cluster.folder}:{os.environ['PATH']}")
            with pytest.raises(EngineDown):
                tell(cluster, **wish)
    finally:
        mended()
    half = [one.what for one in cluster.engine.budgets.drift([budget(cluster, **wish)])]

    tell(cluster, **wish)

    assert What.PARENT in half
    assert cluster.engine.budgets.drift([budget(cluster, **wish)]) == []


def test_a_budget_that_is_told_already_costs_one_process_and_a_change_three(
    cluster, monkeypatch
):
    shims, log = cluster.folder / "shims", cluster.folder / "asked"
    shims.mkdir()
    for name in ("sacctmgr", "scontrol", "sshare", "sh"):
        shim = shims / name
        shim.write_text(f'#!/bin/sh\necho {name} >>{log}\nexec {shutil.which(name)} "$@"\n')
        shim.chmod(0o700)
    monkeypatch.setenv("PATH", f"{shims}:{os.environ['PATH']}")

    tell(cluster)
    once = log.read_text().split()
    tell(cluster, gpu_seconds=60, users=())

    assert once == ["sacctmgr"]
    assert log.read_text().split() == ["sacctmgr"] * 4


def test_a_job_for_a_share_without_a_budget_is_refused(cluster):
    with pytest.raises(JobRejected):
        cluster.submit("a", "true", account=f"{cluster.root}-nl")
