"""Who leads a case hears nothing of data that was lent to one of its members only."""

import pytest
from django.core import mail
from django.utils import timezone

from fabriek.agreements import actions as agreements
from fabriek.agreements import policy, use_queries
from fabriek.catalogue import gather
from fabriek.kernel.models import Entry
from fabriek.notices import post
from fabriek.notices.models import Watermark
from fabriek.registry import actions
from fabriek.runs import ended_agreements
from fabriek.runs.models import RunInput
from tests.agreements.policy_world import a_policy_world
from tests.answers import put_away
from tests.datasets.conftest import made, push
from tests.factories import a_partner, a_person, an_organisation, staff
from tests.registry.test_what_partners_hear import calls_of, pages_of, secrets, told
from tests.registry.worlds import a_finished_run

pytestmark = pytest.mark.django_db
ROWS = b"naam,klacht\n" + b"Jansen,hoofdpijn\n" * 100


@pytest.fixture
def world():
    """Lend data to one partner, who makes a dataset and a model of it; `user` leads."""
    world = a_policy_world(title="Complaints of Zwanendal")
    world.dataset.title = world.repository.title
    world.dataset.save()
    push(world.dataset, {"rows.csv": ROWS}, by=world.owner)
    world.named = a_person()
    firm = an_organisation(lead=world.named)
    a_partner(world.using, organisation=firm)
    world.agreement = world.agree(organisations=[firm], with_leader=False, duties=["review"])
    policy.decide(world.read(world.named))
    world.copy = made(by=world.named, case=world.using, title="Rows of ours")
    world.copy.description = ""
    world.copy.save()
    said = b"# Rows\n\nThese are rows of the complaints of Zwanendal.\n"
    files = {"zwanendal-rows.csv": ROWS, "README.md": said}
    push(world.copy, files, by=world.named, message="From Zwanendal")
    gather.tick()
    run = a_finished_run(case=world.using, asked_by=world.named)
    RunInput.objects.create(
        run=run,
        name="dataset",
        revision=world.repository.revisions.get(),
        agreement=world.agreement,
    )
    run.meant_for = f",{firm.pk},"
    run.save()
    world.model = actions.register(run)
    world.copy.repository.refresh_from_db()
    return world


def addresses_of_the_copy(world):
    code, repo = world.copy.code, world.copy.repository.repo_id
    source = world.repository.repo_id
    return (
        f"/data/{code}/",
        f"/data/{code}/revisions/1/",
        f"/data/{code}/revisions/1/changes/",
        f"/data/{code}/revisions/1/zwanendal-rows.csv",
        f"/data/{code}/revisions/drop/",
        f"/data/{code}/agreements/",
        f"/data/{code}/agreements/decisions/",
        f"/data/{code}/record/",
        f"/data/{code}/record/README.md",
        f"/data/{code}/look/",
        f"/data/{code}/personal/",
        f"/catalogue/{code}/",
        f"/catalogue/{code}.ttl",
        f"/catalogue/{code}.croissant.json",
        "/catalogue.ttl",
        f"/data/{world.dataset.code}/",
        f"/catalogue/{world.dataset.code}/",
        f"/agreements/{world.agreement.code}/",
        f"/agreements/{world.agreement.code}/odrl",
        f"/data/statements/{world.agreement.code}/",
        f"/data/{world.dataset.code}/agreements/decisions/",
        f"/try/new/?model={world.model.code}",
        f"/runs/new?case={world.using.code}",
        "/data/reviews/",
        "/tracking/",
        "/reports/",
        f"/datasets/{source}/resolve/main/rows.csv",
    ), (
        f"/api/datasets/{code}",
        f"/api/datasets/{code}/files",
        f"/api/datasets/{code}/retention",
        f"/api/data-use/decisions?dataset={code}",
        f"/api/datasets/{repo}",
        f"/api/datasets/{repo}/tree/main",
        f"/api/datasets/{repo}/commits/main",
        f"/api/datasets/{source}",
        f"/api/datasets/{source}/tree/main",
        f"/datasets/{repo}/resolve/main/zwanendal-rows.csv",
        f"/datasets/{source}/resolve/main/rows.csv",
        f"/{world.model.repository.repo_id}/resolve/main/README.md",
        f"/api/models/{world.model.repository.repo_id}/tree/main",
        f"/api/catalogue/{world.dataset.code}",
        f"/api/catalogue/{code}",
        f"/api/catalogue/{code}/card",
        f"/api/catalogue/{code}/record",
        "/api/catalogue/",
        f"/api/agreements/{world.agreement.code}",
    )


def heard(world, client, addresses):
    """Name each address that tells a secret, or hands bytes over."""
    hidden = secrets(world) | {"file": "zwanendal-rows"}
    found = {}
    for address in addresses:
        answer = client.get(address)
        if answer.streaming:
            found[address] = {"bytes"}
            put_away(answer)
        # An address that was asked for by a secret code says it back, and no more.
        elif words := {
            name for name in told(hidden, answer.text) if hidden[name] not in address
        }:
            found[address] = words
    return found


def test_who_leads_the_case_hears_nothing_on_any_page(world, browser):
    pages, _calls = addresses_of_the_copy(world)

    assert heard(world, browser(world.user), (*pages_of(world, world.model), *pages)) == {}


def test_nor_from_any_call_or_hub_client(world, program):
    _pages, calls = addresses_of_the_copy(world)

    assert heard(world, program(world.user), (*calls_of(world.model), *calls)) == {}


def test_the_member_hears_all_of_it(world, browser, program):
    pages, calls = addresses_of_the_copy(world)

    assert len(heard(world, browser(world.named), pages)) > 5
    assert len(heard(world, program(world.named), calls)) > 5


def test_the_log_of_what_was_made_is_no_way_around(world):
    """Their organisation has the copy, as it leads the case; its log names the agreement."""
    policy.decide(
        policy.Wish(
            moment=policy.Moment.READ, repository=world.copy.repository, person=world.named
        )
    )

    def agreements(person):
        is_owned = use_queries.is_owner(person, world.copy.repository)
        rows = use_queries.on(world.copy.repository, person, is_owned=is_owned)
        return {row.agreement for row in rows}

    assert agreements(world.user) == set()
    assert agreements(world.named) == {world.agreement}


def test_letters_and_the_statement_go_to_the_parties_only(world, browser):
    post.tick()
    agreements.revoke(world.agreement, by=world.owner, reason="Zwanendal closes.")
    ended_agreements.tick()
    Entry.objects.update(at=timezone.now() - 2 * post.SETTLING)
    Watermark.objects.update(busy_until=timezone.now())
    post.tick()

    to = {address for letter in mail.outbox for address in letter.to}
    assert world.user.email not in to
    assert {world.named.email, world.owner.email} <= to
    page = f"/data/statements/{world.agreement.code}/"
    assert browser(world.user).get(page).status_code == 404
    assert browser(world.named).get(page).status_code == 200


def test_staff_see_what_they_always_saw(world, browser):
    page = browser(staff()).get(f"/agreements/{world.agreement.code}/")

    assert page.status_code == 200
    assert world.dataset.code in page.text
