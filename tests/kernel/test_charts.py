"""Line charts: round ticks, no lost peaks, and coordinates that no language changes."""

import math
import re
import sys

import pytest
from django.template.loader import render_to_string
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st

from fabriek.kernel.charts import MOST_POINTS, LineChart, Series, line_chart, nice_step, thin


def chart_of(*lines) -> LineChart:
    series = [Series(name=f"line {i}", points=points) for i, points in enumerate(lines, 1)]
    return line_chart(series, x_label="step", y_label="loss", title="Loss falls.")


def numbers_of(path):
    return [float(number) for number in re.findall(r"-?[\d.]+", path)]


@pytest.mark.parametrize(
    ("span", "step"), [(1000, 200), (999, 200), (0.3, 0.1), (7, 2), (2.6, 1), (1e-4, 5e-5)]
)
def test_a_step_is_one_two_or_five_times_a_power_of_ten(span, step):
    found = nice_step(span, 6 if span > 500 else 4 if span > 5 else 3)

    assert found == pytest.approx(step)


def test_ticks_are_round_and_enclose_the_line():
    with translation.override("en"):
        chart = chart_of([(0, 0.42), (1000, 3.02)])

    assert [tick.label for tick in chart.x_ticks] == ["0", "200", "400", "600", "800", "1,000"]
    assert [tick.label for tick in chart.y_ticks] == ["0", "1", "2", "3", "4"]
    assert [tick.at for tick in chart.y_ticks] == ["100.00", "75.00", "50.00", "25.00", "0.00"]


def test_places_may_have_names_and_the_table_tells_them():
    names = ["Dec", "Jan", "Feb", "Mar"]
    series = [Series(name="used", points=[(1, 40.0), (3, 60.0)])]

    chart = line_chart(series, x_label="month", y_label="%", title="Used.", x_names=names)

    assert [(tick.label, tick.at) for tick in chart.x_ticks] == [
        ("Dec", "0.00"),
        ("Jan", "33.33"),
        ("Feb", "66.67"),
        ("Mar", "100.00"),
    ]
    assert [(row.at, row.values) for row in chart.rows] == [
        ("Jan", ("40.00",)),
        ("Mar", ("60.00",)),
    ]
    # The line starts where its first place is, not at the edge.
    assert chart.lines[0].path.startswith("M333.3 ")


@pytest.mark.parametrize(
    ("names", "labels"), [(["Dec"], ["Dec"]), (list("abcdefghijkl"), list("acegik"))]
)
def test_one_name_or_a_dozen_have_room(names, labels):
    series = [Series(name="used", points=[(0, 40.0)])]

    chart = line_chart(series, x_label="month", y_label="%", title="Used.", x_names=names)

    assert [tick.label for tick in chart.x_ticks if tick.label] == labels


def test_heights_that_must_be_seen_are_seen():
    with translation.override("en"):
        chart = line_chart(
            [Series(name="used", points=[(0, 41.0), (1, 42.0)])],
            x_label="month",
            y_label="%",
            title="Used.",
            y_shows=(0, 100),
        )

    assert [tick.label for tick in chart.y_ticks] == ["0", "20", "40", "60", "80", "100"]


def test_a_long_line_is_thinned_and_keeps_its_ends_and_its_peak():
    points = [(float(x), 0.0) for x in range(100_000)]
    points[54_321] = (54_321.0, 9.0)

    kept = thin(points)

    assert len(kept) <= MOST_POINTS
    assert (kept[0], kept[-1]) == (points[0], points[-1])
    assert (54_321.0, 9.0) in kept


@given(
    st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=900),
    st.integers(10, 300),
)
def test_thinning_keeps_the_order_and_the_extremes(values, most):
    points = [(float(x), y) for x, y in enumerate(values)]

    kept = thin(points, most)

    assert len(kept) <= max(most, 3)
    assert kept == sorted(kept)
    assert {min(values), max(values)} <= {y for _, y in kept}


def test_what_is_no_number_is_left_out():
    chart = chart_of([(0, 1), (1, math.nan), (2, math.inf), (3, 2)])

    assert len(chart.rows) == 2
    assert "nan" not in chart.lines[0].path


def test_nothing_measured_is_an_empty_chart_that_says_so():
    chart = chart_of([], [(0, math.nan)])

    with translation.override("en"):
        shown = render_to_string("parts/_chart.html", {"chart": chart})

    assert chart.is_empty
    assert "There are no measurements yet." in shown


@pytest.mark.parametrize(
    "values",
    [
        (sys.float_info.max, 0.5),
        (sys.float_info.max, -sys.float_info.max),
        (sys.float_info.max,),
        (5e-324, 0.0),
        (1e-310, 2e-310),
        (1e16, 1e16 + 2),
        (1.0, 1.0 + 2**-52),
    ],
)
def test_the_largest_and_the_smallest_numbers_are_drawn(values):
    along, upright = (
        chart_of([(value, 1.0) for value in values]),
        chart_of(list(enumerate(values))),
    )

    for chart in (along, upright):
        assert all(0 <= number <= 1000 for number in numbers_of(chart.lines[0].path))
        assert 1 <= len(chart.y_ticks) <= 8
        assert max(len(tick.label) for tick in chart.y_ticks) < 30


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=4))
def test_whatever_was_measured_is_drawn_within_the_picture(values):
    chart = chart_of(list(enumerate(values)))

    assert all(0 <= number <= 1000.1 for number in numbers_of(chart.lines[0].path))


@pytest.mark.parametrize("value", [0, 3, -2, 1e-7, 123_456])
def test_one_measurement_and_a_flat_line_are_drawn_within_the_picture(value):
    for points in ([(5, value)], [(0, value), (9, value)]):
        chart = chart_of(points)

        assert all(0 <= number <= 1000 for number in numbers_of(chart.lines[0].path))


def test_the_drawing_is_the_same_in_every_language_and_only_its_words_differ():
    points = [(x, 1 + 1 / (x + 1)) for x in range(7)]
    paths, labels = set(), set()

    for language in ("nl", "en"):
        with translation.override(language):
            chart = chart_of(points)
            shown = render_to_string("parts/_chart.html", {"chart": chart})
        paths.add(chart.lines[0].path)
        labels.add(tuple(tick.label for tick in chart.y_ticks))
        assert not re.search(r'(?:x|y|width)="[\d.]*,', shown)

    assert len(paths) == 1
    assert len(labels) == 2


def test_the_table_holds_every_line_and_ends_with_the_last_measurement():
    train = [(float(x), float(x)) for x in range(1000)]
    held_out = [(999.0, 7.0)]

    with translation.override("en"):
        chart = chart_of(train, held_out)

    assert len(chart.rows) == 40
    assert (chart.rows[-1].at, chart.rows[-1].values) == ("999", ("999.0", "7.000"))
    assert chart.rows[0].values == ("0", "")


def test_points_that_stand_alone_have_no_line_between_them():
    cloud = Series(name="Trials", points=[(1, 2), (2, 1), (3, 3)], is_cloud=True)

    chart = line_chart([cloud], x_label="rate", y_label="score", title="A cloud.")

    (line,) = chart.lines
    assert line.is_dot
    assert line.path.count("M") == 3
    assert "L" not in line.path


def test_places_are_told_in_words_of_their_own():
    series = Series(name="Trials", points=[(-3, 2), (-1, 1)])

    chart = line_chart(
        [series],
        x_label="rate",
        y_label="score",
        title="By powers of ten.",
        x_names=lambda place: f"{10**place:g}",
    )

    assert next(tick.label for tick in chart.x_ticks) == "0.001"
    assert [row.at for row in chart.rows] == ["0.001", "0.1"]
