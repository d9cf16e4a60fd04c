"""Learning from a table as a whole: what it leaves, and each way it can fail in plain words."""

import json
import random
import sys
from array import array
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fabriek_recipes import evaluation, number_words, split_column
from fabriek_recipes.events import Events
from fabriek_recipes.kinds import Facts
from fabriek_recipes.run_folder import read_manifest
from fabriek_recipes.tables import Column, Table
from fabriek_recipes.tabular import baseline, calibrating, columns, data
from fabriek_recipes.tabular.knobs import RECIPE, Knobs
from fabriek_recipes.tabular.predict import predict
from fabriek_recipes.training import measuring
from fabriek_recipes.training.process import Job
from fabriek_recipes.words import Failed
from tests.recipes.conftest import Run, prepare
from tests.recipes.stopping_at import stop_at

QUICK = {"target": "retour", "rounds_max": 60, "patience": 25, "learning_rate": 0.2}


def table(count: int = 300, *, labels: tuple[str, str] = ("ja", "nee")) -> list[dict]:
    luck = random.Random(4)
    rows = []
    for number in range(count):
        age, amount = luck.randint(18, 80), round(luck.random() * 500, 2)
        chance = 0.95 if (amount > 250) != (age < 45) else 0.05
        rows.append(
            {
                "nr": number + 1000,
                "leeftijd": age if luck.random() > 0.05 else None,
                "bedrag": amount,
                "stad": luck.choice(["Delft", "Zwolle", "Breda"]),
                "dag": f"2025-{number % 12 + 1:02d}-{number % 28 + 1:02d}",
                "klant": f"k{number % 20}",
                "prijs": round(3 * amount - age, 2),
                "retour": labels[0] if luck.random() < chance else labels[1],
            }
        )
    return rows


def put(folder: Path, rows: list[dict], name: str = "rows.jsonl") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("\n".join(json.dumps(row) for row in rows))
    return folder


def run_of(tmp_path, rows=None, name="run", **knobs) -> Run:
    data = put(tmp_path / f"data-{name}", table() if rows is None else rows)
    return prepare(tmp_path / name, "tabular", {**QUICK, **knobs}, {"dataset": data})


def warned(run: Run) -> list[str]:
    return [str(e.fields["text"]) for e in run.events if e.kind == "warning"]


def evaluated(run: Run) -> evaluation.Evaluation:
    found = evaluation.parsed((run.folder / "outputs/evaluation.json").read_bytes())
    assert found is not None
    return found


def test_labels_are_learned_and_the_yardstick_is_beaten(tmp_path):
    run = run_of(tmp_path, table(600), leave_out="klant, prijs")

    assert run.start() == 0

    scores = run.report["scores"]
    assert scores["accuracy_after"] > 0.8 > scores["accuracy_yardstick"]
    assert (run.report["rows_trained"], run.report["rows_held_out"]) == (480, 120)
    assert run.report["pipeline_tag"] == "tabular-classification"
    found = evaluated(run)
    accuracy = next(one for one in found.scores if one.name == "accuracy")
    assert accuracy.low <= accuracy.value <= accuracy.high
    assert accuracy.low < accuracy.high
    assert [one.name for one in found.effects][:2] in (
        ["bedrag", "leeftijd"],
        ["leeftijd", "bedrag"],
    )
    assert sum(map(sum, found.confusion.counts)) == 120
    assert sum(one.rows for one in found.reliability) == 120
    assert len(found.worst) == 20
    assert found.worst[0].shown.startswith("leeftijd: ")
    assert found.remarks[0].text.startswith("The trees do better than the plain model")
    assert found.without_rows().worst == []
    assert {event.kind for event in run.events} == {
        "stage",
        "progress",
        "metrics",
        "warning",
        "result",
    }
    assert warned(run) == [
        "Column “nr” only names rows and was left out: new rows have new names."
    ]
    names = sorted(path.name for path in (run.folder / "outputs/model").iterdir())
    assert names == ["baseline.json", "config.json", "trees.txt"]


def parted(rows):
    """Mark the first rows as test, some as validation, and the rest to learn from."""
    return [
        row | {"Split": ("test" if at < 60 else "dev" if at < 100 else " Train")}
        for at, row in enumerate(rows)
    ]


def test_no_row_of_test_or_validation_is_learned_from(tmp_path):
    run = run_of(tmp_path, parted(table()), leave_out="klant, prijs")
    manifest = read_manifest(run.folder)
    knobs = Knobs.model_validate(manifest.knobs)

    with Events(run.folder / "events.jsonl") as events:
        job = Job(folder=run.folder, manifest=manifest, knobs=knobs, events=events)
        found = data.read(job)

    learned = [*found.learn.rows, *found.calibrate.rows]
    assert sorted(learned) == list(range(100, 300))
    assert list(found.stop.rows) == list(range(60, 100))
    assert list(found.held_out.rows) == list(range(60))
    assert "Split" not in [one.name for one in found.meanings]


@pytest.mark.parametrize("given", [{}, {"leave_out": "klant, prijs, Split"}])
def test_a_column_that_divides_the_rows_is_gone_by(tmp_path, given):
    rows = parted(table())
    run = run_of(tmp_path, rows, **{"leave_out": "klant, prijs", "rounds_max": 10} | given)

    assert run.start() == 0

    assert run.report["rows_held_out"] == 60
    by_column = [text for text in warned(run) if text.startswith("Column “Split” divides")]
    remarks = [one.text for one in evaluated(run).remarks]
    if given:  # named under what is left out: another choice
        assert by_column == []
        assert any(text.startswith("Rows were kept apart by lot") for text in remarks)
        return
    assert by_column == [
        "Column “Split” divides the rows: 200 to learn from, 40 of validation and 60 of test. "
        "Nothing is learned from the last two: they are kept apart, to stop in time and to "
        "score."
    ]
    assert "The rows that column “Split” keeps apart were scored on, and no others." in remarks
    assert all(int(one.row) <= 60 for one in evaluated(run).worst)
    assert "Split" not in (run.folder / "outputs/model/config.json").read_text()


@pytest.mark.parametrize(
    ("words", "is_divided"),
    [
        (("train", "test"), True),
        (("Oefenen", "toets", ""), True),
        (("train", "0"), False),
        (("0", "1"), False),
        (("test", "dev"), False),
    ],
)
def test_only_words_that_say_what_a_row_is_for_divide_rows(words, is_divided):
    columns = {"soort": ("train", "test"), "Data_Split": words}

    assert split_column.column_of(columns) == ("Data_Split" if is_divided else "")
    assert split_column.column_of(columns, {"Data_Split"}) == ""


def test_what_was_saved_predicts_the_same_and_takes_rows_that_lack_columns(tmp_path):
    run = run_of(tmp_path, leave_out="klant, prijs")
    assert run.start() == 0
    model = run.folder / "outputs/model"

    sure = predict(model, [{"leeftijd": 70, "bedrag": "480.5", "stad": "Delft"}])[0]
    unknown = predict(model, [{"stad": "Mars", "nieuw": 1}, {}])

    assert sure["label"] == "ja"
    assert sure["chances"]["ja"] > 0.6
    assert sum(sure["chances"].values()) == pytest.approx(1)
    assert len(unknown) == 2
    assert predict(model, []) == []


def test_a_number_is_predicted_and_the_plain_model_may_win(tmp_path):
    run = run_of(tmp_path, target="prijs", leave_out="klant,retour")

    assert run.start() == 0

    assert run.report["pipeline_tag"] == "tabular-regression"
    scores = run.report["scores"]
    assert scores["mae_yardstick"] < scores["mae_after"] < scores["mae_before"]
    assert warned(run)[-1].startswith("The plain model does as well as the trees or better")
    found = evaluated(run)
    assert found.confusion is None
    assert found.effects[0].name == "bedrag"
    answer = predict(run.folder / "outputs/model", [{"leeftijd": 30, "bedrag": 250}])[0]
    assert 600 < answer["value"] < 850


@pytest.mark.parametrize("number", [1, 24, 26, 50])
def test_a_run_that_was_stopped_anywhere_ends_the_same(tmp_path, monkeypatch, number):
    whole = run_of(tmp_path, name="whole", patience=60)
    stopped = run_of(tmp_path, name="stopped", patience=60)
    assert whole.start() == 0
    with monkeypatch.context() as patch:
        stop_at(patch, number)
        assert stopped.start() == 143
    assert not (stopped.folder / "outputs/report.json").exists()

    assert stopped.start() == 0

    for name in ("trees.txt", "config.json", "baseline.json"):
        one, other = (run.folder / "outputs/model" / name for run in (whole, stopped))
        assert one.read_bytes() == other.read_bytes()
    assert evaluated(whole) == evaluated(stopped)
    assert not (stopped.folder / "checkpoints").exists()


def test_stopping_while_scoring_goes_on_from_the_last_trees(tmp_path, monkeypatch):
    run = run_of(tmp_path)
    with monkeypatch.context() as patch:
        stop_at(patch, 5, "stage")  # starting, reading, plain model, learning, scoring
        assert run.start() == 143
    before = len([e for e in run.events if e.kind == "metrics"])

    assert run.start() == 0

    assert len([e for e in run.events if e.kind == "metrics"]) == before


@pytest.mark.parametrize(
    ("rows", "knobs", "sentence"),
    [
        ([], {}, "rows.jsonl: The file has no rows; put one JSON object on each line."),
        (table(1), {}, "Rows with a value in “retour”: 1. At least 10 are needed"),
        ([table(1)[0]] * 30, {}, "Column “retour” is the same in every row"),
        (table(40, labels=("ja", "ja")), {}, "Column “retour” is the same in every row"),
        (table(40), {"target": "x"}, "The table has no column “x”. It has: nr, leeftijd"),
        (table(40), {"target": ""}, "Name the column to predict. The table has: nr"),
        (
            table(40),
            {"task": "number"},
            "Column “retour” is to be a number, and holds another text in line 1",
        ),
        (table(300), {"target": "bedrag", "task": "classes"}, "Column “bedrag” holds"),
        (table(40), {"split_by": "time"}, "Name the column of the time or group."),
        (
            table(40),
            {"split_by": "time", "split_column": "stad"},
            "Column “stad” holds neither days nor numbers",
        ),
        (table(40), {"leave_out": "retour"}, "Column “retour” cannot be predicted and left"),
        (
            [{"retour": row["retour"]} for row in table(40)],
            {},
            "No column is left to predict “retour” from",
        ),
        (
            [{**row, "uitkomst": row["retour"].upper()} for row in table(100)],
            {},
            "Column “uitkomst” says the same as “retour”, so the model would only copy it.",
        ),
        (
            [{**row, "cent": row["bedrag"] * 100} for row in table(100)],
            {"target": "bedrag"},
            "Column “cent” says the same as “bedrag”",
        ),
        (
            [{"retour": "ja" if n % 2 else "nee", "a": "x"} for n in range(40)],
            {},
            "No column is left",
        ),
    ],
)
def test_what_will_not_do_ends_in_a_sentence(tmp_path, rows, knobs, sentence):
    run = run_of(tmp_path, rows, **knobs)

    assert run.start() == 2

    assert run.failure.startswith(sentence)
    assert not (run.folder / "outputs/model").exists()


def test_a_few_cells_that_are_no_number_count_as_missing_and_are_told(tmp_path):
    rows = table(300)
    rows[3]["bedrag"] = "onbekend"
    run = run_of(tmp_path, rows)

    assert run.start() == 0

    assert (
        "Cells in column “bedrag” that cannot be read and count as missing: 1, the first in "
        "line 4."
    ) in warned(run)


def test_a_rare_label_is_told_of(tmp_path):
    rows = [{**row, "retour": "ja" if n % 40 == 0 else "nee"} for n, row in enumerate(table())]
    run = run_of(tmp_path, rows)

    assert run.start() == 0

    assert any(text.startswith("Label “ja” stands in ") for text in warned(run))


def test_the_latest_rows_are_kept_apart(tmp_path):
    run = run_of(tmp_path, split_by="time", split_column="dag")

    assert run.start() == 0

    worst = evaluated(run).worst
    rows = table()
    days = {rows[int(one.row) - 1]["dag"] for one in worst}
    assert min(days) > "2025-09"


def test_a_group_is_never_on_both_sides(tmp_path):
    run = run_of(tmp_path, split_by="group", split_column="klant")

    assert run.start() == 0

    groups = {table()[int(one.row) - 1]["klant"] for one in evaluated(run).worst}
    assert len(groups) <= 5
    config = json.loads((run.folder / "outputs/model/config.json").read_text())
    assert "klant" not in [one["name"] for one in config["columns"]]


def test_a_file_of_its_own_is_scored_on(tmp_path):
    data = put(tmp_path / "data", table(200))
    put(data, table(250)[200:], "test.jsonl")
    run = prepare(tmp_path / "run", "tabular", QUICK, {"dataset": data})

    assert run.start() == 0

    assert (run.report["rows_trained"], run.report["rows_held_out"]) == (200, 50)


def test_a_file_kept_apart_without_the_target_is_refused(tmp_path):
    data = put(tmp_path / "data", table(100))
    put(data, [{"leeftijd": 3}], "test.jsonl")
    run = prepare(tmp_path / "run", "tabular", QUICK, {"dataset": data})

    assert run.start() == 2

    assert run.failure.startswith("No row kept apart for scoring has a value in “retour”")


def test_rows_that_each_bring_columns_of_their_own_do_not_fill_memory(tmp_path):
    rows = [{f"k{n}-{m}": 1 for m in range(500)} for n in range(20)]
    run = run_of(tmp_path, rows)

    assert run.start() == 2

    assert run.failure == "There are more than 2000 columns in all; leave some out."


def test_three_labels_have_chances_that_add_up(tmp_path):
    rows = [
        {**row, "retour": "laag" if row["bedrag"] < 150 else row["retour"]} for row in table()
    ]
    run = run_of(tmp_path, rows, leave_out="prijs")

    assert run.start() == 0

    answer = predict(run.folder / "outputs/model", [{"bedrag": 20, "leeftijd": 50}])[0]
    assert answer["label"] == "laag"
    assert sum(answer["chances"].values()) == pytest.approx(1)


@pytest.mark.parametrize(
    ("words", "kind", "first"),
    [
        (["1.234,50", "2,5"], "number", 1234.5),
        (["1234.5", "2"], "number", 1234.5),
        (["31-01-2026", "01-02-2026"], "date", 20484.0),
        (["2026-01-31 13:45:00", "2026-02-01 00:00:00"], "date", 20484.0),
        (["01/31/2026", "02/01/2026"], "date", 20484.0),
        (["rood", "blauw"], "category", 0.0),
    ],
)
def test_what_a_column_means_is_found_from_its_words(words, kind, first):
    column = Column(words, array("i", [0, 1]))

    style = number_words.of_column(column).style()
    assert style is not None
    found = columns.meaning("k", column, style)

    assert found is not None
    assert found.kind == kind
    made = columns.matrix([found], Table({"k": column}, array("q", [1, 2])))
    assert made[0, 0] == first


def test_chances_are_set_right_by_few_rows_and_by_many():
    luck = np.random.default_rng(0)
    for count in (400, 4_000):
        true_chance = luck.random(count)
        truth = (luck.random(count) < true_chance).astype(np.int64)
        said = true_chance**3  # far too low

        made = calibrating.apply(
            calibrating.fit(truth, np.column_stack([1 - said, said])),
            np.column_stack([1 - said, said]),
        )

        off = abs(made[:, 1] - true_chance).mean()
        assert off < abs(said - true_chance).mean() / 2


def test_a_worker_without_a_system_library_says_which(tmp_path, monkeypatch):
    run = run_of(tmp_path)

    def lacks(_name):
        raise OSError("libgomp.so.1: cannot open shared object file: No such file or directory")

    # As in a process that has read nothing yet.
    monkeypatch.delitem(sys.modules, "fabriek_recipes.tabular.train", raising=False)
    monkeypatch.setattr("fabriek_recipes.training.lean.importlib.import_module", lacks)

    assert run.start() == 2

    assert run.failure == (
        "The engine lacks the package libgomp.so.1; ask the helpdesk to install it."
    )


def test_a_broken_model_is_refused_in_words(tmp_path):
    with pytest.raises(Failed) as refusal:
        predict(tmp_path, [{}])

    assert refusal.value.code == "bad_model"


def test_an_interval_holds_the_truth_about_as_often_as_it_says():
    luck = np.random.default_rng(1)
    held = 0
    for seed in range(40):
        truth = luck.integers(0, 2, 80)
        said = np.where(luck.random(80) < 0.7, truth, 1 - truth)
        chances = np.column_stack([1 - said, said]).astype(float)
        measures = measuring.of_labels(truth, chances)
        accuracy = {"accuracy": measures["accuracy"]}
        one = measuring.scores(accuracy, 80, seed=seed, yardstick=accuracy)[0]
        held += one.low <= 0.7 <= one.high
    assert 34 <= held <= 40


def test_the_estimate_counts_rows_columns_and_trees(tmp_path):
    data = put(tmp_path / "data", table(200))
    facts = RECIPE.count({"dataset": data}, Facts(rows=0, text_bytes=0, device="cpu"))

    few = RECIPE.estimate(Knobs(target="retour", rounds_max=10), facts)
    many = RECIPE.estimate(Knobs(target="retour", rounds_max=10_000), facts)

    assert (facts.rows, facts.columns) == (200, 8)
    assert few.learning_s < many.learning_s
    assert few.why[0] == "The table has 200 rows and 8 columns."


@pytest.mark.parametrize(
    ("rows", "columns", "labels", "took_s"),
    # Of one core of 129 GFLOP/s, 2026-11-28; told before: 13, 13, 15, 35 and 47 s.
    [
        (60, 5, 2, 1.2),
        (500, 9, 2, 1.6),
        (5_000, 16, 2, 4.7),
        (5_000, 16, 6, 6.9),
        (60_000, 21, 2, 36),
    ],
)
def test_what_tables_took_was_told_about_right(rows, columns, labels, took_s):
    counted = Facts(rows=rows, text_bytes=0, columns=columns, different=(("y", labels),))
    core = replace(counted, device="cpu", cores=1, flops_per_core=129e9)

    told = RECIPE.estimate(Knobs(target="y", task="classes"), core)

    assert took_s / 1.5 < told.gpu_seconds < took_s * 1.5 + 1  # whole seconds


def test_the_estimate_counts_a_tree_for_each_label(tmp_path):
    rows = [{**row, "retour": f"soort {n % 10}"} for n, row in enumerate(table(200))]
    ten, two = (
        RECIPE.count({"dataset": put(tmp_path / name, made)}, Facts(rows=0, text_bytes=0))
        for name, made in (("ten", rows), ("two", table(200)))
    )
    knobs = Knobs(target="retour")

    found = [RECIPE.estimate(knobs, facts).why[1] for facts in (two, ten)]

    assert [str(one).split(" take ")[0] for one in found] == [
        "About 150 trees",
        "About 820 trees",
    ]
    assert RECIPE.estimate(Knobs(target="bedrag"), ten).why[1] == found[0]


def test_the_plain_model_widens_no_more_rows_than_it_learns_from(monkeypatch):
    monkeypatch.setattr(baseline, "ROWS_MAX", 50)
    luck = np.random.default_rng(0)
    meanings = [columns.Meaning(name="a", kind="category", words=["x", "y"])]
    part = data.Part(
        features=luck.integers(0, 2, (400, 1)).astype(float),
        truth=luck.integers(0, 2, 400).astype(float),
        rows=np.arange(400),
    )
    made = data.Data(
        meanings=meanings,
        labels=["ja", "nee"],
        target_style="point",
        learn=part,
        stop=part,
        calibrate=part,
        held_out=part,
        table=Table({}, array("q")),
        groups=None,
        same=0,
    )
    asked = []
    real = baseline.wide

    def seen(meanings, features, names):
        asked.append(len(features))
        return real(meanings, features, names)

    monkeypatch.setattr(baseline, "wide", seen)
    monkeypatch.setattr(baseline, "ROWS_AT_ONCE", 150)

    model = baseline.Baseline(made, seed=1)

    assert asked[0] == 50
    assert max(asked) == 150
    assert model.chances(part.features).shape == (400, 2)


def test_columns_that_are_not_there_are_told_before_the_run_starts(tmp_path):
    data = put(tmp_path / "data", table(20))

    problems = RECIPE.knob_checks(Knobs(target="weg", leave_out="klant"), {"dataset": data})

    assert len(problems) == 1
    assert problems[0].startswith("The table has no column “weg”. It has: nr, leeftijd")
    assert RECIPE.knob_checks(Knobs(target="retour"), {"dataset": data}) == ()
