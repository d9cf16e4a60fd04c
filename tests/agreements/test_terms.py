"""Terms as values: combined they are never wider than any of those that went in."""

from datetime import UTC, datetime, timedelta
from datetime import timezone as zone

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from fabriek.agreements import terms
from fabriek.agreements.models import Duty, Place, Product, Purpose
from fabriek.agreements.terms import Terms, strictest, strictest_of
from fabriek.kernel.errors import Invalid
from tests.agreements.ground import some_terms

FIRST, LAST = datetime(2020, 1, 1), datetime(2060, 1, 1)  # noqa: DTZ001  their zone is drawn
EARLIEST = zone(timedelta(hours=14))  # its year 1 has no beginning in UTC
moments = st.datetimes(FIRST, LAST, timezones=st.just(UTC))
any_terms = st.builds(
    Terms,
    purposes=st.frozensets(st.sampled_from(Purpose)),
    product=st.sampled_from(Product),
    place=st.sampled_from(Place),
    duties=st.frozensets(st.sampled_from(Duty)),
    begins_at=moments,
    ends_at=moments,
    conditions=st.frozensets(st.sampled_from(["a", "b", "c"])),
)


@given(any_terms, any_terms)
def test_it_does_not_matter_which_comes_first(one, other):
    assert strictest(one, other) == strictest(other, one)


@given(any_terms, any_terms, any_terms)
def test_it_does_not_matter_in_which_order_many_are_taken(one, other, third):
    left = strictest(strictest(one, other), third)

    assert left == strictest(one, strictest(other, third))
    assert left == strictest_of([third, one, other])


@given(any_terms)
def test_terms_with_themselves_stay_what_they_are(one):
    assert strictest(one, one) == one
    assert one.within(one)


@given(any_terms, any_terms)
def test_both_together_are_never_wider_than_either(one, other):
    both = strictest(one, other)

    assert both.within(one)
    assert both.within(other)


@given(any_terms, any_terms, any_terms)
def test_whatever_is_within_both_is_within_the_strictest(one, other, third):
    """So the strictest takes away no more than it must."""
    if third.within(one) and third.within(other):
        assert third.within(strictest(one, other))


@given(any_terms, any_terms, moments)
def test_both_together_hold_only_when_each_does(one, other, moment):
    both = strictest(one, other)

    if both.hold_at(moment):
        assert one.hold_at(moment)
        assert other.hold_at(moment)


@given(any_terms, any_terms)
def test_without_a_common_purpose_nothing_is_allowed(one, other):
    if not one.purposes & other.purposes:
        assert strictest(one, other).allow_nothing


def test_data_under_no_terms_binds_nobody():
    assert strictest_of([]) is None


def test_each_part_narrows_in_its_own_direction():
    today = timezone.now()
    one = some_terms(
        purposes=frozenset({Purpose.TRAINING, Purpose.RESEARCH}),
        product=Product.MODEL_WEIGHTS,
        place=Place.OPEN,
        duties=frozenset({Duty.ATTRIBUTE}),
        begins_at=today,
        ends_at=today + timedelta(days=9),
        conditions=frozenset({"b"}),
    )
    other = some_terms(
        purposes=frozenset({Purpose.STATISTICS, Purpose.RESEARCH}),
        product=Product.STATISTICS,
        place=Place.SECURE,
        duties=frozenset({Duty.REVIEW}),
        begins_at=today + timedelta(days=1),
        ends_at=today + timedelta(days=5),
        conditions=frozenset({"a"}),
    )

    assert strictest(one, other) == Terms(
        purposes=frozenset({Purpose.RESEARCH}),
        product=Product.STATISTICS,
        place=Place.SECURE,
        duties=frozenset({Duty.ATTRIBUTE, Duty.REVIEW}),
        begins_at=today + timedelta(days=1),
        ends_at=today + timedelta(days=5),
        conditions=frozenset({"a", "b"}),
    )


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"purposes": frozenset()}, "purposes"),
        ({"ends_at": timezone.now() - timedelta(seconds=1)}, "ends_on"),
        ({"begins_at": timezone.now() + timedelta(days=365)}, "ends_on"),
        ({"ends_at": timezone.now() + timedelta(days=3700)}, "ends_on"),
        ({"ends_at": datetime(9999, 12, 31, tzinfo=UTC)}, "ends_on"),
        ({"begins_at": datetime(1990, 1, 1, tzinfo=UTC)}, "begins_at"),
        (
            {"begins_at": datetime(1, 1, 1, tzinfo=EARLIEST)},
            "begins_at",
        ),
        ({"conditions": frozenset({"one", "another"})}, "conditions"),
        ({"conditions": frozenset({"x" * 5001})}, "conditions"),
        ({"conditions": frozenset({"a\x00b"})}, "conditions"),
        ({"conditions": frozenset({"a\u202eb"})}, "conditions"),
    ],
)
def test_terms_that_make_no_sense_are_refused_with_the_field(changes, field):
    with pytest.raises(Invalid) as refused:
        terms.check(some_terms(**changes))

    assert list(refused.value.fields) == [field]


def test_a_first_day_beyond_ten_years_is_refused():
    far = timezone.now() + timedelta(days=3700)

    with pytest.raises(Invalid) as refused:
        terms.check(some_terms(begins_at=far, ends_at=far + timedelta(days=9)))

    assert "begins_at" in refused.value.fields
