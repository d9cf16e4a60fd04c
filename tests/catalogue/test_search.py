import pytest
from django.db import connection
from django.utils import timezone, translation

from fabriek.catalogue import index, queries
from fabriek.catalogue.models import Record, Stem
from fabriek.catalogue.queries import Asked
from fabriek.catalogue.vocabulary import Theme
from fabriek.datasets.models import Dataset
from fabriek.store.models import Repository
from tests.catalogue.conftest import MEMBERS, in_the_catalogue, told_of
from tests.datasets.conftest import made
from tests.factories import a_case, a_partner, a_person

pytestmark = pytest.mark.django_db


def codes(person, **asked):
    ids = queries.search(person, Asked(**asked))
    return [record.dataset.code for record in queries.on_page(ids)]


def test_a_word_is_found_in_other_forms_and_in_both_languages():
    dataset = in_the_catalogue()

    for words in (
        "bericht",
        "Berichten",
        "message",
        "patiënt",
        "patients",
        "ZORG",
        "verzonnen",
    ):
        assert codes(None, q=words) == [dataset.code], words


def test_every_word_must_be_there():
    dataset = in_the_catalogue()

    assert codes(None, q="berichten triage") == [dataset.code]
    assert codes(None, q="berichten vliegtuigen") == []


def test_a_compound_is_found_by_its_beginning_behind_the_word_itself():
    compound = in_the_catalogue(
        title_nl="Zorgkosten per gemeente",
        title_en="Costs",
        keywords=[],
        text_nl="x",
        text_en="",
    )
    itself = in_the_catalogue(
        title_nl="Iets anders", title_en="Else", keywords=[], text_nl="Over zorg", text_en=""
    )

    assert codes(None, q="zorgkosten") == [compound.code]
    assert set(codes(None, q="zorg")) == {compound.code, itself.code}
    assert codes(None, q="kosten") == []


def test_a_title_counts_more_than_a_text():
    in_text = in_the_catalogue(title_nl="Iets", text_nl="Over fietsen en treinen")
    in_title = in_the_catalogue(title_nl="Fietsen", text_nl="Iets")

    assert codes(None, q="fiets") == [in_title.code, in_text.code]


def test_organisation_theme_and_code_are_searched_too():
    dataset = in_the_catalogue()
    owner = dataset.repository.organisation.name

    assert codes(None, q=owner) == [dataset.code]
    with translation.override("nl"):
        said = str(Theme.HEAL.label)  # in English where no catalogue is compiled
    assert codes(None, q=said) == codes(None, q="health") == [dataset.code]
    assert codes(None, q=dataset.code) == [dataset.code]


@pytest.mark.parametrize(
    ("asked", "is_found"),
    [
        ({"theme": "HEAL"}, True),
        ({"theme": "ECON"}, False),
        ({"access": "RESTRICTED"}, True),
        ({"access": "PUBLIC"}, False),
        ({"licence": "CC-BY-4.0"}, True),
        ({"licence": "CC0-1.0"}, False),
        ({"language": "en"}, True),
        ({"language": "de"}, False),
        ({"personal": "no"}, True),
        ({"personal": "yes"}, False),
        ({"owner": "999999"}, False),
        ({"theme": "no such theme"}, True),
        ({"owner": "1 or 1=1"}, True),
        ({"q": "berichten", "theme": "ECON"}, False),
    ],
)
def test_filters_narrow_and_what_they_do_not_know_is_left_aside(asked, is_found):
    dataset = in_the_catalogue()

    assert codes(None, **asked) == ([dataset.code] if is_found else [])


def test_who_finds_what():
    lead, partner, stranger, staff = a_person(), a_person(), a_person(), a_person(duty="staff")
    case = a_case(lead=lead)
    a_partner(case, lead=partner)
    hidden = made(by=lead, case=case, title="Verborgen")
    told_of(hidden)
    members = in_the_catalogue(listed_for=MEMBERS)
    everybody = in_the_catalogue()

    assert set(codes(None)) == {everybody.code}
    for person in (stranger, staff):
        assert set(codes(person)) == {everybody.code, members.code}
    for person in (lead, partner):
        assert set(codes(person)) == {everybody.code, members.code, hidden.code}


def test_what_is_taken_back_is_found_no_more():
    dataset = in_the_catalogue()
    Repository.objects.filter(pk=dataset.repository_id).update(listed_for="nobody")

    assert codes(None, q="berichten") == codes(a_person(), q="berichten") == []


def test_a_changed_record_is_found_by_its_new_words_only():
    dataset = in_the_catalogue()
    told_of(dataset, title_nl="Vliegtuigen", text_nl="Iets", keywords=["luchtvaart"])

    assert codes(None, q="vliegtuig") == codes(None, q="luchtvaart") == [dataset.code]
    assert codes(None, q="triage") == []


@pytest.mark.parametrize(
    "words", ["", "   ", "%", "_", "'; drop table", "\x00", "💥", "de het een", "a" * 5000]
)
def test_strange_words_break_nothing(words):
    in_the_catalogue()

    assert len(codes(None, q=words[:200])) in {0, 1}


def many(count):
    """Make records without their actions, which are not what is measured here."""
    lead = a_person()
    case = a_case(lead=lead)
    words = ["zorg", "bericht", "fiets", "water", "kaart", "school", "geluid", "energie"]
    repositories = Repository.objects.bulk_create(
        Repository(
            kind="dataset", case=case, organisation=case.organisation, listed_for="everybody"
        )
        for _ in range(count)
    )
    datasets = Dataset.objects.bulk_create(
        Dataset(
            code=f"D26-{number:05d}",
            case=case,
            repository=repository,
            title=f"Gegevens {words[number % 8]} {words[number % 7]} {number}",
            licence="CC-BY-4.0",
            has_personal_data=False,
            created_by=lead,
        )
        for number, repository in enumerate(repositories)
    )
    records = Record.objects.bulk_create(
        Record(dataset=dataset, theme="HEAL", changed_at=timezone.now()) for dataset in datasets
    )
    stems = []
    for record in records:
        found = index.stems.weighed(index.texts(record))
        filler = {f"woord{number}": 1 for number in range(record.pk % 50, record.pk % 50 + 12)}
        stems += [
            Stem(record=record, word=word, weight=weight)
            for word, weight in (filler | found).items()
        ]
    Stem.objects.bulk_create(stems, batch_size=2000)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")  # as PostgreSQL does by itself, a minute later


@pytest.mark.slow
def test_ten_thousand_records_are_searched_in_three_queries(django_assert_num_queries):
    many(10_000)

    for words in ("zorg", "gegevens fiets", "gegevens"):
        with django_assert_num_queries(3):
            ids = queries.search(None, Asked(q=words))
            found = queries.on_page(ids[:25])
            count = ids.count()

        assert len(found) == 25
        assert count >= 2500
