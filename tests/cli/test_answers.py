"""Answers made of data of others: a partner who is not named reads them nowhere."""

import pytest

from fabriek.runs import saving
from fabriek.runs.destinations import Destination
from fabriek.runs.saved_in import SavedIn
from tests.agreements.policy_world import an_agreement
from tests.factories import a_case, a_partner, a_person, an_organisation
from tests.runs.test_saving import NAMES, answered, destination
from tests.runs.world import a_text, a_world

pytestmark = pytest.mark.django_db


@pytest.fixture
def world(db):
    return a_world()


@pytest.fixture
def partners(world):
    """Give data lent to one partner of the case only, and people of both partners."""
    owner, named, other = a_person(), a_person(), a_person()
    firm = an_organisation(lead=named)
    a_partner(world.case, organisation=firm)
    a_partner(world.case, lead=other)
    revision = a_text(a_case(lead=owner), owner, title="Secret ledger")
    agreement = an_agreement(
        revision.repository, world.case, organisations=[firm], purposes=["evaluation"]
    )
    run = answered(world, to=SavedIn(), revision=revision)
    run.asked_by = named
    run.save()
    Destination.objects.filter(run=run).update(asked_by=named)
    saving.tick()
    return run, named, other, agreement


def test_a_partner_who_is_not_named_reads_no_answers_anywhere(
    partners, browser, program, fabriek, tmp_path
):
    run, named, other, agreement = partners
    dataset = destination(run).dataset
    path = f"{run.code}/{NAMES[0]}"
    addresses = [
        f"/api/datasets/{dataset.code}/files/{path}",
        f"/datasets/{dataset.repository.repo_id}/resolve/main/{path}",
        f"/api/datasets/{dataset.repository.repo_id}/tree/main",
        f"/api/runs/{run.code}/made/{NAMES[0]}",
    ]

    theirs = [program(other).get(address).status_code for address in addresses]
    page = browser(other).get(dataset.get_absolute_url()).content.decode()
    run_page = browser(other).get(run.get_absolute_url()).content.decode()
    pulled = fabriek(other, "data", "pull", dataset.code, str(tmp_path / "pulled"))

    assert theirs == [403, 403, 403, 403]
    assert NAMES[0] not in page
    assert "Wie 1?" not in page + run_page
    assert "Secret ledger" not in page + run_page
    assert agreement.code not in page + run_page
    assert pulled.exit_code != 0
    assert not list((tmp_path / "pulled").rglob("*.jsonl"))
    got = program(named).get(addresses[1])
    assert got.status_code in {200, 302}
    got.close()


def test_answers_are_saved_from_a_terminal(fabriek, world):
    run = answered(world, to=None)

    result = fabriek(world.person, "runs", "save", run.code, "--title", "Late")
    saving.tick()
    again = fabriek(world.person, "runs", "show", run.code)

    assert (result.exit_code, again.exit_code) == (0, 0), result.stderr
    assert "The answers are being saved, within a minute." in result.stdout
    assert f"saved in {destination(run).dataset.code}, as revision 1" in again.stdout


def test_of_a_run_of_others_nothing_is_saved(fabriek, world):
    run = answered(world, to=None)

    result = fabriek(a_person(), "runs", "save", run.code)

    assert result.exit_code != 0
    assert not Destination.objects.exists()
