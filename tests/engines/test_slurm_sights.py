"""What is made of Slurm's rows where they do not tell all; needs no cluster."""

import time
from dataclasses import replace

import pytest

from fabriek.engines.base import Job, Phase
from fabriek.engines.slurm_ask import Row
from fabriek.engines.slurm_home import Home
from fabriek.engines.slurm_sights import ACCOUNTING_SILENT, TOLD_WITHIN_S, Sights

KEY = "fabriek-1"
ENDED = Row(
    number="66",
    user="root",
    key=KEY,
    account="a",
    state="COMPLETED",
    started_at=1_800_000_000.0,
    ended_at=1_800_000_001.0,
    elapsed_s=1,
)


@pytest.fixture
def sights(tmp_path):
    return Sights(Home(tmp_path))


def test_an_end_without_its_moment_is_not_billed_yet(sights):
    # Slurm 22.05 told so of a job that had held one second, nine seconds later.
    behind = replace(ENDED, ended_at=None, elapsed_s=9)

    waits = sights.sighting(KEY, None, [behind])
    told = sights.sighting(KEY, None, [ENDED])

    assert (waits.phase, waits.reason) == (Phase.UNKNOWN, ACCOUNTING_SILENT)
    assert (told.phase, told.elapsed_s) == (Phase.SUCCEEDED, 1)


@pytest.mark.parametrize("is_accounted", [True, False])
def test_the_folder_is_believed_only_where_no_accounting_is_kept(
    sights, tmp_path, is_accounted
):
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "exit").write_text("0\n")
    home = Home(tmp_path)
    with home.locked(KEY):
        home.intend(Job(key=KEY, account="a", folder=folder, command=("x",), gpus=1,
                        timeout_s=60))  # fmt: skip

    seen = sights.sighting(KEY, None, [], is_accounted=is_accounted)

    assert (seen and seen.phase) == (None if is_accounted else Phase.SUCCEEDED)


def test_a_job_that_never_started_needs_no_moment_to_have_ended(sights):
    never = replace(ENDED, state="CANCELLED", started_at=None, ended_at=None, elapsed_s=0)

    assert sights.sighting(KEY, None, [never]).phase == Phase.CANCELLED


def test_a_job_that_started_twice_is_not_billed_before_both_stretches_are_told(sights):
    now = time.time()
    ended = replace(ENDED, restarts=1, started_at=now - 1, ended_at=now)
    last = replace(ended, restarts=0)
    first = replace(
        last, state="REQUEUED", started_at=now - 10, ended_at=now - 7, elapsed_s=3
    )  # fmt: skip
    still_told = replace(first, ended_at=None)
    long_ago = replace(ended, ended_at=now - TOLD_WITHIN_S)

    waits = [sights.sighting(KEY, ended, past) for past in ([], [last], [still_told, last])]
    told = sights.sighting(KEY, ended, [first, last])
    never_told = sights.sighting(KEY, long_ago, [last])
    left = sights.sighting(KEY, None, [last])  # the queue forgot it: what is told is all

    assert {(one.phase, one.reason) for one in waits} == {(Phase.UNKNOWN, ACCOUNTING_SILENT)}
    assert (told.phase, told.elapsed_s, told.starts) == (Phase.SUCCEEDED, 4, 2)
    assert (never_told.phase, never_told.elapsed_s) == (Phase.SUCCEEDED, 1)
    assert (left.phase, left.elapsed_s) == (Phase.SUCCEEDED, 1)
