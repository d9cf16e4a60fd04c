"""The catalogue: what can be set, what it costs, and that the portal can read it cheaply."""

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import ValidationError

from fabriek_recipes import facts
from fabriek_recipes.facts import look, parameters_of
from fabriek_recipes.kinds import Facts
from fabriek_recipes.pretrain_lm.knobs import SHAPES, SIZES
from fabriek_recipes.pretrain_lm.knobs import Knobs as PretrainKnobs
from fabriek_recipes.recipe import catalogue
from fabriek_recipes.words import Failed
from tests.recipes.conftest import rows, write_rows

FACTS = Facts(rows=1_000, text_bytes=200_000, base_parameters=2_000_000, device="cpu", gpus=0)
GPU = Facts(
    rows=100_000, text_bytes=80_000_000, base_parameters=8_000_000_000, device="cuda", gpus=1
)
LIGHT = (
    "recipe, fabriek_recipes.run_folder, fabriek_recipes.rows, fabriek_recipes.facts, "
    "fabriek_recipes.training.process"
)
RECIPES_OFFERED = list(catalogue().values())
RECIPES = pytest.mark.parametrize("recipe", RECIPES_OFFERED, ids=lambda each: each.name)
# Those that train a language model step by step, on as many GPUs as there are.
STEPPING = [each for each in RECIPES_OFFERED if "tokens_per_step" in each.knobs.model_fields]
STEPPERS = pytest.mark.parametrize("recipe", STEPPING, ids=lambda each: each.name)


def test_the_portal_reads_recipes_without_torch_or_transformers():
    program = (
        f"import sys, fabriek_recipes.{LIGHT}; "
        "heavy = {'torch', 'transformers', 'peft', 'tokenizers', 'django', 'numpy'};"
        "print(sorted(heavy & sys.modules.keys()), "
        "[name for name in sys.modules if name == 'fabriek' or name.startswith('fabriek.')])"
    )

    found = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(Path(__file__).parents[2] / "src")},
    )

    assert found.stdout == "[] []\n"


@RECIPES
def test_every_knob_is_simple_bounded_and_told_in_words(recipe):
    properties = recipe.knobs.model_json_schema()["properties"]

    for knob in properties.values():
        assert knob["type"] in {"integer", "number", "boolean", "string"}
        assert knob["title"]
        assert knob["description"].endswith(".")
        assert knob["group"] in {"basic", "advanced"}
        assert "default" in knob
        if knob["type"] in {"integer", "number"}:
            assert "maximum" in knob
            assert "minimum" in knob or "exclusiveMinimum" in knob


def test_what_every_recipe_sets_differs_in_its_default_only_and_stands_last():
    shared = [
        "warmup_percent",
        "weight_decay",
        "gradient_norm_max",
        "checkpoint_every_steps",
    ]
    schemas = [recipe.knobs.model_json_schema()["properties"] for recipe in STEPPING]

    assert [list(schema)[-4:] for schema in schemas] == [shared] * len(STEPPING)
    for name in (*shared, "tokens_per_step"):
        one, *others = ({**schema[name], "default": None} for schema in schemas)
        assert all(other == one for other in others)
    named = {each.name: schema for each, schema in zip(STEPPING, schemas, strict=True)}
    assert named["finetune_lm"]["weight_decay"]["default"] == 0.01
    assert named["pretrain_lm"]["weight_decay"]["default"] == 0.1


@RECIPES
def test_every_word_one_chooses_from_has_words_for_people(recipe):
    knobs = recipe.knobs.model_json_schema()["properties"].values()

    chosen = [knob for knob in knobs if "enum" in knob]

    for knob in chosen:
        assert knob["labels"].keys() == set(knob["enum"])
        assert all(knob["labels"].values())


@pytest.mark.parametrize("size", SHAPES)
def test_the_words_for_a_size_count_its_weights(size):
    vocabulary = PretrainKnobs.model_fields["vocabulary"].default

    millions = float(re.search(r"\(([\d.]+) million", SIZES[size]).group(1))

    assert millions == float(f"{SHAPES[size].parameters(vocabulary) / 1e6:.2g}")


@RECIPES
def test_a_knob_out_of_bounds_or_unknown_is_refused(recipe):
    with pytest.raises(ValidationError):
        recipe.knobs(epochs=0)
    with pytest.raises(ValidationError):
        recipe.knobs(epoch=3)


@STEPPERS
@pytest.mark.parametrize("facts", [FACTS, GPU])
def test_more_passes_cost_more_and_the_reasons_are_told(recipe, facts):
    once = recipe.estimate(recipe.knobs(epochs=1), facts)
    often = recipe.estimate(recipe.knobs(epochs=10), facts)

    assert 0 < once.gpu_seconds < often.gpu_seconds
    assert once.memory_bytes > 0
    assert len(once.why) >= 3


@STEPPERS
def test_several_gpus_share_the_learning_and_start_and_score_together(recipe):
    knobs = recipe.knobs(epochs=10)
    one = recipe.estimate(knobs, GPU)

    four = recipe.estimate(knobs, replace(GPU, gpus=4))

    assert one.gpu_seconds < four.gpu_seconds < 1.2 * 4 * one.gpu_seconds
    assert four.gpu_seconds / 4 < one.gpu_seconds
    assert four.why[-1].endswith("learning becomes 4.0 times as fast.")


@STEPPERS
def test_idle_gpus_are_paid_for_and_warned_about(recipe):
    knobs = recipe.knobs(tokens_per_step=256)
    one = recipe.estimate(knobs, GPU)

    four = recipe.estimate(knobs, replace(GPU, gpus=4))
    without = recipe.estimate(knobs, replace(FACTS, gpus=4))

    assert four.learning_s == one.learning_s > 0
    assert four.gpu_seconds > one.gpu_seconds + 3 * one.learning_s
    assert "stand idle" in four.why[-1]
    assert without.why[-1].endswith("asking for more makes nothing faster.")


def test_lora_costs_less_than_training_every_weight():
    recipe = catalogue()["finetune_lm"]

    lora = recipe.estimate(recipe.knobs(method="lora"), GPU)
    full = recipe.estimate(recipe.knobs(method="full"), GPU)

    assert lora.gpu_seconds < full.gpu_seconds
    assert lora.memory_bytes < full.memory_bytes


def test_an_empty_dataset_still_has_a_price():
    for recipe in catalogue().values():
        price = recipe.estimate(recipe.knobs(), Facts(rows=0, text_bytes=0))
        assert price.gpu_seconds > 0


def test_facts_are_counted_from_the_files(dataset, base):
    found = look({"dataset": dataset, "model": base}, Facts(rows=0, text_bytes=0))

    assert found.rows == 60
    assert found.text_bytes == (dataset / "rows.jsonl").stat().st_size
    assert found.base_parameters == parameters_of(base) > 0


def looked(folder):
    return look({"dataset": folder}, Facts(rows=0, text_bytes=0))


def test_of_much_text_pieces_are_read_and_its_rows_are_about_right(tmp_path, monkeypatch):
    many = [{"prompt": "w " * (1 + number % 7), "completion": "b"} for number in range(3_000)]
    for name in ("a.jsonl", "b.jsonl"):
        write_rows(tmp_path, many, name)
    size = sum(path.stat().st_size for path in tmp_path.iterdir())
    whole = looked(tmp_path)
    opened, opening = [], Path.open
    monkeypatch.setattr(facts, "READ_BYTES_MAX", size // 5)
    monkeypatch.setattr(facts, "PIECE_BYTES", 1_000)
    monkeypatch.setattr(Path, "open", lambda *of: opened.append(of) or opening(*of))

    found = looked(tmp_path)

    assert len(opened) * facts.PIECE_BYTES < size / 4
    assert (whole.rows, found.text_bytes) == (6_000, size)
    assert found.rows == pytest.approx(6_000, rel=0.05)
    assert found.longest_row_bytes == whole.longest_row_bytes


# Rows of so many bytes, and how many; each file is a list of these.
FILES = {
    "files of one row, the first a small one": [[(20, 1)], *[[(900, 1)]] * 300],
    "one row each, longer than a piece": [[(3_000, 1)]] * 100,
    "small and large files": [*[[(20, 40)]] * 50, [(20, 9_000)], *[[(700, 1)]] * 50],
    "short rows, then rows as long as a piece": [[(20, 5_000), (900, 110)]],
}


@pytest.mark.parametrize("files", FILES.values(), ids=FILES)
def test_rows_of_much_text_are_about_right_however_they_lie(tmp_path, monkeypatch, files):
    for number, rows_in in enumerate(files):
        lines = (("x" * (size - 1) + "\n") * count for size, count in rows_in)
        (tmp_path / f"{number:03}.jsonl").write_text("".join(lines))
    whole = looked(tmp_path)
    monkeypatch.setattr(facts, "READ_BYTES_MAX", whole.text_bytes // 3)
    monkeypatch.setattr(facts, "PIECE_BYTES", 1_000)

    found = looked(tmp_path)

    assert found.rows == pytest.approx(whole.rows, rel=0.1)
    assert found.longest_row_bytes == pytest.approx(whole.longest_row_bytes, rel=0.01)


def test_good_inputs_have_no_problems(dataset, base):
    assert catalogue()["finetune_lm"].checks({"dataset": dataset, "model": base}) == ()


def test_bad_inputs_are_told_before_anything_is_queued(tmp_path, base):
    check = catalogue()["finetune_lm"].checks
    data = write_rows(tmp_path / "data", [*rows(2), {"prompt": "a"}])
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("{}")
    (tmp_path / "model" / "pytorch_model.bin").write_bytes(b"\x80\x04")

    found = [str(problem) for problem in check({"dataset": data, "model": tmp_path / "model"})]

    assert found == [
        "Line 3 has no completion; add it.",
        "The base model's weights are in a format that can run code when it is read; "
        "convert them to safetensors.",
    ]


@pytest.mark.parametrize("content", [b"", b"\xff" * 8, b"\x02\0\0\0\0\0\0\0[]", b"\x09" * 40])
def test_a_broken_weights_file_is_named(tmp_path, content):
    (tmp_path / "model.safetensors").write_bytes(content)

    with pytest.raises(Failed) as refusal:
        parameters_of(tmp_path)

    assert refusal.value.code == "bad_model"
