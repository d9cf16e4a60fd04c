"""Pages about revisions: what one changed, and leaving files out of the next."""

from io import BytesIO
from zipfile import ZipFile

import pytest

from fabriek.cases.states import CaseState
from fabriek.kernel.models import Entry
from fabriek.store.models import Revision
from tests.datasets.conftest import contents, push
from tests.factories import a_person

pytestmark = pytest.mark.django_db


@pytest.fixture
def client(browser, lead):
    return browser(lead)


def at(dataset, rest):
    return f"/data/{dataset.code}/{rest}"


def remove(client, dataset, *paths, **more):
    return client.post(at(dataset, "remove/"), {"path": paths} | more)


# --- what changed ------------------------------------------------------------------------
def test_what_a_revision_changed_is_shown(client, dataset):
    push(dataset, {"blijft.txt": b"1", "anders.txt": b"1"})
    push(dataset, {"anders.txt": b"22", "<nieuw>.txt": b"1"}, message="meer")

    page = client.get(at(dataset, "revisions/2/changes/")).text

    assert "From revision 1 to revision 2" in page
    assert "anders.txt" in page
    assert "&lt;nieuw&gt;.txt" in page
    assert "blijft.txt" not in page
    first = client.get(at(dataset, "revisions/1/changes/")).text
    assert "Revision 1 is the first" in first
    back = client.get(at(dataset, "revisions/1/changes/?since=2")).text
    assert "From revision 2 to revision 1" in back
    same = client.get(at(dataset, "revisions/1/changes/?since=1")).text
    assert "These two hold the same files." in same


@pytest.mark.parametrize("rest", ["?since=9", "?since=x", "?since=-1"])
def test_a_revision_that_is_not_there_is_not_compared(client, dataset, rest):
    push(dataset, {"a.txt": b"1"})

    assert client.get(at(dataset, f"revisions/1/changes/{rest}")).status_code == 404


@pytest.mark.parametrize("asked", ["0", "x", "9" * 40, "2"])
def test_any_page_that_is_asked_for_is_one_that_exists(client, dataset, asked):
    push(dataset, {f"{n:02d}.txt": b"1" for n in range(30)})

    page = client.get(at(dataset, f"revisions/1/changes/?page={asked}"))

    assert page.status_code == 200
    assert ("29.txt" in page.text) == (asked in {"2", "9" * 40})


@pytest.mark.parametrize("count", [1, 3])
def test_the_page_costs_the_same_for_1_and_3(client, dataset, django_assert_num_queries, count):
    push(dataset, {"a.txt": b"0"})
    push(dataset, {f"{number}.txt": b"1" for number in range(count)})
    client.get(at(dataset, "revisions/2/changes/"))

    with django_assert_num_queries(12):
        client.get(at(dataset, "revisions/2/changes/"))


# --- leaving out ---------------------------------------------------------------------------
def test_files_are_left_out_after_a_question(client, dataset):
    push(dataset, {"a.txt": b"1", "b.txt": b"22"})

    question = remove(client, dataset, "a.txt")
    assert question.status_code == 200
    assert "Remove 1 file?" in question.text
    assert contents(dataset) == {"a.txt": 1, "b.txt": 2}
    done = remove(client, dataset, "a.txt", sure="yes", parent="1", message="Te oud")

    assert done.status_code == 302
    assert contents(dataset) == {"b.txt": 2}
    newest = Revision.objects.first()
    assert (newest.number, newest.message) == (2, "Te oud")
    assert Revision.objects.get(number=1).file_count == 2


def test_the_last_file_an_unknown_one_and_none_at_all_are_refused(client, dataset):
    push(dataset, {"a.txt": b"1"})

    for paths in (["a.txt"], ["none.txt"]):
        assert remove(client, dataset, *paths, sure="yes").status_code == 422
    assert remove(client, dataset).status_code == 422
    assert contents(dataset) == {"a.txt": 1}


def test_what_somebody_else_saved_meanwhile_is_not_lost(client, dataset):
    push(dataset, {"a.txt": b"1", "b.txt": b"1"})
    push(dataset, {"c.txt": b"1"})

    assert remove(client, dataset, "a.txt", sure="yes", parent="1").status_code == 409
    assert contents(dataset).keys() == {"a.txt", "b.txt", "c.txt"}


def test_strangers_and_closed_cases_leave_everything_as_it_is(browser, client, dataset):
    push(dataset, {"a.txt": b"1", "b.txt": b"1"})

    for person in (a_person(), a_person(duty="staff")):
        other = browser(person)
        assert remove(other, dataset, "a.txt", sure="yes").status_code == 404
        assert other.get(at(dataset, "revisions/1/changes/")).status_code == 404
    type(dataset.case).objects.filter(pk=dataset.case_id).update(state=CaseState.CLOSED)
    assert remove(client, dataset, "a.txt", sure="yes").status_code == 409
    assert client.get(at(dataset, "remove/")).status_code == 405
    assert contents(dataset) == {"a.txt": 1, "b.txt": 1}


def test_the_page_offers_no_ticks_to_who_may_only_look(client, dataset):
    push(dataset, {"a.txt": b"1"})
    page = at(dataset, "")
    assert 'name="path"' in client.get(page).text

    type(dataset.case).objects.filter(pk=dataset.case_id).update(state=CaseState.CLOSED)

    shown = client.get(page).text
    assert 'name="path"' not in shown
    assert "data-uploads" not in shown
    assert "load_dataset(" in shown


# --- all of them, and all of one ---
def test_all_revisions_are_listed_page_by_page(client, dataset):
    for number in range(27):
        push(dataset, {"a.txt": b"%d" % number}, message=f"keer {number}")

    first, second = (client.get(at(dataset, f"revisions/?page={page}")).text for page in (1, 2))

    assert "keer 26" in first
    assert "keer 0" not in first
    assert "keer 0" in second
    assert client.get(at(dataset, "revisions/?branch=none")).status_code == 404


def test_all_files_come_as_one_zip(client, dataset):
    push(dataset, {"map/é.txt": b"een" * 1000, "leeg.csv": b"a\n"})

    answer = client.get(at(dataset, "revisions/1.zip"))

    archive = ZipFile(BytesIO(b"".join(answer.streaming_content)))
    assert archive.testzip() is None
    assert {name: archive.read(name) for name in archive.namelist()} == {
        "leeg.csv": b"a\n",
        "map/é.txt": b"een" * 1000,
    }
    assert Entry.objects.filter(verb="datasets.download_many").count() == 1


@pytest.mark.parametrize("rest", ["revisions/", "revisions/1.zip"])
def test_a_stranger_gets_neither_the_list_nor_the_zip(browser, dataset, rest):
    push(dataset, {"a.txt": b"1"})

    assert browser(a_person()).get(at(dataset, rest)).status_code == 404
