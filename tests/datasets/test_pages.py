import io

import pytest
from django.test import Client

from fabriek.cases.states import CaseState
from fabriek.datasets.models import Dataset
from fabriek.kernel.models import Entry
from fabriek.kernel.paging import PAGE_SIZE
from fabriek.store import walking
from fabriek.store.models import Repository, Revision
from tests.datasets.conftest import ROWS, contents, made, push, push_beside
from tests.factories import a_case, a_partner, a_person, an_organisation
from tests.store.test_files import everything_below, files_of_at_most

pytestmark = pytest.mark.django_db

# Session, person, memberships and duties: what any page of a signed-in person costs.
ANY_PAGE = 4


def page_of(dataset):
    return f"/data/{dataset.code}/"


def a_file(name, content=b"1"):
    """Make a file as a browser sends it: with whatever name, however long."""
    file = io.BytesIO(content)
    file.name = name
    return file


def send(client, dataset, *files, **more):
    return client.post(f"{page_of(dataset)}push/", {"chosen": list(files)} | more)


def test_somebody_new_reads_why_the_list_is_empty_and_what_to_do(browser):
    page = browser(a_person()).get("/data/")

    assert "you take part in no case" in page.text
    assert "Register your organisation" in page.text
    assert 'href="/people/organisations/new"' in page.text
    assert "<table" not in page.text


# A first page that holds all needs no counting.
@pytest.mark.parametrize(("count", "counting"), [(1, 0), (30, 1)])
def test_the_list_costs_the_same_for_1_and_30(
    browser, lead, django_assert_num_queries, count, counting
):
    case = a_case(lead=lead)
    for number in range(count):
        push(made(by=lead, case=case, title=f"Set {number}"), {"a.txt": b"1"})
    client = browser(lead)

    with django_assert_num_queries(ANY_PAGE + 1 + counting):
        page = client.get("/data/")

    assert page.text.count('<th scope="row">') == min(count, PAGE_SIZE)


def test_the_list_is_searched_by_words_and_by_case(browser, lead):
    case = a_case(lead=lead)
    made(by=lead, case=case, title="Berichten balie")
    made(by=lead, case=a_case(lead=lead, organisation=case.organisation), title="Meldingen")
    client = browser(lead)

    assert "Berichten balie" in client.get("/data/?q=balie").text
    assert "Meldingen" not in client.get("/data/?q=balie").text
    assert "Meldingen" not in client.get(f"/data/?q={case.code}").text
    assert "No dataset of yours has these words" in client.get("/data/?q=nergens").text


def test_a_dataset_is_made_on_the_page(browser, lead):
    case = a_case(lead=lead)
    client = browser(lead)
    form = client.get(f"/data/new/?case={case.code}")
    assert f'value="{case.code}" selected' in form.text

    given = {
        "case": case.code,
        "title": "Berichten",
        "licence": "CC0-1.0",
        "has_personal_data": "yes",
    }
    answer = client.post("/data/new/", given, follow=True)

    dataset = Dataset.objects.get()
    assert answer.redirect_chain == [(page_of(dataset), 302)]
    assert (dataset.case, dataset.has_personal_data) == (case, True)
    assert "Add files: from your computer" in answer.text


def test_a_form_with_a_gap_keeps_what_was_typed(browser, lead):
    case = a_case(lead=lead)

    page = browser(lead).post("/data/new/", {"case": case.code, "title": "Berichten"})

    assert 'value="Berichten"' in page.text
    assert "Does it contain personal data?" in page.text
    assert not Dataset.objects.exists()


def test_a_case_of_others_cannot_be_chosen(browser, lead):
    a_case(lead=lead)
    given = {"title": "x", "licence": "CC0-1.0", "has_personal_data": "no"}

    browser(lead).post("/data/new/", given | {"case": a_case().code})

    assert not Dataset.objects.exists()


def test_who_has_no_open_case_is_sent_to_the_cases(browser):
    assert "you take part in none" in browser(a_person()).get("/data/new/").text


@pytest.mark.parametrize("count", [1, 30])
def test_the_dataset_page_costs_the_same_for_1_and_30(
    browser, dataset, lead, django_assert_num_queries, count
):
    for number in range(count):
        push(dataset, {f"{number}.txt": b"%d" % number})
    client = browser(lead)

    # The dataset, what its terms are, its revisions, branches, card and files, the way of the
    # case, which runs made it, what its look found, and whether recipes can learn from it.
    with django_assert_num_queries(ANY_PAGE + 11):
        page = client.get(page_of(dataset))

    # Each file of this page of them, and the revision itself.
    assert page.text.count(f"/revisions/{count}/") == count + 2


CARD = b"""---
license: mit
---
# Calls

## How they were made

<script>alert(1)</script> ![plan](https://example.org/p.png) [bad](javascript:alert(1))
"""


def test_the_readme_is_shown_as_a_card_without_its_yaml_and_loads_nothing(
    browser, dataset, lead
):
    push(dataset, {"README.md": CARD})

    page = browser(lead).get(page_of(dataset)).text

    card = page.partition('<section id="card">')[2].partition("</section>")[0]
    assert "<h3>How they were made</h3>" in card
    assert "&lt;script&gt;" in card
    for mark in ("license: mit", "<script", "<img", 'href="javascript'):
        assert mark not in card
    assert "The first rows" not in page  # it is not shown twice


@pytest.mark.parametrize(
    ("readme", "is_shown", "is_cut"),
    [
        (b"---\nlicense: mit\n---\n", False, False),
        (b"Gemaakt in caf\xe9s.", True, False),
        (b"word " * 2**18, True, True),
    ],
)
def test_a_card_is_as_long_as_a_page_can_bear(browser, dataset, lead, readme, is_shown, is_cut):
    push(dataset, {"README.md": readme})

    page = browser(lead).get(page_of(dataset)).text

    assert ("Dataset card" in page, "only its beginning" in page) == (is_shown, is_cut)
    assert len(page) < 150_000


def test_who_may_not_read_the_files_reads_no_card(browser, dataset, lead):
    push(dataset, {"README.md": CARD})
    Repository.objects.update(listed_for=Repository.Listed.MEMBERS)
    stranger = a_person()
    an_organisation(lead=stranger)

    page = browser(stranger).get(page_of(dataset))

    assert page.status_code == 200
    assert "How they were made" not in page.text


@pytest.mark.parametrize("count", [1, 60])
def test_the_revision_page_costs_the_same_for_1_and_60(
    browser, dataset, lead, django_assert_num_queries, count
):
    push(dataset, {f"{number}.txt": b"%d" % number for number in range(count)})
    client = browser(lead)

    with django_assert_num_queries(ANY_PAGE + 6):
        page = client.get(f"{page_of(dataset)}revisions/1/")

    assert page.text.count('<th scope="row">') == min(count, walking.PAGE_SIZE)


def test_files_in_folders_are_walked_through_and_found(browser, dataset, lead):
    odd = {'a "b" & 50%/één bestand.csv': b"kolom\nx\n", "d/e/rijen.csv": b"naam\ny\n"}
    push(dataset, odd | {f"d/{number:02d}.bin": b"1" for number in range(9)} | {"z.txt": b"1"})
    client, page = browser(lead), f"{page_of(dataset)}revisions/1/"

    top = client.get(page).text
    assert "<td>1</td>" in top, "the first rows of a file that lies here"
    assert 'name="find"' in top
    assert "rijen.csv" not in top
    address = "?in=a%20%22b%22%20%26%2050%25#walk"
    assert f'href="{address}"><span class="sr">Folder </span>a &quot;b&quot; &amp; 50%/' in top
    inside = client.get(f"{page}{address.partition('#')[0]}").text
    assert '<span aria-current="page">a &quot;b&quot; &amp; 50%</span>' in inside
    assert '50%25/%C3%A9%C3%A9n%20bestand.csv" download>één bestand.csv</a>' in inside
    deeper = client.get(f"{page}?in=d/e").text
    assert '<a href="?in=d#walk">d</a>' in deeper
    assert "<td>y</td>" in deeper, "the first rows of a file that lies here"
    found = client.get(f"{page}?find=%C3%A9n+B").text
    assert "1 file with “én B” in its name or folder." in found
    assert "a &quot;b&quot; &amp; 50%/één bestand.csv</a>" in found
    assert "No file has “%_” in its name" in client.get(f"{page}?find=%25_").text
    assert "There is no folder “x” in this revision." in client.get(f"{page}?in=x").text
    within = client.get(f"{page}?in=d&find=z").text
    assert "No file has “z”" in within
    assert 'href="?find=z#walk">Search in all folders' in within


def test_a_readme_beside_folders_takes_the_first_rows_of_what_is_in_them_not_away(
    browser, dataset, lead
):
    push(dataset, {"README.md": b"# About\n", "data/rows.csv": b"name\nnine\n"})

    assert "<td>nine</td>" in browser(lead).get(f"{page_of(dataset)}revisions/1/").text


def test_an_older_revision_says_that_it_is_one(browser, dataset, lead):
    push(dataset, {"a.txt": b"1"})
    push(dataset, {"a.txt": b"2"}, message="better")
    client = browser(lead)

    assert "there is a newer one" in client.get(f"{page_of(dataset)}revisions/1/").text
    newest = client.get(f"{page_of(dataset)}revisions/2/").text
    assert "This is the newest revision" in newest
    assert "better" in newest
    assert client.get(f"{page_of(dataset)}revisions/3/").status_code == 404


def test_the_page_follows_main_and_names_other_branches(browser, dataset, lead):
    push(dataset, {"a.txt": b"1"})
    push_beside(dataset, "try", {"b.txt": b"1"})
    client = browser(lead)

    page = client.get(page_of(dataset)).text
    assert "b.txt" not in page
    assert "revisions/2/changes/" not in page
    assert f'<a href="{page_of(dataset)}revisions/2/">try</a> · Revision 2' in page
    beside = client.get(f"{page_of(dataset)}revisions/2/").text
    assert "This revision is on the branch “try”." in beside
    changed = client.get(f"{page_of(dataset)}revisions/2/changes/").text
    assert "From the branch “main” to the branch “try”." in changed
    since = client.get(f"{page_of(dataset)}revisions/1/changes/?since=2").text
    assert "Revision 2 (try): elsewhere" in since
    dataset.repository.revisions.filter(branch="try").update(branch="")
    removed = client.get(f"{page_of(dataset)}revisions/2/").text
    assert "of a branch that was removed" in removed


def test_the_description_is_changed_on_the_page(browser, dataset, lead):
    client = browser(lead)
    assert 'value="Berichten"' in client.get(f"{page_of(dataset)}edit/").text

    given = {"title": "Anders", "licence": "CC0-1.0", "has_personal_data": "yes"}
    client.post(f"{page_of(dataset)}edit/", given)

    dataset.refresh_from_db()
    assert (dataset.title, dataset.has_personal_data) == ("Anders", True)


# --- sending -----------------------------------------------------------------------------
def test_several_files_are_sent_at_once(browser, dataset, lead):
    answer = send(
        browser(lead),
        dataset,
        a_file("train.jsonl", ROWS),
        a_file("één.txt", b"x" * 3_000_000),
        folder="map",
        message="first",
    )

    assert answer.status_code == 302
    assert contents(dataset) == {"map/train.jsonl": len(ROWS), "map/één.txt": 3_000_000}
    saved = Revision.objects.get()
    assert (saved.message, saved.author) == ("first", lead)


def test_a_form_without_files_is_refused_where_files_are_already(browser, dataset, lead):
    push(dataset, {"a.txt": b"1"})

    answer = send(browser(lead), dataset)

    assert answer.status_code == 422
    assert "No file was sent. Choose one or more files, then send them." in answer.text
    assert "saved as revision" not in answer.text


def test_files_that_are_there_already_are_said_to_be_nothing_new(browser, dataset, lead):
    client = browser(lead)
    pages = [
        client.get(send(client, dataset, a_file("a.txt"), message=message).url).text
        for message in ("first", "again")
    ]

    assert "Your files are saved as revision 1." in pages[0]
    assert "Nothing was new: revision 1 holds these files already." in pages[1]
    assert "saved as revision" not in pages[1]
    assert Revision.objects.get().message == "first"


def test_what_was_sent_leaves_nothing_beside_the_store(browser, dataset, lead, settings):
    send(browser(lead), dataset, a_file("a.txt"))

    assert len(everything_below(settings.STORE_HOME)) == 1


@pytest.mark.parametrize(
    ("files", "status", "said"),
    [
        ([("train.jsonl", ROWS + b"{half\n")], 422, "“train.jsonl” was not saved. Line 3"),
        ([("leeg.txt", b"")], 422, "“leeg.txt” is empty (0 bytes)"),
        ([("x" * 300 + ".txt", b"1")], 422, "is too long: each part may be 255 bytes"),
        ([("a.txt", b"1"), ("a.txt", b"2")], 422, "“a.txt” is named twice"),
        ([], 422, "No file was sent. Choose one or more files, then send them."),
    ],
)
def test_wrong_files_get_a_sentence_and_nothing_is_saved(
    browser, dataset, lead, files, status, said
):
    answer = send(browser(lead), dataset, *(a_file(*file) for file in files))

    assert answer.status_code == status
    assert said in answer.text
    assert not Revision.objects.exists()


def test_a_folder_that_steps_out_is_refused(browser, dataset, lead):
    answer = send(browser(lead), dataset, a_file("a.txt"), folder="../../etc")

    assert answer.status_code == 422
    assert not Revision.objects.exists()


def test_more_than_the_factory_takes_is_refused(browser, dataset, lead, settings):
    settings.UPLOAD_LIMIT_BYTES = 1000

    answer = send(browser(lead), dataset, a_file("big.bin", b"x" * 1001))

    assert answer.status_code == 413
    assert everything_below(settings.STORE_HOME) == []


def test_a_full_disk_is_told_and_leaves_nothing(browser, dataset, lead, settings):
    client = browser(lead)

    with files_of_at_most(2**20):
        answer = send(client, dataset, a_file("big.bin", b"x" * 3 * 2**20))

    assert answer.status_code == 507
    assert "disk of the factory is full" in answer.text
    assert everything_below(settings.STORE_HOME) == []


def test_files_without_the_token_of_the_form_are_refused(browser, dataset, lead):
    client = Client(enforce_csrf_checks=True)
    client.force_login(lead, backend="allauth.account.auth_backends.AuthenticationBackend")

    assert send(client, dataset, a_file("a.txt")).status_code == 403
    assert not Revision.objects.exists()


def test_a_closed_case_takes_no_files_and_shows_no_form(browser, dataset, lead):
    push(dataset, {"a.txt": b"1"})
    type(dataset.case).objects.filter(pk=dataset.case_id).update(state=CaseState.CLOSED)
    client = browser(lead)

    assert 'type="file"' not in client.get(page_of(dataset)).text
    assert send(client, dataset, a_file("b.txt")).status_code == 409
    assert contents(dataset) == {"a.txt": 1}


# --- taking out --------------------------------------------------------------------------
def test_a_file_is_downloaded_and_never_shown(browser, dataset, lead):
    push(dataset, {"map/één bestand.html": b"<script>alert(1)</script>"})

    answer = browser(lead).get(f"{page_of(dataset)}revisions/1/map/één bestand.html")

    assert answer.getvalue() == b"<script>alert(1)</script>"
    assert answer["Content-Type"] == "application/octet-stream"
    assert answer["Content-Disposition"] == (
        "attachment; filename*=utf-8''%C3%A9%C3%A9n%20bestand.html"
    )
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Cache-Control"] == "private, no-store"
    assert Entry.objects.filter(verb="datasets.download", by=lead).count() == 1


def test_the_first_rows_are_shown_escaped_and_cut(browser, dataset, lead):
    push(dataset, {"rows.csv": b"naam;tekst\n<b>An;" + b"x" * 300 + b"\n", "z.txt": b"regel"})
    client = browser(lead)

    page = client.get(page_of(dataset)).text
    assert '<th scope="col">naam</th>' in page
    assert "<td>&lt;b&gt;An</td>" in page
    assert f"<td>{'x' * 199}…</td>" in page
    assert 'href="?show=z.txt#preview"' in page
    assert "<td>regel</td>" in client.get(f"{page_of(dataset)}?show=z.txt").text
    assert client.get(f"{page_of(dataset)}?show=none.txt").status_code == 404


# --- strangers ---------------------------------------------------------------------------
def strangers():
    """Everybody who is not of the consortium, however high."""
    return [
        a_person(),
        a_person(duty="staff"),
        a_person(duty="assessor"),
        a_person(duty="funder", funder_code="nl"),
    ]


def test_for_strangers_and_staff_a_dataset_does_not_exist(browser, dataset):
    push(dataset, {"a.txt": b"1"})
    invited = a_person()
    a_partner(dataset.case, lead=invited, state="invited")
    page = page_of(dataset)

    for person in [*strangers(), invited]:
        client = browser(person)
        assert dataset.title not in client.get("/data/").text
        for rest in ("", "edit/", "revisions/1/", "revisions/1/a.txt"):
            assert client.get(page + rest).status_code == 404
        assert send(client, dataset, a_file("b.txt")).status_code == 404

    assert contents(dataset) == {"a.txt": 1}
    assert not Entry.objects.filter(verb="datasets.download").exists()


def test_an_accepted_partner_sees_and_sends(browser, dataset):
    partner = a_person()
    a_partner(dataset.case, organisation=an_organisation(member=partner))
    client = browser(partner)

    assert send(client, dataset, a_file("a.txt")).status_code == 302
    assert client.get(page_of(dataset)).status_code == 200
    assert client.get(f"{page_of(dataset)}revisions/1/a.txt").getvalue() == b"1"


def test_who_is_not_signed_in_is_asked_to(client, dataset):
    for address in ("/data/", "/data/new/", page_of(dataset)):
        assert client.get(address).status_code == 302
    assert send(client, dataset, a_file("a.txt")).status_code == 302
    assert not Revision.objects.exists()
