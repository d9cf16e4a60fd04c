import pytest

from fabriek.catalogue.models import Record
from fabriek.store.models import Repository, Revision
from tests.catalogue.conftest import MEMBERS, in_the_catalogue, told_of
from tests.datasets.conftest import push
from tests.factories import a_person, an_organisation

pytestmark = pytest.mark.django_db


def record_of(dataset):
    return f"/api/catalogue/{dataset.code}/record"


def test_the_record_is_shown_with_what_is_missing(program, dataset, lead):
    body = program(lead).get(record_of(dataset)).json()

    assert (body["code"], body["listed_for"], body["theme"]) == (dataset.code, "nobody", "")
    assert [gap["field"] for gap in body["gaps"] if gap["is_must"]] == [
        "theme",
        "maker",
        "contact_name",
        "contact_email",
        "access",
        "files",
        "languages",
    ]
    assert {each["output"]: each["is_valid"] for each in body["standings"]} == {
        "dcat": False,
        "croissant": False,
        "card": False,
    }
    assert [step["name"] for step in body["next_steps"]] == ["record", "listed"]


def test_only_what_is_sent_is_changed(program, dataset, lead):
    told_of(dataset)

    answer = program(lead).patch(
        record_of(dataset),
        {"theme": "ECON", "keywords": ["geld"], "period_from": "2024-01-01"},
        content_type="application/json",
    )

    assert answer.status_code == 200
    record = Record.objects.get()
    assert (record.theme, record.keywords, record.maker) == ("ECON", ["geld"], "Firma Noord")
    assert answer.json()["period_from"] == "2024-01-01"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"theme": "SPORT"}, "theme"),
        ({"landing_page": "javascript:x"}, "landing_page"),
        ({"keywords": ["x" * 100]}, "keywords"),
        ({"period_from": "soon"}, "period_from"),
        ({"keywords": "a,b"}, "keywords"),
    ],
)
def test_what_will_not_do_names_its_field(program, dataset, lead, body, field):
    answer = program(lead).patch(record_of(dataset), body, content_type="application/json")

    assert answer.status_code == 422
    assert list(answer.json()["fields"]) == [field]
    assert not Record.objects.exists()


def test_listing_and_card(program, dataset, lead):
    told_of(dataset)
    client = program(lead)
    address = f"/api/catalogue/{dataset.code}"

    given = {"listed_for": "everybody"}
    answer = client.post(f"{address}/listed", given, content_type="application/json")
    assert answer.json()["listed_for"] == "everybody"
    assert client.get(f"{address}/card").json()["card"].startswith("---\npretty_name")
    assert client.post(f"{address}/card").json()["number"] == 1
    assert Revision.objects.get().files.get().path == "README.md"


def test_searching_finds_and_says_what_to_do(program):
    dataset = in_the_catalogue(listed_for=MEMBERS)
    in_the_catalogue(title_en="Else", keywords=[], text_en="x", text_nl="x", title_nl="Anders")
    client = program(a_person())

    body = client.get("/api/catalogue/?q=triage").json()

    assert body["count"] == 1
    hit = body["items"][0]
    assert (hit["code"], hit["title"]) == (dataset.code, "Messages to the care desk")
    assert hit["way"]["kind"] == "ask"
    assert client.get("/api/catalogue/?theme=HEAL").json()["count"] == 2
    assert client.get("/api/catalogue/?theme=ECON").json()["count"] == 0


def test_strangers_learn_nothing_and_change_nothing(program, client, dataset):
    push(dataset, {"a.txt": b"1"})
    listed = in_the_catalogue()
    stranger = program(a_person(duty="staff"))

    for code in (dataset.code, listed.code, "D99-9999"):
        address = f"/api/catalogue/{code}"
        assert stranger.get(f"{address}/record").status_code == 404
        assert stranger.get(f"{address}/card").status_code == 404
        assert stranger.post(f"{address}/card").status_code == 404
        for method, path, body in (
            (stranger.patch, "record", {"theme": "ECON"}),
            (stranger.post, "listed", {"listed_for": "nobody"}),
        ):
            answer = method(f"{address}/{path}", body, content_type="application/json")
            assert answer.status_code == 404
    assert client.get("/api/catalogue/").status_code == 401
    assert Repository.objects.get(pk=listed.repository_id).listed_for == "everybody"
    assert Record.objects.get().theme == "HEAL"


@pytest.mark.parametrize("count", [1, 3])
def test_a_search_costs_the_same_for_1_and_3(program, django_assert_num_queries, count):
    for _ in range(count):
        in_the_catalogue()
    person = a_person()
    an_organisation(lead=person)
    client = program(person)
    client.get("/api/catalogue/")  # the token notes once a day that it was used

    # Token and person, memberships, and: ids, records; mine and agreements of no case are none.
    with django_assert_num_queries(5):
        assert client.get("/api/catalogue/?q=berichten").json()["count"] == count
