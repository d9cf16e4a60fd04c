"""Numbers and moments of a table are read as they were meant, or not at all."""

import random
from array import array
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from fabriek_recipes.tables import Column, Table
from fabriek_recipes.tabular import columns, reading
from fabriek_recipes.tabular.predict import predict
from fabriek_recipes.words import Failed
from tests.recipes.conftest import prepare
from tests.recipes.test_tabular import warned


def one_column(words: list[str]) -> Table:
    rows = range(len(words))
    return Table({"k": Column(words, array("i", rows))}, array("q", [row + 2 for row in rows]))


@pytest.mark.parametrize("words", [["950", "980", "1,200", "1,350"], ["1,200", "3,000"]])
def test_a_comma_that_may_divide_thousands_is_asked_about(words):
    table = one_column(words)

    with pytest.raises(Failed) as refusal:
        reading.style_of("k", table, "ask")

    first = next(place for place, word in enumerate(words) if "," in word)
    assert refusal.value.code == "two_ways"
    assert str(refusal.value).startswith(
        f"In column “k” each comma has three digits after it (lines {first + 2}, {first + 3}): "
        "it may divide thousands or begin decimals."
    )


@pytest.mark.parametrize(
    ("words", "numbers"),
    [
        (["0,123", "1,200"], [0.123, 1.2]),
        (["1,5", "1,200"], [1.5, 1.2]),
        (["1.234,567", "1,200"], [1234.567, 1.2]),
        (["12345,678", "1,200"], [12345.678, 1.2]),
        (["1200", "3.5"], [1200, 3.5]),
        (["1,200.50", "3,000"], [1200.5, 3000]),
        (["1,200", "1,234,567"], [1200, 1234567]),
        (["1.200", "1.234.567"], [1200, 1234567]),
        (["1,200", "3.5"], [1200, 3.5]),
    ],
)
def test_numbers_that_can_mean_one_thing_only_are_read_so(words, numbers):
    style = reading.style_of("k", one_column(words), "ask")

    assert reading.numbers_of(words, style).tolist() == numbers


def test_texts_with_a_comma_are_no_numbers_to_ask_about():
    assert reading.style_of("k", one_column(["1,200", "rood", "blauw"]), "ask") == "point"


def test_a_run_is_refused_where_the_target_can_be_read_in_two_ways(tmp_path):
    (tmp_path / "data").mkdir()
    lines = ["x,price", *(f'{n % 7},"{1000 + 3 * n:,}"' for n in range(60))]
    (tmp_path / "data/t.csv").write_text("\n".join(lines))
    run = prepare(
        tmp_path / "r", "tabular", {"target": "price"}, {"dataset": tmp_path / "data"}
    )

    assert run.start() == 2

    assert run.failure.startswith("In column “price” each comma has three digits after it")


def test_numbers_and_days_of_python_are_taken_as_they_are(tmp_path):
    luck = random.Random(1)
    lines = ["bedrag;dag;uit"]
    for number in range(300):
        amount, month = luck.random() * 10, luck.randint(1, 12)
        written = f"{amount:.3f}".replace(".", ",")
        said = "ja" if amount > 5 else "nee"
        lines.append(f"{written};{number % 28 + 1:02d}-{month:02d}-2025;{said}")
    (tmp_path / "data").mkdir()
    (tmp_path / "data/t.csv").write_text("\n".join(lines))
    knobs = {"target": "uit", "rounds_max": 40}
    run = prepare(tmp_path / "r", "tabular", knobs, {"dataset": tmp_path / "data"})
    assert run.start() == 0
    model = run.folder / "outputs/model"

    def says(**row: object) -> list:
        return predict(model, [row])

    assert says(bedrag=1.234) == says(bedrag="1,234") != says(bedrag="1234")
    assert says(bedrag=8.5)[0]["label"] == "ja"
    assert says(bedrag=Decimal("1.5"))[0]["label"] == "nee"
    assert says(bedrag=float("nan")) == says(bedrag=None) == says()
    assert says(dag=date(2025, 3, 14)) == says(dag="14-03-2025")
    assert says(dag=datetime(2025, 3, 14, 9, tzinfo=UTC)) == says(dag="14-03-2025 09:00")
    assert "A comma was read as the beginning of decimals in: bedrag." in warned(run)


def test_a_day_of_python_has_the_features_of_the_day_as_it_is_written():
    column = one_column(["14-03-2025", "15-04-2025"]).columns["k"]
    meaning = columns.meaning("k", column, "point")
    assert meaning is not None

    from_text, from_day = (
        columns.spread_days(columns.readings([word], meaning))[0].tolist()
        for word in ("14-03-2025", "2025-03-14")
    )

    assert from_text == from_day == [20161, 3, 4, 0]


@pytest.mark.parametrize(
    ("one", "other", "apart_s"),
    [
        ("2026-01-01 00:00:10", "2026-01-01 00:00:50", 40),
        ("2026-01-01 00:00:10.5", "2026-01-01 00:00:11", 0.5),
        ("2026-10-25T02:00+02:00", "2026-10-25T02:00+01:00", 3600),
        ("2026-10-25T02:00:00Z", "2026-10-25T02:00:00+00:00", 0),
        ("2026-10-25T02:00-0530", "2026-10-25T02:00Z", -19_800),
    ],
)
def test_seconds_and_zones_count(one, other, apart_s):
    found = reading.moments_of([one, other], "ymd")

    assert found[1] - found[0] == apart_s


def test_the_hour_of_a_day_is_that_of_the_clock_on_the_wall():
    words = ["2026-07-01T08:00+02:00", "2026-01-01T08:00+01:00"]
    meaning = columns.meaning("k", one_column(words).columns["k"], "point")
    assert meaning is not None

    assert columns.matrix([meaning], one_column(words))[:, 3].tolist() == [8, 8]


def test_one_day_with_its_year_first_decides_nothing_for_the_others():
    words = ["2024-03-14", "13-01-2025", "02-01-2025"]

    order = reading.order_of(words)

    assert order == "dmy"
    days = (reading.moments_of(words, order) / 86_400).tolist()
    assert days == [19_796, 20_101, 20_090]
