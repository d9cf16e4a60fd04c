"""What an address of somebody else's dataset tells: nothing that its owner did not agree to."""

import pytest

from fabriek.agreements import policy
from fabriek.agreements.models import Decided
from fabriek.datasets import actions
from fabriek.kernel.errors import Invalid
from tests.agreements.policy_world import a_policy_world
from tests.datasets.conftest import FACTS, made
from tests.runs.world import pushed

pytestmark = pytest.mark.django_db


@pytest.fixture
def world():
    """Give data that everybody may find, with one revision."""
    world = a_policy_world(listed_for="members")
    pushed(world.repository, {"a.txt": "x"}, world.owner)
    return world


def status(client, address):
    answer = client.get(address)
    if answer.streaming:
        assert b"".join(answer.streaming_content)
    return answer.status_code


# --- which revisions there are ---------------------------------------------------------------
@pytest.mark.parametrize(
    "address",
    [
        "/api/datasets/{code}/files?revision={number}",
        "/api/datasets/{code}/files/a.txt?revision={number}",
        "/api/datasets/{code}/bundle?revision={number}",
        "/api/datasets/{code}/listing?revision={number}",
        "/api/datasets/{code}/changes?revision={number}",
        "/data/{code}/revisions/{number}/",
        "/data/{code}/revisions/{number}/a.txt",
        "/data/{code}/revisions/{number}/changes/",
    ],
)
def test_who_may_not_read_is_not_told_which_revisions_there_are(
    world, browser, program, address
):
    kind = program if address.startswith("/api") else browser
    asked = [
        address.format(code=world.dataset.code, number=number)
        for number in (1, 2, 2**31, 2**63, 10**30)
    ]

    assert [status(kind(world.stranger), one) for one in asked] == [403] * 5
    assert [status(kind(world.owner), one) for one in asked] == [200, 404, 404, 404, 404]


def test_a_stranger_cannot_fill_the_log_with_revisions_that_are_not_there(world, browser):
    client = browser(world.stranger)
    for number in (*range(1000, 1020), 2**31, 2**63, 1):
        client.get(f"/data/{world.dataset.code}/revisions/{number}/none.txt")

    rows = Decided.objects.filter(repository=world.repository).order_by("number")
    assert list(rows.values_list("revision", flat=True)) == [None, 1]


# --- what a case of others is called ---------------------------------------------------------
@pytest.fixture
def secret(world):
    world.agree()
    world.owning.title = "Zeppelin takeover"
    world.owning.save()
    return world


@pytest.mark.parametrize("word", ["Zeppelin", "zepp"])
def test_the_title_of_a_case_of_others_is_not_looked_through(secret, browser, program, word):
    answer = program(secret.user).get(f"/api/datasets/?q={word}").json()
    page = browser(secret.user).get(f"/data/?q={word}").text

    assert answer["items"] == []
    assert secret.dataset.code not in page
    assert program(secret.owner).get(f"/api/datasets/?q={word}").json()["count"] == 1


def test_the_title_of_a_case_of_others_is_not_shown(secret, browser):
    theirs = browser(secret.user).get("/data/").text
    own = browser(secret.owner).get("/data/").text

    assert secret.dataset.code in theirs
    assert "Zeppelin" not in theirs
    assert secret.owning.organisation.name in theirs
    assert "Zeppelin takeover" in own


# --- signs that no database keeps, or that turn the writing ----------------------------------
@pytest.mark.parametrize("fact", ["title", "description"])
@pytest.mark.parametrize("sign", ["\x00", "\u202e", "\u2066", "\x1b"])
def test_signs_that_cannot_be_shown_are_refused(lead, program, fact, sign):
    dataset = made(by=lead)
    words = {fact: f"Safe {sign}gnp.exe"}

    with pytest.raises(Invalid) as refused:
        actions.edit(dataset, by=lead, **FACTS | words)
    body = FACTS | words | {"case": dataset.case.code}
    answer = program(lead).post("/api/datasets/", body, content_type="application/json")

    assert list(refused.value.fields) == [fact]
    assert (answer.status_code, list(answer.json()["fields"])) == (422, [fact])


def test_the_page_refuses_them_beside_the_field(lead, browser):
    dataset = made(by=lead)
    body = {"title": "a\u202eb", "licence": "CC-BY-4.0", "has_personal_data": "no"}

    page = browser(lead).post(f"/data/{dataset.code}/edit/", body)

    assert "There is a character in this text that cannot be shown." in page.text
    dataset.refresh_from_db()
    assert dataset.title == FACTS["title"]


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("/api/datasets/?q=%00", 200),
        ("/api/datasets/x%00y", 404),
        ("/api/datasets/{code}/bundle?after=%00", 200),
        ("/api/datasets/{code}/bundle?under=%00", 200),
        ("/api/datasets/{code}/bundle?below=99999999999999999999", 200),
        ("/api/datasets/{code}/bundle?below=-99999999999999999999", 200),
        ("/api/datasets/{code}/files/a%00.txt", 404),
        ("/api/datasets/{code}/files?revision=-1", 404),
        ("/api/data-use/decisions?dataset=%00", 404),
        ("/api/data-use/statements/a%00", 404),
    ],
)
def test_a_program_that_sends_a_nul_or_a_huge_number_gets_an_answer(
    world, program, address, status
):
    answer = program(world.owner).get(address.format(code=world.dataset.code))

    assert answer.status_code == status
    if answer.streaming:
        assert b"".join(answer.streaming_content)


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("/data/?q=a%00b", 200),
        ("/data/{code}/?show=a%00.txt", 404),
        ("/data/{code}/revisions/1/a%00.txt", 404),
        ("/runs/?q=%00&case=%00", 200),
        ("/models/?q=%00", 200),
        ("/catalogue/?q=%00&owner=%00", 200),
    ],
)
def test_a_page_that_gets_a_nul_answers(world, browser, address, status):
    answer = browser(world.owner).get(address.format(code=world.dataset.code))

    assert answer.status_code == status


def test_a_nul_in_what_is_sent_is_answered(world, browser, program):
    client, code = program(world.owner), world.dataset.code
    wrong = [
        {"files": [], "delete": ["a\x00"], "message": "m"},
        {"files": [], "delete": ["a.txt"], "message": "m\x00"},
        {"files": [{"path": "b.txt", "sha256": "\x00" * 64}], "message": "m"},
    ]

    told = [
        client.post(f"/api/datasets/{code}/revisions", one, content_type="application/json")
        for one in wrong
    ]
    missing = client.post(
        f"/api/datasets/{code}/missing", {"sha256": ["\x00"]}, content_type="application/json"
    )
    asked = browser(world.owner).post(f"/data/{code}/remove/", {"path": "a\x00"})

    assert [answer.status_code for answer in told] == [422] * 3
    assert (missing.status_code, missing.json()) == (200, {"sha256": ["\x00"], "size": []})
    assert asked.status_code == 200


def test_a_decision_on_a_revision_is_read_by_its_number(world):
    """What is written down is what was asked, where it is there."""
    world.agree()

    policy.decide(world.read(revision=1))

    assert Decided.objects.get().revision == 1
