"""Our ledger told to an engine: what is noticed, when it is told, and what that costs."""

from datetime import timedelta

import pytest
from django.core.cache import cache
from django.utils import timezone

from fabriek.allocations import actions as allocations
from fabriek.allocations.models import Allocation, Grant
from fabriek.cases import actions as cases
from fabriek.cases.states import PartnerState
from fabriek.engines.base import BudgetsHeldUp, EngineDown, JobHeldUp
from fabriek.people import actions as people
from fabriek.people import logins
from fabriek.runs import budgets
from tests.factories import (
    a_case,
    a_partner,
    a_person,
    a_share,
    an_allocation,
    an_organisation,
    staff,
)
from tests.runs.world import passes, seen_again

pytestmark = pytest.mark.django_db


@pytest.fixture
def told(engine):
    """List what is told, call by call."""
    calls = []
    tell_budgets = engine.tell_budgets

    def counted(some):
        tell_budgets(some)
        calls.append(list(some))

    engine.tell_budgets = counted
    return calls


def a_minute_later():
    cache.clear()


def with_login(name, **fields):
    person = a_person(**fields)
    logins.give(person, name)
    return person


def test_all_that_is_untold_is_told_in_one_call_and_once(engine, told):
    accounts = {an_allocation().account for _ in range(3)}

    passes(engine, 3)

    assert [{budget.account for budget in call} for call in told] == [accounts]


def test_a_budget_names_the_share_that_granted_most_and_its_target(engine):
    allocation = an_allocation(gpu_seconds=36_000, share=a_share("nl", target_percent=27))
    passes(engine)
    first = engine.budgets[allocation.account]
    for code, gpu_hours in (("eu", 11), ("nij_begun", 2)):
        share = a_share(code, target_percent=50, is_state_aid=False)
        _grant_more(allocation, share, gpu_hours)

    passes(engine)

    now = engine.budgets[allocation.account]
    assert (first.share, first.share_percent) == ("nl", 27)
    assert (now.share, now.share_percent, now.gpu_seconds) == ("eu", 50, 23 * 3600)


def test_of_shares_that_granted_as_much_the_first_counts(engine):
    allocation = an_allocation(gpu_seconds=3_600, share=a_share("zz"))
    _grant_more(allocation, a_share("aa", is_state_aid=False), 1)

    passes(engine)

    assert engine.budgets[allocation.account].share == "zz"


def test_another_target_of_a_share_is_told_within_a_minute(engine):
    allocation = an_allocation()
    passes(engine)
    share = allocation.grants.get().share
    type(share).objects.filter(pk=share.pk).update(target_percent=33)

    a_minute_later()
    passes(engine)

    assert engine.budgets[allocation.account].share_percent == 33


# When it is open


def test_a_used_up_budget_is_closed_and_a_correction_opens_it(world, engine):
    run_key = "R-1"
    allocations.hold(world.allocation, run_key=run_key, gpu_seconds=36_000)
    passes(engine)
    held = engine.budgets[world.allocation.account].is_open
    allocations.settle(world.allocation, run_key=run_key, gpu_seconds_used=36_000)
    passes(engine)
    used_up = engine.budgets[world.allocation.account].is_open

    allocations.correct(
        world.allocation, run_key=run_key, gpu_seconds_used=30_000, key="back", note="less"
    )
    passes(engine)

    assert (held, used_up) == (True, False)
    assert engine.budgets[world.allocation.account].is_open


def test_the_last_second_is_for_a_run_that_waits(world, engine):
    allocations.hold(world.allocation, run_key="R-1", gpu_seconds=35_000)
    allocations.settle(world.allocation, run_key="R-1", gpu_seconds_used=35_000)
    allocations.hold(world.allocation, run_key="R-2", gpu_seconds=1_000)

    passes(engine)

    assert engine.budgets[world.allocation.account].is_open


def test_a_budget_of_which_the_first_day_must_come_is_not_told_yet(engine):
    tomorrow = timezone.localdate() + timedelta(days=1)
    allocation = an_allocation(starts_on=tomorrow)

    passes(engine)
    Allocation.objects.update(starts_on=timezone.localdate())
    untold = dict(engine.budgets)
    passes(engine)

    assert untold == {}
    assert engine.budgets[allocation.account].is_open


def test_an_extension_opens_what_had_ended_and_raises_it(engine):
    allocation = an_allocation(gpu_seconds=3_600)
    passes(engine)
    Allocation.objects.update(ends_on=timezone.localdate() - timedelta(days=1))
    passes(engine)
    closed = engine.budgets[allocation.account]
    share = a_share("eu", is_state_aid=False)
    later = timezone.localdate() + timedelta(days=30)

    allocations.extend(allocation, ends_on=later, share=share, gpu_hours=2, by=staff())
    passes(engine)

    now = engine.budgets[allocation.account]
    assert (closed.is_open, now.is_open, now.gpu_seconds) == (False, True, 3 * 3600)


# Who may use it


def test_members_of_the_consortium_with_a_login_may_use_it(engine):
    lead = with_login("anna")
    case = a_case(lead=lead)
    a_partner(case, lead=with_login("piet"))
    a_partner(case, lead=with_login("invited"), state=PartnerState.INVITED)
    a_partner(case, lead=a_person())
    an_organisation(lead=with_login("stranger"))
    allocation = an_allocation(case=case)

    passes(engine)

    assert engine.budgets[allocation.account].users == ("anna", "piet")


def test_who_joins_or_leaves_is_told_within_a_minute_and_not_at_each_pass(engine, told):
    lead, colleague = with_login("anna"), with_login("bert")
    case = a_case(lead=lead)
    allocation = an_allocation(case=case)
    seen = []

    def a_minute():
        passes(engine, 2)
        early = len(told)
        a_minute_later()
        passes(engine, 2)
        seen.append((len(told) - early, engine.budgets[allocation.account].users))

    passes(engine)
    membership = case.organisation.memberships.create(person=colleague, role="member")
    a_minute()
    people.remove_member(membership, by=lead)
    a_minute()
    partner = a_partner(case, lead=colleague)
    a_minute()
    cases.leave(partner, by=colleague)
    a_minute()
    logins.take_away(lead)
    a_minute()
    a_minute()

    both = ("anna", "bert")
    assert seen == [(1, both), (1, ("anna",)), (1, both), (1, ("anna",)), (1, ()), (0, ())]


def test_who_may_no_longer_sign_in_may_not_use_it(engine):
    lead = with_login("anna")
    allocation = an_allocation(case=a_case(lead=lead))
    passes(engine)
    type(lead).objects.update(is_active=False)

    a_minute_later()
    passes(engine)

    assert engine.budgets[allocation.account].users == ()


def test_the_cases_own_account_may_use_it_and_is_there_before_it_is_told(
    world, engine, settings, monkeypatch
):
    settings.UNIX_ACCOUNTS = True
    made = []
    monkeypatch.setattr("fabriek.runs.accounts.ensure", made.append)

    passes(engine)

    assert made == [world.case.unix_account]
    assert engine.budgets[world.allocation.account].users == (world.case.unix_account,)


def test_a_case_whose_account_cannot_be_made_waits_and_others_go_on(
    world, engine, settings, monkeypatch
):
    other = an_allocation()
    passes(engine)
    settings.UNIX_ACCOUNTS = True

    def ensure(account):
        if account == world.case.unix_account:
            raise JobHeldUp("no such luck", code="no_account")

    monkeypatch.setattr("fabriek.runs.accounts.ensure", ensure)
    monkeypatch.setattr("fabriek.runs.accounts.refuse_another_number", lambda *asked: None)
    a_minute_later()
    run = world.ask()

    passes(engine)
    waits = seen_again(run).state
    monkeypatch.setattr("fabriek.runs.accounts.ensure", lambda account: None)
    monkeypatch.setattr("fabriek.runs.folders.prepare", lambda run: None)
    passes(engine)

    assert engine.budgets[other.account].users == (other.case.unix_account,)
    assert (waits, seen_again(run).state) == ("waiting", "queued")
    assert engine.budgets[world.allocation.account].users == (world.case.unix_account,)


# Faults and cost


def test_what_an_engine_did_not_take_is_told_again_with_its_members(engine, told):
    lead = with_login("anna")
    allocation = an_allocation(case=a_case(lead=lead))
    passes(engine)
    logins.give(lead, "anna2")
    a_minute_later()
    engine.down = True
    with pytest.raises(EngineDown):
        budgets.tell_budgets(engine)
    engine.down = False

    a_minute_later()
    passes(engine)

    assert engine.budgets[allocation.account].users == ("anna2",)
    assert len(told) == 2


def test_one_budget_that_is_not_taken_holds_no_other_up(world, engine, told):
    other = an_allocation()
    tell_budgets = engine.tell_budgets

    def all_but_one(some):
        tell_budgets([one for one in some if one.account != world.allocation.account])
        if world.allocation.account in [one.account for one in some]:
            raise BudgetsHeldUp("no such user", accounts=[world.allocation.account])

    engine.tell_budgets = all_but_one
    run = world.ask()
    passes(engine, 3)
    waits = seen_again(run).state
    engine.tell_budgets = tell_budgets
    passes(engine)
    still = seen_again(run).state

    a_minute_later()
    passes(engine)

    assert [[one.account for one in call] for call in told] == [
        [other.account],
        [world.allocation.account],
    ]
    assert (waits, still, seen_again(run).state) == ("waiting", "waiting", "queued")


def test_what_changes_while_it_is_told_is_told_at_the_next_pass(engine, told):
    allocation = an_allocation(gpu_seconds=36_000)
    tell_budgets = engine.tell_budgets

    def meanwhile(some):
        tell_budgets(some)
        Allocation.objects.update(gpu_seconds_granted=72_000)

    engine.tell_budgets = meanwhile
    passes(engine)
    engine.tell_budgets = tell_budgets

    passes(engine)

    assert engine.budgets[allocation.account].gpu_seconds == 72_000


@pytest.mark.parametrize("count", [1, 3])
def test_a_pass_asks_once_and_each_minute_seven_times(engine, count, django_assert_num_queries):
    for number in range(count):
        case = a_case(lead=with_login(f"anna{number}"))
        a_partner(case)
        an_allocation(case=case)
    passes(engine)

    with django_assert_num_queries(1):
        budgets.tell_budgets(engine)
    a_minute_later()
    with django_assert_num_queries(7):
        budgets.tell_budgets(engine)


def _grant_more(allocation, share, gpu_hours):
    Grant.objects.create(
        allocation=allocation,
        share=share,
        organisation=allocation.case.organisation,
        gpu_seconds=gpu_hours * 3600,
    )
    allocation.gpu_seconds_granted += gpu_hours * 3600
    Allocation.objects.filter(pk=allocation.pk).update(
        gpu_seconds_granted=allocation.gpu_seconds_granted
    )
