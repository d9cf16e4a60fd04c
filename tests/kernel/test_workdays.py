"""Dutch working days, checked against the calendar on the wall."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fabriek.kernel import workdays
from fabriek.kernel.workdays import AMSTERDAM, Calendar

# 2025 is a lustrum of 5 May. Weekends are left out.
DAYS_OFF_2025 = {
    date(2025, 1, 1),
    date(2025, 4, 21),
    date(2025, 5, 5),
    date(2025, 5, 29),
    date(2025, 6, 9),
    date(2025, 12, 25),
    date(2025, 12, 26),
}


def days_off_on_weekdays(year: int, calendar: Calendar = workdays.DUTCH) -> set[date]:
    days = (date(year, 1, 1) + timedelta(days=n) for n in range(365))
    return {
        day
        for day in days
        if day.weekday() < 5 and not workdays.is_workday(day, calendar=calendar)
    }


def test_a_lustrum_year_has_these_days_off():
    assert days_off_on_weekdays(2025) == DAYS_OFF_2025


def test_good_friday_and_5_may_between_lustra_are_worked():
    assert workdays.is_workday(date(2026, 4, 3))
    assert workdays.is_workday(date(2026, 5, 5))


def test_a_factory_may_close_on_good_friday_and_on_days_of_its_own():
    calendar = Calendar(worked_holidays=frozenset(), closed_on=frozenset({date(2026, 5, 15)}))

    assert not workdays.is_workday(date(2026, 4, 3), calendar=calendar)
    assert not workdays.is_workday(date(2026, 5, 15), calendar=calendar)


def test_kings_day_on_a_sunday_is_kept_on_saturday_and_monday_is_worked():
    assert workdays.is_workday(date(2025, 4, 28))


@pytest.mark.parametrize(
    ("moment", "day"),
    [
        (datetime(2026, 3, 6, 17, 0, tzinfo=AMSTERDAM), date(2026, 3, 6)),
        (datetime(2026, 3, 6, 17, 0, 1, tzinfo=AMSTERDAM), date(2026, 3, 9)),
        (datetime(2026, 3, 7, 9, 0, tzinfo=AMSTERDAM), date(2026, 3, 9)),
        # 15:30 UTC is 16:30 in winter and 17:30 in summer.
        (datetime(2026, 3, 10, 15, 30, tzinfo=UTC), date(2026, 3, 10)),
        (datetime(2026, 7, 7, 15, 30, tzinfo=UTC), date(2026, 7, 8)),
        (datetime(2026, 12, 24, 18, 0, tzinfo=AMSTERDAM), date(2026, 12, 28)),
        (date(2026, 3, 8), date(2026, 3, 9)),
        (date(2026, 3, 9), date(2026, 3, 9)),
    ],
)
def test_what_comes_after_closing_or_on_a_day_off_is_received_the_next_working_day(moment, day):
    assert workdays.received_on(moment) == day


@pytest.mark.parametrize(
    ("moment", "promise", "due_on"),
    [
        (datetime(2026, 3, 5, 10, 0, tzinfo=AMSTERDAM), 2, date(2026, 3, 9)),
        (datetime(2026, 3, 5, 18, 0, tzinfo=AMSTERDAM), 2, date(2026, 3, 10)),
        # Ascension Day (14 May) and Whit Monday (25 May) lie between.
        (datetime(2026, 5, 13, 10, 0, tzinfo=AMSTERDAM), 10, date(2026, 5, 29)),
        (datetime(2026, 12, 31, 10, 0, tzinfo=AMSTERDAM), 1, date(2027, 1, 4)),
        (date(2026, 3, 7), 0, date(2026, 3, 9)),
    ],
)
def test_a_promise_is_due_so_many_working_days_after_receipt(moment, promise, due_on):
    assert workdays.add_workdays(moment, promise) == due_on
    assert workdays.workdays_between(moment, due_on) == promise


@pytest.mark.parametrize(
    ("start", "end", "days"),
    [
        (date(2026, 12, 30), date(2027, 1, 4), 2),
        (date(2026, 12, 31), date(2027, 1, 1), 1),  # received on Monday the 4th
        (date(2025, 12, 31), date(2027, 1, 4), 256),
        (date(2025, 12, 26), date(2025, 12, 28), 0),  # both received on Monday
    ],
)
def test_working_days_are_counted_over_the_turn_of_years(start, end, days):
    assert workdays.workdays_between(start, end) == days
    assert workdays.workdays_between(end, start) == -days


def test_a_promise_ends_at_closing_time_in_summer_and_winter():
    before_the_clock_changes = datetime(2026, 3, 27, 10, 0, tzinfo=AMSTERDAM)

    due = workdays.due_at(before_the_clock_changes, 1)

    assert due == datetime(2026, 3, 30, 15, 0, tzinfo=UTC)


def test_another_calendar_closes_at_another_hour_in_another_place():
    calendar = Calendar(closes_at=time(12), zone=ZoneInfo("Atlantic/Azores"))

    noon_on_the_azores = datetime(2026, 3, 6, 13, 0, tzinfo=UTC)

    assert workdays.received_on(noon_on_the_azores, calendar=calendar) == date(2026, 3, 6)
    assert workdays.received_on(
        noon_on_the_azores + timedelta(seconds=1), calendar=calendar
    ) == date(2026, 3, 9)


def test_a_moment_without_a_time_zone_is_a_bug():
    with pytest.raises(ValueError, match="time zone"):
        workdays.received_on(datetime(2026, 3, 6, 10, 0))  # noqa: DTZ001


def test_a_promise_in_the_past_is_a_bug():
    with pytest.raises(ValueError, match="ahead"):
        workdays.add_workdays(date(2026, 3, 6), -1)


MOMENTS = st.datetimes(
    min_value=datetime(2025, 1, 1),  # noqa: DTZ001
    max_value=datetime(2031, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
)


@settings(max_examples=100, deadline=None, derandomize=True, database=None)
@given(start=MOMENTS, promise=st.integers(0, 25), later=st.integers(0, 60 * 24 * 60))
def test_a_promise_is_kept_exactly_when_no_more_working_days_went_by(start, promise, later):
    answered_at = start + timedelta(minutes=later)

    was_in_time = answered_at <= workdays.due_at(start, promise)

    assert was_in_time == (workdays.workdays_between(start, answered_at) <= promise)


@settings(max_examples=50, deadline=None, derandomize=True, database=None)
@given(start=MOMENTS, end=MOMENTS)
def test_counting_backwards_gives_the_same_number_below_zero(start, end):
    short_end = start + (end - start) / 50

    forth = workdays.workdays_between(start, short_end)

    assert workdays.workdays_between(short_end, start) == -forth
