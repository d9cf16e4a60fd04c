"""Learning from preferences: the loss, the pairs that are read, and a run as a whole."""

import json
import math
import os
import signal

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.nn import functional
from transformers import AutoModelForCausalLM, AutoTokenizer

from fabriek_recipes import evaluation
from fabriek_recipes.kinds import Facts
from fabriek_recipes.pairs import Pair, check_pairs, read_pairs
from fabriek_recipes.prefer_lm.data import split
from fabriek_recipes.prefer_lm.knobs import RECIPE, Knobs
from fabriek_recipes.training.base import load
from fabriek_recipes.training.intervals import of_mean, of_share
from fabriek_recipes.training.packing import Example
from fabriek_recipes.training.preference import (
    Answer,
    Preference,
    likelihoods,
    preference_loss,
)
from tests.recipes.conftest import Run, prepare, rows, write_rows

CPU = torch.device("cpu")
QUICK = {
    "epochs": 2,
    "learning_rate": 0.003,
    "tokens_per_step": 512,
    "held_out_percent": 20,
}


def pairs(count: int) -> list[dict]:
    """Prefer what the tiny model has never seen, so that there is something to learn."""
    return [
        {
            "prompt": row["prompt"],
            "chosen": f"geen idee, bel {number}",
            "rejected": row["completion"],
        }
        for number, row in enumerate(rows(count))
    ]


@pytest.fixture
def preferences(tmp_path):
    return write_rows(tmp_path / "preferences", pairs(40))


def start(folder, knobs, dataset, base) -> Run:
    return prepare(folder, "prefer_lm", knobs, {"dataset": dataset, "model": base})


def answer(ids, learn_from, reference):
    return Answer(torch.tensor(ids, dtype=torch.int32), learn_from, (), reference)


def test_the_loss_is_what_one_works_out_by_hand():
    # Chosen became e times likelier and rejected e times less so: a margin of 2 beta.
    moved = torch.tensor([1.0, -1.0, 0.0, 0.0])

    found = preference_loss(moved, beta=0.5, doubt=0.0)

    assert found.tolist() == pytest.approx([math.log(1 + math.exp(-1)), math.log(2)])
    doubted = preference_loss(moved, beta=0.5, doubt=0.25)[0].item()
    assert doubted == pytest.approx(
        0.75 * math.log(1 + math.exp(-1)) + 0.25 * math.log(1 + math.exp(1))
    )


def test_the_loss_on_a_model_is_the_formula_written_out_with_plain_torch(base):
    model = load(base, CPU, frozen=False).model
    texts = [
        answer([9, 20, 30, 40], 2, -7.0),
        answer([9, 20, 50, 60, 70], 2, -9.0),
        answer([8, 21, 31], 1, -5.0),
        answer([8, 22], 1, -4.0),
    ]

    with torch.no_grad():
        mine = Preference(beta=0.3, doubt=0.1).loss(model, [texts[:2], texts[2:]], fill=0)
        packed = Preference(beta=0.3, doubt=0.1).loss(model, [texts], fill=0)
        # As the paper and the library TRL write it: sums of the answer's log-probabilities.
        sums = []
        for each in texts:
            shares = model(each.ids[None].long()).logits[0, :-1].log_softmax(-1)
            taken = shares.gather(1, each.ids[1:, None].long())[:, 0]
            sums.append(taken[each.learn_from - 1 :].sum())
        expected = torch.tensor(0.0)
        for chosen, rejected in ((0, 1), (2, 3)):
            pi = sums[chosen] - sums[rejected]
            reference = texts[chosen].reference - texts[rejected].reference
            logits = pi - reference
            expected += (
                -functional.logsigmoid(0.3 * logits) * 0.9
                - functional.logsigmoid(-0.3 * logits) * 0.1
            )

    assert mine.item() == pytest.approx(expected.item(), rel=1e-5)
    assert packed.item() == pytest.approx(expected.item(), rel=1e-5)
    assert Preference(beta=0.3, doubt=0.1).weight([texts]) == 2


def test_the_likelihood_of_a_text_counts_its_learned_tokens_alone(base):
    model = load(base, CPU, frozen=False).model
    ids = torch.tensor([9, 20, 30, 40, 50], dtype=torch.int32)

    with torch.no_grad():
        whole, middle, first, last = (
            likelihoods(model, [[Example(ids, start, skipped)]], 0).item()
            for start, skipped in ((1, ()), (1, ((2, 4),)), (1, ((2, 5),)), (4, ()))
        )

    assert middle == pytest.approx(first + last, rel=1e-5)
    assert whole < middle


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": "a", "chosen": "b", "rejected": "c"},
        {
            "prompt": [{"role": "user", "content": "a"}],
            "chosen": [{"role": "assistant", "content": "b"}],
            "rejected": {"role": "assistant", "content": "c"},
        },
        {
            "chosen": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}],
            "rejected": [
                {"role": "user", "content": "a"},
                {"role": "assistant", "content": "c"},
            ],
        },
        {
            "input": {"messages": [{"role": "user", "content": "a"}]},
            "preferred_output": [{"role": "assistant", "content": "b"}],
            "non_preferred_output": [{"role": "assistant", "content": "c"}],
        },
    ],
)
def test_pairs_are_read_in_all_their_forms(tmp_path, row):
    (found,) = read_pairs(write_rows(tmp_path, [row]) / "rows.jsonl")

    assert isinstance(found, Pair)
    told = (found.chosen.prompt, found.chosen.completion, found.rejected.completion)
    assert told == ("a", "b", "c")
    assert found.rejected.prompt == "a"


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        (
            {"prompt": "a", "completion": "b"},
            'Line 1 has no pair of answers; write {"prompt": "…", "chosen": "…", '
            '"rejected": "…"}.',
        ),
        (
            [1],
            'Line 1 has no pair of answers; write {"prompt": "…", "chosen": "…", '
            '"rejected": "…"}.',
        ),
        ({"prompt": "a", "chosen": "b"}, "Line 1 has no rejected; add it."),
        (
            {"prompt": "a", "chosen": "b", "rejected": 3},
            "In line 1 rejected is not text; put it between quotes.",
        ),
        (
            {"prompt": " ", "chosen": "b", "rejected": "c"},
            "In line 1 prompt is empty; fill it.",
        ),
        (
            {"prompt": "a", "chosen": "b", "rejected": "b"},
            "In line 1 both answers are the same; there is nothing to prefer.",
        ),
        (
            {"chosen": "b", "rejected": "c"},
            "Line 1 needs a list of at least two messages: a question and an answer.",
        ),
        (
            {
                "chosen": [
                    {"role": "user", "content": "a"},
                    {"role": "assistant", "content": "b"},
                ],
                "rejected": [
                    {"role": "user", "content": "x"},
                    {"role": "assistant", "content": "c"},
                ],
            },
            "In line 1 chosen and rejected do not answer the same question; they may differ in "
            "their last message only.",
        ),
        (
            {"prompt": "a", "chosen": "b", "rejected": [{"role": "robot", "content": "c"}]},
            "Line 1 has a role that is not system, user, assistant or tool; mend it.",
        ),
    ],
)
def test_a_bad_pair_is_named_by_line_with_what_to_do(tmp_path, row, sentence):
    path = write_rows(tmp_path, [row]) / "rows.jsonl"

    assert [str(each.sentence) for each in check_pairs(path)] == [sentence]


def test_pairs_that_a_column_keeps_apart_are_not_learned_from(tmp_path):
    made = [
        each | {"subset": "test" if at % 3 else "train"} for at, each in enumerate(pairs(12))
    ]

    found = split(write_rows(tmp_path, made), Knobs(held_out_percent=30))

    assert [pair.line for pair in found.train] == [1, 4, 7, 10]
    assert len(found.held_out) == 8
    assert (found.by.name, found.by.rows) == ("subset", 12)


def test_pairs_of_one_question_never_stand_on_both_sides(tmp_path):
    made = [{**each, "rejected": f"nee {number}"} for each in pairs(12) for number in range(3)]

    found = split(write_rows(tmp_path, made), Knobs(held_out_percent=30))

    asked = [{each.chosen.prompt for each in part} for part in (found.train, found.held_out)]
    assert all(asked)
    assert not asked[0] & asked[1]


def test_a_run_prefers_the_better_answer_afterwards(tmp_path, base, preferences):
    run = start(tmp_path / "run", {**QUICK, "epochs": 5}, preferences, base)

    assert run.start() == 0, run.failure

    scores = run.report["scores"]
    assert scores["preference_after"] > scores["preference_before"]
    assert scores["moved_right_after"] == 1.0
    assert scores["margin_after"] > 0
    first = next(event for event in run.events if event.kind == "metrics").fields["values"]
    assert first["loss"] == pytest.approx(math.log(2), abs=1e-5)
    assert (run.report["rows_trained"], run.report["rows_held_out"]) == (32, 8)
    told = evaluation.parsed((run.folder / "outputs/evaluation.json").read_bytes())
    named = {score.name: score for score in told.scores}
    assert named["preference"].low < named["preference"].value <= named["preference"].high
    outputs = run.folder / "outputs"
    assert (outputs / "adapter" / "adapter_config.json").exists()
    AutoModelForCausalLM.from_pretrained(outputs / "model")
    assert AutoTokenizer.from_pretrained(outputs / "model").chat_template


def test_every_weight_can_be_trained_too(tmp_path, base, preferences):
    run = start(tmp_path / "run", {**QUICK, "method": "full"}, preferences, base)

    assert run.start() == 0

    assert run.report["parameters_trained"] == run.report["parameters_total"]
    assert not (run.folder / "outputs" / "adapter").exists()


@pytest.mark.parametrize("at", [1, 3, 6])
def test_a_run_stopped_at_any_step_ends_as_if_nothing_happened(
    tmp_path, base, preferences, monkeypatch, at
):
    knobs = {**QUICK, "lora_dropout": 0.1, "checkpoint_every_steps": 100_000}
    whole = start(tmp_path / "whole", knobs, preferences, base)
    stopped = start(tmp_path / "stopped", knobs, preferences, base)
    plain = Preference.loss
    seen = []

    def loss(self, *given):
        seen.append(1)
        if len(seen) == at:
            os.kill(os.getpid(), signal.SIGTERM)
        return plain(self, *given)

    with monkeypatch.context() as patch:
        patch.setattr(Preference, "loss", loss)
        first = stopped.start()
    kept = (stopped.folder / "checkpoints" / "reference.json").read_bytes()
    second = stopped.start()

    assert (first, second, whole.start()) == (143, 0, 0)
    assert json.loads(kept)["told"]
    one, other = (
        (run.folder / "outputs" / "model" / "model.safetensors").read_bytes()
        for run in (whole, stopped)
    )
    assert one == other
    assert stopped.report["scores"] == whole.report["scores"]


@pytest.mark.parametrize(
    ("made", "knobs", "sentence"),
    [
        ([{"prompt": "a"}], {}, "rows.jsonl: Line 1 has no pair of answers"),
        (
            [{"prompt": "w " * 80, "chosen": "b", "rejected": "c"}],
            {},
            "Every row is longer than the 64 tokens",
        ),
        ([], {}, "rows.jsonl: The file has no rows"),
        (None, {"beta": 0}, "The setting “beta” cannot be used"),
    ],
)
def test_what_will_not_do_ends_in_a_sentence(tmp_path, base, made, knobs, sentence):
    data = write_rows(tmp_path / "data", pairs(3) if made is None else made)
    run = start(tmp_path / "run", knobs, data, base)

    assert run.start() == 2

    assert run.failure.startswith(sentence)


def test_one_pair_and_pairs_that_are_all_alike_are_learned_from(tmp_path, base):
    for name, made in (("one", pairs(1)), ("alike", pairs(1) * 12)):
        data = write_rows(tmp_path / name / "data", made)
        run = start(tmp_path / name / "run", QUICK, data, base)

        assert run.start() == 0

        assert run.report["scores"] == {}
        assert run.report["rows_trained"] == len(made)
        assert not (run.folder / "outputs" / "evaluation.json").exists()


def test_a_model_that_says_no_number_ends_in_a_sentence(tmp_path, base, preferences):
    run = start(tmp_path / "run", QUICK, preferences, base)
    place = run.folder / "inputs" / "model" / "model.safetensors"
    tensors = load_file(place)
    tensors["model.norm.weight"].fill_(torch.nan)
    save_file(tensors, place, metadata={"format": "pt"})

    assert run.start() == 2

    assert run.failure.startswith("The model's loss is not a number")


def test_the_checks_name_bad_pairs_before_anything_is_queued(tmp_path, base):
    data = write_rows(tmp_path / "data", [*pairs(2), {"prompt": "a"}])

    found = RECIPE.checks({"dataset": data, "model": base})

    assert len(found) == 1
    assert found[0].startswith("Line 3 has no pair of answers")


def test_every_weight_costs_more_than_an_addition():
    facts = Facts(rows=10_000, text_bytes=8_000_000, base_parameters=10**9, device="cuda")

    lora, full = (RECIPE.estimate(Knobs(method=one), facts) for one in ("lora", "full"))

    assert 0 < lora.gpu_seconds < full.gpu_seconds
    assert lora.memory_bytes < full.memory_bytes


def test_intervals_hold_what_they_bound_and_are_the_same_again():
    assert of_share(12, 12) == (pytest.approx(0.7575, abs=1e-3), 1.0)
    assert of_share(0, 0) == (0.0, 1.0)
    values = [float(number % 7) for number in range(200)]

    low, high = of_mean(values, seed=3)

    mean = sum(values) / len(values)
    spread = 1.96 * torch.tensor(values).std().item() / math.sqrt(200)
    assert (low, high) == (
        pytest.approx(mean - spread, abs=0.05),
        pytest.approx(mean + spread, abs=0.05),
    )
    assert of_mean(values, seed=3) == (low, high)
    assert of_mean(values, seed=4) != (low, high)
