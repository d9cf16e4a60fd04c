"""The loop dies of kill -9 a hundred times, and neither a run nor a second of GPU is lost."""

import json
import os
import secrets
import subprocess
import sys
from pathlib import Path

import pytest

from tests import tables
from tests.engines.cluster import ROOT
from tests.slurm.accounting import held_by

pytestmark = [pytest.mark.slurm, pytest.mark.slow]

ROUNDS = 100
LASTS_AT_MOST_S = 1800
REPOSITORY = Path(__file__).resolve().parents[2]
ENDS = {
    "sleep 0.2": "succeeded",
    "sleep 1.2": "succeeded",
    "true": "succeeded",
    "exit 3": "failed",
    "sleep 600": "cancelled",
}


def test_a_loop_that_is_killed_a_hundred_times_loses_no_run_and_bills_each_second_once(
    cluster, tmp_path
):
    told, logged = _the_story_of_a_loop_that_dies(cluster, tmp_path)

    runs, fell = told["runs"], told["fell"]
    assert "Traceback" not in logged
    # It died at many different things, and often between sbatch and what is kept of it.
    assert sum(fell.values()) == ROUNDS
    assert len(fell) >= 8, fell
    assert fell["sbatch"] >= 5, fell
    assert told["orphaned"] >= 5
    # No run is lost.
    assert len(runs) == ROUNDS // 2
    assert [run["state"] for run in runs] == [ENDS[run["work"]] for run in runs]
    # None ran twice; one that was cancelled in time did not run at all.
    certain = [run for run in runs if run["state"] != "cancelled"]
    assert [run["traces"] for run in certain] == [["once"]] * len(certain)
    assert all(run["traces"] in ([], ["once"]) for run in runs)
    keys = [run["key"] for run in runs]
    held = held_by(*(run["key"] for run in certain), stretches=len(certain))
    held |= held_by(*keys, stretches=len(held))
    assert {run["key"] for run in certain} <= set(held)
    assert all(len(jobs) == 1 for jobs in held.values())
    # Every GPU-second is billed once.
    billed = {run["key"]: run["billed"] for run in runs}
    assert billed == {run["key"]: sum(held.get(run["key"], ())) for run in runs}
    assert sum(billed.values()) > 0
    assert (told["held"], told["drift"]) == (0, 0)


def _the_story_of_a_loop_that_dies(cluster, folder):
    tables.give(folder / "factory")
    done = subprocess.run(
        [sys.executable, "-m", "tests.slurm.dying_loop", cluster.account, str(ROUNDS)],
        env=_surroundings(cluster, folder),
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=LASTS_AT_MOST_S,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout), done.stderr


def _surroundings(cluster, folder):
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": f"{REPOSITORY / 'src'}:{REPOSITORY}",
        "DJANGO_SETTINGS_MODULE": "fabriek.settings",
        "FABRIEK_HOME": str(folder / "factory"),
        "FABRIEK_ENGINE": "slurm",
        "FABRIEK_MAIL": "dummy",  # letters would come between what it tells
        "FABRIEK_UNIX_ACCOUNTS": "0",
        "FABRIEK_SLURM_ACCOUNT": ROOT,
        "FABRIEK_SLURM_CONF": str(cluster.conf),
        "FABRIEK_SLURM_DEVICE": "cpu",
        "FABRIEK_SLURM_PARTITION": "gpu",
        "FABRIEK_SECRET_KEY": secrets.token_urlsafe(48),
        "SLURM_CONF": str(cluster.conf),
    }
