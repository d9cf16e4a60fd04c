"""Scoring models: measures and intervals, tasks in lm-eval's form, and a run as a whole."""

import itertools
import json
import math
import textwrap
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file

from fabriek_recipes import evaluation
from fabriek_recipes.evaluate import tasks
from fabriek_recipes.evaluate.knobs import RECIPE, Knobs
from fabriek_recipes.evaluate.measures import (
    bins,
    calibration_error,
    chances,
    exact_match,
    rouge_l,
    token_f1,
)
from fabriek_recipes.evaluate.questions import of_task
from fabriek_recipes.evaluate.tasks import problems, read_task
from fabriek_recipes.evaluate.templates import BadTask, made
from fabriek_recipes.finetune_lm.knobs import BYTES_PER_TOKEN
from fabriek_recipes.kinds import Facts
from fabriek_recipes.training.base import load
from fabriek_recipes.words import Failed
from tests.recipes.conftest import Run, prepare, rows, write_rows

TASK = {
    "task": "urgentie",
    "dataset_path": "json",
    "dataset_kwargs": {"data_files": {"test": "vragen.jsonl"}},
    "test_split": "test",
    "output_type": "multiple_choice",
    "doc_to_text": "{{ vraag.strip() }} urgentie:",
    "doc_to_choice": ["hoog", "laag", "midden"],
    "doc_to_target": "urgentie",
    "metric_list": [{"metric": "acc"}, {"metric": "acc_norm"}],
}


def task_of(folder: Path, made_of: list[dict] | None = None, **changes: object) -> Path:
    """Write a task and its rows; a change to None takes the word out."""
    told = {name: value for name, value in {**TASK, **changes}.items() if value is not None}
    asked = [
        {"vraag": row["prompt"], "urgentie": row["completion"].split(": ")[1]}
        for row in rows(12)
    ]
    write_rows(folder, asked if made_of is None else made_of, "vragen.jsonl")
    (folder / "urgentie.yaml").write_text(yaml.safe_dump(told, allow_unicode=True))
    return folder


def start(folder, dataset, base, second=None, **knobs) -> Run:
    inputs = {"dataset": dataset, "model": base}
    if second:
        inputs["model_b"] = second
    return prepare(folder, "evaluate", {"answer_tokens_max": 8, **knobs}, inputs)


def told_of(run: Run) -> evaluation.Evaluation:
    found = evaluation.parsed((run.folder / "outputs/evaluation.json").read_bytes())
    assert found is not None
    return found


def test_measures_are_what_one_works_out_by_hand():
    assert exact_match(" Ja. ", "Ja.") == 1.0
    assert exact_match("ja", "Ja.") == 0.0
    assert exact_match("ja", "Ja.", case=False, punctuation=False) == 1.0
    # Two of three words said are right, of four that should be.
    assert token_f1("de rode fiets", "De fiets, de auto!") == pytest.approx(4 / 7)
    assert token_f1("", "") == 1.0
    assert token_f1("", "x") == 0.0
    # The longest common row of words: "de", "kat", "de", "mat".
    assert rouge_l("de kat op de mat", "de kat zat de mat") == pytest.approx(8 / 10)
    assert rouge_l("mat de", "de mat") == pytest.approx(2 / 4)
    assert chances([math.log(3), 0.0]) == pytest.approx([0.75, 0.25])
    found = bins([0.95, 0.91, 0.32, 1.0], [1.0, 0.0, 1.0, 1.0])
    assert [each.rows for each in found] == [1, 3]
    assert calibration_error(found) == pytest.approx((0.68 + 3 * abs(2.86 / 3 - 2 / 3)) / 4)


def test_rows_are_scored_with_intervals_and_no_model_is_made(tmp_path, base, dataset):
    run = start(tmp_path / "run", dataset, base, rows_max=20)

    assert run.start() == 0, run.events

    told = told_of(run)
    assert [score.name for score in told.scores] == [
        "exact_match",
        "token_f1",
        "rouge_l",
        "perplexity",
    ]
    for score in told.scores:
        assert score.low <= score.value <= score.high
    assert told.scores[3].value > 1
    assert (run.report["rows_scored"], run.report["rows_left_out"]) == (20, 0)
    assert run.report["scores"].keys() == run.report["intervals"].keys()
    assert len(told.worst) == len(run.report["best"]) == 10
    assert not (run.folder / "outputs" / "model").exists()
    assert RECIPE.makes_model is False


def test_perplexity_is_that_of_the_answers_tokens(tmp_path, base):
    data = write_rows(tmp_path / "data", rows(2))
    run = start(tmp_path / "run", data, base)

    assert run.start() == 0

    found = load(base, torch.device("cpu"), frozen=True)
    total, tokens = 0.0, 0
    for row in rows(2):
        asked = [{"role": "user", "content": row["prompt"]}]
        said = [*asked, {"role": "assistant", "content": row["completion"]}]
        start_at = len(
            found.tokenizer.apply_chat_template(asked, add_generation_prompt=True)["input_ids"]
        )
        ids = torch.tensor([found.tokenizer.apply_chat_template(said)["input_ids"]])
        with torch.no_grad():
            shares = found.model(ids).logits[0, :-1].log_softmax(-1)
        taken = shares.gather(1, ids[0, 1:, None])[start_at - 1 :]
        total, tokens = total - taken.sum().item(), tokens + len(taken)
    assert run.report["scores"]["perplexity"] == pytest.approx(
        math.exp(total / tokens), rel=1e-3
    )


def test_two_models_are_compared_row_by_row(tmp_path, base, dataset):
    run = start(tmp_path / "run", dataset, base, base, rows_max=12)

    assert run.start() == 0

    named = {score.name: score for score in told_of(run).scores}
    assert named["token_f1"].value == named["token_f1_second"].value
    same = named["token_f1_difference"]
    assert (same.low, same.value, same.high) == (0.0, 0.0, 0.0)
    assert "perplexity_difference" not in named
    assert len({event.fields["prompt"] for event in run.events if event.kind == "sample"}) == 5


@pytest.mark.parametrize("asking", ["as_is", "chat"])
def test_a_task_of_choices_is_scored_and_its_calibration_told(tmp_path, base, asking):
    run = start(tmp_path / "run", task_of(tmp_path / "task"), base, asking=asking)

    assert run.start() == 0, run.events

    scores = run.report["scores"]
    assert list(scores) == [
        "urgentie: accuracy",
        "urgentie: accuracy_by_length",
        "urgentie: calibration_error",
    ]
    told = told_of(run)
    assert sum(each.rows for each in told.reliability) == 12
    assert 0 <= scores["urgentie: calibration_error"] <= 1
    assert {row.truth for row in told.worst} <= {"hoog", "laag", "midden"}


def test_the_chances_of_choices_are_those_of_the_model_itself(tmp_path, base):
    (tmp_path / "task").mkdir()
    data = task_of(tmp_path / "task", [{"vraag": "Er brandt iets", "urgentie": "laag"}])
    run = start(tmp_path / "run", data, base)

    assert run.start() == 0

    found = load(base, torch.device("cpu"), frozen=True)
    prompt = found.tokenizer("Er brandt iets urgentie:")["input_ids"]
    totals = []
    for choice in ("hoog", "laag", "midden"):
        ids = torch.tensor([found.tokenizer(f"Er brandt iets urgentie: {choice}")["input_ids"]])
        assert ids[0, : len(prompt)].tolist() == prompt
        with torch.no_grad():
            shares = found.model(ids).logits[0, :-1].log_softmax(-1)
        totals.append(shares.gather(1, ids[0, 1:, None])[len(prompt) - 1 :].sum().item())
    assert 1 - told_of(run).worst[0].distance == pytest.approx(chances(totals)[1], abs=1e-4)


def test_a_task_of_writing_stops_where_it_says_and_a_task_of_weighing_tells_perplexity(
    tmp_path, base
):
    writing = {
        "task": "schrijf",
        "output_type": "generate_until",
        "doc_to_choice": None,
        "metric_list": [
            {"metric": "exact_match", "aggregation": "mean", "ignore_case": True},
            {"metric": "f1"},
            {"metric": "rougeL"},
        ],
        "generation_kwargs": {"until": ["."], "max_gen_toks": 4, "do_sample": False},
        "num_fewshot": 2,
    }
    data = task_of(tmp_path / "task", **writing)
    weighing = {**TASK, "task": "weeg", "output_type": "loglikelihood"}
    del weighing["doc_to_choice"]
    weighing["metric_list"] = [{"metric": "perplexity"}, {"metric": "acc"}]
    (data / "weeg.yml").write_text(yaml.safe_dump(weighing))
    run = start(tmp_path / "run", data, base, rows_max=5)

    assert run.start() == 0, run.events

    assert list(run.report["scores"]) == [
        "schrijf: exact_match",
        "schrijf: token_f1",
        "schrijf: rouge_l",
        "weeg: row_perplexity",
        "weeg: accuracy",
    ]
    assert all("." not in row["said"] for row in run.report["worst"])


def test_solved_examples_stand_before_a_question_and_never_the_question_itself(tmp_path):
    data = task_of(tmp_path, num_fewshot=3, description="Kies.\n")

    found = of_task(read_task(data / "urgentie.yaml", data), most=4, seed=1)

    assert len(found) == 4
    for each in found:
        assert each.asked.startswith("Kies.\n")
        *shown, last = each.asked.removeprefix("Kies.\n").split("\n\n")
        assert len(shown) == 3
        assert not any(example.startswith(last) for example in shown)
        assert all(example.split(": ")[1] in {"hoog", "laag", "midden"} for example in shown)
    again = of_task(read_task(data / "urgentie.yaml", data), most=4, seed=1)
    assert [each.asked for each in again] == [each.asked for each in found]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"process_docs": "utils.x"}, "uses “process_docs”, which is not known here"),
        ({"filter_list": []}, "uses “filter_list”, which is not known here"),
        ({"output_type": "loglikelihood_rolling"}, "has an output_type that is not"),
        ({"dataset_path": "hails/mmlu"}, "asks for data from elsewhere"),
        ({"dataset_kwargs": {"data_files": {"test": "../x.jsonl"}}}, "has no such .jsonl file"),
        ({"dataset_kwargs": {"data_files": {"test": "/etc/passwd"}}}, "no such .jsonl file"),
        ({"dataset_kwargs": {"trust": 1}}, "dataset_kwargs may hold data_files only"),
        ({"test_split": "anders"}, "names no file with rows"),
        ({"metric_list": [{"metric": "bleu"}]}, "asks for the measure “bleu”"),
        ({"metric_list": [{"metric": "f1"}]}, "known are acc, acc_norm"),
        ({"metric_list": [{"metric": "acc", "hf_evaluate": 1}]}, "the measure “hf_evaluate”"),
        ({"metric_list": [{"metric": "acc", "aggregation": "median"}]}, "can only be mean;"),
        ({"metric_list": [{"metric": "acc", "higher_is_better": False}]}, "can only be true;"),
        ({"metric_list": [{"metric": "acc", "ignore_case": True}]}, "measure “ignore_case”"),
        ({"generation_kwargs": {"temperature": 0.7}}, "uses “temperature”"),
        ({"generation_kwargs": {"num_beams": 4}}, "uses “num_beams”"),
        ({"doc_to_text": None}, "has no doc_to_text; add it."),
        ({"doc_to_choice": None}, "has no doc_to_choice; add it."),
        ({"doc_to_choice": [True, False]}, "is no list of at least two texts"),
        ({"doc_to_choice": [["a"], "b"]}, "is no list of at least two texts"),
        ({"doc_to_choice": ["a"]}, "is no list of at least two texts"),
        ({"doc_to_text": "{% for x in y %}{% endfor %}"}, "not known here (“for”)"),
        ({"doc_to_text": "{{ range(9) }}"}, "not known here (a call)"),
        ({"doc_to_text": "{{ x.__class__ }}"}, "not known here (the name “__class__”)"),
        ({"doc_to_text": "{{ x | attr('y') }}"}, "not known here (the filter “attr”)"),
        ({"doc_to_text": "{{ 'a' * 999999999 }}"}, "not known here (“mul”)"),
        ({"doc_to_text": "{{ x"}, "not known here ("),
        ({"num_fewshot": 65}, "“num_fewshot” is no whole number from 0 to 64"),
        ({"description": 3}, "“description” is no text"),
    ],
)
def test_what_a_task_may_not_use_is_said_in_words(tmp_path, changes, said):
    data = task_of(tmp_path, **changes)

    (found,) = problems(data)

    assert said in found
    assert "urgentie.yaml" in found


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("doc_to_text: !function utils.f\n", "is no plain YAML"),
        ("[1]", "holds no names with values"),
        ("task: {1: a}", "holds no names with values"),
        ("task: 2026-01-01", "holds no names with values"),
        ("a: &a [x]\nb: [*a, *a]", "it uses an alias (*)"),
        ("a: " + "[" * 5_000, "is no plain YAML"),
        ("a: " + "x" * 70_000, "is larger than 64 KiB"),
    ],
)
def test_a_file_that_is_no_plain_yaml_is_not_run(tmp_path, text, said):
    (tmp_path / "taak.yaml").write_text(text)

    (found,) = problems(tmp_path)

    assert said in found


def test_the_task_in_the_documentation_is_one(tmp_path):
    told = (Path(__file__).parents[2] / "docs" / "use" / "language-models.md").read_text()
    _before, block = told.split("    task: urgency\n")
    lines = itertools.takewhile(lambda line: line.startswith("    "), block.splitlines())
    (tmp_path / "urgency.yaml").write_text(
        "task: urgency\n" + textwrap.dedent("\n".join(lines))
    )
    asks = ("Is it icy?", "Is it dark?", "Is it wet?")
    told_rows = [{"question": one, "urgency": "low"} for one in asks]
    write_rows(tmp_path, told_rows, "questions.jsonl")

    task = read_task(tmp_path / "urgency.yaml", tmp_path)

    asked = of_task(task, most=9, seed=1)[0]
    assert (asked.choices, asked.right) == (("high", "middle", "low"), 2)
    assert asked.asked.endswith("\n\nIs it icy? Urgency:")
    assert task.measures == ("accuracy", "accuracy_by_length")


def test_templates_give_text_lists_and_numbers():
    row = {"a": " x ", "keuzes": {"text": ["p", "q"]}, "n": 3}

    assert made("{{ a.strip() }}-{{ n + 1 }}").render(row) == "x-4"
    assert made("{{ keuzes.text }}").value(row) == ["p", "q"]
    assert made("{{ keuzes.text.index('q') }}").value(row) == 1
    assert made("['{{ a | trim }}', 'z']").value(row) == ["x", "z"]
    assert made("{% if n > 2 %}veel{% else %}weinig{% endif %}").value(row) == "veel"
    for wrong in ("{{ b }}", "{{ b.c }}", "{{ a.index('q') }}", "{{ keuzes.text[9] }}"):
        with pytest.raises(BadTask):
            made(wrong).render(row)
        with pytest.raises(BadTask):
            made(wrong).value(row)


def test_a_row_that_asks_the_same_is_no_solved_example_for_it(tmp_path):
    alike = [{"vraag": f"vraag {n % 5}", "urgentie": f"antwoord {n % 5}"} for n in range(20)]
    changes = {"output_type": None, "doc_to_choice": None, "metric_list": None}
    data = task_of(tmp_path, alike, num_fewshot=4, doc_to_text="vraag", **changes)

    asked = of_task(read_task(data / "urgentie.yaml", data), most=99, seed=1)

    assert [one.target in one.asked for one in asked] == [False] * 20
    assert all(one.asked.count("antwoord") == 4 for one in asked)


@pytest.mark.parametrize("template", ["{{ q" + ".b" * 5_000 + " }}", "{{ " + "not " * 3_000])
def test_a_template_that_nests_without_end_is_refused_in_words(tmp_path, template):
    data = task_of(tmp_path, doc_to_text=template)

    (said,) = RECIPE.checks({"dataset": data})

    assert said.startswith("In the task file urgentie.yaml doc_to_text uses what is not known")


def test_more_tasks_than_can_be_read_at_once_are_refused_before_they_are_read(
    tmp_path, monkeypatch
):
    data = task_of(tmp_path, metadata=["a"] * 12_000)
    one = (data / "urgentie.yaml").read_text()
    monkeypatch.setattr(tasks, "read_task", None)
    for number in range(4):
        (data / f"more{number}.yaml").write_text(one)

    (large,) = RECIPE.checks({"dataset": data})
    for number in range(200):
        (data / f"more{number}.yaml").write_text("task: t\n")
    (many,) = RECIPE.checks({"dataset": data})

    assert large.startswith("The task files are 2")
    assert many == "The dataset has 201 task files, and 200 at most; take some out."


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"vraag": "a"}, "Line 1 does not fit the task urgentie (a field is missing)"),
        ({"vraag": "a", "urgentie": "x"}, "(the target is none of its choices)"),
        ({"urgentie": "hoog"}, "('vraag' is undefined)"),
        ([1], "Line 1 is not an object"),
        ({"vraag": "a", "urgentie": "\N{SUPERSCRIPT TWO}"}, "(the target is none of its"),
        ({"vraag": "a", "urgentie": "9" * 5_000}, "(the target is none of its choices)"),
    ],
)
def test_a_row_that_does_not_fit_its_task_is_named_by_line(tmp_path, row, said):
    data = task_of(tmp_path, [row])

    with pytest.raises(Failed) as refusal:
        of_task(read_task(data / "urgentie.yaml", data), most=9, seed=1)

    assert str(refusal.value).startswith("vragen.jsonl: Line 1")
    assert said in str(refusal.value)


@pytest.mark.parametrize(
    ("made_of", "sentence"),
    [
        ([], "rows.jsonl: The file has no rows"),
        ([{"prompt": "a"}], "rows.jsonl: Line 1 has no completion"),
        ([{"prompt": "w " * 90, "completion": "b"}], "Every row is longer than the 64 tokens"),
    ],
)
def test_rows_that_will_not_do_end_in_a_sentence(tmp_path, base, made_of, sentence):
    run = start(tmp_path / "run", write_rows(tmp_path / "data", made_of), base)

    assert run.start() == 2

    assert run.failure.startswith(sentence)
    assert not (run.folder / "outputs" / "evaluation.json").exists()


def test_one_row_rows_alike_and_rows_too_long_are_told_for_what_they_are(tmp_path, base):
    long = {"prompt": "w " * 90, "completion": "b"}
    run = start(tmp_path / "run", write_rows(tmp_path / "data", [*rows(1) * 3, long]), base)

    assert run.start() == 0

    assert (run.report["rows_scored"], run.report["rows_left_out"]) == (3, 1)
    warned = next(event.fields for event in run.events if event.kind == "warning")
    assert warned["text"] == "1 row is longer than 64 tokens and was left out (line 4)."


def test_a_model_that_says_no_number_ends_in_a_sentence(tmp_path, base, dataset):
    run = start(tmp_path / "run", dataset, base, rows_max=8)
    place = run.folder / "inputs" / "model" / "model.safetensors"
    tensors = load_file(place)
    tensors["model.norm.weight"].fill_(torch.nan)
    save_file(tensors, place, metadata={"format": "pt"})

    assert run.start() == 2

    assert run.failure.startswith("The model's loss is not a number")


def test_the_checks_look_at_rows_tasks_and_both_models(tmp_path, base):
    (tmp_path / "empty").mkdir()
    assert RECIPE.checks({"dataset": task_of(tmp_path / "task"), "model": base}) == ()
    data = write_rows(tmp_path / "data", [*rows(2), {"prompt": "a"}])

    found = RECIPE.checks({"dataset": data, "model": base, "model_b": tmp_path / "empty"})

    assert found == (
        "Line 3 has no completion; add it.",
        "The base model has no config.json; choose a model in Hugging Face format.",
    )


def test_more_rows_and_a_second_model_cost_more(tmp_path, base, dataset):
    looked = Facts(rows=0, text_bytes=0, device="cpu", gpus=0)
    one = RECIPE.count({"dataset": dataset, "model": base}, looked)
    two = RECIPE.count({"dataset": dataset, "model": base, "model_b": base}, looked)
    assert (one.rows, two.base_parameters) == (60, 2 * one.base_parameters)
    write_rows(dataset, rows(7), "apart.jsonl")
    assert RECIPE.count({"dataset": dataset, "model": base}, looked).rows == 7
    many = Facts(rows=50_000, text_bytes=10_000_000, base_parameters=10**9, device="cuda")

    few, all_ = (RECIPE.estimate(Knobs(rows_max=most), many) for most in (100, 10_000))

    assert 0 < few.gpu_seconds < all_.gpu_seconds
    assert few.why[0].endswith("nothing is learned.")
    assert json.dumps([str(each) for each in all_.why])


def test_choices_and_solved_examples_are_priced_as_they_are_read(tmp_path):
    made_of = [
        {
            "vraag": "woord " * 40 + str(n),
            "keuzes": [f"w w w {c}" for c in range(10)],
            "a": n % 9,
        }
        for n in range(300)
    ]
    words = {"doc_to_text": "vraag", "doc_to_choice": "keuzes", "doc_to_target": "a"}
    data = task_of(tmp_path, made_of, num_fewshot=25, **words)
    asked = of_task(read_task(data / "urgentie.yaml", data), most=999, seed=1)
    read = sum(len(one.asked) + len(each) for one in asked for each in one.choices)

    facts = RECIPE.count({"dataset": data}, Facts(rows=0, text_bytes=0, device="cpu"))
    said = RECIPE.estimate(Knobs(), facts).why[0].values
    (data / "more.yaml").write_text((data / "urgentie.yaml").read_text())
    both = RECIPE.count({"dataset": data}, Facts(rows=0, text_bytes=0, device="cpu"))
    capped = [RECIPE.estimate(Knobs(rows_max=200), one).why[0].values for one in (facts, both)]

    assert 0.9 < said["tokens"] / (read / BYTES_PER_TOKEN) < 1.1
    assert (facts.rows, both.rows) == (300, 600)
    assert [one["rows"] for one in capped] == [200, 400]
