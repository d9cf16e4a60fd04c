"""The record of a dataset from a terminal."""

import re

import pytest

from fabriek.catalogue.models import Record
from fabriek.registry import opening
from fabriek.store.models import Repository, Revision
from tests.catalogue.conftest import in_the_catalogue, told_of
from tests.datasets.conftest import push
from tests.factories import a_model, a_person

pytestmark = pytest.mark.django_db


def test_it_shows_what_is_missing_and_how_to_fill_it(fabriek, dataset, lead):
    said = fabriek(lead, "data", "record", dataset.code)

    assert said.exit_code == 0, said.output
    assert "found by" in said.output
    assert "theme" in said.output
    assert "Choose the theme that fits best" in said.output
    assert "dcat" in said.output


def test_it_is_filled_in_word_by_word(fabriek, dataset, lead):
    words = ["--set", "theme=HEAL", "--set", "keywords=zorg, triage", "--set", "maker=A=B"]

    said = fabriek(
        lead, "data", "record", dataset.code, *words, "--set", "period_from=2024-01-01"
    )

    assert said.exit_code == 0, said.output
    record = Record.objects.get()
    assert (record.theme, record.keywords, record.maker) == ("HEAL", ["zorg", "triage"], "A=B")
    fabriek(lead, "data", "record", dataset.code, "--set", "keywords=", "--set", "period_from=")
    record.refresh_from_db()
    assert (record.keywords, record.period_from) == ([], None)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("theme", "is not of the form name=value"),
        ("=x", "is not of the form name=value"),
        ("theme=SPORT", "[invalid]"),
    ],
)
def test_what_will_not_do_is_told(fabriek, dataset, lead, given, said):
    answer = fabriek(lead, "data", "record", dataset.code, "--set", given)

    assert answer.exit_code == 1
    assert said in answer.output
    assert not Record.objects.exists()


def test_listing_and_the_card(fabriek, dataset, lead):
    told_of(dataset)

    listed = fabriek(lead, "data", "record", dataset.code, "--list", "everybody")
    assert "everybody" in listed.output
    card = fabriek(lead, "data", "record", dataset.code, "--card")
    assert card.output.startswith("---\npretty_name: ")
    written = fabriek(lead, "data", "record", dataset.code, "--write-card")
    assert f"README.md is saved: {dataset.code}@1" in written.output
    assert Revision.objects.get().files.get().path == "README.md"


def test_finding_data_of_others(fabriek):
    dataset = in_the_catalogue()

    hit = fabriek(a_person(), "data", "find", "berichten")
    assert dataset.code in hit.output
    assert "ask" in hit.output
    assert "Nothing fits this." in fabriek(a_person(), "data", "find", "vliegtuig").output


def test_open_models_are_found_beside_data_and_by_no_theme(fabriek):
    dataset, model = in_the_catalogue(), a_model(is_open=True)
    Repository.objects.filter(pk=model.repository_id).update(code=model.code)
    model.repository.refresh_from_db()
    opening.tell(model, about="Stuurt berichten naar de balie.")
    asked = {
        (): [dataset.code, model.code],
        ("--kind", "models"): [model.code],
        ("--kind", "datasets"): [dataset.code],
        ("--theme", "HEAL"): [dataset.code],
        ("--open",): [model.code],
    }

    for options, codes in asked.items():
        said = fabriek(a_person(), "data", "find", "berichten", *options).output
        assert re.findall(r"^[DM]\d\d-\d{4}", said, re.MULTILINE) == codes, options


def test_a_dataset_is_opened_found_and_closed(fabriek, dataset, lead):
    push(dataset, {"rows.csv": b"a,b\n1,2\n"})
    told_of(dataset)

    kept = fabriek(lead, "data", "open", dataset.code, input="n\n")
    done = fabriek(lead, "data", "open", dataset.code, "--yes")
    found = fabriek(a_person(), "data", "find", "--open")
    closed = fabriek(lead, "data", "close", dataset.code)

    assert (kept.exit_code, "cannot be taken back" in kept.output) == (1, True)
    assert done.output == f"{dataset.code} is open to everybody.\n"
    assert dataset.code in found.output
    assert closed.output == f"{dataset.code} is closed: new use needs an agreement.\n"
