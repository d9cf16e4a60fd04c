"""Who is told what of the use of data: its owner all, the parties theirs, others nothing."""

import pytest
from django.urls import reverse
from django.utils import timezone

from fabriek.agreements import policy, use_queries
from fabriek.agreements.states import AGREEMENT
from fabriek.people.models import Membership, Person
from fabriek.runs import ended_agreements
from fabriek.store.models import Repository
from tests.agreements.policy_world import a_policy_world, an_agreement, passed_on
from tests.factories import a_case, a_model, a_partner, a_person, an_organisation, staff
from tests.runs.world import a_text, a_world

pytestmark = pytest.mark.django_db
SECRET = "Misused for another model."


def lines(person):
    return list(map(use_queries.line, use_queries.of(Person.objects.get(pk=person.pk))))


# --- what was stated at the end --------------------------------------------------------------
@pytest.fixture
def over():
    """Give a world whose agreement was revoked, and the agreement."""
    world = a_policy_world(listed_for="members")
    agreement = world.agree()
    policy.decide(world.read())
    AGREEMENT.take("revoke", agreement, by=None, over_at=timezone.now(), reason=SECRET)
    ended_agreements.tick()
    assert agreement.statement.facts["fetched_by"] == [str(world.user)]
    return world, agreement


def the_statement(agreement):
    return [
        f"/api/data-use/statements/{agreement.code}",
        reverse("data_use:statement", args=[agreement.code]),
        reverse("data_use:statement_file", args=[agreement.code]),
    ]


@pytest.mark.parametrize("who", ["staff", "stranger"])
def test_reason_and_names_are_for_the_parties(over, browser, program, who):
    world, agreement = over
    person = staff() if who == "staff" else world.stranger

    for address in the_statement(agreement):
        client = program(person) if address.startswith("/api") else browser(person)
        answer = client.get(address)
        assert answer.status_code == 404
        assert SECRET not in answer.text


def test_the_parties_read_it(over, browser, program):
    world, agreement = over

    for person in (world.owner, world.user):
        for address in the_statement(agreement):
            client = program(person) if address.startswith("/api") else browser(person)
            assert str(world.user) in client.get(address).text


# --- the log ---------------------------------------------------------------------------------
def test_who_left_is_told_nothing_of_what_is_not_theirs_to_see():
    world = a_policy_world()
    world.agree()
    policy.decide(world.read())
    assert [line.dataset for line in lines(world.user)] == [world.dataset.code]

    Membership.objects.filter(person=world.user).delete()
    Repository.objects.filter(pk=world.repository.pk).update(title="Renamed since")

    assert lines(world.user) == []


def test_who_left_is_told_no_agreement_on_data_that_everybody_finds():
    world = a_policy_world(listed_for="members")
    policy.decide(world.read())
    world.agree()
    policy.decide(world.read())

    Membership.objects.filter(person=world.user).delete()

    assert [(line.agreement, line.allowed) for line in lines(world.user)] == [("", False)]


@pytest.fixture
def unnamed():
    """Give a run on data that only one organisation of its case may use, and another of it."""
    world, owner, third = a_world(), a_person(), a_person()
    world.revision = a_text(a_case(lead=owner), owner)
    a_partner(world.case, organisation=an_organisation(lead=third))
    repository = world.revision.repository
    repository.title = "Unlisted"
    repository.save()
    an_agreement(
        repository,
        world.case,
        place="shared",
        product="model_api",
        organisations=[world.case.organisation],
    )
    return world, world.ask(), third


def test_a_partner_who_is_not_named_is_told_no_line(unnamed, browser):
    world, _run, third = unnamed

    assert [line.title for line in lines(world.person)] == ["Unlisted"]
    assert lines(third) == []
    assert "Unlisted" not in browser(third).get("/data/decisions/").text


def test_nor_does_the_run_tell_it(unnamed, browser, program):
    world, run, third = unnamed
    code = world.revision.repository.code

    page = browser(third).get(run.get_absolute_url())
    told = program(third).get(f"/api/runs/{run.code}")

    assert (page.status_code, told.status_code) == (200, 200)
    assert "some organisations of this case only" in page.text
    assert "Unlisted" not in page.text + told.text
    assert code not in page.text + told.text
    assert told.json()["inputs"] is None


def test_who_is_named_reads_what_the_run_works_on(unnamed, browser, program):
    world, run, _third = unnamed
    code = world.revision.repository.code

    assert "Unlisted" in browser(world.person).get(run.get_absolute_url()).text
    told = program(world.person).get(f"/api/runs/{run.code}").json()
    assert told["inputs"] == {"dataset": f"{code}@1"}


def test_a_partner_of_the_owner_sees_only_their_own_use(browser, program):
    world, partner = a_policy_world(), a_person()
    a_partner(world.owning, organisation=an_organisation(member=partner))
    agreement = world.agree()
    policy.decide(world.read())

    address = f"/data/{world.dataset.code}/agreements/decisions/"
    pages = [browser(partner).get(address).text, browser(partner).get("/data/decisions/").text]
    told = program(partner).get(f"/api/data-use/decisions?dataset={world.dataset.code}")

    assert told.json()["items"] == []
    assert str(world.user) not in "".join(pages)
    assert agreement.code not in "".join(pages)
    assert str(world.user) in browser(world.owner).get(address).text


# --- the look at a result --------------------------------------------------------------------
@pytest.mark.parametrize("seen", ["9" * 5000, str(2**63), "-1", "x"])
def test_a_revision_that_is_none_is_not_the_one_that_was_looked_at(browser, seen):
    world = a_policy_world()
    agreement = world.agree(duties=["review"])
    model = a_model(case=world.using)
    result = passed_on(model.repository, agreement, needs_review=True)

    answer = browser(world.owner).post(
        reverse("data_use:review", args=[result.pk]), {"verdict": "released", "revision": seen}
    )

    assert answer.status_code == 409
    result.refresh_from_db()
    assert result.verdict == ""
