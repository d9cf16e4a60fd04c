"""Names of people, where the program that reads them is installed (`make .venv/names`)."""

from pathlib import Path

import pytest
from django.conf import settings as factory

from fabriek.quality import actions
from fabriek.quality.states import ErrandState
from fabriek.store import queries as store
from tests.quality.conftest import looked_at, passes

HOME = Path(factory.NAMES_HOME)
pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.slow,
    pytest.mark.skipif(
        not (HOME / "tables" / "ready").exists(),
        reason="Names cannot be read here: make .venv/names.",
    ),
]
TEXT = (
    "Mevrouw Jansen-de Vries belde met Piet Bakker over de rekening\n"
    "De balie in Utrecht sloot om vijf uur en ging niet meer open\n"
)


@pytest.fixture
def reader(settings):
    settings.NAMES_PYTHON = str(HOME / "bin" / "python")


def test_names_are_found_by_row_and_masked(dataset, lead, reader):
    found = looked_at(dataset, {"a.txt": TEXT.encode()})
    assert found.state == ErrandState.DONE, found.trouble
    assert found.result["names"] == "sampled"
    names = [one for one in found.result["findings"] if one["kind"] == "name"]
    assert [(one["column"], one["rows"], one["count"]) for one in names] == [("text", [1], 1)]

    actions.decide(dataset, found.revision, "text", choice="mask", by=lead)
    treatment = passes(actions.treat(dataset, found.revision, by=lead))

    with store.the_store().open(store.listing(treatment.made)["a.txt"]) as file:
        made = file.read().decode()
    assert made == TEXT.replace("Mevrouw Jansen-de Vries", "[NAME]").replace(
        "Piet Bakker", "[NAME]"
    )


def test_without_the_reader_names_cannot_be_masked(dataset, lead, reader, settings):
    found = looked_at(dataset, {"a.txt": TEXT.encode()})
    actions.decide(dataset, found.revision, "text", choice="mask", by=lead)
    settings.NAMES_PYTHON = ""

    treatment = passes(actions.treat(dataset, found.revision, by=lead))

    assert (treatment.state, treatment.trouble) == (ErrandState.FAILED, "no_names")
