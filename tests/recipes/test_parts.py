"""A run that does its steps in parts ends as one that does them at once, to the bit."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from fabriek_recipes.run_folder import read_manifest, write_manifest
from fabriek_recipes.words import Failed
from tests.recipes.conftest import TINY, Run, prepare

TUNED = {
    "epochs": 4,
    "lora_dropout": 0.1,
    "learning_rate": 0.01,
    "tokens_per_step": 256,
    "checkpoint_every_steps": 1000,
}


def a_part(folder: Path, recipe: str, knobs: dict, inputs: dict, *, until: float) -> Run:
    run = prepare(folder, recipe, knobs, inputs)
    manifest = read_manifest(folder)
    limits = replace(manifest.limits, until_share=until)
    write_manifest(folder, replace(manifest, limits=limits))
    return run


def in_parts(place: Path, recipe: str, knobs: dict, inputs: dict) -> list[Run]:
    """Do it in three runs, each of which goes on from what the one before saved."""
    found = []
    for number, until in enumerate((0.2, 0.6, 1.0)):
        run = a_part(place / f"part-{number}", recipe, knobs, inputs, until=until)
        if found:
            shutil.copytree(found[-1].folder / "checkpoints", run.folder / "checkpoints")
        assert run.start() == 0
        found.append(run)
    return found


def weights(run: Run) -> bytes:
    return (run.folder / "outputs" / "model" / "model.safetensors").read_bytes()


def last_step(run: Run) -> int:
    return max(int(str(e.fields["step"])) for e in run.events if e.kind == "metrics")


@pytest.mark.parametrize("recipe", ["pretrain_lm", "finetune_lm"])
def test_three_parts_are_one_run(tmp_path, base, dataset, corpus, recipe):
    if recipe == "pretrain_lm":
        knobs, inputs = {**TINY, "epochs": 6}, {"dataset": corpus}
    else:
        knobs, inputs = TUNED, {"dataset": dataset, "model": base}
    whole = prepare(tmp_path / "whole", recipe, knobs, inputs)

    assert whole.start() == 0
    first, second, last = in_parts(tmp_path, recipe, knobs, inputs)

    steps = last_step(whole)
    assert weights(last) == weights(whole)
    assert last.report["scores"] == whole.report["scores"]
    assert last.report["tokens_seen"] == whole.report["tokens_seen"]
    assert last_step(first) == -(-steps // 5)
    assert last_step(first) < last_step(second) < steps
    for part in (first, second):
        assert not (part.folder / "outputs" / "model").exists()
        assert list((part.folder / "checkpoints").glob("step-*"))
        assert part.report["scores"]["loss_after"] > 0
    assert not (last.folder / "checkpoints").exists()


def test_a_part_started_twice_does_nothing_the_second_time(tmp_path, corpus):
    part = a_part(
        tmp_path / "part", "pretrain_lm", {**TINY, "epochs": 4}, {"dataset": corpus}, until=0.5
    )
    assert part.start() == 0
    told = len(part.events)

    assert part.start() == 0

    assert list((part.folder / "checkpoints").glob("step-*"))
    assert len(part.events) <= told + 1  # that it starts


@pytest.mark.parametrize("wrong", [0, -0.5, 1.5, "half", None])
def test_a_share_that_is_none_is_refused(tmp_path, corpus, wrong):
    part = prepare(tmp_path / "part", "pretrain_lm", TINY, {"dataset": corpus})
    raw = json.loads((part.folder / "run.json").read_text())
    raw["limits"]["until_share"] = wrong
    (part.folder / "run.json").write_text(json.dumps(raw))

    with pytest.raises(Failed):
        read_manifest(part.folder)


def test_a_folder_from_before_there_were_parts_is_a_whole_run(tmp_path, corpus):
    part = prepare(tmp_path / "part", "pretrain_lm", TINY, {"dataset": corpus})
    raw = json.loads((part.folder / "run.json").read_text())
    del raw["limits"]["until_share"]
    (part.folder / "run.json").write_text(json.dumps(raw))

    assert read_manifest(part.folder).limits.until_share == 1.0
