"""An owner opens a dataset to everybody, and closes it again for new use."""

import gzip

import pytest
from rdflib import Graph, URIRef
from rdflib.namespace import DCTERMS

from fabriek.agreements import inheritance, policy
from fabriek.agreements.policy import Moment, Wish
from fabriek.catalogue import actions, opening, queries
from fabriek.catalogue.queries import Asked
from fabriek.datasets import actions as datasets
from fabriek.datasets import rules
from fabriek.datasets.models import Dataset
from fabriek.kernel.errors import Invalid, NotAllowed, WrongState
from fabriek.kernel.models import Entry
from fabriek.quality.models import Look
from fabriek.store.models import Repository
from tests.agreements.policy_world import an_agreement, passed_on
from tests.catalogue.conftest import told_of
from tests.datasets.conftest import FACTS, made, push
from tests.factories import a_case, a_dataset, a_partner, a_person, an_organisation, staff
from tests.hub.calls import NDJSON, header, lines, small

pytestmark = pytest.mark.django_db
PUBLIC = URIRef("http://publications.europa.eu/resource/authority/access-right/PUBLIC")
RESTRICTED = URIRef(str(PUBLIC).replace("PUBLIC", "RESTRICTED"))


@pytest.fixture
def ready(dataset):
    """Make a dataset that nothing stands in the way of."""
    push(dataset, {"rows.csv": b"a,b\n1,2\n"})
    told_of(dataset)
    return dataset


def is_open(dataset):
    return Repository.objects.get(pk=dataset.repository_id).is_open


def reads(person, dataset):
    repository = Repository.objects.get(pk=dataset.repository_id)
    wish = Wish(moment=Moment.READ, repository=repository, person=person)
    return policy.would(wish).allowed


def found_in(dataset, number=1, findings=({"column": "naam"},)):
    return Look.objects.create(
        dataset=dataset,
        revision=dataset.repository.revisions.get(number=number),
        state="done",
        result={"findings": list(findings)},
    )


def rights(client, dataset):
    text = client.get(f"/catalogue/{dataset.code}.ttl").text
    return list(Graph().parse(data=text).objects(predicate=DCTERMS.accessRights))


# --- opening -----------------------------------------------------------------------------
def test_what_is_opened_is_found_and_read_by_everybody(ready, lead, client, program):
    stranger = a_person()

    opening.open_up(ready, by=lead, sure=True)

    assert reads(stranger, ready)
    file = program(stranger).get(f"/api/datasets/{ready.code}/files/rows.csv")
    assert b"".join(file.streaming_content) == b"a,b\n1,2\n"
    assert "rows.csv" in client.get(f"/catalogue/{ready.code}/").text
    assert Entry.objects.get(verb="catalogue.open").by == lead


def test_other_catalogues_are_told_that_it_is_public(ready, lead, client):
    assert client.get(f"/catalogue/{ready.code}.ttl").status_code == 404

    opening.open_up(ready, by=lead, sure=True)

    assert rights(client, ready) == [PUBLIC]
    assert ready.code in client.get("/catalogue.ttl").text
    croissant = client.get(f"/catalogue/{ready.code}.croissant.json").json()
    assert croissant["conditionsOfAccess"] == "Open to everybody."
    assert [one["name"] for one in croissant["distribution"]] == ["rows.csv"]


def test_twice_is_once(ready, lead):
    opening.open_up(ready, by=lead, sure=True)
    opening.open_up(ready, by=lead, sure=True)

    assert Entry.objects.filter(verb="catalogue.open").count() == 1


def test_only_a_lead_of_the_owner_opens_or_closes(ready, browser, program):
    member, partner = a_person(), a_person()
    ready.case.organisation.memberships.create(person=member, role="member")
    a_partner(ready.case, lead=partner)

    for person in (member, partner, staff(), a_person()):
        for act in (lambda by: opening.open_up(ready, by=by, sure=True), None):
            with pytest.raises(NotAllowed):
                act(person) if act else opening.close(ready, by=person)
        page = browser(person).post(f"/data/{ready.code}/record/open/", {"sure": "on"})
        call = program(person).post(
            f"/api/catalogue/{ready.code}/open", {"sure": True}, content_type="application/json"
        )
        assert {page.status_code, call.status_code} <= {403, 404}

    assert not is_open(ready)


def test_who_is_not_sure_is_told_that_copies_stay(ready, lead):
    with pytest.raises(Invalid, match="copies already made") as refused:
        opening.open_up(ready, by=lead, sure=False)

    assert refused.value.code == "not_sure"
    assert not is_open(ready)


@pytest.mark.parametrize("licence", ["consortium-only", "other"])
def test_a_licence_that_is_not_for_everybody_comes_first(lead, licence):
    dataset = made(by=lead, licence=licence)
    push(dataset, {"rows.csv": b"a,b\n1,2\n"})
    told_of(dataset)

    with pytest.raises(Invalid, match="Its licence does not let everybody use it"):
        opening.open_up(dataset, by=lead, sure=True)

    assert not is_open(dataset)


def test_without_files_or_a_record_it_says_what_is_missing(dataset, lead):
    said = opening.standing(queries.record_of(dataset)).obstacles

    assert said[0] == "It has no files yet. Add them first."
    assert said[1].startswith("Fill these in first, as other catalogues ask for them: theme")
    with pytest.raises(Invalid):
        opening.open_up(dataset, by=lead, sure=True)


def test_personal_data_that_was_declared_asks_why(lead):
    dataset = made(by=lead, has_personal_data=True)
    push(dataset, {"rows.csv": b"a,b\n1,2\n"})
    told_of(dataset)

    with pytest.raises(Invalid, match="contains personal data") as refused:
        opening.open_up(dataset, by=lead, sure=True, why="  ")
    opening.open_up(dataset, by=lead, sure=True, why="All of them agreed.")

    assert refused.value.code == "personal_data"
    assert Entry.objects.get(verb="catalogue.open").details["note"] == "All of them agreed."


def test_personal_data_that_was_found_asks_why_also_in_an_old_revision(ready, lead):
    found_in(ready, 1)
    push(ready, {"rows.csv": b"a,b\n1,3\n"})
    found_in(ready, 2, findings=())

    with pytest.raises(Invalid, match="found personal data in revision 1"):
        opening.open_up(ready, by=lead, sure=True)

    assert not is_open(ready)


def test_a_later_look_that_finds_nothing_counts(ready, lead):
    found_in(ready)
    found_in(ready, findings=())

    opening.open_up(ready, by=lead, sure=True)

    assert is_open(ready)


def test_what_was_made_of_data_of_others_is_never_opened(ready, lead):
    other = a_dataset()
    passed_on(ready.repository, an_agreement(other.repository, ready.case))

    with pytest.raises(WrongState, match="made of data of others"):
        opening.open_up(ready, by=lead, sure=True, why="please")

    assert not is_open(ready)


# --- while it is open --------------------------------------------------------------------
def test_what_is_open_keeps_an_open_licence_and_stays_public(ready, lead):
    opening.open_up(ready, by=lead, sure=True)
    ready.refresh_from_db()

    with pytest.raises(WrongState, match="open to everybody, and this licence is not"):
        datasets.edit(ready, by=lead, **FACTS | {"licence": "consortium-only"})
    with pytest.raises(WrongState, match="Close it first"):
        actions.edit(ready, by=lead, changes={"access": "NON_PUBLIC"})
    with pytest.raises(WrongState, match="Close it first"):
        actions.list_for(ready, by=lead, listed_for="nobody")
    datasets.edit(ready, by=lead, **FACTS | {"licence": "CC0-1.0"})

    ready.refresh_from_db()
    assert ready.licence == "CC0-1.0"


@pytest.fixture
def partner(ready):
    person = a_person()
    a_partner(ready.case, organisation=an_organisation(member=person))
    return person


def hub_push(program, person, dataset, name, content):
    return program(person).post(
        f"/api/datasets/{dataset.repository.repo_id}/commit/main",
        lines(header(), small(name, content)).encode(),
        content_type=NDJSON,
    )


def test_only_a_lead_of_the_owner_saves_files_in_what_is_open(ready, lead, partner, program):
    member = a_person()
    ready.case.organisation.memberships.create(person=member, role="member")
    push(ready, {"before.csv": b"a,b\n3,4\n"}, by=partner)
    opening.open_up(ready, by=lead, sure=True)
    newest = ready.repository.revisions.latest("number")

    for person in (member, partner):
        with pytest.raises(NotAllowed, match="public at once"):
            push(ready, {"patients.csv": b"a,b\n5,6\n"}, by=person)
        with pytest.raises(NotAllowed, match="public at once"):
            datasets.remove(ready, ["rows.csv"], by=person, message="", parent=newest)
        sent = hub_push(program, person, ready, "patients.csv", b"a,b\n5,6\n")
        steps = [step.name for step in rules.next_steps(person, fresh(ready))]
        assert (sent.status_code, sent.json()["code"]) == (403, "open_to_all")
        assert steps == ["edit"]

    assert ready.repository.revisions.count() == 2
    push(ready, {"more.csv": b"a,b\n7,8\n"}, by=lead)
    assert hub_push(program, lead, ready, "most.csv", b"a,b\n9,1\n").status_code == 200
    assert ready.repository.revisions.count() == 4


def fresh(dataset):
    return Dataset.objects.select_related("case", "repository").get(pk=dataset.pk)


def test_what_is_opened_while_files_come_in_takes_none_of_a_partner(
    ready, lead, partner, monkeypatch
):
    real = datasets.store.save

    def slow(*given, **named):
        opening.open_up(ready, by=lead, sure=True)
        return real(*given, **named)

    monkeypatch.setattr(datasets.store, "save", slow)

    with pytest.raises(NotAllowed, match="public at once"):
        push(ready, {"patients.csv": b"a,b\n5,6\n"}, by=partner)

    assert ready.repository.revisions.count() == 1


def test_personal_data_is_not_declared_of_what_is_open_without_a_reason(ready, lead, partner):
    opening.open_up(ready, by=lead, sure=True)
    ready.refresh_from_db()

    for person in (partner, lead):
        with pytest.raises(WrongState, match="asks for a reason"):
            datasets.edit(ready, by=person, **FACTS | {"has_personal_data": True})
    opening.close(ready, by=lead)
    ready = fresh(ready)
    datasets.edit(ready, by=partner, **FACTS | {"has_personal_data": True})
    with pytest.raises(Invalid, match="personal data"):
        opening.open_up(ready, by=lead, sure=True)
    opening.open_up(ready, by=lead, sure=True, why="All of them agreed.")

    ready.refresh_from_db()
    datasets.edit(ready, by=lead, **FACTS | {"has_personal_data": True, "title": "Anders"})
    assert is_open(ready)


def test_personal_data_that_is_found_later_is_told_on_the_page(ready, lead, browser):
    opening.open_up(ready, by=lead, sure=True)
    page, said = f"/data/{ready.code}/record/", "found personal data in revision 1"
    assert said not in browser(lead).get(page).text

    found_in(ready)

    assert said in browser(lead).get(page).text


def test_files_that_would_bind_what_is_open_are_refused(ready, lead, program):
    lent = b"name,complaint\n" + b"Jansen,headache\n" * 100
    other = made(by=a_person())
    push(other, {"rows.csv": lent})
    an_agreement(other.repository, ready.case)
    opening.open_up(ready, by=lead, sure=True)
    card = f"---\nsource_datasets: {other.code}\n---\n".encode()

    for files in ({"x.csv": lent}, {"x.gz": gzip.compress(lent)}, {"README.md": card}):
        with pytest.raises(WrongState, match="Nothing was saved"):
            push(ready, files, by=lead)
    sent = hub_push(program, lead, ready, "x.csv", lent)

    assert (sent.status_code, sent.json()["code"]) == (409, "open_to_all")
    assert (is_open(ready), reads(a_person(), ready)) == (True, True)
    assert ready.repository.revisions.count() == 1
    assert inheritance.terms_of(ready.repository) == []


def test_closing_ends_reading_for_others_and_says_restricted(ready, lead, client):
    stranger = a_person()
    opening.open_up(ready, by=lead, sure=True)

    opening.close(ready, by=lead, why="A mistake.")
    opening.close(ready, by=lead)

    assert not reads(stranger, ready)
    assert reads(lead, ready)
    assert rights(client, ready) == [RESTRICTED]
    assert "rows.csv" not in client.get(f"/catalogue/{ready.code}.ttl").text
    assert Entry.objects.filter(verb="catalogue.close").count() == 1


# --- the doors ---------------------------------------------------------------------------
def test_the_page_opens_and_closes(ready, lead, browser):
    client, record = browser(lead), f"/data/{ready.code}/record/"

    assert f"{record}open/" in client.get(record).text
    asked = client.get(f"{record}open/").text
    unsure = client.post(f"{record}open/", {})
    done = client.post(f"{record}open/", {"sure": "on"}, follow=True)
    text = client.get(f"/data/{ready.code}/").text
    closed = client.post(f"{record}close/", follow=True)

    assert "copies already made cannot be taken back" in asked
    assert "Nobody has looked at these data yet" in asked
    assert unsure.status_code == 422
    assert "This dataset is open: everybody finds it" in done.text
    assert "Everybody: its owner opened it" in text
    assert "The dataset is closed" in closed.text
    assert not is_open(ready)


def test_the_page_says_what_comes_first(dataset, lead, browser):
    text = browser(lead).get(f"/data/{dataset.code}/record/open/").text

    assert "It has no files yet. Add them first." in text
    assert 'name="sure"' not in text


def test_the_page_asks_why_where_there_is_personal_data(ready, lead, browser):
    found_in(ready)
    client, page = browser(lead), f"/data/{ready.code}/record/open/"

    asked = client.get(page).text
    without = client.post(page, {"sure": "on"})
    client.post(page, {"sure": "on", "why": "They agreed."})

    assert 'name="why"' in asked
    assert (without.status_code, "found personal data in revision 1" in asked) == (422, True)
    assert is_open(ready)


def test_programs_open_and_close(ready, lead, program):
    client, call = program(lead), f"/api/catalogue/{ready.code}"

    def post(verb, given):
        return client.post(f"{call}/{verb}", given, content_type="application/json")

    assert post("open", {}).json()["code"] == "not_sure"
    assert post("open", {"sure": True}).json()["is_open"] is True
    assert client.get(f"{call}/record").json()["access"] == "PUBLIC"
    assert post("close", {}).json()["is_open"] is False


def test_the_filter_for_what_is_open(ready, lead, client, browser, program):
    other = made(by=a_person())
    push(other, {"rows.csv": b"a,b\n1,2\n"})
    told_of(other, access="PUBLIC")  # its owner says so, and never opened it
    actions.list_for(other, by=other.created_by, listed_for="everybody")
    opening.open_up(ready, by=lead, sure=True)
    person = a_person()
    an_organisation(lead=person)

    def found(asked):
        items = program(person).get(f"/api/catalogue/?{asked}").json()["items"]
        return {(one["code"], one["way"]["kind"]) for one in items}

    assert found("open=yes") == {(ready.code, "open")}
    assert found("open=no") == {(other.code, "ask")}
    assert found("open=nonsense") == found("")
    page = client.get("/catalogue/?open=yes").text
    assert ready.code in page
    assert other.code not in page
    assert queries.search(None, Asked(open="yes", q="zorg")).count() == 1
    assert f"/data/{ready.code}/" in browser(person).get("/catalogue/?open=yes").text


def test_a_run_of_any_case_may_use_what_is_open(ready, lead):
    opening.open_up(ready, by=lead, sure=True)
    case = a_case()

    assert ready.repository_id in policy.usable_by(case).values_list("pk", flat=True)
    opening.close(ready, by=lead)
    assert ready.repository_id not in policy.usable_by(case).values_list("pk", flat=True)
