"""Answers to rows of lent data, and rows that an evaluation shows, go with the data."""

import json

import pytest

from fabriek.agreements.models import Statement
from fabriek.runs import ended_agreements, evaluated, saving
from fabriek.runs.saved_in import SavedIn
from tests.agreements.policy_world import an_agreement
from tests.factories import a_case, a_person
from tests.runs.test_made import scored
from tests.runs.test_saving import NAMES, answered, destination
from tests.runs.world import a_text

pytestmark = pytest.mark.django_db


@pytest.fixture
def lent(world):
    """Give data that must be deleted at the end, and its agreement."""
    owner = a_person()
    revision = a_text(a_case(lead=owner), owner)
    terms = {"purposes": ["evaluation"], "product": "statistics", "duties": ["delete"]}
    return revision, an_agreement(revision.repository, world.case, place="shared", **terms)


def revoke(agreement) -> None:
    agreement.state = "revoked"
    agreement.ended_at = agreement.begins_at
    agreement.save()


def removed() -> set[str]:
    return {row["name"] for row in Statement.objects.get().facts["removed"]}


def test_answers_go_from_the_run_and_stay_closed_in_the_dataset(world, lent, browser):
    revision, agreement = lent
    run = answered(world, to=SavedIn(), revision=revision)
    saving.tick()
    dataset = destination(run).dataset
    revoke(agreement)

    ended_agreements.tick()

    assert not (run.folder / "outputs" / "answers").exists()
    assert "outputs/answers" in removed()
    page = browser(world.person).get(dataset.get_absolute_url()).content.decode()
    assert NAMES[0] not in page


def test_an_evaluation_keeps_its_figures_and_loses_its_rows(world, lent):
    revision, agreement = lent
    run = answered(world, to=None, revision=revision)
    run.recipe, run.scores = "evaluate", {"urgentie: accuracy": 0.5}
    run.save()
    scored(run)
    revoke(agreement)

    ended_agreements.tick()
    ended_agreements.tick()

    kept = (run.folder / "outputs" / "evaluation.json").read_text()
    found = evaluated.of_run(run)
    assert "Iets van een ander" not in kept
    assert json.loads(kept)["worst"] == []
    assert found is not None
    assert found.scores[0].value == 0.5
    assert "outputs/evaluation.json" in removed()
