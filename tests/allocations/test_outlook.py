"""Warnings in words: running dry, and staying unused."""

from datetime import timedelta

import pytest
from django.utils import timezone
from django.utils.translation import override

from fabriek.allocations import outlook
from fabriek.allocations.models import Allocation

TODAY = timezone.localdate()


def an_allocation(*, spent=0, held=0, days_passed=0, days=100):
    starts_on = TODAY - timedelta(days=days_passed)
    return Allocation(
        account="a",
        starts_on=starts_on,
        ends_on=starts_on + timedelta(days=days - 1),
        gpu_seconds_granted=100 * 3600,
        gpu_seconds_spent=spent * 3600,
        gpu_seconds_held=held * 3600,
    )


def said(allocation):
    with override("en"):
        return [
            (str(n.tone), n.sentence.split(".")[0]) for n in outlook.notices(allocation, TODAY)
        ]


@pytest.mark.parametrize(
    ("spent", "held", "tone", "percent"),
    [
        (50, 0, "attention", 50),
        (79, 0, "attention", 50),
        (40, 40, "attention", 80),
        (95, 0, "wrong", 95),
        (100, 0, "wrong", 95),
    ],
)
def test_people_are_warned_at_50_80_and_95_percent(spent, held, tone, percent):
    ((its_tone, sentence),) = said(an_allocation(spent=spent, held=held))

    left = 100 - spent - held
    assert its_tone == tone
    assert sentence == (
        f"More than {percent} % of your GPU-hours is used or set aside: "
        f"{left} GPU-hours are left"
    )


@pytest.mark.parametrize(
    ("spent", "days_passed"),
    [(49, 0), (0, 24), (13, 25), (25, 50)],
)
def test_nobody_is_warned_while_all_goes_well_or_it_is_too_early_to_say(spent, days_passed):
    assert said(an_allocation(spent=spent, days_passed=days_passed)) == []


def test_a_pace_that_leaves_more_than_half_unused_is_told_in_words():
    allocation = an_allocation(spent=12, days_passed=50)

    ((tone, sentence),) = said(allocation)

    assert tone == "attention"
    assert sentence.startswith(
        "At this pace you will use about 24 of your 100 GPU-hours before "
    )


@pytest.mark.parametrize("days_passed", [-1, 100])
def test_nothing_is_said_before_the_first_and_after_the_last_day(days_passed):
    assert said(an_allocation(spent=99, days_passed=days_passed)) == []
