"""Answering a whole dataset: what is written, what is drawn, and what is not made again."""

import json
import os
import signal

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from fabriek_recipes.batch_predict.knobs import RECIPE, Knobs
from fabriek_recipes.kinds import Facts
from fabriek_recipes.rows import check
from fabriek_recipes.training import parts
from fabriek_recipes.training.drawing import Lots
from tests.recipes.conftest import Run, prepare, rows, write_rows


def start(folder, dataset, base, **knobs) -> Run:
    chosen = {"answer_tokens_max": 8, "rows_per_file": 16, **knobs}
    return prepare(folder, "batch_predict", chosen, {"dataset": dataset, "model": base})


def told_by(run: Run) -> list[dict]:
    files = sorted((run.folder / "outputs" / "answers").iterdir())
    return [json.loads(line) for path in files for line in path.read_text().splitlines()]


def contents(run: Run) -> list[bytes]:
    return [path.read_bytes() for path in sorted((run.folder / "outputs/answers").iterdir())]


def test_every_row_is_answered_and_can_be_read_as_a_dataset_again(tmp_path, base, dataset):
    talk = {
        "messages": [{"role": "system", "content": "Kort."}, {"role": "user", "content": "a"}]
    }
    write_rows(dataset, [talk, {"prompt": "Wie belt?"}], "meer_test.jsonl")
    run = start(tmp_path / "run", dataset, base)

    assert run.start() == 0, run.events

    told = told_by(run)
    assert [(row["file"], row["line"]) for row in told] == [
        ("meer_test.jsonl", 1),
        ("meer_test.jsonl", 2),
        *[("rows.jsonl", line) for line in range(1, 61)],
    ]
    assert [message["role"] for message in told[0]["messages"]] == [
        "system",
        "user",
        "assistant",
    ]
    answers = run.folder / "outputs" / "answers"
    assert [path.name for path in sorted(answers.iterdir())] == [
        f"part-0000{number}.jsonl" for number in range(4)
    ]
    full = [row for row in told if row["messages"][-1]["content"]]
    assert check(write_rows(tmp_path / "again", full) / "rows.jsonl") == []
    assert run.report["rows_answered"] == 62
    assert run.report["tokens_written"] == sum(row["tokens"] for row in told)
    assert not (run.folder / "outputs" / "model").exists()
    assert not (run.folder / "checkpoints").exists()


def test_the_likeliest_answer_is_that_of_the_library(tmp_path, base):
    run = start(tmp_path / "run", write_rows(tmp_path / "data", rows(3)), base)

    assert run.start() == 0

    model = AutoModelForCausalLM.from_pretrained(base)
    tokenizer = AutoTokenizer.from_pretrained(base)
    for row, told in zip(rows(3), told_by(run), strict=True):
        asked = [{"role": "user", "content": row["prompt"]}]
        ids = tokenizer.apply_chat_template(
            asked, add_generation_prompt=True, return_tensors="pt"
        )["input_ids"]
        made = model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=8,
            do_sample=False,
        )[0, ids.shape[1] :]
        text = tokenizer.decode(made, skip_special_tokens=True).strip()
        assert told["messages"][-1]["content"] == text


@pytest.mark.parametrize("writing", ["likeliest", "drawn"])
def test_a_stopped_run_makes_no_finished_file_again_and_ends_the_same(
    tmp_path, base, dataset, monkeypatch, writing
):
    whole = start(tmp_path / "whole", dataset, base, writing=writing)
    stopped = start(tmp_path / "stopped", dataset, base, writing=writing)
    plain, seen = parts.write_whole, []

    def written(path, text):
        plain(path, text)
        seen.append(path.name)
        if len(seen) == 2:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(parts, "write_whole", written)
    first, second = stopped.start(), stopped.start()

    assert (first, second) == (143, 0)
    assert seen == [f"part-0000{number}.json" for number in range(4)]
    assert whole.start() == 0
    assert contents(stopped) == contents(whole)


def test_lots_follow_the_chances_and_the_seed_of_each_text_alone():
    logits = torch.tensor([[0.0, 1.0, 2.0], [3.0, 0.0, 0.0]])
    both = [Lots([5, 6], temperature=1.0)(logits, [0, 1]).tolist() for _again in range(2)]
    alone = Lots([6], temperature=1.0)(logits[1:], [0]).tolist()
    assert both[0] == both[1]
    assert alone == both[0][1:]
    lots = Lots(list(range(4_000)), temperature=0.5)

    drawn = lots(logits[:1].expand(4_000, -1), range(4_000))

    shares = (logits[0] / 0.5).softmax(-1)
    found = torch.bincount(drawn, minlength=3) / 4_000
    torch.testing.assert_close(found, shares, atol=0.03, rtol=0)
    cold = Lots([1, 2], temperature=0.05)(logits, [0, 1])
    assert cold.tolist() == [2, 0]


def test_a_row_too_long_is_left_out_and_told_by_its_line(tmp_path, base):
    long = {"prompt": "w " * 90}
    run = start(tmp_path / "run", write_rows(tmp_path / "data", [*rows(2), long]), base)

    assert run.start() == 0

    assert (run.report["rows_answered"], run.report["rows_left_out"]) == (2, 1)
    warned = next(event.fields for event in run.events if event.kind == "warning")
    assert warned["text"] == "1 row is longer than 64 tokens and was left out (line 3)."


def test_tools_that_the_models_template_leaves_out_are_not_left_out_in_silence(tmp_path, base):
    tool = {"type": "function", "function": {"name": "weer"}}
    asked = {"tools": [tool], "messages": [{"role": "user", "content": "Is het glad?"}]}
    run = start(tmp_path / "run", write_rows(tmp_path / "data", [asked]), base)

    assert run.start() == 2

    assert run.failure == (
        "The base model's template cannot render line 1 (it leaves out the tool weer); choose "
        "another."
    )


@pytest.mark.parametrize(
    ("made", "knobs", "sentence"),
    [
        ([], {}, "rows.jsonl: The file has no rows"),
        ([{"prompt": "a"}, {"x": 1}], {}, "rows.jsonl: Line 2 has neither a prompt nor"),
        (
            [{"messages": [{"role": "robot", "content": "a"}]}],
            {},
            "rows.jsonl: Line 1 has a role that is not",
        ),
        ([{"prompt": "a"}], {"temperature": 0}, "The setting “temperature” cannot be used"),
    ],
)
def test_what_will_not_do_ends_in_a_sentence(tmp_path, base, made, knobs, sentence):
    run = start(tmp_path / "run", write_rows(tmp_path / "data", made), base, **knobs)

    assert run.start() == 2

    assert run.failure.startswith(sentence)
    assert not (run.folder / "outputs" / "answers").exists()


def test_the_checks_name_bad_questions_and_the_price_follows_the_rows(tmp_path, base):
    data = write_rows(tmp_path / "data", [{"prompt": "a"}, {"prompt": 3}])
    assert RECIPE.checks({"dataset": data, "model": base}) == (
        "In line 2 prompt is not text; put it between quotes.",
    )
    assert RECIPE.checks({"dataset": tmp_path / "data" / "none", "model": base}) == (
        "The dataset has no .jsonl, .csv or .json file; add one with your rows.",
    )
    few, many = (
        RECIPE.estimate(Knobs(), Facts(rows=n, text_bytes=100 * n, base_parameters=10**9))
        for n in (1_000, 100_000)
    )
    assert 0 < few.gpu_seconds < many.gpu_seconds
    assert RECIPE.makes_model is False
