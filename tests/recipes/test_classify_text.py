"""Teaching labels of texts as a whole, on models of a few thousand weights."""

import json
import random
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BertConfig,
    BertModel,
    PreTrainedTokenizerFast,
)

from fabriek_recipes import evaluation
from fabriek_recipes.classify_text import split
from fabriek_recipes.classify_text.knobs import RECIPE, Knobs
from fabriek_recipes.events import Events
from fabriek_recipes.kinds import Facts
from fabriek_recipes.run_folder import read_manifest
from fabriek_recipes.training.process import Job
from tests.recipes.conftest import Run, prepare
from tests.recipes.stopping_at import stop_at

WORDS = (
    "brand",
    "rook",
    "vlam",
    "vraag",
    "graag",
    "uitleg",
    "glad",
    "ijs",
    "vorst",
    "de",
    "bij",
)
LABELS = {"hoog": WORDS[:3], "laag": WORDS[3:6], "midden": WORDS[6:9]}
QUICK = {"epochs": 12, "learning_rate": 0.005, "rows_per_step": 16, "warmup_percent": 5}


def texts(count: int = 120) -> list[dict]:
    luck = random.Random(2)
    made = []
    for number in range(count):
        label = luck.choice(list(LABELS))
        words = [luck.choice(LABELS[label]), "de", "bij", f"h{number}"]
        luck.shuffle(words)
        made.append({"text": " ".join(words), "label": label})
    return made


@pytest.fixture(scope="session")
def reader(tmp_path_factory) -> Path:
    """Make a tiny model that reads, with a word for each of its tokens."""
    folder = tmp_path_factory.mktemp("reader")
    vocabulary = {word: place for place, word in enumerate(("[PAD]", "[UNK]", *WORDS))}
    made = Tokenizer(WordLevel(vocabulary, unk_token="[UNK]"))
    made.pre_tokenizer = Whitespace()
    PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="[PAD]", unk_token="[UNK]", model_max_length=64
    ).save_pretrained(folder)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=64,
    )
    torch.manual_seed(0)
    BertModel(config).save_pretrained(folder)
    return folder


def put(folder: Path, rows: list[dict], name: str = "rows.jsonl") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("\n".join(json.dumps(row) for row in rows))
    return folder


def run_of(tmp_path, reader, rows=None, name="run", **knobs) -> Run:
    data = put(tmp_path / f"data-{name}", texts() if rows is None else rows)
    inputs = {"dataset": data, "model": reader}
    return prepare(tmp_path / name, "classify_text", {**QUICK, **knobs}, inputs)


def warned(run: Run) -> list[str]:
    return [str(e.fields["text"]) for e in run.events if e.kind == "warning"]


def test_texts_that_a_column_keeps_apart_are_not_learned_from(tmp_path, reader):
    made = texts()
    for at, row in enumerate(made):
        row["fold"] = "test" if at < 30 else "train"
    run = run_of(tmp_path, reader, made)
    manifest = read_manifest(run.folder)
    knobs = Knobs.model_validate(manifest.knobs)

    with Events(run.folder / "events.jsonl") as events:
        job = Job(folder=run.folder, manifest=manifest, knobs=knobs, events=events)
        rows = split.divided(job)

    assert [text.line for text in rows.held_out] == list(range(1, 31))
    assert [text.line for text in rows.train] == list(range(31, 121))
    assert warned(run)[0].startswith("Column “fold” divides the rows: 90 to learn from, ")


@pytest.mark.parametrize("method", ["full", "lora"])
def test_labels_are_learned_and_the_model_is_left_whole(tmp_path, reader, method):
    run = run_of(tmp_path, reader, method=method, epochs=40)

    assert run.start() == 0

    scores = run.report["scores"]
    assert scores["accuracy_after"] > 0.8 > scores["accuracy_before"]
    assert (run.report["rows_trained"], run.report["rows_held_out"]) == (96, 24)
    folder = run.folder / "outputs/model"
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    asked = AutoTokenizer.from_pretrained(folder)("vlam bij de rook", return_tensors="pt")
    said = model(**asked).logits.argmax().item()
    assert model.config.id2label[said] == "hoog"
    assert not any("lora" in name for name in load_file(folder / "model.safetensors"))
    found = evaluation.parsed((run.folder / "outputs/evaluation.json").read_bytes())
    assert found is not None
    assert sum(map(sum, found.confusion.counts)) == 24
    assert {one.name for one in found.labels} == set(LABELS)


def test_it_is_said_when_counting_words_does_as_well(tmp_path, reader):
    run = run_of(tmp_path, reader, epochs=1, learning_rate=1e-6)

    assert run.start() == 0

    scores = run.report["scores"]
    assert scores["macro_f1_yardstick"] == 1.0 > scores["macro_f1_after"]
    assert warned(run)[-1].startswith("The yardstick does as well as the model or better")


@pytest.mark.parametrize("number", [1, 3])
def test_a_run_that_was_stopped_ends_the_same(tmp_path, reader, monkeypatch, number):
    whole, stopped = (
        run_of(tmp_path, reader, name=name, epochs=3, checkpoint_every_steps=2)
        for name in ("whole", "stopped")
    )
    assert whole.start() == 0
    with monkeypatch.context() as patch:
        stop_at(patch, number, "metrics")
        assert stopped.start() == 143

    assert stopped.start() == 0

    one, other = (
        (run.folder / "outputs/model/model.safetensors").read_bytes()
        for run in (whole, stopped)
    )
    assert one == other
    assert whole.report["scores"] == stopped.report["scores"]


@pytest.mark.parametrize(
    ("rows", "knobs", "sentence"),
    [
        ([], {}, "rows.jsonl: The file has no rows"),
        (texts(1), {}, "There is only one label, “"),
        ([{"text": f"a{n}", "label": "x"} for n in range(30)], {}, "There is only one label"),
        ([texts(1)[0]] * 30, {}, "There is only one label"),
        (
            [*texts(20), {"text": "a"}],
            {},
            "rows.jsonl: Line 21 has no column “label”; it has: text.",
        ),
        (
            [*texts(20), {"text": " ", "label": "x"}],
            {},
            "rows.jsonl: In line 21 “text” is empty; fill it.",
        ),
        (texts(20), {"label_column": "soort"}, "rows.jsonl: Line 1 has no column “soort”"),
        (
            [{"text": "x", "label": str(n)} for n in range(201)],
            {},
            "There are 201 different labels",
        ),
        (
            [{"text": "a", "label": "b" * 200}],
            {},
            "rows.jsonl: In line 1 the label is longer than 120 characters; is it the text?",
        ),
        (texts(4), {}, "There are too few rows to keep some apart"),
    ],
)
def test_what_will_not_do_ends_in_a_sentence(tmp_path, reader, rows, knobs, sentence):
    run = run_of(tmp_path, reader, rows, **knobs)

    assert run.start() == 2

    assert run.failure.startswith(sentence)
    assert not (run.folder / "outputs/model").exists()


def test_rows_are_looked_at_before_the_run_starts(tmp_path):
    data = put(tmp_path, [*texts(20), {"text": "a", "label": None}])

    problems = RECIPE.knob_checks(Knobs(), {"dataset": data})

    assert problems == ("In line 21 “label” is empty; fill it.",)


def test_a_csv_keeps_new_lines_and_long_texts_are_cut(tmp_path, reader):
    rows = "\n".join(f'"{row["text"]}\n{"de " * 60}";{row["label"]}' for row in texts(40))
    data = tmp_path / "data"
    data.mkdir()
    (data / "rows.csv").write_text(f"tekst;soort\n{rows}\n")
    knobs = {
        **QUICK,
        "epochs": 1,
        "text_column": "tekst",
        "label_column": "soort",
        "tokens_per_text_max": 16,
    }
    run = prepare(tmp_path / "run", "classify_text", knobs, {"dataset": data, "model": reader})

    assert run.start() == 0

    assert "32 texts are 16 tokens or longer; what comes after is not read." in warned(run)


def test_a_base_that_lacks_what_reads_is_refused(tmp_path, reader):
    run = run_of(tmp_path, reader)
    weights = run.folder / "inputs/model/model.safetensors"
    tensors = load_file(weights)
    tensors.pop("encoder.layer.0.output.LayerNorm.weight")
    save_file(tensors, weights, metadata={"format": "pt"})

    assert run.start() == 2

    assert "encoder.layer.0.output.LayerNorm.weight" in run.failure


def test_a_model_that_writes_can_learn_labels_too(tmp_path, base):
    run = run_of(tmp_path, base, epochs=2)

    assert run.start() == 0

    AutoModelForSequenceClassification.from_pretrained(run.folder / "outputs/model")


def test_the_estimate_grows_with_rows_and_weights(tmp_path, reader):
    data = put(tmp_path / "data", texts())
    nothing = Facts(rows=0, text_bytes=0, device="cpu")
    facts = RECIPE.count({"dataset": data, "model": reader}, nothing)

    assert facts.rows == 120
    assert facts.base_parameters > 5_000
    few = RECIPE.estimate(Knobs(epochs=1), facts)
    many = RECIPE.estimate(Knobs(epochs=100), facts)
    assert few.gpu_seconds <= many.gpu_seconds


def test_texts_longer_than_the_model_holds_are_cut_where_the_tokenizer_names_no_most(
    tmp_path, reader
):
    base = tmp_path / "base"
    shutil.copytree(reader, base)
    told = json.loads((base / "tokenizer_config.json").read_text())
    del told["model_max_length"]
    (base / "tokenizer_config.json").write_text(json.dumps(told))
    rows = [{**row, "text": row["text"] + " de bij" * 60} for row in texts(40)]
    run = run_of(tmp_path, base, rows, epochs=1)

    assert run.start() == 0

    assert warned(run)[0] == "32 texts are 64 tokens or longer; what comes after is not read."


def test_a_text_that_is_learned_from_is_not_scored(tmp_path, reader):
    data = put(tmp_path / "data", texts(60))
    unseen = [{**row, "text": f"{row['text']} x"} for row in texts(10)]
    put(data, [*texts(60)[:5], *unseen], "test.jsonl")
    inputs = {"dataset": data, "model": reader}
    run = prepare(tmp_path / "run", "classify_text", {**QUICK, "epochs": 1}, inputs)

    assert run.start() == 0

    assert run.report["rows_held_out"] == 10
    assert warned(run)[0] == (
        "5 of 15 texts kept apart are also among those learned from: not scored."
    )


def test_a_file_of_nothing_but_texts_that_are_learned_from_is_refused(tmp_path, reader):
    data = put(tmp_path / "data", texts(60))
    put(data, texts(60)[:20], "test.jsonl")
    inputs = {"dataset": data, "model": reader}
    run = prepare(tmp_path / "run", "classify_text", {**QUICK, "epochs": 1}, inputs)

    assert run.start() == 2

    assert run.failure.startswith("Each text kept apart is also among those learned from")
