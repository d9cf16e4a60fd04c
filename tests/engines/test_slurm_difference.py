"""Comparing budgets with what Slurm has, and what is written to take differences away."""

from dataclasses import replace

import pytest

from fabriek.engines import slurm_tree, slurm_writes
from fabriek.engines.base import Budget
from fabriek.engines.slurm_difference import FLAGS, Difference, Ours, What, differences
from fabriek.engines.slurm_tree import Member, Qos, Standing, Tree

OURS = Ours(cluster="big", root="fab", user="portal")
BUDGET = Budget(
    account="a1", gpu_seconds=3_600, share="nl", share_percent=27, users=("case1", "jan")
)
A1 = Standing(
    parent="fab-nl",
    fairshare=1,
    qos="a1",
    default_qos="a1",
    members={name: Member(is_general=True) for name in ("portal", "case1", "jan")},
)
QOS = Qos(minutes=60, flags=FLAGS, factor=1.0, described="fabriek big/fab")
GROUPS = {
    "root": Standing(parent="", qos="normal"),
    "fab": Standing(parent="root"),
    "fab-nl": Standing(parent="fab", fairshare=27),
}


def a_tree(*, accounts=None, qos=None, described=None):
    """Make what Slurm has when nothing differs, but for what is given; None lacks."""
    standing = GROUPS | {"a1": A1, "physics": Standing(parent="root", qos="normal")}
    standing |= accounts or {}
    named = {"a1": QOS, "normal": replace(QOS, described="Normal QOS default")} | (qos or {})
    kept = {name: one for name, one in standing.items() if one}
    descriptions = dict.fromkeys(kept, "fabriek") | {"physics": "Physics"}
    return Tree(
        kept,
        {name: one for name, one in named.items() if one},
        descriptions | (described or {}),
    )


def found(tree, *budgets, whole=False):
    return differences(tree, budgets or [BUDGET], OURS, whole=whole)


def a1(what, **more):
    return Difference(account="a1", what=what, **more)


def written(*differences, again=False):
    return slurm_writes.lines(differences, OURS, again=again)


def test_nothing_differs_when_slurm_is_as_the_books_are():
    assert found(a_tree()) == []
    assert found(a_tree(), whole=True) == []


def test_all_of_a_new_budget_lacks_and_is_added_from_the_root_down():
    tree = a_tree(accounts={"fab": None, "fab-nl": None, "a1": None}, qos={"a1": None})

    lines = written(*found(tree))

    assert lines == [
        "add account fab cluster=big parent=root description=fabriek organization=fabriek",
        "add account fab-nl cluster=big parent=fab description=fabriek organization=fabriek",
        "modify account where name=fab-nl cluster=big set fairshare=27",
        'add qos a1 description="fabriek big/fab" flags=DenyOnLimit,NoDecay '
        "GrpTRESMins=gres/gpu=60",
        "add account a1 cluster=big parent=fab-nl description=fabriek organization=fabriek "
        "qos=a1 defaultqos=a1",
        "add user case1,jan,portal account=a1 cluster=big",
    ]


def test_a_closed_budget_of_which_nothing_is_there_needs_nothing():
    tree = a_tree(accounts={"fab": None, "fab-nl": None, "a1": None}, qos={"a1": None})

    assert found(tree, replace(BUDGET, is_open=False)) == []


@pytest.mark.parametrize(
    ("account", "difference", "line"),
    [
        (
            replace(A1, parent="fab"),
            a1(What.PARENT, there="fab", wanted="fab-nl"),
            "modify account where name=a1 cluster=big set parent=fab-nl",
        ),
        (
            replace(A1, qos="a1,normal"),
            a1(What.ALLOWED, there="a1,normal", wanted="a1"),
            "modify account where name=a1 cluster=big set qos=a1 defaultqos=a1",
        ),
        (
            replace(A1, default_qos=""),
            a1(What.ALLOWED, there="a1", wanted="a1"),
            "modify account where name=a1 cluster=big set qos=a1 defaultqos=a1",
        ),
        (
            replace(A1, is_closed=True),
            a1(What.IS_CLOSED),
            "modify account where name=a1 cluster=big set GrpSubmitJobs=-1",
        ),
        (
            replace(A1, members=A1.members | {"piet": Member(is_general=True)}),
            a1(What.STRANGER, user="piet"),
            "delete user where name=piet account=a1 cluster=big",
        ),
        (
            replace(A1, members={name: A1.members[name] for name in ("portal", "jan")}),
            a1(What.NO_MEMBER, user="case1"),
            "add user case1 account=a1 cluster=big",
        ),
        (
            replace(A1, members=A1.members | {"jan": Member(is_general=False)}),
            a1(What.NO_MEMBER, user="jan"),
            "add user jan account=a1 cluster=big",
        ),
        (
            replace(A1, members=A1.members | {"jan": Member(is_general=True, is_blocked=True)}),
            a1(What.BLOCKED, user="jan"),
            "modify user where name=jan account=a1 cluster=big set MaxSubmitJobs=-1",
        ),
        (
            replace(A1, members=A1.members | {"jan": Member(is_general=True, qos="normal")}),
            a1(What.OWN_QOS, user="jan", there="normal"),
            "modify user where name=jan account=a1 cluster=big set qos= defaultqos=-1",
        ),
    ],
    ids=lambda one: one.what.value if isinstance(one, Difference) else "",
)
def test_what_somebody_changed_in_an_account_is_found_and_set_right(account, difference, line):
    differs = found(a_tree(accounts={"a1": account}))

    assert differs == [difference]
    assert written(*differs) == [line]


@pytest.mark.parametrize(
    ("qos", "difference", "line"),
    [
        (
            replace(QOS, minutes=None),
            a1(What.LIMIT, wanted="60"),
            "modify qos where name=a1 set GrpTRESMins=gres/gpu=60",
        ),
        (
            replace(QOS, flags=frozenset({"NoDecay"})),
            a1(What.FLAGS, there="NoDecay", wanted="DenyOnLimit,NoDecay"),
            "modify qos where name=a1 set flags=DenyOnLimit,NoDecay",
        ),
        (
            replace(QOS, factor=0.0),
            a1(What.FACTOR, there="0", wanted="1"),
            "modify qos where name=a1 set UsageFactor=1",
        ),
    ],
    ids=lambda one: one.what.value if isinstance(one, Difference) else "",
)
def test_what_somebody_changed_in_a_qos_is_found_and_set_right(qos, difference, line):
    differs = found(a_tree(qos={"a1": qos}))

    assert differs == [difference]
    assert written(*differs) == [line]


def test_minutes_are_rounded_up_so_that_nobody_is_refused_a_second_they_have():
    [differs] = found(a_tree(), replace(BUDGET, gpu_seconds=3_601))

    assert (differs.what, differs.wanted) == (What.LIMIT, "61")


def test_a_closed_budget_is_closed_and_its_members_are_left():
    closed = replace(BUDGET, is_open=False, users=())

    differs = found(a_tree(), closed)

    assert differs == [a1(What.IS_OPEN)]
    assert written(*differs) == ["modify account where name=a1 cluster=big set GrpSubmitJobs=0"]


def test_a_moved_share_is_put_back_and_its_part_set():
    moved = Standing(parent="fab-eu", fairshare=1)
    tree = a_tree(accounts={"fab-eu": Standing(parent="fab"), "fab-nl": moved})

    assert [(one.account, one.what, one.wanted) for one in found(tree)] == [
        ("fab-nl", What.PARENT, "fab"),
        ("fab-nl", What.FAIRSHARE, "27"),
    ]


def test_a_user_of_a_share_or_of_our_root_has_no_budget_and_is_a_stranger():
    piet = {"piet": Member(is_general=True)}
    groups = {name: replace(GROUPS[name], members=piet) for name in ("fab", "fab-nl")}
    no_share = Budget(account="a2", gpu_seconds=60, is_open=False)

    differs = found(a_tree(accounts=groups), whole=True)

    assert {(one.account, one.what) for one in differs} == {
        ("fab-nl", What.STRANGER),
        ("fab", What.STRANGER),
    }
    assert differs == found(a_tree(accounts=groups), BUDGET, no_share, whole=True)


# What is not ours


@pytest.mark.parametrize("parent", ["root", "physics"])
def test_an_account_outside_ours_is_never_changed_whatever_it_is_called(parent):
    tree = a_tree(accounts={"a1": replace(A1, parent=parent, is_closed=True)})

    [differs] = found(tree)

    assert differs == a1(What.FOREIGN, wanted="fab-nl")
    assert not differs.can_be_mended


def test_an_account_of_this_name_on_another_cluster_is_not_ours():
    tree = a_tree(accounts={"a1": None}, described={"a1": "their project"})

    assert [one.what for one in found(tree)] == [What.FOREIGN]


@pytest.mark.parametrize("described", ["", "fabriek", "fabriek big/other", "fabriek small/fab"])
def test_a_qos_that_is_not_described_as_ours_is_never_changed(described):
    tree = a_tree(qos={"a1": replace(QOS, described=described, minutes=1)})

    [differs] = found(tree)

    assert (differs.what, differs.can_be_mended) == (What.FOREIGN_QOS, False)


def test_when_the_root_is_somebody_elses_nothing_is_ours():
    tree = a_tree(
        accounts={"a1": None, "stray": Standing(parent="fab")}, described={"fab": "Physics"}
    )

    differs = found(tree, whole=True)

    assert differs == [Difference(account="fab", what=What.FOREIGN, wanted="root")]


def test_a_share_whose_name_is_taken_holds_nobody_up():
    taken = replace(GROUPS["fab-nl"], parent="root")
    tree = a_tree(accounts={"fab-nl": taken, "a1": replace(A1, parent="fab")})

    differs = found(tree)

    assert [(one.account, one.what) for one in differs] == [("fab-nl", What.FOREIGN)]


@pytest.mark.parametrize("name", ["fab", "fab-nl"])
def test_a_budget_cannot_be_what_holds_others(name):
    differs = found(a_tree(), replace(BUDGET, account=name))

    assert (differs[-1].account, differs[-1].what) == (name, What.FOREIGN)
    assert written(*(one for one in differs if one.can_be_mended)) == []


def test_an_open_account_that_no_budget_names_is_closed_and_never_removed():
    strays = {
        "old": Standing(parent="fab-nl"),
        "below": Standing(parent="old"),
        "shut": Standing(parent="fab", is_closed=True),
        "fab-eu": Standing(parent="fab"),
    }

    differs = found(a_tree(accounts=strays), whole=True)

    assert {one.account: one.what for one in differs} == {
        "old": What.STRAY,
        "below": What.STRAY,
    }
    assert written(*differs) == [
        "modify account where name=below,old cluster=big set GrpSubmitJobs=0"
    ]
    assert found(a_tree(accounts=strays)) == []


def test_somebody_else_who_may_spend_our_budget_is_told_of_and_left():
    tree = a_tree(accounts={"physics": Standing(parent="root", qos="normal,a1")})

    [differs] = found(tree, whole=True)

    assert differs == a1(What.BORROWED, there="physics")
    assert not differs.can_be_mended


# How it is written


def test_the_same_change_for_many_is_one_line():
    names = [f"a{number}" for number in range(20)]
    limits = [Difference(account=name, what=What.LIMIT, wanted="7") for name in names]

    assert written(*limits) == [
        f"modify qos where name={','.join(sorted(names))} set GrpTRESMins=gres/gpu=7"
    ]


def test_a_line_is_never_longer_than_sacctmgr_reads():
    names = [f"account-{number:04}" for number in range(1_000)]
    closing = [Difference(account=name, what=What.IS_OPEN) for name in names]

    lines = written(*closing)

    assert max(map(len, lines)) < 4_000
    told = ",".join(line.split()[3].removeprefix("name=") for line in lines)
    assert told.split(",") == names


def test_what_takes_away_comes_before_what_gives():
    lines = written(
        a1(What.NO_MEMBER, user="jan"),
        a1(What.STRANGER, user="piet"),
        Difference(account="a2", what=What.IS_OPEN),
    )

    assert [line.split()[0] for line in lines] == ["modify", "delete", "add"]


def test_who_cannot_be_removed_is_kept_from_submitting_more():
    lines = written(a1(What.STRANGER, user="piet"), again=True)

    assert lines[1:] == [
        "modify user where name=piet account=a1 cluster=big set MaxSubmitJobs=0"
    ]
    waits = A1.members | {"piet": Member(is_general=True, is_blocked=True)}
    assert found(a_tree(accounts={"a1": replace(A1, members=waits)})) == []


def test_many_new_accounts_are_loaded_from_a_file_with_their_members():
    budgets = [
        Budget(account=f"n{number:02}", gpu_seconds=60, share="nl", share_percent=27)
        for number in range(30)
    ]
    differs = found(a_tree(), *budgets)

    [qos] = written(*differs)
    text = slurm_writes.file(differs, OURS).splitlines()

    assert qos.startswith("add qos n00,n01,")
    assert text[:3] == [
        "Cluster - 'big'",
        "Parent - 'fab-nl'",
        "Account - 'n00':Description='fabriek':Organization='fabriek':QOS='n00'"
        ":DefaultQOS='n00'",
    ]
    assert text[-2:] == ["Parent - 'n29'", "User - 'portal'"]
    assert len(text) == 2 + 30 + 60
    assert slurm_writes.file(differs[:40], OURS) == ""


# How it is read

SAID = """\
sacctmgr: list associations woplimits where cluster=big
Account|User|Partition|ParentName|Share|GrpSubmit|MaxSubmit|QOS|Def QOS
root||||1|||normal|
fab|||root|1||||
a1|||fab|parent|0||a1|a1
a1|portal|||1||||
a1|jan|||1||0||
a1|jan|gpu||1|||normal|
a1|piet|gpu||1||||
sacctmgr: list qos
Name|Flags|UsageFactor|GrpTRESMins|Descr
a1|DenyOnLimit,NoDecay|1.000000|cpu=10,gres/gpu=121|fabriek big/fab
theirs||0.500000||a | b
c|d
sacctmgr: list accounts
Account|Descr
fab|fabriek
a1|new
line:account|user|
physics|of | pipes
"""


def test_what_sacctmgr_lists_is_read():
    tree = slurm_tree.tree(SAID)

    assert tree.standing["a1"] == Standing(
        parent="fab",
        fairshare=None,
        is_closed=True,
        qos="a1",
        default_qos="a1",
        members={
            "portal": Member(is_general=True),
            "jan": Member(is_general=True, is_blocked=True, qos="normal"),
            "piet": Member(),
        },
    )
    assert tree.qos["a1"] == replace(QOS, minutes=121)
    assert tree.qos["theirs"] == Qos(
        minutes=None, flags=frozenset(), factor=0.5, described="a | b"
    )
    assert tree.described["physics"] == "of | pipes"
    assert tree.below("fab") == {"a1"}


def test_an_answer_without_one_of_the_listings_is_no_answer():
    with pytest.raises(ValueError, match="no account"):
        slurm_tree.tree(SAID.partition("sacctmgr: list accounts")[0])


def test_a_circle_of_parents_is_not_followed_for_ever():
    tree = Tree({"a": Standing(parent="b"), "b": Standing(parent="a")})

    assert tree.below("a") == {"a", "b"}


def test_all_is_asked_in_three_lines_and_some_by_their_names():
    assert len(slurm_tree.questions("big")) == 3
    assert [line.split(" format")[0] for line in slurm_tree.questions("big", ["b", "a"])] == [
        "list associations woplimits where cluster=big account=a,b",
        "list qos where name=a,b",
        "list accounts where name=a,b",
    ]
