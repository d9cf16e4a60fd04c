import pytest

from fabriek.cases.states import CaseState
from fabriek.catalogue import actions, gather
from fabriek.catalogue.models import Record
from fabriek.store.models import Repository, Revision
from tests.catalogue.conftest import MEMBERS, WHOLE, in_the_catalogue, opened, told_of
from tests.datasets.conftest import made, push
from tests.factories import a_case, a_partner, a_person, an_organisation

pytestmark = pytest.mark.django_db

# Session, person, memberships and duties: what any page of a signed-in person costs.
ANY_PAGE = 4


def record_page(dataset):
    return f"/data/{dataset.code}/record/"


def sent(**changes):
    """Give what a browser would send for the whole form."""
    form = {name: value for name, value in WHOLE.items() if name not in {"keywords", "tasks"}}
    return form | {"keywords": "zorg, triage", "tasks": "text-classification"} | changes


# --- the catalogue ---------------------------------------------------------------------------
def test_without_an_account_one_sees_what_everybody_may_find(client):
    shown = in_the_catalogue()
    in_the_catalogue(listed_for=MEMBERS, title_nl="Alleen leden", title_en="Members only")

    page = client.get("/catalogue/", headers={"Accept-Language": "en"}).text

    assert "Messages to the care desk" in page
    assert "Members only" not in page
    assert "1 dataset found." in page
    assert f"/accounts/login/?next=/catalogue/{shown.code}/" in page
    assert 'href="/catalogue.ttl"' in page


def test_a_dutch_reader_gets_the_dutch_title(client):
    in_the_catalogue()

    page = client.get("/catalogue/", headers={"Accept-Language": "nl"}).text

    assert "Berichten aan de zorgbalie" in page


def test_an_empty_catalogue_says_why_and_what_to_do(client, browser):
    assert (
        "No owner has shown data to everybody yet"
        in client.get("/catalogue/", headers={"Accept-Language": "en"}).text
    )
    assert "There is nothing to find yet" in browser(a_person()).get("/catalogue/").text
    in_the_catalogue()
    page = client.get("/catalogue/?q=vliegtuig", headers={"Accept-Language": "en"}).text
    assert "Nothing in the catalogue fits this" in page
    assert 'value="vliegtuig"' in page


def test_each_hit_says_what_one_can_do(browser):
    lead = a_person()
    case = a_case(lead=lead)
    mine = made(by=lead, case=case, title="Van ons")
    theirs = in_the_catalogue(title_en="Theirs")
    closed = in_the_catalogue(title_en="Closed", access="NON_PUBLIC")
    free = opened(in_the_catalogue(title_en="Free", access="PUBLIC"))
    gather.tick()

    page = browser(lead).get("/catalogue/").text

    assert f'href="/data/{mine.code}/"' in page
    assert f'href="/agreements/ask/?data={theirs.code}"' in page
    assert f'href="/agreements/ask/?data={closed.code}"' not in page
    assert "The owner does not share it." in page
    assert f'<a href="/data/{free.code}/">See its files' in page


@pytest.mark.parametrize("count", [1, 3])
def test_the_list_costs_the_same_for_1_and_3(browser, django_assert_num_queries, count):
    for _ in range(count):
        in_the_catalogue(files={"a.txt": b"1"})
    person = a_person()
    an_organisation(lead=person)
    client = browser(person)

    # Ids, records, owners to choose from, mine, agreements; and open models.
    with django_assert_num_queries(ANY_PAGE + 6):
        assert client.get("/catalogue/?q=berichten").text.count('<th scope="row">') == count


@pytest.mark.parametrize("count", [1, 3])
def test_the_public_list_costs_four_queries(client, django_assert_num_queries, count):
    for _ in range(count):
        in_the_catalogue()

    with django_assert_num_queries(4):
        client.get("/catalogue/")


def test_the_list_is_paged(client):
    for _ in range(26):
        in_the_catalogue()

    first, second = (client.get(f"/catalogue/?page={page}").text for page in (1, 2))

    assert first.count('<th scope="row">') == 25
    assert second.count('<th scope="row">') == 1


def test_the_page_of_one_tells_it_to_whoever_may_find_it(client, browser):
    dataset = in_the_catalogue(files={"geheim.csv": b"a,b\n"})

    page = client.get(f"/catalogue/{dataset.code}/", headers={"Accept-Language": "en"}).text
    assert "Made-up messages of patients" in page
    assert "data@noord.example" in page
    assert "Which files there are is for who may read them." in page
    assert "geheim.csv" in browser(dataset.created_by).get(f"/catalogue/{dataset.code}/").text


# --- the record ------------------------------------------------------------------------------
def test_the_record_page_says_what_is_missing_and_where(browser, dataset, lead):
    page = browser(lead).get(record_page(dataset)).text

    assert "Still needed: theme, maker, name of the contact" in page
    assert f'href="{record_page(dataset)}#id_theme"' in page
    assert 'id="id_theme"' in page
    assert f'href="/data/{dataset.code}/#add"' in page
    assert page.count("<progress") == 3


@pytest.mark.parametrize("count", [1, 3])
def test_the_record_page_costs_the_same(browser, django_assert_num_queries, lead, count):
    dataset = made(by=lead)
    for number in range(count):
        push(dataset, {f"{number}.txt": b"1"})
    told_of(dataset)
    client = browser(lead)

    with django_assert_num_queries(ANY_PAGE + RECORD_PAGE):
        client.get(record_page(dataset))


RECORD_PAGE = 4  # the dataset, its record, its newest revision, and whether one takes part


def test_a_record_is_filled_in_on_the_page(browser, dataset, lead):
    client = browser(lead)

    answer = client.post(record_page(dataset), sent(period_from="2024-01-01"))

    assert answer.status_code == 302, answer.text
    record = Record.objects.get()
    assert (record.keywords, record.languages, record.theme) == (
        ["zorg", "triage"],
        ["nl", "en"],
        "HEAL",
    )
    page = client.get(record_page(dataset)).text
    assert "Complete enough to go out." in page
    assert 'value="2024-01-01"' in page
    assert 'value="zorg, triage"' in page


def test_who_owns_it_is_offered_as_its_maker(browser, dataset, lead):
    owner = dataset.case.organisation.name

    assert f'value="{owner}"' in browser(lead).get(record_page(dataset)).text


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"keywords": "w" * 5000}, "is too long: a word may have 60 characters"),
        ({"landing_page": "javascript:alert(1)"}, "Enter a valid URL."),
        ({"title_nl": "a\u202eb"}, "There is a character in this text that cannot be shown."),
        ({"period_from": "2024-02-01", "period_until": "2024-01-01"}, "before the first one"),
        ({"theme": "SPORT"}, "Select a valid choice"),
        ({"contact_email": "<script>"}, "Enter a valid email address."),
    ],
)
def test_mistakes_stand_beside_their_field_and_nothing_is_lost(
    browser, dataset, lead, changes, said
):
    answer = browser(lead).post(record_page(dataset), sent(**changes))

    assert answer.status_code == 200
    assert said in answer.text
    assert "Firma Noord" in answer.text
    assert "<script>" not in answer.text.split("<main")[1]
    assert not Record.objects.exists()


def test_a_lead_lets_others_find_it(browser, client, dataset, lead):
    told_of(dataset)
    visitor = browser(lead)

    visitor.post(f"{record_page(dataset)}listed/", {"listed_for": "everybody"})

    assert "Everybody finds this dataset now" in visitor.get(record_page(dataset)).text
    assert client.get(f"/catalogue/{dataset.code}/").status_code == 200


def test_it_is_not_shown_to_everybody_before_it_is_complete(browser, dataset, lead):
    given = {"listed_for": "everybody"}
    answer = browser(lead).post(f"{record_page(dataset)}listed/", given)

    assert answer.status_code == 422
    assert "theme, maker" in answer.text
    assert Repository.objects.get(pk=dataset.repository_id).listed_for == "nobody"


def test_the_card_is_handed_over_and_written(browser, dataset, lead):
    told_of(dataset)
    client = browser(lead)

    answer = client.get(f"{record_page(dataset)}README.md")
    assert answer["Content-Disposition"] == 'attachment; filename="README.md"'
    assert answer.text.startswith("---\npretty_name: ")

    client.post(f"{record_page(dataset)}README.md")
    assert Revision.objects.get().files.get().path == "README.md"
    assert "README.md is saved as revision 1." in client.get(record_page(dataset)).text


def test_bad_yaml_in_a_readme_is_told_on_the_page(browser, dataset, lead):
    push(dataset, {"README.md": b"---\na: [\n---\n"})
    actions.gather(dataset)

    assert "The YAML at the top of README.md cannot be read" in (
        browser(lead).get(record_page(dataset)).text
    )


def test_a_partner_fills_in_but_does_not_decide(browser, dataset):
    partner = a_person()
    a_partner(dataset.case, lead=partner)
    client = browser(partner)

    assert client.post(record_page(dataset), sent()).status_code == 302
    page = client.get(record_page(dataset)).text
    assert "A lead of the organisation that owns this dataset decides about it." in page
    given = {"listed_for": "members"}
    assert client.post(f"{record_page(dataset)}listed/", given).status_code == 403


def test_for_strangers_the_record_does_not_exist_however_listed(browser, client):
    dataset = in_the_catalogue()
    for person in (a_person(), a_person(duty="staff"), a_person(duty="assessor")):
        visitor = browser(person)
        for address in ("", "README.md"):
            assert visitor.get(record_page(dataset) + address).status_code == 404
        assert visitor.post(record_page(dataset), sent()).status_code == 404
        for address in ("listed/", "README.md"):
            assert visitor.post(record_page(dataset) + address).status_code == 404
    assert client.get(record_page(dataset)).status_code == 302
    assert client.post(record_page(dataset), sent()).status_code == 302


def test_a_closed_case_shows_the_record_and_takes_no_changes(browser, dataset, lead):
    told_of(dataset)
    type(dataset.case).objects.filter(pk=dataset.case_id).update(state=CaseState.CLOSED)
    client = browser(lead)

    page = client.get(record_page(dataset)).text
    assert "Save the record" not in page
    assert client.post(record_page(dataset), sent(theme="ECON")).status_code == 409
    assert Record.objects.get().theme == "HEAL"
