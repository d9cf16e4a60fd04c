"""Two at once, in threads, on a database that more than one connection can reach."""

from datetime import timedelta

import pytest
from django.utils import timezone

from fabriek.allocations import actions, queries
from fabriek.allocations.models import Allocation, Grant
from fabriek.kernel.errors import NotEnough, WrongState
from fabriek.kernel.models import Entry
from tests.allocations.making import (
    HOUR,
    a_case,
    a_decision,
    a_share,
    an_allocation,
    kinds,
    staff,
)
from tests.factories import an_organisation
from tests.threads import at_once, many_connections  # noqa: F401

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("many_connections"),
]


def together(*things):
    return sorted(map(str, at_once(*things, refusals=(NotEnough, WrongState))))


def test_two_who_grant_the_same_award_open_one_account():
    decision, share, granters = a_decision(), a_share(), (staff(), staff())

    said = together(
        *(lambda by=by: actions.grant(decision, share=share, by=by) for by in granters)
    )

    assert said == [decision.application.code.lower()] * 2
    assert (Allocation.objects.count(), Grant.objects.count()) == (1, 1)
    assert Entry.objects.count() == 1


def test_two_grants_to_linked_companies_do_not_both_fit_under_one_ceiling():
    head = an_organisation()
    share = a_share(tariff_eur_cents=100, aid_ceiling_eur_cents=1000_00)
    decisions = [
        a_decision(case=a_case(organisation=organisation), gpu_hours=600)
        for organisation in (head, an_organisation(group_head=head))
    ]
    by = staff()

    said = together(
        *(lambda one=one: actions.grant(one, share=share, by=by).pk for one in decisions)
    )

    assert said.count("aid_ceiling") == 1
    assert Grant.objects.get().aid_eur_cents == 600_00


def test_two_runs_never_hold_the_same_second():
    allocation = an_allocation(gpu_seconds=10 * HOUR)

    said = together(
        *(
            lambda key=key: actions.hold(allocation, run_key=key, gpu_seconds=6 * HOUR)
            for key in ("a", "b")
        )
    )

    assert said == ["None", "not_enough"]
    allocation.refresh_from_db()
    assert allocation.gpu_seconds_held == 6 * HOUR


def test_two_passes_of_the_loop_settle_and_expire_once():
    allocation = an_allocation(gpu_seconds=10 * HOUR)
    actions.hold(allocation, run_key="a", gpu_seconds=6 * HOUR)
    today = timezone.localdate()
    Allocation.objects.update(
        starts_on=today - timedelta(days=9), ends_on=today - timedelta(days=1)
    )

    def one_pass():
        actions.settle(allocation, run_key="a", gpu_seconds_used=HOUR)
        actions.expire_ended()

    together(one_pass, one_pass)

    assert kinds(allocation)[:4] == ["grant", "hold", "release", "spend"]
    assert list(queries.drift()) == []
    allocation.refresh_from_db()
    assert (allocation.gpu_seconds_spent, allocation.gpu_seconds_expired) == (HOUR, 9 * HOUR)


def test_two_extensions_to_the_same_day_add_hours_once():
    allocation, share, by = an_allocation(gpu_seconds=HOUR), a_share(), staff()
    day = timezone.localdate() + timedelta(days=300)

    def extend():
        mine = Allocation.objects.get(pk=allocation.pk)
        return actions.extend(mine, ends_on=day, share=share, gpu_hours=1, by=by).pk

    said = together(extend, extend)

    assert said.count("wrong_state") == 1
    allocation.refresh_from_db()
    assert allocation.gpu_seconds_granted == 2 * HOUR
