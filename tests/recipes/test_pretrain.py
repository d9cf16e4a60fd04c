"""Pretraining: from nothing or going on, on text that never lies in memory as a whole."""

import gzip
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from tokenizers import processors
from transformers import AutoModelForCausalLM, AutoTokenizer

from fabriek_recipes.evaluation import EVALUATION, parsed
from fabriek_recipes.pretrain_lm import corpus as corpora
from fabriek_recipes.pretrain_lm import making, survey
from fabriek_recipes.pretrain_lm.encoding import encoder
from fabriek_recipes.run_folder import read_manifest, write_manifest
from tests.recipes.conftest import TINY, Run, prepare, rows
from tests.recipes.stopping_at import stop_at
from tests.recipes.test_many import Started, assert_equal
from tests.recipes.test_resume import steps, weights

SRC = Path(__file__).parents[2] / "src"
ONWARD = {
    "method": "full",
    "epochs": 6,
    "context_tokens": 64,
    "tokens_per_step": 256,
    "learning_rate": 2e-3,
    "held_out_percent": 10,
}
STREETS = ("de Dorpsstraat", "de Kerkweg", "het Hoogpad", "de Molenlaan", "de Vaart")


def new_texts(count):
    return [
        f"Verslag {n}: in {STREETS[n % 5]} is {n % 7} keer gemeten hoe hoog het water stond."
        for n in range(count)
    ]


def general_texts(count):
    return [f"{row['prompt']} {row['completion']}." for row in rows(count)]


def with_texts(folder, *parts):
    folder.mkdir(parents=True, exist_ok=True)
    for number, texts in enumerate(parts):
        told = "".join(json.dumps({"text": text}) + "\n" for text in texts)
        (folder / f"part-{number}.jsonl").write_text(told)
    return folder


@pytest.fixture
def small_shards(monkeypatch):
    monkeypatch.setattr("fabriek_recipes.pretrain_lm.shards.SHARD_BYTES", 2_000)


@pytest.fixture
def inputs(tmp_path, base):
    texts = new_texts(120)
    return {
        "dataset": with_texts(tmp_path / "data-own", texts[:40], texts[40:80], texts[80:]),
        "model": base,
        "general": with_texts(tmp_path / "data-general", general_texts(100)),
    }


def codes(run):
    return [str(event.fields["code"]) for event in run.events if event.kind == "warning"]


def evaluated(run):
    return parsed((run.folder / EVALUATION).read_bytes())


def loaded(run):
    place = run.folder / "outputs" / "model"
    return AutoModelForCausalLM.from_pretrained(place), AutoTokenizer.from_pretrained(place)


# --- going on ---------------------------------------------------------------------------------
def test_going_on_teaches_new_text_keeps_the_tokenizer_and_tells_what_was_forgotten(
    tmp_path, inputs, base
):
    run = prepare(tmp_path / "run", "pretrain_lm", ONWARD, inputs)

    assert run.start() == 0, run.failure

    scores = run.report["scores"]
    assert scores["text_perplexity_after"] < scores["text_perplexity_before"] / 2
    assert scores["general_perplexity_after"] > 0
    told = evaluated(run)
    assert [one.name for one in told.scores] == ["text_perplexity", "general_perplexity"]
    assert all(one.low <= one.value <= one.high for one in told.scores)
    assert told.scores[0].before == pytest.approx(scores["text_perplexity_before"], abs=1e-3)
    assert told.rows == run.report["rows_held_out"] == 12
    assert run.report["rows_trained"] == 108
    assert run.report["tokenizer"] == "base"
    assert run.report["passes"] == 6
    _model, tokenizer = loaded(run)
    before = AutoTokenizer.from_pretrained(base)
    assert tokenizer.get_vocab() == before.get_vocab()


def test_the_model_loads_in_plain_transformers_and_reads_as_the_run_says(tmp_path, inputs):
    del inputs["general"]
    run = prepare(tmp_path / "run", "pretrain_lm", ONWARD, inputs)
    assert run.start() == 0
    model, tokenizer = loaded(run)
    names = {survey.hash_of(text): text for text in new_texts(120)}
    apart = sorted(names)[:12]
    encode = encoder(tokenizer)

    total = count = 0
    for ids in encode([names[name] for name in apart]):
        for window in torch.from_numpy(ids).long().split(64):
            if len(window) > 1:
                found = model(window[None], labels=window[None])
                total += found.loss.item() * (len(window) - 1)
                count += len(window) - 1

    assert total / count == pytest.approx(run.report["scores"]["loss_after"], abs=2e-3)


def test_a_small_addition_is_left_beside_the_whole_model_and_costs_less(tmp_path, inputs):
    del inputs["general"]
    knobs = {**ONWARD, "method": "lora", "lora_rank": 4, "lora_alpha": 8, "epochs": 2}
    run = prepare(tmp_path / "run", "pretrain_lm", knobs, inputs)

    assert run.start() == 0

    assert (run.folder / "outputs/adapter/adapter_model.safetensors").is_file()
    report = run.report
    assert report["parameters_trained"] < report["parameters_total"]
    assert report["flop_estimate"] < 4.2 * report["parameters_total"] * report["tokens_seen"]
    assert report["scores"]["loss_after"] < report["scores"]["loss_before"]


def test_general_text_is_mixed_in_beside_all_of_ones_own(tmp_path, inputs):
    after = []
    for percent in (0, 50):
        knobs = {**ONWARD, "mixed_percent": percent, "epochs": 4, "held_out_percent": 20}
        run = prepare(tmp_path / f"run-{percent}", "pretrain_lm", knobs, inputs)
        assert run.start() == 0
        after.append(run.report)

    without, half = after
    assert "general_texts" not in without
    assert half["general_texts"] > 0
    assert half["tokens_seen"] == pytest.approx(2 * without["tokens_seen"], rel=0.1)
    assert half["steps"] == pytest.approx(2 * without["steps"], abs=2)


def test_without_a_base_model_there_is_nothing_to_go_on_with(tmp_path, inputs):
    del inputs["model"]
    run = prepare(tmp_path / "run", "pretrain_lm", ONWARD, inputs)

    assert run.start() == 2
    assert run.failure == "The run has no model; choose one."


def test_the_usual_rate_is_taken_and_told_where_none_is_set(tmp_path, inputs):
    run = prepare(tmp_path / "run", "pretrain_lm", {**ONWARD, "learning_rate": 0}, inputs)

    assert run.start() == 0
    assert run.report["learning_rate"] == 5e-4


# --- tokenizers -------------------------------------------------------------------------------
def test_a_tokenizer_of_its_own_is_compared_with_that_of_the_base_model(tmp_path, inputs):
    knobs = {**TINY, "vocabulary": 600, "epochs": 1, "held_out_percent": 10}
    run = prepare(tmp_path / "run", "pretrain_lm", knobs, inputs)

    assert run.start() == 0

    assert run.report["tokenizer"] == "own"
    assert 1 < run.report["tokens_per_word"] < run.report["tokens_per_word_base"]
    model, tokenizer = loaded(run)
    assert 320 < len(tokenizer) == model.config.vocab_size <= 600


def test_a_new_model_can_take_the_tokenizer_of_another(tmp_path, inputs, base):
    knobs = {**TINY, "tokenizer": "base", "epochs": 1}
    run = prepare(tmp_path / "run", "pretrain_lm", knobs, inputs)

    assert run.start() == 0

    model, tokenizer = loaded(run)
    theirs = AutoTokenizer.from_pretrained(base)
    assert tokenizer.get_vocab() == theirs.get_vocab()
    assert model.config.vocab_size == len(theirs)
    assert "tokens_per_word_base" not in run.report


def test_letters_of_a_sign_in_a_text_are_letters(base):
    tokenizer = AutoTokenizer.from_pretrained(base)
    end = tokenizer.eos_token_id

    (ids,) = encoder(tokenizer)(["a <|end|> b"])

    assert ids.tolist().count(end) == 1
    assert ids[-1] == end
    assert tokenizer.decode(ids[:-1]) == "a <|end|> b"


def test_what_a_model_begins_texts_with_stands_before_each(base):
    tokenizer = AutoTokenizer.from_pretrained(base)
    tokenizer.add_special_tokens({"bos_token": "<|begin|>"})
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="<|begin|> $A", special_tokens=[("<|begin|>", tokenizer.bos_token_id)]
    )

    one, other = encoder(tokenizer)(["een", "twee"])

    assert one[0] == other[0] == tokenizer.bos_token_id
    assert one[-1] == tokenizer.eos_token_id


# --- what is kept apart -----------------------------------------------------------------------
def test_twins_never_cross_and_what_is_scored_is_learned_nowhere(tmp_path, inputs, monkeypatch):
    texts = new_texts(40)
    inputs["dataset"] = with_texts(tmp_path / "twins", texts, texts, texts[:10])
    inputs["general"] = with_texts(tmp_path / "same", texts + general_texts(40))
    seen: dict[str, list[str]] = {}
    make = making.make

    def note(shard, path, maker):
        told = seen.setdefault(path.name.partition("-")[0], [])
        told += [
            one
            for one in shard.texts(by_line=maker.by_line)
            if survey.hash_of(one) not in maker.apart
        ]
        return make(shard, path, maker)

    monkeypatch.setattr(making, "make", note)
    run = prepare(tmp_path / "run", "pretrain_lm", {**ONWARD, "epochs": 1}, inputs)
    assert run.start() == 0

    apart = {text for text in texts if text not in seen["dataset"]}
    assert len(apart) >= 9
    assert apart.isdisjoint(seen["general"])
    assert run.report["rows_held_out"] == len(apart)
    assert run.report["texts_left_out"] >= 2 * len(apart)


def test_texts_of_a_file_kept_apart_are_left_out_of_learning(tmp_path):
    texts = new_texts(60)
    data = with_texts(tmp_path / "data", texts)
    (data / "test.jsonl").write_text("".join(json.dumps({"text": t}) + "\n" for t in texts[:7]))
    run = prepare(tmp_path / "run", "pretrain_lm", {**TINY, "epochs": 1}, {"dataset": data})

    assert run.start() == 0

    assert run.report["rows_held_out"] == run.report["texts_left_out"] == 7
    assert run.report["rows_trained"] == 53


def test_rows_that_a_column_keeps_apart_are_scored_on_and_never_learned(tmp_path):
    texts = new_texts(60)
    parts = ["test" if n % 10 == 0 else "validation" if n % 10 == 1 else "train"
             for n in range(60)]  # fmt: skip
    rows_ = [{"text": t, "split": part} for t, part in zip(texts, parts, strict=True)]
    # Its twin is in the other file, and learned from there by no more than here.
    rows_.append({"text": texts[0], "split": "train"})
    data = with_texts(tmp_path / "data", new_texts(80)[60:])
    pq.write_table(pa.Table.from_pylist(rows_[:30]), data / "a.parquet")
    with gzip.open(data / "b.jsonl.gz", "wt") as file:
        file.write("".join(json.dumps(row) + "\n" for row in rows_[30:]))
    run = prepare(tmp_path / "run", "pretrain_lm", {**TINY, "epochs": 1}, {"dataset": data})

    assert run.start() == 0, run.failure

    assert (run.report["rows_held_out"], run.report["texts_left_out"]) == (12, 13)
    assert run.report["rows_trained"] == 48 + 20
    assert "split_column" in codes(run)


@pytest.mark.parametrize(("count", "apart"), [(1, 0), (2, 1), (30, 1), (100, 2)])
def test_of_few_texts_few_are_kept_apart_and_something_is_left(tmp_path, count, apart):
    texts = [" ".join([text] * 3) for text in new_texts(count)]
    data = with_texts(tmp_path / "data", texts)
    run = prepare(tmp_path / "run", "pretrain_lm", {**TINY, "epochs": 1}, {"dataset": data})

    assert run.start() == 0, run.failure

    assert run.report["rows_held_out"] == apart
    assert ("no_held_out" in codes(run)) == (apart == 0)


def test_texts_that_are_all_the_same_are_learned_from(tmp_path):
    data = with_texts(tmp_path / "data", new_texts(1) * 50)
    run = prepare(tmp_path / "run", "pretrain_lm", {**TINY, "epochs": 1}, {"dataset": data})

    assert run.start() == 0
    assert run.report["rows_trained"] == 50


def test_half_of_the_texts_kept_apart_choose_and_the_others_score(tmp_path, inputs):
    del inputs["general"]
    knobs = {**ONWARD, "held_out_percent": 20, "stop_after_looks": 2, "epochs": 2}
    run = prepare(tmp_path / "run", "pretrain_lm", knobs, inputs)

    assert run.start() == 0
    assert (run.report["rows_held_out"], run.report["rows_chose"]) == (12, 12)


# --- what stops it ----------------------------------------------------------------------------
def test_a_wrong_line_far_into_the_text_is_named_before_anything_is_learned(tmp_path):
    data = with_texts(tmp_path / "data", new_texts(30), new_texts(30))
    with (data / "part-1.jsonl").open("a") as file:
        file.write('{"tekst": "x"}\n')
    run = prepare(tmp_path / "run", "pretrain_lm", {**TINY, "epochs": 1}, {"dataset": data})

    assert run.start() == 2
    assert run.failure == 'part-1.jsonl: Line 31 has no text; write {"text": "…"}.'
    assert steps(run) == []


def stopped(run: Run, monkeypatch, number: int, kind: str) -> None:
    with monkeypatch.context() as patched:
        stop_at(patched, number, kind)
        assert run.start() == 143


# The stages of a run: reading two corpora, loading, making tokens, before, learning, after.
@pytest.mark.parametrize(
    ("number", "kind"),
    [(1, "progress"), (3, "progress"), (6, "progress"), (7, "progress"), (1, "metrics"),
     (9, "metrics"), (4, "stage"), (6, "stage")],
)  # fmt: skip
def test_a_run_that_is_stopped_anywhere_ends_the_same_to_the_bit(
    tmp_path, inputs, monkeypatch, small_shards, number, kind
):
    whole, other = (
        prepare(tmp_path / name, "pretrain_lm", {**ONWARD, "epochs": 2}, inputs)
        for name in ("whole", "other")
    )
    assert whole.start() == 0
    stopped(other, monkeypatch, number, kind)

    assert other.start() == 0

    assert weights(other) == weights(whole)
    assert other.report["scores"] == whole.report["scores"]
    assert other.report["tokens_seen"] == whole.report["tokens_seen"]
    assert evaluated(other) == evaluated(whole)
    assert not (other.folder / "checkpoints").exists()


def test_a_run_from_nothing_that_is_stopped_ends_the_same_to_the_bit(
    tmp_path, inputs, monkeypatch, small_shards
):
    whole, other = (
        prepare(tmp_path / name, "pretrain_lm", {**TINY, "epochs": 3}, inputs)
        for name in ("whole", "other")
    )
    assert whole.start() == 0
    for number, kind in ((2, "progress"), (2, "stage"), (9, "progress"), (4, "metrics")):
        stopped(other, monkeypatch, number, kind)

    assert other.start() == 0

    assert weights(other) == weights(whole)
    assert other.report["scores"] == whole.report["scores"]


def test_shards_that_were_finished_are_not_made_again(
    tmp_path, inputs, monkeypatch, small_shards
):
    run = prepare(tmp_path / "run", "pretrain_lm", {**ONWARD, "epochs": 1}, inputs)
    stopped(run, monkeypatch, 1, "metrics")
    known = []
    make = making.make

    def note(shard, path, maker):
        known.append(making.known_of(path) is not None)
        return make(shard, path, maker)

    monkeypatch.setattr(making, "make", note)

    assert run.start() == 0
    assert known == [True] * len(known)
    assert len(known) >= 4


def test_what_was_made_for_another_run_is_made_again(tmp_path, inputs):
    run = prepare(tmp_path / "run", "pretrain_lm", {**ONWARD, "epochs": 1}, inputs)
    scratch = run.folder / "checkpoints" / corpora.FOLDER
    scratch.mkdir(parents=True)
    (scratch / f"run{corpora.ENDING}").write_text("another")
    (scratch / f"dataset-rows-00000{corpora.ENDING}").write_bytes(b"\0" * 256)
    told = {"rows": 1, "texts": 1, "tokens": 64}
    (scratch / f"told-dataset-rows-00000{corpora.ENDING}").write_text(json.dumps(told))

    assert run.start() == 0
    assert run.report["rows_trained"] == 108


def test_a_dry_run_reads_a_little_and_measures_its_steps(tmp_path, inputs, monkeypatch):
    monkeypatch.setattr(corpora, "DRY_BYTES", 3_000)
    run = prepare(tmp_path / "run", "pretrain_lm", ONWARD, inputs)
    manifest = read_manifest(run.folder)
    write_manifest(run.folder, replace(manifest, limits=replace(manifest.limits, steps_max=3)))

    assert run.start() == 0

    assert run.report["dry_run"]["steps"] == 3
    assert not [event for event in run.events if event.kind in {"result", "sample"}]


# --- several processes, and memory ------------------------------------------------------------
@pytest.mark.slow
@pytest.mark.many
def test_two_processes_share_the_shards_and_learn_as_one(tmp_path, inputs):
    knobs = {**ONWARD, "epochs": 2}
    one, many = (
        prepare(tmp_path / name, "pretrain_lm", knobs, inputs) for name in ("one", "many")
    )

    with Started(many) as started:
        assert started.ended() == 0
    assert one.start() == 0

    assert_equal(many, one)
    assert many.report["rows_trained"] == one.report["rows_trained"]


@pytest.mark.slow
@pytest.mark.many
@pytest.mark.parametrize("method", ["new", "full"])
def test_weights_divided_over_two_processes_learn_as_one(tmp_path, inputs, method):
    knobs = {**TINY, **ONWARD, "method": method, "epochs": 1}
    one = prepare(tmp_path / "one", "pretrain_lm", knobs, inputs)
    divided = {**knobs, "weights_held": "shards"}
    many = prepare(tmp_path / "many", "pretrain_lm", divided, inputs)

    with Started(many) as started:
        assert started.ended() == 0
    assert one.start() == 0

    assert_equal(many, one)
    assert "weights_divided" in codes(many)
    loaded(many)


PROGRAM = """
import resource, sys
from pathlib import Path
from fabriek_recipes.pretrain_lm.knobs import Knobs
from fabriek_recipes.pretrain_lm import train
from fabriek_recipes.training import loop

def few(self):
    for step in range(0, self.plan.steps, max(1, self.plan.steps // 50)):
        self.plan.rows_of(step)
    self.step = self.plan.steps
    self.job.events.measured(peak=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)

loop.Loop.run = few
from fabriek_recipes.training.process import main
sys.exit(main("pretrain_lm", Knobs, sys.argv[1:]))
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_corpus(tmp_path):
    """The steps themselves are left out: they take the same whatever the corpus is."""
    peaks = []
    document = " ".join(new_texts(9))
    for size in (2 * 2**20, 16 * 2**20):
        data = tmp_path / f"data-{size}"
        data.mkdir()
        with (data / "corpus.txt").open("w") as file:
            for number in range(size // len(document)):
                file.write(f"{document} {number}.\n\n")
        run = prepare(tmp_path / f"run-{size}", "pretrain_lm", TINY, {"dataset": data})
        told = subprocess.run(
            [sys.executable, "-c", PROGRAM, str(run.folder)],
            env={**os.environ, "PYTHONPATH": str(SRC), "OMP_NUM_THREADS": "1"},
            check=False,
        )
        assert told.returncode == 0
        figures = [event.fields["figures"] for event in run.events if event.kind == "measured"]
        peaks.append(figures[0]["peak"])

    assert peaks[1] < peaks[0] + 32 * 2**20, peaks
