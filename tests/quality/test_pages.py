"""Pages and API of a look: what they show, to whom, and for how many queries."""

import gzip

import pytest

from fabriek.kernel.errors import Invalid
from fabriek.quality import actions
from fabriek.quality.models import Decision, Look
from tests.factories import a_person, staff
from tests.quality.conftest import look, looked_at, passes, push
from tests.quality.test_personal import PEOPLE

pytestmark = pytest.mark.django_db(transaction=True)

ROWS = b"a,b\n1,x\n2,y\n2,y\n"


def page(browser, person, dataset, rest="look/"):
    return browser(person).get(f"/data/{dataset.code}/{rest}")


def test_without_files_the_page_says_what_comes_first(browser, lead, dataset):
    answer = page(browser, lead, dataset)

    assert answer.status_code == 200
    assert "There is nothing to look at yet. Add files first." in answer.content.decode()


def test_the_page_asks_for_a_look_and_shows_what_came_of_it(browser, lead, dataset):
    push(dataset, {"a.csv": ROWS})

    answer = browser(lead).post(f"/data/{dataset.code}/look/1/start/")

    assert answer.status_code == 302
    found = passes(Look.objects.get())
    assert found.asked_by == lead
    shown = page(browser, lead, dataset).content.decode()
    assert "Rows that stood in these files before, word for word: 1." in shown
    assert "row 3 is row 2 of a.csv" in shown
    told = {"rows": 4, "counts": {"nl": 2, "zxx": 1, "unsure": 1}}
    Look.objects.update(result=found.result | {"languages": told})
    shown = page(browser, lead, dataset).content.decode()
    assert "Dutch 50%, no language: codes or numbers 25%, not sure 25%" in shown


def test_while_it_runs_the_part_says_how_far_and_then_loads_the_page_anew(
    browser, lead, dataset
):
    revision = push(dataset, {"a.csv": ROWS})
    found = actions.ask_look(dataset, revision, by=lead)
    part = page(browser, lead, dataset, "look/1/progress/")
    assert "It waits for its turn." in part.content.decode()

    passes(found)

    assert page(browser, lead, dataset, "look/1/progress/").headers["HX-Refresh"] == "true"


@pytest.mark.parametrize(
    "rest", ["look/", "look/1/", "look/1/progress/", "personal/", "personal/1/"]
)
@pytest.mark.parametrize("who", [a_person, staff])
def test_a_stranger_and_staff_see_nothing(browser, dataset, rest, who):
    push(dataset, {"a.csv": ROWS})

    assert page(browser, who(), dataset, rest).status_code == 404


@pytest.mark.parametrize("rest", ["", "/personal", "/treatments"])
def test_the_api_answers_a_stranger_as_if_there_were_nothing(program, dataset, rest):
    push(dataset, {"a.csv": ROWS})

    answer = program(a_person()).get(f"/api/looks/{dataset.code}{rest}")

    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize("rest", ["look/", "personal/"])
def test_a_page_costs_the_same_for_one_and_three(
    browser, lead, dataset, rest, django_assert_num_queries
):
    one = looked_at(dataset, {"a.csv": PEOPLE})
    for name in ("b.csv", "c.csv", "d.csv"):
        push(dataset, {name: PEOPLE + b"9;123456782;x;y\n"})
    three = look(dataset)
    signed_in = browser(lead)
    signed_in.get(f"/data/{dataset.code}/look/")

    queries = {"look/": 13, "personal/": 11}[rest]
    for number in (one.revision.number, three.revision.number):
        with django_assert_num_queries(queries):
            signed_in.get(f"/data/{dataset.code}/{rest}{number}/")


def test_a_decision_without_its_reason_is_shown_beside_the_field(browser, lead, dataset):
    looked_at(dataset, {"a.csv": PEOPLE})
    typed = {"column": "note", "prefix": "column-2", "column-2-choice": "accept",
             "column-2-reason": ""}  # fmt: skip

    answer = browser(lead).post(f"/data/{dataset.code}/personal/1/decide/", typed)

    assert answer.status_code == 422
    assert "Give a reason: it stays with the dataset." in answer.content.decode()
    assert not Decision.objects.exists()

    typed["column-2-reason"] = "Made up."
    answer = browser(lead).post(f"/data/{dataset.code}/personal/1/decide/", typed)

    assert answer.status_code == 302
    assert Decision.objects.get().reason == "Made up."


def test_several_columns_are_decided_at_once_or_none(browser, lead, dataset):
    looked_at(dataset, {"a.csv": PEOPLE})
    typed = {"several-choice": "accept", "several-reason": "", "several-columns": []}

    def decided():
        at = f"/data/{dataset.code}/personal/1/decide-several/"
        answer = browser(lead).post(at, typed)
        return answer.status_code, answer.content.decode()

    status, shown = decided()
    assert (status, "Tick the columns that this is about." in shown) == (422, True)
    typed["several-columns"] = ["note", "burgerservicenummer"]
    status, shown = decided()
    assert (status, "Give a reason: it stays with the dataset." in shown) == (422, True)
    assert shown.count(" checked") == 2  # nothing typed is lost
    typed["several-reason"] = "Made up."
    typed["several-columns"] = ["note", "no such column"]
    assert decided()[0] == 422
    assert not Decision.objects.exists()

    typed["several-columns"] = ["note", "burgerservicenummer"]
    assert decided()[0] == 302
    kept = Decision.objects.order_by("column").values_list("column", "reason", "kinds")
    assert list(kept) == [
        ("burgerservicenummer", "Made up.", ["bsn"]),
        ("note", "Made up.", ["email", "iban", "phone"]),
    ]


def test_where_one_of_several_is_refused_none_is_decided(lead, dataset):
    revision = looked_at(dataset, {"a.csv": PEOPLE}).revision

    with pytest.raises(Invalid):
        actions.decide_several(dataset, revision, ["note", "none"], choice="drop", by=lead)

    assert not Decision.objects.exists()


def test_what_stands_on_lines_that_are_no_rows_is_only_kept_or_corrected(lead, dataset):
    packed = gzip.compress(b'{"a": 1}\n{"a": mail jan@voorbeeld.nl\n')
    revision = looked_at(dataset, {"a.jsonl.gz": packed}).revision

    with pytest.raises(Invalid, match="nothing on them can be masked") as refused:
        actions.decide(dataset, revision, "…", choice="mask", by=lead)

    assert set(refused.value.fields) == {"choice"}
    assert actions.decide(dataset, revision, "…", choice="accept", reason="x", by=lead)


def test_the_page_of_personal_data_confronts_the_description(browser, lead, dataset):
    looked_at(dataset, {"a.csv": PEOPLE})

    shown = page(browser, lead, dataset, "personal/").content.decode()

    assert not dataset.has_personal_data
    assert "says that it holds no personal data, and yet some seems to be there" in shown
    assert "They do not make data anonymous" in shown
    assert "Names of people were not looked for" in shown


def test_rows_are_shown_with_what_is_personal_hidden(browser, lead, dataset):
    looked_at(dataset, {"a.csv": PEOPLE})

    shown = page(browser, lead, dataset).content.decode()

    assert "•••" in shown
    assert "111222333" not in shown


@pytest.mark.parametrize(
    ("content", "value"),
    [
        (b"Naam priv\xe9;x\nJan Jansen;1\n", "Jan Jansen"),
        (b"111222333,1\n" * 12, "111222333"),
    ],
)
def test_rows_are_hidden_where_the_heading_is_odd_or_absent(
    browser, lead, dataset, content, value
):
    looked_at(dataset, {"a.csv": content})

    shown = page(browser, lead, dataset).content.decode()

    assert "•••" in shown
    assert value not in shown


def test_the_api_asks_decides_and_treats(program, lead, dataset):
    push(dataset, {"a.csv": PEOPLE})
    ours = program(lead)
    asked = ours.post(f"/api/looks/{dataset.code}")
    assert (asked.status_code, asked.json()["state"]) == (201, "waiting")
    passes(Look.objects.get())

    told = ours.get(f"/api/looks/{dataset.code}").json()
    assert told["state"] == "done"
    columns = ours.get(f"/api/looks/{dataset.code}/personal").json()
    assert {one["column"] for one in columns} == {"burgerservicenummer", "note", "diagnose"}
    for one in columns:
        body = {"column": one["column"], "choice": "drop"}
        answer = ours.post(
            f"/api/looks/{dataset.code}/decisions", body, content_type="application/json"
        )
        assert answer.status_code == 201
    made = ours.post(f"/api/looks/{dataset.code}/treatments")

    assert (made.status_code, made.json()["state"]) == (201, "waiting")
    assert ours.get(f"/api/looks/{dataset.code}/treatments").json()[0]["made"] is None


def test_a_token_that_may_only_look_starts_nothing(program, lead, dataset):
    push(dataset, {"a.csv": ROWS})

    answer = program(lead, scope="read").post(f"/api/looks/{dataset.code}")

    assert answer.status_code == 403
    assert not Look.objects.exists()


def test_the_page_speaks_dutch(browser, lead, dataset):
    looked_at(dataset, {"a.csv": PEOPLE})

    shown = browser(lead, language="nl").get(f"/data/{dataset.code}/personal/").content.decode()

    assert "Persoonsgegevens" in shown
