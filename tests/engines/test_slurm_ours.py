"""Which rows are taken for a job of ours, whatever it calls itself; needs no cluster."""

import os
from dataclasses import replace

import pytest

from fabriek.engines.base import Job
from fabriek.engines.slurm_ask import Row
from fabriek.engines.slurm_home import Home
from fabriek.engines.slurm_ours import CLOCKS_DIFFER_S, Ours
from fabriek.engines.slurm_shell import Shell

KEY, OTHER = "fabriek-1", "fabriek-2"
LONG_S = CLOCKS_DIFFER_S * 2


@pytest.fixture
def home(tmp_path):
    home = Home(tmp_path)
    home.make()
    return home


@pytest.fixture
def ours(home):
    return Ours(home, Shell(home.root))


def sent(home, key=KEY, number="7", user="case"):
    """Let `key` be submitted now; gives the row that Slurm then has."""
    job = Job(key=key, account="a", folder=home.root, command=("x",), gpus=1, timeout_s=60,
              user=user)  # fmt: skip
    with home.locked(key):
        home.intend(job)
        home.sent(key, number)
    asked_at = home.asked_at(key)
    return Row(number=number, user=user, key=key, account="a", state="RUNNING",
               submitted_at=asked_at)  # fmt: skip


def test_a_job_that_renamed_itself_is_still_ours(ours, home):
    row = replace(sent(home), key="innocent")

    assert ours.among([row], {KEY}) == {KEY: [row]}


def test_a_job_that_took_the_name_of_another_run_is_what_its_number_says(ours, home):
    mine, other = sent(home), sent(home, OTHER, "8")
    liar = replace(mine, key=OTHER)

    assert ours.among([liar, other], {KEY, OTHER}) == {KEY: [liar], OTHER: [other]}


def test_another_job_with_our_name_does_not_count_once_the_number_is_known(ours, home):
    decoy = replace(sent(home), number="9", state="COMPLETED")

    assert ours.among([decoy], {KEY}) == {}


def test_our_number_and_name_with_another_user_are_not_ours(ours, home):
    row = replace(sent(home), user="stranger")

    assert ours.among([row, replace(row, key="innocent")], {KEY}) == {}


def test_while_no_number_is_known_the_name_counts(ours, home):
    row = sent(home)
    (home.root / "jobs" / KEY / "number").unlink()

    assert ours.among([row, replace(row, key="innocent")], {KEY}) == {KEY: [row]}


@pytest.mark.parametrize("ago_s", [LONG_S, -LONG_S])
def test_a_number_that_was_somebody_elses_at_another_time_is_not_ours(ours, home, ago_s):
    row = sent(home)
    other = replace(row, key="innocent", submitted_at=row.submitted_at - ago_s)

    assert ours.among([other], {KEY}) == {}


def test_who_had_our_number_just_before_us_is_not_an_earlier_stretch_of_ours(ours, home):
    row = sent(home)
    before = replace(row, key="innocent", submitted_at=row.submitted_at - 60)

    assert ours.among([before, row], {KEY}) == {KEY: [row]}


def test_a_later_run_of_ours_that_was_given_the_number_again_is_not_the_first(ours, home):
    first, second = sent(home), sent(home, OTHER)
    rows = [first, second]

    assert ours.among(rows, {KEY}) == {KEY: [first]}
    assert ours.among(rows, {KEY, OTHER}) == {KEY: [first], OTHER: [second]}
    assert ours.among([second], {KEY}) == {}
    (home.root / "jobs" / OTHER / "number").unlink()  # it is being submitted
    assert ours.among([second], {KEY}) == {}


def test_a_renamed_job_that_is_started_again_hours_later_is_ours(ours, home):
    row = sent(home)
    hours_later = row.submitted_at + 3 * 3600
    again = replace(row, key="innocent", restarts=1, submitted_at=hours_later)
    told = [row, replace(again, restarts=0)]  # the accounting has no such count

    assert ours.among([again], {KEY}) == {KEY: [again]}
    assert ours.among(told, {KEY}) == {KEY: told}


def test_a_name_that_leads_out_of_our_home_is_only_a_name(ours, home):
    row = replace(sent(home), key="../jobs/fabriek-2")

    assert ours.among([row], {KEY}) == {KEY: [row]}


def test_the_moment_of_the_answer_is_kept_from_the_first_time(ours, home):
    row = replace(sent(home), key="innocent")
    ours.among([row], {KEY})
    number = home.root / "jobs" / KEY / "number"
    os.utime(number, (1, 1))

    assert ours.among([row], {KEY}) == {KEY: [row]}
