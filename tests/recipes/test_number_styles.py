"""Numbers such as 1.200 are read as they were meant, or it is asked; never guessed."""

import pytest

from fabriek_recipes import tables
from fabriek_recipes.forecast.knobs import RECIPE as FORECAST
from fabriek_recipes.forecast.knobs import Knobs as ForecastKnobs
from fabriek_recipes.number_styles import Written
from fabriek_recipes.tabular.knobs import RECIPE, Knobs
from tests.recipes.conftest import prepare


def written(words, **given) -> Written:
    found = Written(**given)
    for line, word in enumerate(words, 2):
        found.note(word, [line])
    return found


@pytest.mark.parametrize(
    ("words", "style"),
    [
        (["1", "950", "12000"], "point"),
        (["1.5", "1.200"], "point"),
        (["0.123", "1.200"], "point"),
        (["1234.567", "1.200"], "point"),
        (["1.200", "1.200.000"], "comma"),
        (["1.200", "3,5"], "comma"),
        (["1.200,50", "950"], "comma"),
        (["1,5", "2,25"], "comma"),
        (["1,200.50", "3,000"], "english"),
        (["1,200", "1,234,567"], "english"),
        (["1,200", "3.5"], "english"),
        (["-1.200.000"], "comma"),
    ],
)
def test_one_number_that_can_mean_one_thing_only_tells_of_all(words, style):
    found = written(words)

    assert found.style() == style
    assert not found.is_unclear


@pytest.mark.parametrize("word", ["1.5", "1.200.000", "3,5", "1,200.50"])
def test_what_one_number_has_told_no_other_takes_back(word):
    found = written(["950", "1.200"])
    assert not found.is_told

    found.note(word, [4])
    assert found.is_told

    for other in ("1.200", "1,200", "2.400"):
        found.note(other, [5])
    assert not found.is_unclear


@pytest.mark.parametrize(
    ("words", "thousands", "decimals"),
    [
        (["1.200", "12.500", "999.999"], "comma", "point"),
        (["950", "1.200"], "comma", "point"),
        (["-1.200", "+2.400"], "comma", "point"),
        (["950", "1,200"], "english", "comma"),
    ],
)
def test_where_none_tells_it_is_asked_and_the_answer_is_followed(words, thousands, decimals):
    found = written(words)

    assert found.is_unclear
    assert found.style() is None
    assert found.style("thousands") == thousands
    assert found.style("decimals") == decimals


def test_points_and_commas_with_three_digits_each_are_asked_about():
    assert written(["1.200", "1,200"]).is_unclear


def test_what_is_mostly_no_number_is_not_asked_about():
    assert not written(["1.200", "rood", "blauw"]).is_unclear
    assert not written([]).is_unclear


def test_the_question_names_the_column_and_the_lines_and_no_value():
    said = str(written(["1.200", "x", *["1.200"] * 40]).question("omzet"))

    assert said.startswith(
        "In column “omzet” each number with a point has three digits after it (lines 2, 4, 5, "
    )
    assert "1.200" not in said.partition("Choose")[0]


def csv_of(folder, lines, name="t.csv"):
    folder.mkdir(exist_ok=True)
    (folder / name).write_text("\n".join(lines) + "\n")
    return folder


DUTCH = ["regio;omzet;uit", *(f"{n % 5};{1 + n % 8}.{100 + n};{n % 7}" for n in range(80))]


def test_before_the_start_a_table_with_unclear_numbers_is_asked_about(tmp_path):
    data = csv_of(tmp_path / "data", DUTCH)

    asked = RECIPE.knob_checks(Knobs(target="uit"), {"dataset": data})
    answered = RECIPE.knob_checks(
        Knobs(target="uit", unclear_numbers="thousands"), {"dataset": data}
    )
    left_out = RECIPE.knob_checks(Knobs(target="uit", leave_out="omzet"), {"dataset": data})

    assert len(asked) == 1
    assert asked[0].startswith("In column “omzet” each number with a point has three digits")
    assert "lines 2, 3, 4, 5, 6, …" in asked[0]
    assert answered == left_out == ()


def test_a_target_of_labels_may_look_like_a_number(tmp_path):
    data = csv_of(tmp_path / "data", ["a,soort", *(f"{n},1.{200 + n % 2}" for n in range(60))])

    asked = RECIPE.knob_checks(Knobs(target="soort"), {"dataset": data})
    told = RECIPE.knob_checks(Knobs(target="soort", task="classes"), {"dataset": data})

    assert len(asked) == 1
    assert told == ()


def test_a_run_is_refused_where_it_is_unclear_and_reads_as_was_answered(tmp_path):
    data = csv_of(tmp_path / "data", DUTCH)
    knobs = {"target": "omzet", "rounds_max": 10, "task": "number"}
    asked, thousands, decimals = (
        prepare(
            tmp_path / name, "tabular", {**knobs, "unclear_numbers": name}, {"dataset": data}
        )
        for name in ("ask", "thousands", "decimals")
    )

    assert (asked.start(), thousands.start(), decimals.start()) == (2, 0, 0)

    assert asked.failure.startswith("In column “omzet” each number with a point")
    off = [run.report["scores"]["mae_before"] for run in (thousands, decimals)]
    assert off[0] == pytest.approx(1000 * off[1], rel=1e-3)


def test_a_forecast_asks_about_its_figures_only(tmp_path):
    lines = [f"{2000 + n}-01-01;1.{100 + n};2.{200 + n}" for n in range(30)]
    data = csv_of(tmp_path / "data", ["time;value;other", *lines])

    asked = FORECAST.knob_checks(ForecastKnobs(), {"dataset": data})

    assert [one.partition(" each")[0] for one in asked] == ["In column “value”"]
    thousands = ForecastKnobs(unclear_numbers="thousands")
    assert FORECAST.knob_checks(thousands, {"dataset": data}) == ()


def test_decimals_with_a_comma_in_a_dutch_table_are_read(tmp_path):
    lines = [f"{n};{n},{n % 10};1.{100 + n * 37 % 60},5" for n in range(1, 60)]
    data = csv_of(tmp_path / "data", ["a;b;c", *lines])

    assert RECIPE.knob_checks(Knobs(target="c"), {"dataset": data}) == ()
    run = prepare(
        tmp_path / "run", "tabular", {"target": "c", "rounds_max": 10}, {"dataset": data}
    )
    assert run.start() == 0
    # Of 1100 to 1159: read as 1.1 it would be off by less than one.
    assert run.report["scores"]["mae_before"] > 5


def test_numbers_that_programs_wrote_are_what_they_are(tmp_path):
    rows = [f'{{"a": {1 + n / 1000:.3f}, "out": {n % 3}}}' for n in range(100, 180)]
    data = csv_of(tmp_path / "data", rows, name="t.jsonl")

    table = tables.load([data / "t.jsonl"])

    assert table.columns["a"].has_points
    assert not table.columns["out"].has_points
    assert RECIPE.knob_checks(Knobs(target="out"), {"dataset": data}) == ()


def test_texts_in_json_are_asked_about_as_in_any_table(tmp_path):
    rows = [f'{{"a": "1.{100 + n}", "out": {n % 3}}}' for n in range(60)]
    data = csv_of(tmp_path / "data", rows, name="t.jsonl")

    assert len(RECIPE.knob_checks(Knobs(target="out"), {"dataset": data})) == 1
