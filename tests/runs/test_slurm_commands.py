"""`fabriek slurm diff | apply | show` without a cluster; tests/slurm has one."""

import json

import pytest
from django.core.management import CommandError, call_command

from fabriek.engines.slurm_difference import Difference, What
from fabriek.runs import budgets, drift_words

pytestmark = pytest.mark.django_db
COMMANDS = [("slurm_diff",), ("slurm_apply",), ("slurm_show", "a26-0001")]


@pytest.mark.parametrize("words", COMMANDS)
def test_a_factory_without_slurm_says_so(words, settings):
    settings.ENGINE = "local"

    with pytest.raises(CommandError, match="does not run on Slurm") as refused:
        call_command(*words)

    assert refused.value.returncode == 2


@pytest.mark.parametrize("words", COMMANDS)
def test_a_cluster_that_does_not_answer_is_no_difference(
    words, settings, tmp_path, monkeypatch
):
    settings.ENGINE = "slurm"
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(CommandError, match="scontrol") as refused:
        call_command(*words)

    assert refused.value.returncode == 2


@pytest.mark.parametrize("what", What)
def test_every_difference_is_told_in_words(what):
    one = Difference(account="a1", what=what, there="here", wanted="there", user="jan")

    said = drift_words.said(one)

    assert said.what
    assert said.slurm != said.fabriek
    assert not {"{", "}"} & {*said.what, *said.slurm, *said.fabriek, *said.mend}
    assert bool(said.mend) == (not one.can_be_mended)


def test_what_differs_is_told_by_account_and_to_programs(monkeypatch, capsys):
    found = [
        Difference(account="b", what=What.BORROWED, there="physics"),
        Difference(account="a", what=What.LIMIT, there="60", wanted="120"),
        Difference(account="a", what=What.STRANGER, user="jan"),
    ]
    monkeypatch.setattr(budgets, "drift", lambda: found)

    with pytest.raises(SystemExit) as ended:
        call_command("slurm_diff")
    text = capsys.readouterr().out
    with pytest.raises(SystemExit):
        call_command("slurm_diff", "--json")

    assert ended.value.code == 1
    assert text.splitlines()[:5] == [
        "a",
        "  limit of the QOS, in GPU-minutes: 60 in Slurm, 120 in Fabriek",
        "  user jan: may use it in Slurm, may not in Fabriek",
        "b",
        "  others who may use its QOS: physics in Slurm, nobody in Fabriek",
    ]
    told = json.loads(capsys.readouterr().out)
    assert [one["can_be_mended"] for one in told] == [False, True, True]
    assert told[1]["in_slurm"] == "60"


def test_no_difference_is_said_and_ends_well(monkeypatch, capsys):
    monkeypatch.setattr(budgets, "drift", list)

    with pytest.raises(SystemExit) as ended:
        call_command("slurm_diff")
    call_command("slurm_apply")

    assert not ended.value.code
    assert capsys.readouterr().out == "Slurm and our books agree.\n" * 2


def test_what_cannot_be_mended_is_left_and_told_once_more(monkeypatch, capsys):
    found = [
        Difference(account="a", what=What.LIMIT, there="60", wanted="120"),
        Difference(account="b", what=What.FOREIGN, wanted="fabriek-nl"),
    ]
    monkeypatch.setattr(budgets, "drift", lambda: found)
    monkeypatch.setattr(budgets, "mend", lambda: found[1:])

    with pytest.raises(SystemExit) as ended:
        call_command("slurm_apply")

    assert ended.value.code == 1
    said = capsys.readouterr().out.partition("Left after mending:\n")
    assert "limit of the QOS" in said[0]
    assert said[2].splitlines()[0] == "b"
    assert "left alone" in said[2]


def test_what_is_somebody_elses_is_not_touched_at_all(monkeypatch, capsys):
    found = [Difference(account="b", what=What.FOREIGN, wanted="fabriek-nl")]
    monkeypatch.setattr(budgets, "drift", lambda: found)
    monkeypatch.delattr(budgets, "mend")

    with pytest.raises(SystemExit) as ended:
        call_command("slurm_apply")

    assert ended.value.code == 1
    assert capsys.readouterr().out.splitlines()[-1] == "None of it is ours to mend."
