"""Opening GPU-hours, giving more time, and the ceiling on state aid."""

from datetime import date, timedelta

import pytest
from django.utils import timezone

from fabriek.access.models import Answers, Form
from fabriek.access.states import ApplicationState
from fabriek.allocations import actions, queries
from fabriek.allocations.models import Allocation, Grant, Line
from fabriek.allocations.terms import months_later
from fabriek.kernel import words
from fabriek.kernel.errors import Invalid, NotAllowed, NotEnough, WrongState
from fabriek.kernel.models import Entry
from tests.allocations.making import (
    HOUR,
    a_case,
    a_decision,
    a_person,
    a_share,
    an_allocation,
    kinds,
    left,
    staff,
    staff_in,
)
from tests.factories import an_organisation

pytestmark = pytest.mark.django_db
TODAY = timezone.localdate


def soon(days=200):
    return TODAY() + timedelta(days=days)


def test_an_accepted_award_becomes_gpu_time_on_an_account_of_its_own():
    decision, granter = a_decision(gpu_hours=5000, months=3), staff()
    first = soon(40)

    made = actions.grant(decision, share=a_share(), starts_on=first, by=granter)

    assert made.account == decision.application.code.lower()
    assert (made.starts_on, made.ends_on) == (first, months_later(first, 3))
    assert (made.gpu_seconds_granted, made.gpu_seconds_left) == (5000 * HOUR, 5000 * HOUR)
    assert kinds(made) == ["grant"]
    entry = Entry.objects.get()
    assert (entry.verb, entry.by, entry.thread) == (
        "allocations.grant",
        granter,
        decision.application.case.code,
    )
    assert entry.details == {"share": "nl", "gpu_hours": 5000}


def test_a_grant_starts_today_when_no_day_is_given():
    assert actions.grant(a_decision(), share=a_share(), by=staff()).starts_on == TODAY()


def test_a_grant_from_an_aid_share_is_worth_its_tariff_on_its_legal_basis():
    case = a_case()
    share = a_share(tariff_eur_cents=300, legal_basis="(EU) 2023/2831")

    actions.grant(a_decision(case=case, gpu_hours=5000), share=share, by=staff())

    grant = Grant.objects.get()
    assert (grant.aid_eur_cents, grant.legal_basis) == (15_000_00, "(EU) 2023/2831")
    assert grant.organisation == case.organisation


def test_a_grant_from_another_share_is_no_aid_and_has_no_ceiling():
    share = a_share("eu", is_state_aid=False, aid_ceiling_eur_cents=None)

    actions.grant(a_decision(gpu_hours=9_000_000), share=share, by=staff())

    assert Grant.objects.get().aid_eur_cents == 0


def test_only_staff_grant_and_never_to_a_case_of_their_own_organisation():
    decision = a_decision()
    case = decision.application.case

    for stranger in (
        a_person(),
        case.created_by,
        a_person(duty="assessor"),
        a_person(duty="funder", funder_code="state"),
        staff_in(case.organisation),
    ):
        with pytest.raises(NotAllowed):
            actions.grant(decision, share=a_share(), by=stranger)

    assert not Allocation.objects.exists()
    assert not Entry.objects.exists()


@pytest.mark.parametrize("state", ["awarded", "declined", "withdrawn"])
def test_an_award_that_was_not_accepted_is_not_granted(state):
    decision = a_decision()
    decision.application.state = ApplicationState(state)
    decision.application.save()

    with pytest.raises(WrongState):
        actions.grant(decision, share=a_share(), by=staff())

    assert not Allocation.objects.exists()


def test_a_closed_share_gives_nothing():
    with pytest.raises(WrongState) as refused:
        actions.grant(a_decision(), share=a_share("shut", is_open=False), by=staff())

    assert refused.value.code == "share_closed"
    assert not Allocation.objects.exists()


def test_a_first_day_so_long_ago_that_the_term_is_over_is_refused():
    with pytest.raises(Invalid) as refused:
        actions.grant(a_decision(months=1), share=a_share(), starts_on=soon(-40), by=staff())

    assert list(refused.value.fields) == ["starts_on"]
    assert not Allocation.objects.exists()


@pytest.mark.parametrize("days", [-31, 366])
def test_a_first_day_may_lie_a_month_back_or_a_year_ahead(days):
    made = actions.grant(
        a_decision(months=3), share=a_share(), starts_on=soon(days), by=staff()
    )

    assert made.starts_on == soon(days)


@pytest.mark.parametrize("day", [date.min, -32, 367, date.max])
def test_a_first_day_far_from_today_is_refused_with_the_days_there_are(day):
    day = soon(day) if isinstance(day, int) else day

    with pytest.raises(Invalid) as refused:
        actions.grant(a_decision(months=3), share=a_share(), starts_on=day, by=staff())

    assert refused.value.code == "first_day_far"
    assert str(refused.value) == (
        f"Choose a first day from {words.day(soon(-31))} to {words.day(soon(366))}."
    )
    assert not Allocation.objects.exists()


def test_a_term_ends_on_the_day_before_the_one_that_it_began_on():
    assert months_later(date(2030, 1, 15), 3) == date(2030, 4, 14)
    assert months_later(date(2030, 11, 30), 3) == date(2031, 2, 27)


def test_granting_twice_returns_what_there_is():
    decision, granter = a_decision(gpu_hours=10), staff()

    first = actions.grant(decision, share=a_share(), by=granter)
    second = actions.grant(decision, share=a_share("eu"), by=granter)

    assert second == first
    assert (Grant.objects.count(), Line.objects.count(), Entry.objects.count()) == (1, 1, 1)


def test_linked_companies_share_one_ceiling():
    head = an_organisation(lead=a_person())
    daughter = an_organisation(lead=a_person(), group_head=head)
    share = a_share(tariff_eur_cents=100, aid_ceiling_eur_cents=1000_00)
    for organisation, gpu_hours in ((head, 600), (daughter, 400)):
        case = a_case(organisation=organisation)
        actions.grant(a_decision(case=case, gpu_hours=gpu_hours), share=share, by=staff())
    one_more = a_decision(case=a_case(organisation=daughter), gpu_hours=1)

    with pytest.raises(NotEnough) as refused:
        actions.grant(one_more, share=share, by=staff())

    assert refused.value.code == "aid_ceiling"
    assert Allocation.objects.count() == 2
    assert Grant.objects.count() == 2


def test_aid_of_more_than_three_years_ago_no_longer_counts():
    case = a_case()
    share = a_share(tariff_eur_cents=100, aid_ceiling_eur_cents=1000_00)
    actions.grant(a_decision(case=case, gpu_hours=1000), share=share, by=staff())
    Grant.objects.update(granted_at=timezone.now() - timedelta(days=3 * 366 + 1))

    actions.grant(a_decision(case=case, gpu_hours=1000), share=share, by=staff())

    assert Grant.objects.count() == 2


@pytest.mark.parametrize(("declared_eur", "fits"), [("900", True), ("901", False)])
def test_aid_that_was_declared_counts_too(declared_eur, fits):
    share = a_share(tariff_eur_cents=100, aid_ceiling_eur_cents=1000_00)
    decision = a_decision(gpu_hours=100)
    declares_aid(decision.application, declared_eur)

    if fits:
        actions.grant(decision, share=share, by=staff())
    else:
        with pytest.raises(NotEnough):
            actions.grant(decision, share=share, by=staff())

    assert Grant.objects.count() == fits


def test_aid_that_is_known_here_is_not_counted_again_when_it_is_declared():
    case = a_case()
    share = a_share(tariff_eur_cents=100, aid_ceiling_eur_cents=1000_00)
    actions.grant(a_decision(case=case, gpu_hours=600), share=share, by=staff())
    more = a_decision(case=case, gpu_hours=400)
    declares_aid(more.application, "600")

    actions.grant(more, share=share, by=staff())

    assert sum(grant.aid_eur_cents for grant in Grant.objects.all()) == 1000_00


def test_aid_that_is_granted_after_it_was_declared_counts_beside_it():
    """Also on the same day: what was declared in the morning knows nothing of the afternoon."""
    case = a_case()
    share = a_share(tariff_eur_cents=100, aid_ceiling_eur_cents=1000_00)
    more = a_decision(case=case, gpu_hours=400)
    declares_aid(more.application, "600")
    actions.grant(a_decision(case=case, gpu_hours=300), share=share, by=staff())

    with pytest.raises(NotEnough):
        actions.grant(more, share=share, by=staff())


def declares_aid(application, eur):
    form = {
        "code": "aid",
        "version": 1,
        "sections": [
            {
                "key": "aid",
                "title": {"nl": "Steun", "en": "Aid"},
                "fields": [
                    {
                        "key": "aid_received",
                        "kind": "number",
                        "label": {"nl": "Hoeveel?", "en": "How much?"},
                        "unit": "eur",
                    }
                ],
            }
        ],
    }
    application.form = Form.objects.create(code="aid", version=1, definition=form)
    application.save(update_fields=["form"])
    Answers.objects.create(
        application=application,
        section="aid",
        values={"aid_received": eur},
        saved_by=application.created_by,
    )


def test_aid_counts_from_the_day_in_amsterdam(time_machine):
    time_machine.move_to("2026-03-31T22:30:00Z", tick=False)
    allocation = actions.grant(a_decision(), share=a_share(), by=staff())

    (given,) = queries.aid_given(allocation.case.organisation)

    assert given.granted_on == date(2026, 4, 1)


def test_an_extension_gives_back_what_had_expired():
    allocation = an_allocation(gpu_seconds=10 * HOUR, starts_on=soon(-60), ends_on=soon(-1))
    actions.expire_ended()
    assert left(allocation) == 0

    actions.extend(allocation, ends_on=soon(30), by=staff())

    assert (left(allocation), allocation.ends_on) == (10 * HOUR, soon(30))
    assert kinds(allocation) == ["grant", "expire", "extend"]
    assert list(queries.drift()) == []


def test_an_extension_may_add_hours_of_a_share():
    allocation = an_allocation(gpu_seconds=10 * HOUR, share=a_share())
    granter = staff()

    actions.extend(allocation, ends_on=soon(), share=a_share("eu"), gpu_hours=5, by=granter)

    assert left(allocation) == 15 * HOUR
    assert [
        str(line.share.code) for line in allocation.lines.filter(kind="grant").order_by("pk")
    ] == [
        "nl",
        "eu",
    ]
    entry = Entry.objects.get()
    assert (entry.verb, entry.by) == ("allocations.extend", granter)
    assert entry.details == {"ends_on": str(soon()), "share": "eu", "gpu_hours": 5}


def test_an_extension_beyond_the_aid_ceiling_changes_nothing():
    share = a_share(tariff_eur_cents=100, aid_ceiling_eur_cents=100)
    allocation = an_allocation(share=share)
    last_day = allocation.ends_on

    with pytest.raises(NotEnough):
        actions.extend(allocation, ends_on=soon(), share=share, gpu_hours=2, by=staff())

    allocation.refresh_from_db()
    assert (allocation.ends_on, kinds(allocation)) == (last_day, ["grant"])
    assert not Entry.objects.exists()


def test_only_staff_outside_the_case_extend():
    allocation = an_allocation()
    case = allocation.case

    for stranger in (a_person(), case.created_by, staff_in(case.organisation)):
        with pytest.raises(NotAllowed):
            actions.extend(allocation, ends_on=soon(), by=stranger)

    allocation.refresh_from_db()
    assert allocation.ends_on < soon()
    assert not Entry.objects.exists()


def test_a_last_day_that_is_not_later_is_refused_so_extending_twice_happens_once():
    allocation = an_allocation()
    stale = Allocation.objects.get(pk=allocation.pk)
    actions.extend(allocation, ends_on=soon(), share=a_share(), gpu_hours=1, by=staff())

    with pytest.raises(WrongState):
        actions.extend(stale, ends_on=soon(), share=a_share(), gpu_hours=1, by=staff())

    assert Grant.objects.count() == 2
    assert Entry.objects.count() == 1


@pytest.mark.parametrize("ended", [-1, 100])
def test_a_last_day_moves_two_years_on_and_no_further(ended):
    allocation = an_allocation(starts_on=soon(-60), ends_on=soon(ended))
    farthest = soon(max(ended, 0) + 731)

    for day in (farthest + timedelta(days=1), date.max):
        with pytest.raises(Invalid) as refused:
            actions.extend(allocation, ends_on=day, by=staff())
        assert refused.value.fields == {
            "ends_on": f"This is too far away. Choose a last day up to {words.day(farthest)}."
        }
    allocation.refresh_from_db()
    assert allocation.ends_on == soon(ended)

    assert actions.extend(allocation, ends_on=farthest, by=staff()).ends_on == farthest


def test_a_last_day_at_the_end_of_the_calendar_is_still_a_sentence():
    allocation = an_allocation(ends_on=date.max)

    with pytest.raises(WrongState):
        actions.extend(allocation, ends_on=date.max, by=staff())


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"ends_on": date(2020, 1, 1)}, "ends_on"),
        ({"gpu_hours": 5}, "gpu_hours"),
        ({"share": True}, "gpu_hours"),
        ({"share": True, "gpu_hours": -1}, "gpu_hours"),
    ],
)
def test_an_extension_that_makes_no_sense_says_where(changes, field):
    allocation = an_allocation()
    if "share" in changes:
        changes = changes | {"share": a_share()}

    with pytest.raises(Invalid) as refused:
        actions.extend(allocation, **{"ends_on": soon(), "by": staff()} | changes)

    assert list(refused.value.fields) == [field]
    assert kinds(allocation) == ["grant"]
