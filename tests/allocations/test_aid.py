"""What free GPU time is worth, and how long it counts."""

from datetime import date, timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fabriek.allocations import aid
from fabriek.allocations.aid import Aid

CEILING = 300_000_00


@pytest.mark.parametrize(
    ("gpu_seconds", "tariff", "eur_cents"),
    [
        (5_000 * 3600, 300, 15_000_00),
        (0, 300, 0),
        (5, 360, 1),  # half a cent goes up
        (4, 360, 0),
        (15, 360, 2),
        (3600, 0, 0),
    ],
)
def test_gpu_time_is_worth_its_tariff_rounded_half_up(gpu_seconds, tariff, eur_cents):
    worth = aid.gross_grant_eur_cents(gpu_seconds, tariff_eur_cents_per_gpu_hour=tariff)

    assert worth == eur_cents


@given(gpu_seconds=st.integers(0, 10**13), tariff=st.integers(0, 10**5))
def test_rounding_is_off_by_at_most_half_a_cent(gpu_seconds: int, tariff: int):
    worth = aid.gross_grant_eur_cents(gpu_seconds, tariff_eur_cents_per_gpu_hour=tariff)

    exact = Fraction(gpu_seconds * tariff, 3600)
    assert Fraction(-1, 2) < worth - exact <= Fraction(1, 2)


@pytest.mark.parametrize(
    ("on", "first_day"),
    [
        (date(2024, 1, 5), date(2021, 1, 5)),  # the example of the Polish authority, UOKiK
        (date(2027, 3, 1), date(2024, 3, 1)),
        (date(2027, 2, 28), date(2024, 2, 28)),  # so 29 February 2024 counts
        (date(2028, 2, 29), date(2025, 2, 28)),
        (date(2028, 12, 31), date(2025, 12, 31)),
    ],
)
def test_aid_counts_from_the_same_date_three_years_before(on: date, first_day: date):
    def counted(granted_on: date) -> int:
        return aid.aid_in_window([Aid(granted_on=granted_on, eur_cents=7)], on)

    assert aid.counts_from(on) == first_day
    assert counted(first_day - timedelta(days=1)) == 0
    assert counted(first_day) == 7
    assert counted(on) == 7
    assert counted(on + timedelta(days=1)) == 0


def test_aid_of_29_february_counts_for_three_years_and_no_longer():
    grants = [Aid(granted_on=date(2024, 2, 29), eur_cents=7)]

    assert aid.aid_in_window(grants, date(2027, 2, 28)) == 7
    assert aid.aid_in_window(grants, date(2027, 3, 1)) == 0


def test_headroom_is_the_ceiling_less_what_counts_and_never_below_zero():
    grants = [
        Aid(granted_on=date(2023, 1, 1), eur_cents=250_000_00),
        Aid(granted_on=date(2025, 1, 1), eur_cents=100_000_00),
    ]

    def headroom(on: date) -> int:
        return aid.headroom_eur_cents(grants, on, ceiling_eur_cents=CEILING)

    assert headroom(date(2024, 12, 31)) == 50_000_00
    assert headroom(date(2026, 1, 1)) == 0
    assert headroom(date(2026, 1, 2)) == 200_000_00
