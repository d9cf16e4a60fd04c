"""What pretraining costs and what refuses it, before anything is queued."""

import gzip
import json
from dataclasses import replace

import pytest

from fabriek_recipes.kinds import Facts
from fabriek_recipes.pretrain_lm import knobs as offered
from fabriek_recipes.pretrain_lm.knobs import RECIPE, SHAPES, Knobs
from fabriek_recipes.pretrain_lm.shapes import RATES, usual_rate
from fabriek_recipes.remedies import changes
from tests.recipes.conftest import rows, write_rows

GPU = Facts(rows=100_000, text_bytes=400_000_000, device="cuda", gpus=1)
BASE = replace(GPU, base_parameters=7_000_000_000, vocabulary=128_000)


def priced(facts=GPU, **knobs):
    return RECIPE.estimate(Knobs(**knobs), facts)


def test_larger_models_cost_more_time_and_memory():
    found = [priced(size=size, epochs=20) for size in SHAPES]

    memory = [each.memory_bytes for each in found]
    assert memory == sorted(memory)
    seconds = [each.gpu_seconds for each in found]
    assert seconds == sorted(seconds)
    assert seconds[-1] > 2 * seconds[0]


def test_a_corpus_of_any_size_asks_the_same_memory():
    large = replace(GPU, text_bytes=10**12, rows=10**9)

    assert priced().memory_bytes == priced(large).memory_bytes
    assert priced().gpu_seconds < priced(large).gpu_seconds


def test_a_small_addition_to_a_base_model_costs_less_than_every_weight():
    lora, full = (priced(BASE, method=method) for method in ("lora", "full"))

    assert lora.memory_bytes < full.memory_bytes
    assert lora.gpu_seconds < full.gpu_seconds


def test_mixed_in_text_is_paid_for_as_well():
    with_general = replace(BASE, has_general=True)
    knobs = {"method": "full", "mixed_percent": 50}

    alone, mixed = priced(BASE, **knobs), priced(with_general, **knobs)

    assert mixed.tokens == pytest.approx(2 * alone.tokens, rel=1e-6)
    assert "Of all tokens 50 % come from the general text." in mixed.why


def test_counted_tokens_are_taken_and_said():
    counted = priced(replace(BASE, tokens=1_000_000), method="full", epochs=1)

    assert counted.tokens == pytest.approx(990_000, abs=1)
    assert counted.why[0] == "The tokens were counted with the tokenizer of the base model."
    assert "guessed" in priced(BASE, method="full").why[0]
    assert "some of them" in priced(replace(BASE, is_sampled=True), method="full").why[0]


def test_the_rate_that_is_usual_falls_as_models_grow_and_is_told():
    rates = [usual_rate("new", size, base_parameters=0) for size in SHAPES]

    assert rates == sorted(rates, reverse=True) == list(RATES.values())
    assert usual_rate("full", "mini", base_parameters=7_000_000_000) == 5e-5
    assert usual_rate("lora", "mini", base_parameters=7_000_000_000) == 2e-4
    said = "Learning rate: 0.00005, usual for this model."
    assert said in priced(BASE, method="full").why
    assert said not in priced(BASE, method="full", learning_rate=1e-3).why


@pytest.mark.parametrize(
    ("knobs", "lower"),
    [
        ({"size": "mini"}, 5e-4),
        ({"method": "full"}, 5e-6),
        ({"method": "full", "learning_rate": 1e-3}, 1e-4),
    ],
)
def test_after_a_rate_that_was_too_high_a_tenth_of_it_is_proposed(knobs, lower):
    assert changes("diverged", Knobs(**knobs)) == {"learning_rate": lower}


def test_what_there_is_is_counted_from_the_sizes_of_files(tmp_path, base):
    data = write_rows(tmp_path / "data", [{"text": row["prompt"]} for row in rows(50)])
    whole = (data / "rows.jsonl").stat().st_size
    (data / "test.jsonl").write_text('{"text": "apart"}\n')
    inputs = {"dataset": data, "model": base, "general": data}

    found = RECIPE.count(inputs, Facts(rows=0, text_bytes=0))

    assert (found.rows, found.text_bytes) == (50, whole)
    assert found.has_general
    assert found.vocabulary == json.loads((base / "config.json").read_text())["vocab_size"]
    assert found.base_parameters > 0


def test_a_model_that_says_nothing_of_its_pieces_still_has_a_price(tmp_path, base):
    (tmp_path / "config.json").write_text('{"vocab_size": "x"}')

    found = RECIPE.count({"model": tmp_path}, Facts(rows=0, text_bytes=0))

    assert found.vocabulary == 0
    assert priced(found, tokenizer="base").gpu_seconds > 0


@pytest.mark.parametrize(
    ("knobs", "inputs", "said"),
    [
        ({}, (), None),
        ({"method": "full"}, ("model",), None),
        ({"tokenizer": "base"}, ("model",), None),
        ({"method": "full"}, (), "Choose the base model to go on with, or make a new model."),
        ({"method": "lora"}, (), "Choose the base model to go on with, or make a new model."),
        (
            {"tokenizer": "base"},
            (),
            "Choose the base model whose tokenizer is taken, or make one of its own.",
        ),
        ({"method": "lora", "tokenizer": "base"}, ("model",), None),
    ],
)
def test_settings_that_need_a_model_ask_for_one(knobs, inputs, said):
    found = RECIPE.input_checks(Knobs(**knobs), inputs)

    assert [str(one) for one in found] == ([said] if said else [])


def test_wrong_lines_of_both_corpora_and_a_wrong_model_are_told(tmp_path):
    own = write_rows(tmp_path / "own", [{"text": "een"}, {"tekst": "twee"}])
    general = tmp_path / "general"
    general.mkdir()
    (general / "a.txt.gz").write_bytes(b"no archive")
    (tmp_path / "model").mkdir()
    inputs = {"dataset": own, "general": general, "model": tmp_path / "model"}

    assert [str(one) for one in RECIPE.checks(inputs)] == [
        'Line 2 has no text; write {"text": "…"}.',
        "The file cannot be unpacked; pack it again, or add it as it is.",
        "The base model has no config.json; choose a model in Hugging Face format.",
    ]


def test_a_dataset_without_text_is_told(tmp_path):
    (tmp_path / "a.csv").write_text("x\n1\n")

    assert "has no .txt, .jsonl or .parquet file" in str(
        RECIPE.checks({"dataset": tmp_path})[0]
    )


@pytest.mark.parametrize(
    ("held", "said"),
    [
        (b"", "The file has no text; put some in."),
        ("Café".encode("latin-1"), "Line 1 is not UTF-8 text; save the file as UTF-8."),
        (
            "Een zin.".encode("utf-16-le"),
            "Line 1 holds a zero byte; save the file as UTF-8 text.",
        ),
        (
            bytes(range(1, 9)) * 9,
            "Line 1 is no text, but signs that nobody types; leave the file out.",
        ),
    ],
)
def test_a_text_that_is_none_is_told_with_its_file(tmp_path, held, said):
    (tmp_path / "a.txt").write_text("Een zin.\n\n\x1b[1mEen kop.\x1b[0m\n")
    (tmp_path / "b.txt").write_bytes(held)

    assert " ".join(map(str, RECIPE.checks({"dataset": tmp_path}))) == f"In b.txt: {said}"


def test_of_a_large_corpus_only_the_beginning_is_looked_through(tmp_path, monkeypatch):
    """Somebody waits for the price; the run itself reads all of it."""
    monkeypatch.setattr(offered, "LOOKED_BYTES", 2**16)
    line = json.dumps({"text": "x" * 1_000}) + "\n"
    (tmp_path / "a.jsonl").write_text(line * 500 + "{\n")
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress((line * 100_000).encode()))

    assert RECIPE.checks({"dataset": tmp_path}) == ()


def test_an_archive_of_empty_lines_does_not_keep_who_asks_for_the_price_waiting(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(offered, "LOOKED_BYTES", 2**16)
    with gzip.open(tmp_path / "a.txt.gz", "wb") as file:
        for _part in range(300):
            file.write(b"\n" * 2**20)
    read = []
    real = gzip.GzipFile.readline
    monkeypatch.setattr(
        gzip.GzipFile, "readline", lambda self, size: read.append(1) or real(self, size)
    )

    assert "has no text" in str(RECIPE.checks({"dataset": tmp_path})[0])
    assert len(read) <= 2**16


def test_a_new_model_is_not_said_to_come_from_the_one_it_was_compared_with():
    starts = RECIPE.starts_from_base

    assert [starts({"method": one}) for one in ("new", "full", "lora")] == [False, True, True]
    assert not starts({})
