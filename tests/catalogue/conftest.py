"""Records as owners fill them in, through the actions themselves."""

import pytest

from fabriek.catalogue import actions
from fabriek.store.models import Repository
from tests.datasets.conftest import made, push
from tests.factories import a_case, a_person

WHOLE = {
    "title_nl": "Berichten aan de zorgbalie",
    "title_en": "Messages to the care desk",
    "text_nl": "Verzonnen berichten van patiënten, met de balie waar ze horen.",
    "text_en": "Made-up messages of patients, with the desk where they belong.",
    "theme": "HEAL",
    "keywords": ["zorg", "triage"],
    "languages": ["nl", "en"],
    "tasks": ["text-classification"],
    "maker": "Firma Noord",
    "contact_name": "Team data",
    "contact_email": "data@noord.example",
    "access": "RESTRICTED",
    "place": "Utrecht",
    "how_collected": "Geschreven door twee verpleegkundigen.",
    "frequency": "NEVER",
    "source": "https://noord.example/berichten",
    "landing_page": "https://noord.example/over",
}
EVERYBODY = Repository.Listed.EVERYBODY
MEMBERS = Repository.Listed.MEMBERS


def told_of(dataset, **changes):
    """Fill in the record of a dataset, all of it."""
    return actions.edit(dataset, by=dataset.created_by, changes=WHOLE | changes)


def found_by_all(dataset, listed_for=EVERYBODY):
    return actions.list_for(dataset, by=dataset.created_by, listed_for=listed_for)


def in_the_catalogue(*, files=None, listed_for=EVERYBODY, facts=None, **changes):
    """Make a dataset whose record is whole, and let it be found."""
    dataset = made(**(facts or {}))
    if files:
        push(dataset, files)
    told_of(dataset, **changes)
    found_by_all(dataset, listed_for)
    dataset.refresh_from_db()
    return dataset


def opened(dataset):
    """Let everybody read the files too, without all that the action asks for."""
    Repository.objects.filter(pk=dataset.repository_id).update(is_open=True)
    return dataset


@pytest.fixture
def lead():
    return a_person()


@pytest.fixture
def dataset(lead):
    return made(by=lead, case=a_case(lead=lead))
