"""Fine-tuning as a whole: what it leaves, and each way it can fail in plain words."""

import errno
import io
import json
import os
import resource
import stat
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from fabriek_recipes import evaluation
from fabriek_recipes.finetune_lm.data import split
from fabriek_recipes.finetune_lm.knobs import Knobs
from fabriek_recipes.training import last_words
from fabriek_recipes.words import Failed
from tests.recipes.conftest import prepare, rows, write_rows

QUICK = {"epochs": 25, "learning_rate": 0.01, "tokens_per_step": 256, "held_out_percent": 20}


def test_full_fine_tuning_moves_the_score_and_leaves_a_model(tmp_path, base, dataset):
    run = prepare(
        tmp_path / "run",
        "finetune_lm",
        {**QUICK, "method": "full"},
        {"dataset": dataset, "model": base},
    )

    code = run.start()

    assert code == 0
    scores = run.report["scores"]
    assert scores["exact_match_before"] == 0.0
    assert scores["exact_match_after"] > 0.5
    assert scores["loss_after"] < scores["loss_before"]
    assert (run.report["rows_trained"], run.report["rows_held_out"]) == (48, 12)
    assert run.report["parameters_trained"] == run.report["parameters_total"]
    kinds = {event.kind for event in run.events}
    assert kinds == {"stage", "progress", "metrics", "sample", "result"}
    found = evaluation.parsed((run.folder / evaluation.EVALUATION).read_bytes())
    named = {score.name: score for score in found.scores}
    assert named["exact_match"].before == 0.0
    assert all(score.low < score.value <= score.high <= 10 for score in named.values())
    assert named["exact_match"].high <= 1
    assert named["loss"].value == pytest.approx(scores["loss_after"], abs=1e-4)
    wrong = [(one["expected"], one["answer"]) for one in run.report["wrong"]]
    assert sorted((one.truth, one.said) for one in found.worst) == sorted(wrong)
    model = run.folder / "outputs" / "model"
    AutoModelForCausalLM.from_pretrained(model)
    assert AutoTokenizer.from_pretrained(model).chat_template
    modes = {stat.S_IMODE(path.stat().st_mode) for path in model.iterdir()}
    assert modes == {0o640}
    assert not list(run.folder.rglob("*.bin"))


def test_lora_leaves_an_adapter_and_a_merged_model_and_the_base_untouched(
    tmp_path, base, dataset
):
    before = (base / "model.safetensors").read_bytes()
    talk = [
        {
            "messages": [
                {"role": "user", "content": row["prompt"]},
                {"role": "assistant", "content": row["completion"]},
            ]
        }
        for row in rows(12)
    ]
    write_rows(dataset, talk, "talk_heldout.jsonl")
    run = prepare(
        tmp_path / "run",
        "finetune_lm",
        {**QUICK, "epochs": 2, "lora_dropout": 0.1},
        {"dataset": dataset, "model": base},
    )

    assert run.start() == 0

    outputs = run.folder / "outputs"
    assert run.report["rows_held_out"] == 12
    assert run.report["parameters_trained"] < run.report["parameters_total"]
    adapter = json.loads((outputs / "adapter" / "adapter_config.json").read_text())
    assert adapter["base_model_name_or_path"] == "r1"
    merged = load_file(outputs / "model" / "model.safetensors")
    assert merged.keys() == load_file(base / "model.safetensors").keys()
    assert (base / "model.safetensors").read_bytes() == before


def test_the_split_depends_on_the_rows_alone(tmp_path):
    made = rows(60)
    first = split(write_rows(tmp_path / "a", made), Knobs(held_out_percent=10))
    again = split(write_rows(tmp_path / "b", [*reversed(made)]), Knobs(held_out_percent=10))

    assert len(first.held_out) == 6
    assert {row.prompt for row in first.held_out} == {row.prompt for row in again.held_out}
    assert not {row.prompt for row in first.train} & {row.prompt for row in first.held_out}


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.csv"])
def test_a_column_that_divides_the_rows_is_gone_by(tmp_path, name):
    words = ["train", "test", "train", "validation", None]
    made = [row | {"Split": words[at % 5]} for at, row in enumerate(rows(60))]
    if name == "rows.csv":
        lines = [
            f'"{row["prompt"]}";"{row["completion"]}";{row["Split"] or ""}' for row in made
        ]
        (tmp_path / name).write_text("\n".join(["prompt;completion;Split", *lines]))
    else:
        write_rows(tmp_path, made)

    found = split(tmp_path, Knobs(held_out_percent=10))

    apart = {row["prompt"] for row in made if row["Split"] in {"test", "validation"}}
    assert {row.prompt for row in found.held_out} == apart
    assert {row.prompt for row in found.train} == {row["prompt"] for row in made} - apart
    assert found.by.sentence.startswith(
        "Column “Split” divides the rows: 36 to learn from, 12 of validation and 12 of test."
    )


def test_equal_rows_never_stand_on_both_sides(tmp_path):
    louder = [{**row, "prompt": row["prompt"].upper() + " "} for row in rows(15)]
    found = split(write_rows(tmp_path, rows(15) * 3 + louder), Knobs(held_out_percent=30))

    learned, apart = (
        {row.prompt.strip().lower() for row in part} for part in (found.train, found.held_out)
    )
    assert not learned & apart
    assert found.held_out


def test_a_dataset_of_one_row_is_learned_from_and_has_no_score(tmp_path, base):
    data = write_rows(tmp_path / "data", rows(1))
    run = prepare(
        tmp_path / "run", "finetune_lm", {"epochs": 1}, {"dataset": data, "model": base}
    )

    assert run.start() == 0

    assert run.report["scores"]["exact_match_after"] is None
    assert [e.fields["code"] for e in run.events if e.kind == "warning"] == ["no_held_out"]


@pytest.mark.parametrize(
    ("knobs", "sentence"),
    [
        ({"epochs": 0}, "The setting “epochs” cannot be used"),
        ({"speed": 9}, "The setting “speed” cannot be used"),
        (
            {"tokens_per_row_max": 32, "held_out_percent": 0},
            "Every row is longer than 32 tokens",
        ),
    ],
)
def test_settings_that_will_not_do_end_in_a_sentence(tmp_path, base, dataset, knobs, sentence):
    long = [{"prompt": "woord " * 50, "completion": "x"}]
    write_rows(dataset, long)
    run = prepare(tmp_path / "run", "finetune_lm", knobs, {"dataset": dataset, "model": base})

    assert run.start() == 2

    assert run.failure.startswith(sentence)
    assert not (run.folder / "outputs" / "model").exists()


def test_a_bad_row_is_named_by_file_and_line(tmp_path, base):
    data = write_rows(tmp_path / "data", [*rows(3), {"prompt": "a"}])
    run = prepare(tmp_path / "run", "finetune_lm", {}, {"dataset": data, "model": base})

    assert run.start() == 2

    assert run.failure == "rows.jsonl: Line 4 has no completion; add it."


def test_a_model_without_weights_or_with_pickled_ones_is_refused(tmp_path, base, dataset):
    run = prepare(tmp_path / "run", "finetune_lm", {}, {"dataset": dataset, "model": base})
    weights = run.folder / "inputs" / "model" / "model.safetensors"
    weights.rename(weights.with_name("pytorch_model.bin"))

    assert run.start() == 2

    assert "can run code when it is read" in run.failure


def test_a_model_that_lacks_weights_is_refused_not_filled_at_random(tmp_path, base, dataset):
    run = prepare(tmp_path / "run", "finetune_lm", {}, {"dataset": dataset, "model": base})
    weights = run.folder / "inputs" / "model" / "model.safetensors"
    tensors = load_file(weights)
    tensors.pop("model.layers.0.mlp.up_proj.weight")
    save_file(tensors, weights, metadata={"format": "pt"})

    assert run.start() == 2

    assert "model.layers.0.mlp.up_proj.weight" in run.failure


@pytest.mark.parametrize("held_out", [0, 20])
def test_a_loss_that_is_no_number_stops_the_run(tmp_path, base, dataset, held_out):
    run = prepare(
        tmp_path / "run",
        "finetune_lm",
        {**QUICK, "held_out_percent": held_out},
        {"dataset": dataset, "model": base},
    )
    weights = run.folder / "inputs" / "model" / "model.safetensors"
    tensors = load_file(weights)
    tensors["model.norm.weight"] = torch.full_like(tensors["model.norm.weight"], torch.nan)
    save_file(tensors, weights, metadata={"format": "pt"})

    assert run.start() == 2

    assert next(e for e in run.events if e.kind == "failure").fields["code"] == "nan_loss"


def test_a_full_disk_ends_in_a_sentence_and_leaves_nothing_half_written(
    tmp_path, base, dataset
):
    run = prepare(
        tmp_path / "run",
        "finetune_lm",
        {**QUICK, "epochs": 1, "method": "full"},
        {"dataset": dataset, "model": base},
    )
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))

    try:
        code = run.start()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)

    assert code == 2
    assert run.failure == "The disk is full; make room and start the run again."
    warnings = {e.fields["code"] for e in run.events if e.kind == "warning"}
    assert warnings == {"no_checkpoint"}
    assert [path for path in run.folder.rglob("*") if ".part" in path.name] == []
    assert not (run.folder / "outputs" / "model").exists()


class FullLog(io.StringIO):
    def write(self, _line):
        raise OSError(errno.ENOSPC, "full")


def test_a_disk_without_any_room_still_takes_why_the_run_ended(tmp_path, dataset, monkeypatch):
    run, write = prepare(tmp_path / "run", "finetune_lm", {}, {"dataset": dataset}), os.write
    room = run.folder / last_words.NAME
    seen = []

    def full(file, line):
        seen.append(room.exists())
        if room.exists() and b'"failure"' in line:
            raise OSError(errno.ENOSPC, "full")
        return write(file, line)

    monkeypatch.setattr(os, "write", full)
    monkeypatch.setattr("sys.stderr", FullLog())

    assert run.start() == 2

    assert "choose one" in run.failure
    assert any(seen)
    assert not room.exists()


def test_a_missing_input_is_named(tmp_path, dataset):
    run = prepare(tmp_path / "run", "finetune_lm", {}, {"dataset": dataset})

    assert run.start() == 2

    assert run.failure == "The run has no model; choose one."


def test_no_run_folder_is_a_usage_line(tmp_path, capsys):
    run = prepare(tmp_path / "run", "finetune_lm", {}, {})
    (run.folder / "run.json").write_text("{")

    assert run.start() == 2

    assert run.failure.startswith("The run folder's run.json cannot be used")


def test_the_split_refuses_a_dataset_without_rows(tmp_path):
    with pytest.raises(Failed) as refusal:
        split(Path(tmp_path), Knobs())

    assert refusal.value.code == "no_rows"
