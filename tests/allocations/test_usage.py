"""GPU time that was used, by month and share, as reports and the machine's page add it up."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest

from fabriek.allocations.models import Line
from fabriek.allocations.usage import spent_by_month
from fabriek.kernel.periods import Period
from tests.factories import a_share, an_allocation

pytestmark = pytest.mark.django_db
AMSTERDAM = ZoneInfo("Europe/Amsterdam")
SPRING = Period(first=date(2026, 3, 1), last=date(2026, 4, 30))
MARCH, APRIL = date(2026, 3, 1), date(2026, 4, 1)


@pytest.fixture
def shares():
    return a_share("nl"), a_share("eu")


def a_line(share, gpu_seconds, at, *, kind="spend"):
    Line.objects.create(
        allocation=an_allocation(share=a_share("nl")),
        key="line",
        kind=kind,
        share=share,
        gpu_seconds=gpu_seconds,
        at=datetime.fromisoformat(at).replace(tzinfo=AMSTERDAM),
    )


def test_nothing_used_is_nothing(shares):
    assert spent_by_month(SPRING) == {}


def test_use_is_added_up_by_month_and_share(shares):
    national, european = shares
    a_line(national, 100, "2026-03-02 10:00")
    a_line(national, 50, "2026-03-30 10:00")
    a_line(european, 7, "2026-03-30 10:00")
    a_line(european, 9, "2026-04-01 10:00")

    assert spent_by_month(SPRING) == {
        MARCH: {national.pk: 150, european.pk: 7},
        APRIL: {european.pk: 9},
    }


def test_corrections_count_and_what_was_only_set_aside_does_not(shares):
    national, _ = shares
    a_line(national, 100, "2026-03-02 10:00")
    a_line(national, -30, "2026-03-03 10:00", kind="counter")
    for kind in ("hold", "release", "grant", "expire"):
        a_line(national, 1000, "2026-03-04 10:00", kind=kind)

    assert spent_by_month(SPRING) == {MARCH: {national.pk: 70}}


def test_what_the_factory_bore_is_left_out(shares):
    a_line(None, 100, "2026-03-02 10:00")

    assert spent_by_month(SPRING) == {}


def test_a_month_ends_at_midnight_here(shares):
    national, _ = shares
    a_line(national, 1, "2026-02-28 23:59:59")
    a_line(national, 2, "2026-03-01 00:00:00")
    a_line(national, 4, "2026-03-31 23:59:59")
    a_line(national, 8, "2026-04-01 00:00:00")
    a_line(national, 16, "2026-04-30 23:59:59")
    a_line(national, 32, "2026-05-01 00:00:00")

    assert spent_by_month(SPRING) == {MARCH: {national.pk: 6}, APRIL: {national.pk: 24}}
