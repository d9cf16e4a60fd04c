"""Scoring and answering that is stopped goes on behind what was done, and ends the same."""

import json
import os
import signal

import pytest

from fabriek_recipes.evaluate import asking, sitting
from fabriek_recipes.training import answering, parts, weighing
from tests.recipes.conftest import Run, prepare, rows, write_rows
from tests.recipes.test_evaluate import TASK, start, task_of

WRITING = {
    "task": "schrijf",
    "output_type": "generate_until",
    "doc_to_choice": None,
    "metric_list": [{"metric": "exact_match"}, {"metric": "f1"}],
    "generation_kwargs": {"until": ["."], "max_gen_toks": 4},
}


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    monkeypatch.setattr(sitting, "PART_ROWS", 4)


def outcome(run: Run) -> dict[str, object]:
    """Give all that a run leaves, but for how long it took."""
    report = run.report | {"seconds": 0}
    evaluation = json.loads((run.folder / "outputs/evaluation.json").read_text())
    return {"report": report, "evaluation": evaluation}


def stopped_at(monkeypatch, place: object, name: str, number: int) -> None:
    """Send SIGTERM when this is called for the `number`-th time, from 0."""
    plain, called = getattr(place, name), [0]

    def call(*given, **more):
        if called[0] == number:
            os.kill(os.getpid(), signal.SIGTERM)
        called[0] += 1
        return plain(*given, **more)

    monkeypatch.setattr(place, name, call)


def two_tasks(folder):
    data = task_of(folder, **{**TASK, "metric_list": [{"metric": "acc"}]})
    (data / "schrijf.yaml").write_text(
        json.dumps({key: value for key, value in {**TASK, **WRITING}.items() if value})
    )
    return data


@pytest.mark.parametrize(
    ("place", "name", "number"),
    [(weighing, "losses", number) for number in (0, 1, 6, 10)]
    + [(answering, "answers", number) for number in (0, 2, 5)]
    + [(parts, "write_whole", number) for number in (0, 5, 12)]
    + [(sitting, "load", 1)],
)
def test_two_models_on_two_tasks_score_the_same_wherever_they_were_stopped(
    tmp_path, base, monkeypatch, place, name, number
):
    data = two_tasks(tmp_path / "task")
    whole = start(tmp_path / "whole", data, base, base)
    assert whole.start() == 0, whole.events
    stopped = start(tmp_path / "stopped", data, base, base)

    with monkeypatch.context() as patch:
        stopped_at(patch, place, name, number)
        first = stopped.start()
    left = (stopped.folder / "outputs" / "report.json").exists()
    again = stopped.start()

    assert (first, left, again) == (143, False, 0)
    assert outcome(stopped) == outcome(whole)


def test_what_was_asked_before_a_stop_is_not_asked_again(tmp_path, base, monkeypatch):
    data = write_rows(tmp_path / "data", rows(20))
    run = start(tmp_path / "run", data, base)
    plain, asked = asking.weigh, []

    def weigh(job, base, texts):
        asked.append(len(texts))
        return plain(job, base, texts)

    monkeypatch.setattr(asking, "weigh", weigh)
    with monkeypatch.context() as patch:
        stopped_at(patch, parts, "write_whole", 3)  # the head, and three parts
        assert run.start() == 143
    before = asked.copy()
    asked.clear()

    assert run.start() == 0
    assert before == [4, 4, 4, 4]  # three were kept, and of the fourth the stop was heard
    assert asked == [4, 4]


def test_a_part_that_the_disk_left_half_is_done_again(tmp_path, base, monkeypatch):
    data = write_rows(tmp_path / "data", rows(12))
    whole = start(tmp_path / "whole", data, base)
    assert whole.start() == 0
    run = start(tmp_path / "run", data, base)
    with monkeypatch.context() as patch:
        stopped_at(patch, weighing, "losses", 2)
        assert run.start() == 143
    (place,) = (run.folder / "checkpoints").iterdir()
    first = place / "model-000-00000.json"
    first.write_text(first.read_text().replace("0", "1"))
    (place / "model-000-00001.json").write_text("{")

    assert run.start() == 0
    assert outcome(run) == outcome(whole)


def test_parts_of_other_settings_are_not_taken(tmp_path, base, monkeypatch):
    data = write_rows(tmp_path / "data", rows(8))
    run = start(tmp_path / "run", data, base)
    with monkeypatch.context() as patch:
        stopped_at(patch, weighing, "losses", 1)
        assert run.start() == 143
    manifest = json.loads((run.folder / "run.json").read_text())
    manifest["seed"] = 8
    (run.folder / "run.json").write_text(json.dumps(manifest))

    assert run.start() == 0
    assert run.report["rows_scored"] == 8


def test_an_answer_ends_at_the_text_to_stop_at_and_is_not_cut_off(tmp_path, base):
    data = write_rows(tmp_path / "data", rows(6))
    knobs = {"answer_tokens_max": 24, "rows_per_file": 4}
    inputs = {"dataset": data, "model": base}
    plain = prepare(tmp_path / "plain", "batch_predict", knobs, inputs)
    assert plain.start() == 0
    long = answers_of(plain)
    stop = max((text[3:5] for text in long if len(text) > 6), default="")
    assert stop.strip(), long
    run = prepare(tmp_path / "run", "batch_predict", {**knobs, "stop_at": stop}, inputs)

    assert run.start() == 0

    assert answers_of(run) == [text.partition(stop)[0].strip() for text in long]
    assert run.report["tokens_written"] < plain.report["tokens_written"]
    cut, was_cut = ([row["is_cut_off"] for row in told_by(one)] for one in (run, plain))
    there = [stop in text for text in long]
    assert cut == [was and not ends for was, ends in zip(was_cut, there, strict=True)]


def test_an_answer_that_was_damaged_on_the_disk_is_made_again(tmp_path, base, monkeypatch):
    data = write_rows(tmp_path / "data", rows(8))
    knobs = {"answer_tokens_max": 4, "rows_per_file": 4}
    run = prepare(tmp_path / "run", "batch_predict", knobs, {"dataset": data, "model": base})
    plain = parts.Parts.taken

    def lost(self, name):
        place = self._place / f"{name}.json"
        place.write_text("half")
        return plain(self, name)

    with monkeypatch.context() as patch:
        patch.setattr(parts.Parts, "taken", lost)
        assert run.start() == 2

    assert run.failure.startswith("A part of what this run had done was damaged on the disk.")
    assert run.start() == 0
    assert len(told_by(run)) == 8


def told_by(run: Run) -> list[dict]:
    files = sorted((run.folder / "outputs" / "answers").iterdir())
    return [json.loads(line) for path in files for line in path.read_text().splitlines()]


def answers_of(run: Run) -> list[str]:
    return [row["messages"][-1]["content"] for row in told_by(run)]
