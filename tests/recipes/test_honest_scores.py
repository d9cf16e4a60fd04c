"""No score of a table is better than new rows would give: twins, time, groups, own files."""

import random

import numpy as np
import pytest

from fabriek_recipes.tables import load
from fabriek_recipes.tabular import apart_rows
from fabriek_recipes.tabular.knobs import Knobs
from fabriek_recipes.training import measuring
from tests.recipes.conftest import prepare
from tests.recipes.test_tabular import QUICK, evaluated, put, run_of, table, warned


def days(rows: list[dict]) -> list[dict]:
    return [
        {**row, "dag": f"2025-{n // 28 + 1:02d}-{n % 28 + 1:02d}"} for n, row in enumerate(rows)
    ]


@pytest.mark.parametrize("left_out", ["prijs, klant, nr", "prijs, klant"])
def test_rows_that_differ_only_in_what_is_not_used_fall_on_one_side(tmp_path, left_out):
    twins = [dict(row) for row in table(75) for _copy in range(4)]
    random.Random(3).shuffle(twins)
    for number, row in enumerate(twins):
        row["nr"] = 5000 + number
    rows = load([put(tmp_path / "look", twins) / "rows.jsonl"])
    used = ["leeftijd", "bedrag", "stad", "dag"]

    run = run_of(tmp_path, twins, leave_out=left_out)
    assert run.start() == 0

    lines = {int(one.row) for one in evaluated(run).worst}
    looks = apart_rows.equal_in(rows, used)
    known = np.arange(len(rows))
    names = apart_rows.names_of(rows, Knobs(target="retour"), used)
    apart = set(apart_rows.by_hash(names, known, 60).tolist())
    learned = {looks[row] for row in known.tolist() if row not in apart}
    assert not learned & {looks[row] for row in apart}
    assert not learned & {looks[line - 1] for line in lines}


def test_rows_of_few_looks_are_no_twins(tmp_path):
    rows = [{"stad": row["stad"], "retour": row["retour"]} for row in table(300)]
    run = run_of(tmp_path, rows)

    assert run.start() == 0

    assert run.report["rows_held_out"] == 60


@pytest.mark.parametrize("moment", ["ooit", None])
def test_a_row_of_no_moment_is_refused_where_the_latest_are_kept_apart(tmp_path, moment):
    rows = days(table(300))
    rows[6]["dag"] = moment
    run = run_of(tmp_path, rows, split_by="time", split_column="dag")

    assert run.start() == 2

    assert run.failure.startswith("In line 7 column “dag” holds no moment as the others do;")


def test_days_written_in_two_ways_are_set_in_one_order(tmp_path):
    rows = table(300)
    for number, row in enumerate(rows):
        month, day = number % 150 // 14 + 1, number % 14 + 1
        is_old = number < 150
        row["dag"] = f"2024-{month:02d}-{day:02d}" if is_old else f"{day:02d}-{month:02d}-2025"
    random.Random(1).shuffle(rows)
    found = load([put(tmp_path, rows) / "rows.jsonl"])
    knobs = Knobs(target="retour", split_by="time", split_column="dag")

    apart = apart_rows.latest(found, np.arange(300), knobs, 60)

    assert {rows[row]["dag"][-4:] for row in apart.tolist()} == {"2025"}


@pytest.mark.parametrize("count", [2, 3])
def test_two_or_three_groups_are_enough(tmp_path, count):
    rows = [{**row, "klant": f"k{n % count}"} for n, row in enumerate(table(300))]
    run = run_of(tmp_path, rows, leave_out="prijs", split_by="group", split_column="klant")

    assert run.start() == 0

    remarks = [one.text for one in evaluated(run).remarks]
    assert remarks[-1].startswith("Only 1 groups were kept apart")


def test_rows_to_learn_from_of_one_label_are_refused_in_words(tmp_path):
    rows = days(table(300))
    for row in rows[:245]:
        row["retour"] = "nee"
    run = run_of(tmp_path, rows, leave_out="prijs", split_by="time", split_column="dag")

    assert run.start() == 2

    assert run.failure.startswith("The rows left to learn from all have the same “retour”")


def test_rows_in_a_file_of_their_own_that_are_learned_from_are_told(tmp_path):
    data = put(tmp_path / "data", table(200))
    put(data, [*table(220)[190:], {**table(1)[0], "retour": "misschien"}], "test.jsonl")
    run = prepare(tmp_path / "run", "tabular", QUICK, {"dataset": data})

    assert run.start() == 0

    told = warned(run)
    assert any(
        text.startswith("10 of 30 rows kept apart are also among those") for text in told
    )
    assert any(text.startswith("1 of 31 rows kept apart was not scored") for text in told)
    assert evaluated(run).remarks[-1].text.startswith("10 rows kept apart were also learned")


def test_an_interval_of_whole_groups_holds_the_truth_as_often_as_it_says(monkeypatch):
    monkeypatch.setattr(measuring, "DRAWS", 100)
    luck = np.random.default_rng(0)
    groups = np.repeat(np.arange(20), 20)
    truth = np.arange(400) % 2
    held = 0
    for seed in range(40):
        right = np.repeat(luck.random(20) < 0.7, 20)
        said = np.where(right, truth, 1 - truth)
        chances = np.column_stack([1 - said, said]).astype(float)
        accuracy = {"accuracy": measuring.of_labels(truth, chances)["accuracy"]}
        one = measuring.scores(accuracy, 400, seed=seed, yardstick=accuracy, groups=groups)[0]
        held += one.low <= 0.7 <= one.high
    assert held >= 34


def test_whole_groups_are_drawn_for_the_intervals_of_a_run(tmp_path, monkeypatch):
    groups = []
    drawn = measuring.scores

    def seen(*args, **kwargs):
        groups.append(kwargs["groups"])
        return drawn(*args, **kwargs)

    monkeypatch.setattr(measuring, "scores", seen)
    by_group = {"split_by": "group", "split_column": "klant"}
    for name, knobs in (("groups", by_group), ("rows", {})):
        assert (
            run_of(tmp_path, name=name, leave_out="prijs", rounds_max=10, **knobs).start() == 0
        )

    assert np.bincount(groups[0]).tolist() == [15, 15, 15, 15]
    assert groups[1] is None


def test_what_cannot_be_measured_is_left_out_and_is_no_zero():
    truth = np.zeros(50, dtype=np.int64)
    measures = measuring.of_labels(truth, np.tile([0.9, 0.1], (50, 1)))

    found = measuring.scores(measures, 50, seed=1, yardstick=measures)

    assert [one.name for one in found] == ["macro_f1", "accuracy", "log_loss", "brier"]
    assert not measuring.is_beaten(found, "auc")
