"""What is made of Slurm's rows where they do not tell all; needs no cluster."""

from dataclasses import replace

import pytest

from fabriek.engines.base import Job, Phase
from fabriek.engines.slurm_ask import Row
from fabriek.engines.slurm_home import Home
from fabriek.engines.slurm_sights import ACCOUNTING_SILENT, Sights

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
