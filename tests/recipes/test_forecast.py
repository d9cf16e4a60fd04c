"""Forecasting as a whole: what it leaves, and each way it can fail in plain words."""

import csv
import json
import math
import os
import random
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest

from fabriek_recipes import evaluation
from fabriek_recipes.forecast import errors, methods
from fabriek_recipes.forecast.knobs import RECIPE, Knobs
from fabriek_recipes.forecast.series import Series, Step
from fabriek_recipes.kinds import Facts
from fabriek_recipes.training import measuring
from tests.recipes.conftest import Run, prepare
from tests.recipes.stopping_at import stop_at

QUICK = {"horizon": 6, "windows": 2, "value_column": "omzet", "time_column": "maand"}
# The night in which the clock goes back: the hour from two to three comes twice.
HOURS_OF_AUTUMN = [
    *((h, "+02:00") for h in range(3)),
    *((h, "+01:00") for h in range(2, 9)),
]


def months(count: int = 60, *, grows: float = 2.0, name: str = "", seed: int = 1) -> list[dict]:
    luck = random.Random(seed)
    made = []
    for number in range(count):
        season = 20 * math.sin(2 * math.pi * number / 12)
        value = 100 + grows * number + season + luck.gauss(0, 1)
        row = {
            "maand": f"{2020 + number // 12}-{number % 12 + 1:02d}-01",
            "omzet": round(value, 2),
        }
        made.append({**row, "winkel": name} if name else row)
    return made


def noise(count: int = 60) -> list[dict]:
    luck = random.Random(3)
    return [{**row, "omzet": round(luck.gauss(0, 1), 3)} for row in months(count)]


def run_of(tmp_path, rows, name="run", **knobs) -> Run:
    data = tmp_path / f"data-{name}"
    data.mkdir()
    (data / "rows.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    return prepare(tmp_path / name, "forecast", {**QUICK, **knobs}, {"dataset": data})


def warned(run: Run) -> list[str]:
    return [str(e.fields["text"]) for e in run.events if e.kind == "warning"]


def forecast(run: Run) -> list[dict]:
    with (run.folder / "outputs/model/forecast.csv").open() as file:
        return list(csv.DictReader(file))


def evaluated(run: Run) -> evaluation.Evaluation:
    found = evaluation.parsed((run.folder / "outputs/evaluation.json").read_bytes())
    assert found is not None
    return found


def test_a_growing_season_is_forecast_better_than_by_repeating_it(tmp_path):
    run = run_of(tmp_path, months())

    assert run.start() == 0

    scores = run.report["scores"]
    assert scores["mase_after"] < 0.5 < scores["mase_yardstick"]
    assert run.report["season"] == 12
    rows = forecast(run)
    assert [row["time"] for row in rows] == [f"2025-{month:02d}" for month in range(1, 7)]
    for number, row in enumerate(rows, 60):
        true = 100 + 2 * number + 20 * math.sin(2 * math.pi * number / 12)
        assert abs(float(row["forecast"]) - true) < 8
        assert float(row["at_least"]) < float(row["forecast"]) < float(row["at_most"])
    found = evaluated(run)
    assert found.remarks[0].text == "The forecast does better than repeating the last season."
    assert [point.actual is None for point in found.series[0].points][-6:] == [True] * 6
    assert found.series[0].points[-1].at == "2025-06"
    models = json.loads((run.folder / "outputs/model/models.json").read_text())
    assert models["series"][""]["model"] in {"ETS", "Theta"}


def test_it_is_said_when_repeating_does_as_well(tmp_path):
    flat = [{**row, "omzet": 10 + number % 12} for number, row in enumerate(months())]
    run = run_of(tmp_path, flat)

    assert run.start() == 0

    assert warned(run)[-1].startswith("Repeating the last season does as well or better")
    assert evaluated(run).series[0].model == "seasonal naive"
    assert float(forecast(run)[0]["forecast"]) == 10


def test_several_series_each_get_their_own_model_and_short_ones_are_told(tmp_path):
    rows = [*months(name="a"), *months(name="b", grows=0, seed=2), *months(5, name="kort")]
    run = run_of(tmp_path, rows, series_column="winkel")

    assert run.start() == 0

    assert {row["series"] for row in forecast(run)} == {"a", "b"}
    assert "1 series is too short and was left out." in warned(run)
    assert run.report["series"] == 2


@pytest.mark.parametrize("number", [1, 2])
def test_a_run_that_was_stopped_goes_on_and_ends_the_same(tmp_path, monkeypatch, number):
    rows = [row for name in "abc" for row in months(40, name=name, seed=ord(name))]
    whole, stopped = (
        run_of(tmp_path, rows, name=name, series_column="winkel") for name in ("one", "two")
    )
    assert whole.start() == 0
    with monkeypatch.context() as patch:
        stop_at(patch, number)
        assert stopped.start() == 143
    done = stopped.folder / "checkpoints/series.jsonl"
    assert len(done.read_text().splitlines()) == number
    with done.open("a") as file:
        file.write('{"half a li')

    assert stopped.start() == 0

    for name in ("forecast.csv", "models.json", "config.json"):
        one, other = (run.folder / "outputs/model" / name for run in (whole, stopped))
        assert one.read_bytes() == other.read_bytes()
    assert evaluated(whole) == evaluated(stopped)


def test_holes_are_filled_and_told_and_so_is_a_column_that_time_overrules(tmp_path):
    rows = [row | {"split": "test" if n < 9 else "train"} for n, row in enumerate(months())]
    del rows[10], rows[20]
    run = run_of(tmp_path, rows)

    assert run.start() == 0

    assert warned(run) == [
        "Column “split” divides the rows, and is not used: a forecast is tried on the last "
        "moments, from those before.",
        "2 missing moments were filled by a straight line between others.",
    ]


def test_empty_cells_count_as_holes_and_are_no_figures(tmp_path):
    rows = months()
    for place in (30, 31, 52, 57):
        rows[place]["omzet"] = None
    run = run_of(tmp_path, rows)

    assert run.start() == 0

    text = "4 missing moments were filled by a straight line between others."
    assert text in warned(run)
    found = evaluated(run)
    assert (found.rows, run.report["rows_trained"]) == (10, 56)
    actual = {point.at: point.actual for point in found.series[0].points}
    assert actual["2024-05"] is None
    assert actual["2024-06"] == rows[53]["omzet"]


def test_a_hole_makes_no_error():
    said = np.array([1.0, 2.0, 3.0])
    ahead = methods.Ahead(said=said, low=said - 1, high=said + 1)
    first = methods.Ahead(said=said[:2], low=said[:2] - 1, high=said[:2] + 1)

    holed = errors.window(np.array([2.0, 4.0, np.nan]), 2.0, (ahead, ahead))

    assert holed == errors.window(np.array([2.0, 4.0]), 2.0, (first, first))
    assert (holed.moments, holed.mase, holed.coverage) == (2, 0.75, 0.5)


def test_the_usual_error_is_measured_where_there_is_something_to_measure():
    step = Step(unit="month", count=1)
    values = np.array([1.0, 2.0, np.nan, 9.0, 10.0, 12.0, 50.0])
    one = Series(name="", step=step, first=0.0, values=values)

    assert errors.usual(one, 6, 1) == pytest.approx((1 + 1 + 2) / 3)


def test_a_hole_is_never_filled_from_what_comes_after(tmp_path):
    step = Step(unit="month", count=1)
    for after in (11.0, 1_000.0):
        values = np.arange(12.0)
        values[8:11], values[11] = np.nan, after
        one = Series(name="", step=step, first=0.0, values=values)

        assert one.past(10).tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 7, 7]

    assert one.past(12)[8:].tolist() == [255.25, 503.5, 751.75, 1_000]


@pytest.mark.parametrize(
    ("moments", "comes"),
    [
        ([f"{2000 + n}-12-31" for n in range(25)], ["2025-12", "2026-12"]),
        ([f"{2000 + n}-06-30" for n in range(25)], ["2025-06", "2026-06"]),
        (
            [
                f"{2010 + n // 4}-{('03-31', '06-30', '09-30', '12-31')[n % 4]}"
                for n in range(40)
            ],
            ["2020-03", "2020-06"],
        ),
        (
            [f"2026-01-01 00:{n // 6:02d}:{n % 6 * 10:02d}" for n in range(60)],
            ["2026-01-01 00:10:00", "2026-01-01 00:10:10"],
        ),
        (
            [f"2026-10-25T0{h}:00{z}" for h, z in HOURS_OF_AUTUMN],
            ["2026-10-25 08:00Z", "2026-10-25 09:00Z"],
        ),
        (
            [f"2026-10-{n:02d}T00:00+0{2 if n < 26 else 1}:00" for n in range(10, 31)],
            ["2026-10-31", "2026-11-01"],
        ),
    ],
)
def test_what_comes_has_the_moments_after_the_last(tmp_path, moments, comes):
    rows = [{"maand": moment, "omzet": 100 + n % 3} for n, moment in enumerate(moments)]
    run = run_of(tmp_path, rows, horizon=2, windows=1)

    assert run.start() == 0

    assert [row["time"] for row in forecast(run)] == comes


def test_series_are_drawn_whole_for_the_interval(tmp_path):
    rows = [row for name in "abc" for row in months(48, name=name, seed=ord(name))]
    groups = []
    run = run_of(tmp_path, rows, series_column="winkel")
    with pytest.MonkeyPatch.context() as patch:
        drawn = measuring.scores

        def seen(*args, groups_=groups, **kwargs):
            groups_.append(kwargs["groups"].tolist())
            return drawn(*args, **kwargs)

        patch.setattr(measuring, "scores", seen)
        assert run.start() == 0

    assert groups == [[0, 0, 1, 1, 2, 2]]


def test_a_figure_that_can_be_read_in_two_ways_is_asked_about(tmp_path):
    rows = [{**row, "omzet": f"{1000 + n:,}"} for n, row in enumerate(months())]
    run = run_of(tmp_path, rows)

    assert run.start() == 2

    assert run.failure.startswith("In column “omzet” each comma has three digits after it")


@pytest.mark.parametrize(
    ("rows", "knobs", "sentence"),
    [
        ([], {}, "rows.jsonl: The file has no rows"),
        (months(1), {}, "All rows are of one moment; a series has several."),
        ([months(1)[0]] * 30, {}, "All rows are of one moment"),
        (months(10), {}, "No series has enough moments: to forecast 6 steps at least 12"),
        (months(), {"value_column": "x"}, "The table has no column “x”. It has: maand, omzet."),
        (
            [*months(30), {"maand": "2030-01-01", "omzet": "veel"}],
            {},
            "In line 31 column “omzet” holds no number; mend it.",
        ),
        (
            [*months(30), {"maand": "ooit", "omzet": 1}],
            {},
            "In line 31 column “maand” holds no day or moment",
        ),
        ([*months(30), months(30)[4]], {}, "Lines 5 and 31 are of the same moment"),
        (
            [*months(30)[:8], *months(60)[50:]],
            {},
            "The series that begins in line 1 has 18 of 60 moments",
        ),
    ],
)
def test_what_will_not_do_ends_in_a_sentence(tmp_path, rows, knobs, sentence):
    run = run_of(tmp_path, rows, **knobs)

    assert run.start() == 2

    assert run.failure.startswith(sentence)
    assert not (run.folder / "outputs/model").exists()


def test_scores_of_two_lengths_of_a_season_are_of_the_same_tries(tmp_path):
    short, long = (
        run_of(tmp_path, months(16), f"season-{length}", horizon=2, windows=4, season=length)
        for length in (1, 7)
    )

    assert (short.start(), long.start()) == (0, 0)
    assert short.report["rows_held_out"] == long.report["rows_held_out"] == 2
    assert short.report["season"] != long.report["season"]


@pytest.mark.parametrize(
    ("write", "last", "season"),
    [
        (lambda n: f"2026-01-{n // 24 + 1:02d} {n % 24:02d}:00", "2026-01-02 23:00", 24),
        (lambda n: f"{n % 28 + 1:02d}-{n // 28 + 1:02d}-2026", "", 7),
        (lambda n: f"{1970 + n}", "2017", 1),
        (lambda n: f"{2000 + n // 4}-{n % 4 * 3 + 1:02d}", "2011-10", 4),
    ],
)
def test_the_step_and_the_season_are_found(tmp_path, write, last, season):
    rows = [{"maand": write(n), "omzet": n % 7 + n / 10} for n in range(48 if last else 28)]
    run = run_of(tmp_path, rows, horizon=3, windows=1)

    assert run.start() == 0

    assert run.report["season"] == season
    models = json.loads((run.folder / "outputs/model/models.json").read_text())
    if last:
        assert models["series"][""]["last"].startswith(last)


def test_all_values_the_same_are_forecast_as_that(tmp_path):
    run = run_of(tmp_path, [{**row, "omzet": 5} for row in months()])

    assert run.start() == 0

    assert {row["forecast"] for row in forecast(run)} == {"5"}


def test_columns_that_are_not_there_are_told_before_the_run_starts(tmp_path):
    (tmp_path / "a.csv").write_text("dag,aantal\n2026-01-01,3\n")

    problems = RECIPE.knob_checks(Knobs(), {"dataset": Path(tmp_path)})

    assert [problem.split(". ")[0] for problem in problems] == [
        "The table has no column “time”",
        "The table has no column “value”",
    ]


def test_the_estimate_counts_moments_and_tries(tmp_path):
    (tmp_path / "a.csv").write_text("time,value\n" + "2026-01-01,3\n" * 5_000)
    facts = RECIPE.count({"dataset": tmp_path}, Facts(rows=0, text_bytes=0, device="cpu"))

    few, many = (RECIPE.estimate(Knobs(windows=count), facts) for count in (1, 50))

    assert facts.rows == 5_000
    assert few.gpu_seconds < many.gpu_seconds


def test_its_small_products_are_made_on_one_thread(monkeypatch, tmp_path):
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "8")
    monkeypatch.setattr(sys, "argv", ["forecast", str(tmp_path / "nothing")])

    with pytest.raises(SystemExit):
        runpy.run_module("fabriek_recipes.forecast", run_name="__main__")

    assert os.environ["OPENBLAS_NUM_THREADS"] == "1"
