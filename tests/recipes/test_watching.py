"""What is looked at while a model learns costs time only, and stops what is in vain."""

import random

import pytest
import torch

from fabriek_recipes.training import attention, pace, watching
from fabriek_recipes.training.base import load
from fabriek_recipes.training.course import FACTOR, STEPS, Course
from fabriek_recipes.training.loop import Loop
from fabriek_recipes.training.packing import Example
from fabriek_recipes.words import Failed
from tests.recipes.conftest import TINY, prepare, rows, write_rows
from tests.recipes.stopping_at import stop_at
from tests.recipes.test_resume import weights

COMPILED = "_compiled_call_impl"
KNOBS = {"epochs": 8, "lora_dropout": 0.1, "learning_rate": 0.01, "tokens_per_step": 256}


# What can be learned by heart only: the loss on other rows is soon as low as it gets.
SOON_ENOUGH = {"epochs": 30, "learning_rate": 0.01, "method": "full", "stop_after_looks": 1}


@pytest.fixture
def codes_of_places(tmp_path):
    luck = random.Random(3)
    made = [{**row, "completion": f"code {luck.randrange(10**6)}"} for row in rows(60)]
    return write_rows(tmp_path / "codes", made)


def figures(run, name) -> dict[int, float]:
    told = [event.fields for event in run.events if event.kind == "metrics"]
    return {one["step"]: one["values"][name] for one in told if name in one["values"]}


def codes(run) -> list[str]:
    return [str(event.fields["code"]) for event in run.events if event.kind == "warning"]


def tuned(folder, base, dataset, **knobs):
    inputs = {"dataset": dataset, "model": base}
    return prepare(folder, "finetune_lm", {**KNOBS, **knobs}, inputs)


def test_the_loss_on_rows_kept_apart_memory_and_answers_are_told_at_fixed_steps(
    tmp_path, base, dataset
):
    run = tuned(tmp_path / "run", base, dataset)

    assert run.start() == 0

    steps, looks = run.report["steps"], figures(run, "held_out_loss")
    every = -(-steps // 10)
    assert list(looks) == [*range(every, steps, every), steps]
    assert looks[steps] == pytest.approx(run.report["scores"]["loss_after"], abs=1e-3)
    assert min(figures(run, "memory_bytes").values()) > 10**7
    assert figures(run, "share_of_peak") == {}  # nobody knows the peak of a processor
    shown = [e.fields for e in run.events if e.kind == "sample" and e.fields["when"] == every]
    assert len(shown) == 3
    assert shown[0]["expected"].startswith("urgentie")


def test_looking_changes_nothing_of_what_is_learned(tmp_path, base, dataset, monkeypatch):
    seen, unseen = (tuned(tmp_path / name, base, dataset) for name in ("seen", "unseen"))
    assert seen.start() == 0
    monkeypatch.setattr(Loop, "watch", lambda *_given: None)

    assert unseen.start() == 0

    assert figures(seen, "held_out_loss")
    assert not figures(unseen, "held_out_loss")
    assert weights(seen) == weights(unseen)


def test_a_run_that_no_longer_improves_stops_and_keeps_its_best_weights(
    tmp_path, base, codes_of_places
):
    run = tuned(tmp_path / "run", base, codes_of_places, **SOON_ENOUGH)

    assert run.start() == 0

    looks = figures(run, "held_out_loss")
    best = min(looks, key=lambda step: looks[step])
    assert run.report["ended_at_step"] < run.report["steps"]
    assert run.report["best_step"] == best
    assert codes(run) == ["stopped_early", "scores_chosen", "best_taken"]
    assert run.report["scores"]["loss_after"] == pytest.approx(looks[best], abs=1e-3)


def test_stopping_early_is_the_same_for_a_run_that_was_stopped_in_between(
    tmp_path, base, codes_of_places, monkeypatch
):
    whole, stopped = (
        tuned(tmp_path / name, base, codes_of_places, **SOON_ENOUGH) for name in "ab"
    )
    assert whole.start() == 0
    with monkeypatch.context() as patched:
        stop_at(patched, 12, "metrics")
        assert stopped.start() == 143

    assert stopped.start() == 0

    assert weights(stopped) == weights(whole)
    assert stopped.report["best_step"] == whole.report["best_step"]


def test_weights_that_are_gone_are_told_and_the_last_ones_taken(
    tmp_path, base, codes_of_places, monkeypatch
):
    run = tuned(tmp_path / "run", base, codes_of_places, **SOON_ENOUGH)
    monkeypatch.setattr("fabriek_recipes.training.checkpoints.save_best", lambda *_given: None)

    assert run.start() == 0

    assert codes(run) == ["stopped_early", "scores_chosen", "no_best"]


def test_a_run_from_nothing_is_looked_at_too(tmp_path, corpus):
    run = prepare(tmp_path / "run", "pretrain_lm", {**TINY, "epochs": 4}, {"dataset": corpus})

    assert run.start() == 0

    assert len(figures(run, "held_out_loss")) >= 5
    assert run.report["ended_at_step"] == run.report["best_step"] == run.report["steps"]


def test_a_model_that_learns_end_to_end_is_looked_at_in_its_usual_way(base):
    model = load(base, torch.device("cpu"), frozen=False).model
    layer = next(each for each in model.modules() if type(each).__name__ == "LlamaDecoderLayer")
    compiled = object()
    setattr(layer, COMPILED, compiled)

    with attention.end_to_end(model):
        with pace.as_it_came(model):
            assert not attention.is_end_to_end(model)
            assert getattr(layer, COMPILED) is None
            assert model(torch.tensor([[5, 6, 7]])).logits.shape[:2] == (1, 3)
        assert attention.is_end_to_end(model)
        assert getattr(layer, COMPILED) is compiled

    assert not attention.is_end_to_end(model)


def test_some_rows_are_spread_over_all_and_never_cost_much():
    texts = [Example(torch.zeros(10, dtype=torch.int32), 1) for _ in range(1_000)]

    few = watching.some(texts, width=100, tokens=10_000)
    more = watching.some(texts, width=100, tokens=200_000)

    assert sum(len(row) for row in few) == 32
    assert sum(len(row) for row in more) == 200
    assert watching.some([], width=100, tokens=10) == []


def test_a_loss_that_stays_far_above_its_start_ends_the_run():
    course = Course()
    for step in range(1, STEPS + 1):
        course.note(step, 2.0)
    for step in range(STEPS + 1, 2 * STEPS):
        course.note(step, 2.0 * FACTOR + 1)

    with pytest.raises(Failed) as failure:
        course.note(2 * STEPS, 2.0 * FACTOR + 1)

    assert failure.value.code == "diverged"
    assert "rose to 5.0 where it began at 2.0" in str(failure.value.sentence)


def test_hard_rows_among_easy_ones_are_no_divergence():
    course = Course()
    for step in range(1, 8 * STEPS):
        course.note(step, 0.1 if step % 5 else 1.0 + (step > STEPS) * 20)


def test_one_bad_step_is_no_divergence_and_a_resumed_run_still_knows_its_start():
    course, again = Course(), Course()
    for step in range(1, 3 * STEPS):
        course.note(step, 18.0 if step == 2 * STEPS else 2.0)

    again.resume(course.state())
    for step in range(3 * STEPS, 4 * STEPS - 1):
        again.note(step, 5.0)
    with pytest.raises(Failed):
        again.note(4 * STEPS, 5.0)


def test_going_on_from_an_earlier_point_ends_the_same_though_the_best_was_found_later(
    tmp_path, base, dataset, monkeypatch
):
    knobs = {"learning_rate": 0.02, "stop_after_looks": 9, "checkpoint_every_steps": 3}
    whole, stopped = (tuned(tmp_path / name, base, dataset, **knobs) for name in "ab")
    assert whole.start() == 0
    with monkeypatch.context() as patched:
        stop_at(patched, whole.report["steps"] - 2, "metrics")
        assert stopped.start() == 143
    points = sorted((stopped.folder / "checkpoints").glob("step-*"))
    for later in points[1:]:
        later.unlink()

    assert stopped.start() == 0

    assert len(points) > 2
    assert weights(stopped) == weights(whole)
