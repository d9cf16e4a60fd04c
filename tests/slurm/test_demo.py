"""The whole journey, from idea to model, with both of its trainings on a real Slurm."""

import pytest
from django.core.management import call_command

from fabriek.allocations.models import Allocation
from fabriek.demo import story
from fabriek.registry.models import Model
from fabriek.runs.models import Run
from tests.engines.cluster import said
from tests.engines.waiting import eventually
from tests.runs.world import rows as pairs

pytestmark = [pytest.mark.slurm, pytest.mark.slow]

PRETRAIN = {"size": "tiny", "vocabulary": 512, "epochs": 1}
FINETUNE = {"method": "full", "epochs": 1}
LOOKS = {"gracht": "water", "fiets": "verkeer", "boom": "groen"}


@pytest.fixture
def small_story(monkeypatch, tmp_path):
    """Let it read a page and learn three words, instead of what takes two minutes."""
    text = tmp_path / "tekst.txt"
    text.write_text((story.DATA / "tekst.txt").read_text()[:40_000])
    rows = tmp_path / "mijn.jsonl"
    looks = [
        (f"Er ligt een {what}, melding {turn}", where)
        for turn in range(8)
        for what, where in LOOKS.items()
    ]
    rows.write_text(pairs(*looks))
    monkeypatch.setattr(story, "TEXT_FILES", {"tekst.txt": text})
    monkeypatch.setattr(story, "PRETRAIN_KNOBS", PRETRAIN)
    monkeypatch.setattr(story, "FINETUNE_KNOBS", FINETUNE)
    return rows


def test_the_demo_walks_the_whole_way_on_a_real_slurm(
    db, settings, machine, cluster, small_story, tmp_path
):
    settings.HOME = tmp_path
    # The account has the name that each demo gives it, so it stands where each demo has it.
    settings.SLURM_ACCOUNT = "fabriek"

    call_command("demo", "--exit", "--engine", "slurm", "--data", str(small_story))

    first, second = Run.objects.order_by("asked_at")
    assert eventually(lambda: states(first, second), within_s=20) == ["COMPLETED"] * 2
    assert Model.objects.filter(run=second).exists()
    assert Allocation.objects.get().gpu_seconds_held == 0


def states(*runs):
    """Ask the accounting, which may be seconds behind, how they ended."""
    names = f"--name={','.join(run.key for run in runs)}"
    told = said("sacct", "-X", "-n", "-P", "-S", "now-1hour", names, "--format=State").split()
    return told if len(told) == len(runs) and "RUNNING" not in told else None
