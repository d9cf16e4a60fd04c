"""Runs on lent data: under which account they work, and who of the case sees into them."""

import pytest
from django.test import Client

from fabriek.agreements import circles
from fabriek.agreements.models import Decided
from fabriek.engines.base import Phase, Sighting
from fabriek.engines.fake import Fake
from fabriek.runs import actions, apart, facts, jobs, rules, use
from fabriek.runs.models import Run
from tests.agreements.policy_world import an_agreement, passed_on
from tests.factories import a_case, a_partner, a_person, a_token, an_organisation
from tests.runs.test_ended_agreements import a_lab, a_lent_world
from tests.runs.world import a_text, passes, seen_again


@pytest.fixture
def named(settings, monkeypatch):
    """Give cases their accounts; the hook is believed to have made each."""
    settings.UNIX_ACCOUNTS = True
    made = []
    monkeypatch.setattr("fabriek.runs.accounts.ensure", made.append)
    return made


@pytest.fixture
def engine():
    return Fake()


@pytest.fixture
def partner(lent):
    """Somebody of an organisation in the case that the data is not meant for."""
    person = a_person()
    a_partner(lent.world.case, organisation=an_organisation(lead=person))
    return person


@pytest.fixture
def lent(db):
    return a_lent_world(place="shared")


def only_for(lent, *firms):
    lent.agreement.organisations.set(firms)


def lead(lent):
    return lent.world.case.organisation


def inside(run, person) -> bool:
    return run in Run.objects.seen_inside_by(person)


# --- the account ----------------------------------------------------------------------------
def test_own_data_is_worked_on_as_the_case(world, named):
    assert world.ask().unix_account == world.case.unix_account


def test_data_that_stays_on_the_machine_is_where_no_session_of_the_case_is(lent, named):
    run = lent.ask()

    assert run.unix_account == f"{lent.world.case.unix_account}-l"
    assert a_lab(lent, inputs={}).unix_account == lent.world.case.unix_account


def test_data_that_all_of_the_case_may_carry_away_lies_with_the_rest(db, named):
    lent = a_lent_world(place="open", product="model_weights")

    assert lent.ask().unix_account == lent.world.case.unix_account


def test_data_for_some_of_the_case_does_not_lie_with_the_rest(db, named):
    lent = a_lent_world(place="open", product="model_weights")
    only_for(lent, lead(lent))

    assert lent.ask().unix_account == f"{lent.world.case.unix_account}-l"


def test_sessions_on_data_for_some_are_apart_from_those_of_the_others(db, named):
    lent = a_lent_world(place="open", product="model_weights")
    other = an_organisation()
    a_partner(lent.world.case, organisation=other)
    plain = lent.world.case.unix_account
    accounts = []
    for firms in ([lead(lent)], [lead(lent), other], [other]):
        only_for(lent, *firms)
        accounts.append(a_lab(lent).unix_account)

    first, both, by_leader = accounts
    assert both == by_leader  # who leads the case is always meant
    assert len({plain, first, both}) == 3
    assert first.startswith(f"{plain}-")


def test_what_was_made_of_it_is_kept_apart_too(lent, named):
    world = lent.world
    own = a_text(world.case, world.person, text="of it " * 40)
    passed_on(own.repository, lent.agreement)

    assert world.ask(inputs={"dataset": own}).unix_account.endswith("-l")


def test_a_session_that_begins_with_its_files_stays_apart(db, named):
    lent = a_lent_world(place="open", product="model_weights")
    only_for(lent, lead(lent))
    first = a_lab(lent)
    wish = lent.world.wish(recipe="lab", knobs={"idle_minutes": 30}, timeout_s=3600, inputs={})
    later = actions.ask(
        wish, allocation=lent.world.allocation, by=lent.world.person, continues=first
    )

    assert later.apart == first.apart != ""


def test_the_engine_knows_the_account_before_the_run_is_sent(lent, named, engine):
    lent.world.ask(inputs={"dataset": a_text(lent.world.case, lent.world.person)})
    passes(engine)
    before = engine.budgets[lent.world.allocation.account].users
    run = lent.ask()
    passes(engine)

    users = engine.budgets[lent.world.allocation.account].users
    assert set(users) - set(before) == {run.unix_account}
    assert jobs.job_of(run).user == run.unix_account
    assert run.unix_account in named


def test_what_somebody_asks_a_model_lies_where_no_session_of_the_case_is():
    assert apart.is_private("try_model")
    assert not any(apart.is_private(name) for name in ("lab", "script", "pretrain_lm", "no"))


# --- what is fetched while it runs ----------------------------------------------------------
def test_a_run_of_the_case_cannot_fetch_what_may_not_lie_there(world, db, named, engine):
    owner = a_person()
    other = a_text(a_case(lead=owner), owner)
    an_agreement(other.repository, world.case, place="shared")
    run = world.ask()
    passes(engine)
    engine.move(run.key, Sighting(Phase.RUNNING))
    passes(engine)

    decision = use.fetch(seen_again(run), other.repository, 1)

    assert (decision.allowed, decision.code) == (False, "not_beside")
    assert Decided.objects.latest("pk").code == "not_beside"


def test_a_run_that_is_apart_fetches_what_may_lie_there(lent, named, engine):
    owner = a_person()
    other = a_text(a_case(lead=owner), owner)
    an_agreement(other.repository, lent.world.case, place="shared", organisations=[lead(lent)])
    run = lent.ask()

    assert use.fetch(run, other.repository, 1).allowed
    assert seen_again(run).meant_for == f",{lead(lent).pk},"


def test_of_data_that_is_nothing_to_the_case_not_even_that_is_said(world, named):
    owner = a_person()
    other = a_text(a_case(lead=owner), owner)

    assert use.fetch(world.ask(), other.repository, 1).code == "not_yours"


# --- who sees into it -----------------------------------------------------------------------
def test_whom_the_data_is_not_meant_for_sees_that_the_run_is_there_and_no_more(lent, partner):
    only_for(lent, lead(lent))
    run = lent.ask()
    program = Client(headers={"Authorization": f"Bearer {a_token(partner)}"})
    browser = Client(headers={"Accept-Language": "en"})
    browser.force_login(partner)

    assert not inside(run, partner)
    assert inside(run, lent.world.person)
    page = browser.get(run.get_absolute_url()).content.decode()
    assert "some organisations of this case only" in page
    assert program.get(f"/api/runs/{run.code}").json().get("knobs") is None
    for below in ("log", "metrics"):
        assert program.get(f"/api/runs/{run.code}/{below}").status_code == 404
    assert browser.get(f"/runs/new/?like={run.code}").status_code == 404
    uuid = run.key.removeprefix("fabriek-")
    for address in ("runs/get", "metrics/get-history"):
        told = program.get(f"/api/2.0/mlflow/{address}?run_id={uuid}&metric_key=loss")
        assert told.status_code == 404
    assert run.code not in browser.get(f"/cases/{run.case.code}/tracking/").content.decode()


def test_whom_it_is_meant_for_sees_into_it_also_when_the_agreement_ended(lent, partner):
    only_for(lent, lead(lent), partner.organisation_ids[0])
    run = lent.ask()
    lent.revoke()

    assert inside(run, partner)


def test_data_for_the_whole_case_hides_nothing_from_who_joins_later(lent):
    run = lent.ask()
    person = a_person()
    a_partner(lent.world.case, organisation=an_organisation(lead=person))

    assert run.meant_for == ""
    assert inside(run, person)


def test_a_number_that_begins_alike_is_another_organisation(lent, partner):
    run = lent.ask()
    key = partner.organisation_ids[0]
    Run.objects.filter(pk=run.pk).update(meant_for=f",{key}1,1{key},")

    assert not inside(run, partner)
    assert not seen_again(run).is_meant_for(partner)


def test_who_is_not_meant_may_stop_the_run_and_is_offered_no_more(lent, partner, engine):
    only_for(lent, lead(lent))
    run = lent.ask()

    assert [step.name for step in rules.next_steps(partner, run)] == ["cancel"]
    Run.objects.filter(pk=run.pk).update(state="failed", failure={"code": "diverged"})
    assert rules.next_steps(partner, seen_again(run)) == []
    assert rules.next_steps(lent.world.person, seen_again(run)) != []


def test_what_a_dry_run_measured_is_for_whom_it_is_meant(lent, partner):
    only_for(lent, lead(lent))
    run = lent.ask(is_dry=True)

    told = [str(one.value) for one in facts.of(run, inside=False)]

    assert "It makes no model: it measures ten steps." in told


def test_two_fetches_at_once_both_narrow(lent, partner, named):
    """Each request has read the run for itself."""
    data = []
    for firms in ([lead(lent)], [lead(lent), partner.organisation_ids[0]]):
        owner = a_person()
        other = a_text(a_case(lead=owner), owner)
        an_agreement(other.repository, lent.world.case, place="shared", organisations=firms)
        data.append(other.repository)
    run = lent.ask()
    first, second = seen_again(run), seen_again(run)

    assert use.fetch(first, data[0], 1).allowed
    assert use.fetch(second, data[1], 1).allowed

    assert seen_again(run).meant_for == f",{lead(lent).pk},"


# --- circles --------------------------------------------------------------------------------
def test_circles_together_and_either():
    one, two = circles.Circle(frozenset({1, 2})), circles.Circle(frozenset({2, 3}))

    assert (one & two).members == {2}
    assert (one | two).members == {1, 2, 3}
    assert one & circles.EVERYBODY == one
    assert circles.EVERYBODY & one == one
    assert (one | circles.EVERYBODY) == circles.EVERYBODY
