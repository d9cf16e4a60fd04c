import hashlib
import io
from types import SimpleNamespace

import pytest

from fabriek.agreements import policy
from fabriek.datasets import actions, resumable
from fabriek.datasets.models import Dataset
from fabriek.hub import actions as hub
from fabriek.kernel.errors import Refused
from fabriek.kernel.models import Entry
from fabriek.store import actions as store
from fabriek.store.models import Blob, Ref, Repository, Revision
from tests.datasets.conftest import ROWS, contents, made, push, push_beside
from tests.factories import a_case, a_partner, a_person
from tests.store.test_files import everything_below

pytestmark = pytest.mark.django_db


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def at(dataset, rest=""):
    return f"/api/datasets/{dataset.code}{rest}"


def put(client, dataset, path, content, *, sha=None):
    return client.put(
        at(dataset, "/files"),
        content,
        content_type="application/octet-stream",
        query_params={"path": path, "sha256": sha or sha256(content)},
    )


def commit(client, dataset, files, **more):
    named = [{"path": path, "sha256": sha256(content)} for path, content in files.items()]
    body = {"files": named, "message": "by program"} | more
    return client.post(at(dataset, "/revisions"), body, content_type="application/json")


@pytest.fixture
def client(program, lead):
    return program(lead)


def test_a_dataset_is_made_and_told(client, lead):
    case = a_case(lead=lead)
    body = {"case": case.code, "title": "Berichten", "has_personal_data": False}

    answer = client.post("/api/datasets/", body, content_type="application/json")

    assert answer.status_code == 201
    told = answer.json()
    dataset = Dataset.objects.get()
    assert told | {"created_at": "", "next_steps": []} == {
        "code": dataset.code,
        "title": "Berichten",
        "description": "",
        "licence": "consortium-only",
        "has_personal_data": False,
        "case": case.code,
        "created_at": "",
        "revision": None,
        "file_count": None,
        "size_bytes": None,
        "url": f"/data/{dataset.code}/",
        "next_steps": [],
    }
    assert [step["name"] for step in told["next_steps"]] == ["push", "edit"]
    assert client.get(at(dataset)).json() == told


def test_a_case_of_others_does_not_exist(client):
    body = {"case": a_case().code, "title": "x", "has_personal_data": False}

    answer = client.post("/api/datasets/", body, content_type="application/json")

    assert answer.status_code == 404


@pytest.mark.parametrize("count", [1, 30])
def test_the_list_costs_the_same_for_1_and_30(client, lead, django_assert_num_queries, count):
    case = a_case(lead=lead)
    for number in range(count):
        push(made(by=lead, case=case, title=f"Set {number}"), {"a.txt": b"1"})
    client.get("/api/datasets/")  # notes the day of the token's last use

    with django_assert_num_queries(2):
        told = client.get("/api/datasets/").json()

    assert (told["count"], len(told["items"])) == (count, count)
    assert told["items"][0]["revision"] == 1


def test_files_are_sent_named_and_fetched(client, dataset):
    big = b"0123456789" * 500_000
    sent = put(client, dataset, "map/big.bin", big)
    assert (sent.status_code, sent.json()) == (
        201,
        {"sha256": sha256(big), "size_bytes": len(big)},
    )

    saved = commit(client, dataset, {"map/big.bin": big})

    assert saved.status_code == 201
    assert saved.json()["number"] == 1
    answer = client.get(at(dataset, "/files/map/big.bin"))
    assert answer.getvalue() == big
    assert answer["Content-Disposition"] == 'attachment; filename="big.bin"'
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert Entry.objects.filter(verb="datasets.download").count() == 1


def test_the_body_is_never_held_in_memory(client, dataset, settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 10  # reading it whole would now be refused

    assert put(client, dataset, "a.bin", b"x" * 1000).status_code == 201


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        (("../a", b"1", None), "path"),
        (("x" * 300, b"1", None), "path"),
        (("a", b"", None), "empty_file"),
        (("a", b"1", sha256(b"2")), "other_bytes"),
        (("a", b"1", "../../../etc/passwd"), "sha256"),
    ],
)
def test_a_wrong_file_is_refused_and_leaves_nothing(client, dataset, settings, wrong, code):
    path, content, sha = wrong

    answer = put(client, dataset, path, content, sha=sha)

    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert not Blob.objects.exists()
    assert everything_below(settings.STORE_HOME) == []


def test_a_body_without_its_length_is_not_taken_for_an_empty_file(client, dataset):
    address = at(dataset, f"/files?path=a&sha256={sha256(b'1')}")

    answer = client.put(address, headers={"Transfer-Encoding": "chunked"})

    assert (answer.status_code, answer.json()["code"]) == (422, "length_required")


def test_a_broken_row_is_named_by_its_line(client, dataset):
    broken = ROWS + b'{"prompt": "x"}\n'
    put(client, dataset, "train.jsonl", broken)

    answer = commit(client, dataset, {"train.jsonl": broken})

    assert (answer.status_code, answer.json()["code"]) == (422, "broken_row")
    assert answer.json()["detail"] == (
        "“train.jsonl” was not saved. Line 3 has no completion; add it."
    )
    assert not Revision.objects.exists()


def test_a_name_given_twice_is_refused(client, dataset):
    put(client, dataset, "a", b"1")
    twice = [{"path": "a", "sha256": sha256(b"1")}] * 2

    answer = client.post(
        at(dataset, "/revisions"), {"files": twice}, content_type="application/json"
    )

    assert (answer.status_code, answer.json()["code"]) == (422, "path")


def test_saving_the_same_again_says_that_nothing_is_new(client, dataset):
    put(client, dataset, "a", b"1")

    told = [commit(client, dataset, {"a": b"1"}).json() for _ in range(2)]

    assert [(one["number"], one["is_new"]) for one in told] == [(1, True), (1, False)]


def test_a_stale_parent_is_refused(client, dataset):
    push(dataset, {"a": b"1"})
    push(dataset, {"a": b"2"})
    put(client, dataset, "a", b"3")

    answer = commit(client, dataset, {"a": b"3"}, parent=1)

    assert (answer.status_code, answer.json()["code"]) == (409, "stale_parent")
    assert commit(client, dataset, {"a": b"3"}, parent=2).json()["number"] == 3


def test_files_can_be_left_out(client, dataset):
    push(dataset, {"a": b"1", "b": b"2"})

    commit(client, dataset, {}, delete=["a"])

    assert contents(dataset) == {"b": 1}


def test_only_what_is_missing_must_be_sent(client, dataset):
    push(dataset, {"a": b"1"})
    theirs = made()
    push(theirs, {"secret": b"theirs"})
    asked = [sha256(b"1"), sha256(b"2"), sha256(b"theirs")]

    answer = client.post(
        at(dataset, "/missing"), {"sha256": asked}, content_type="application/json"
    )

    assert answer.json() == {"sha256": [sha256(b"2"), sha256(b"theirs")], "size": []}


def test_sizes_are_told_as_far_as_a_revision_may_name_the_bytes(client, dataset, lead):
    """Another case of the same owner is another circle: its files have no size here."""
    mib = 2**20
    push(dataset, {"named": bytes(mib)})
    actions.add_file(dataset, "arrived", io.BytesIO(bytes(mib + 1)), by=lead)
    organisation = dataset.repository.organisation
    aside = made(by=lead, case=a_case(organisation=organisation, lead=lead))
    push(aside, {"secret": bytes(mib + 2)})
    push(made(), {"theirs": bytes(mib + 3)})

    asked = [5, *range(mib, mib + 4)]
    answer = client.post(
        at(dataset, "/missing"), {"size": asked}, content_type="application/json"
    )

    assert answer.json() == {"sha256": [], "size": [mib + 2, mib + 3]}


def test_bytes_that_were_never_sent_cannot_be_named(client, dataset):
    push(made(), {"secret": b"theirs"})

    answer = commit(client, dataset, {"mine": b"theirs"})

    assert (answer.status_code, answer.json()["code"]) == (422, "never_sent")
    assert not dataset.repository.revisions.exists()


def test_revisions_and_their_files_are_listed(client, dataset, lead):
    push(dataset, {"a": b"1"})
    push(dataset, {"b": b"22"})

    told = client.get(at(dataset, "/revisions")).json()
    newest, first = told["items"]
    assert (newest["number"], newest["file_count"], newest["author"]) == (2, 2, lead.name)
    assert (first["number"], first["size_bytes"]) == (1, 1)
    assert client.get(at(dataset, "/files")).json()["items"] == [
        {"path": "a", "sha256": sha256(b"1"), "size_bytes": 1},
        {"path": "b", "sha256": sha256(b"22"), "size_bytes": 2},
    ]
    assert client.get(at(dataset, "/files?revision=1")).json()["count"] == 1
    assert client.get(at(dataset, "/files/b?revision=1")).status_code == 404


def test_the_list_of_revisions_follows_a_branch_or_a_tag(browser, client, dataset):
    first = push(dataset, {"a": b"1"})
    push_beside(dataset, "try", {"b": b"1"})
    push(dataset, {"c": b"1"})
    repository = dataset.repository
    Ref.objects.create(repository=repository, kind="tag", name="v1", revision=first)

    def told(asked):
        items = client.get(at(dataset, f"/revisions{asked}")).json()["items"]
        return [(each["number"], each["branch"], each["parent"]) for each in items]

    main, beside, begin = (3, "main", 1), (2, "try", 1), (1, "main", None)
    assert told("") == [main, begin]
    assert told("?at=try") == [beside, begin]
    assert told("?at=v1") == [begin]
    assert told("?every=true") == [main, beside, begin]
    listing = client.get(at(dataset, "/listing?revision=2"))
    assert (listing["Fabriek-Branch"], listing["Fabriek-Parent"]) == ("try", "1")
    unknown = client.get(at(dataset, "/revisions?at=x%00"))
    assert (unknown.status_code, unknown.json()["code"]) == (404, "branch")
    # Which branches there are is not told to who may not read.
    stranger = browser(a_person()).get(at(dataset, "/revisions?at=x")).json()
    assert "try" not in str(stranger)


@pytest.mark.parametrize("duty", ["", "staff", "assessor", "funder"])
def test_for_strangers_and_staff_a_dataset_does_not_exist(program, dataset, duty):
    push(dataset, {"a": b"1"})
    person = a_person(duty=duty)
    a_partner(dataset.case, lead=person, state="invited")
    client = program(person)

    assert client.get("/api/datasets/").json()["count"] == 0
    for rest in ("", "/revisions", "/files", "/files/a"):
        assert client.get(at(dataset, rest)).status_code == 404
    assert put(client, dataset, "b", b"2").status_code == 404
    assert commit(client, dataset, {"b": b"1"}).status_code == 404
    for asked in ({"sha256": [sha256(b"1")]}, {"size": [2**20]}):
        answer = client.post(at(dataset, "/missing"), asked, content_type="application/json")
        assert answer.status_code == 404
    assert not Blob.objects.filter(sha256=sha256(b"2")).exists()
    assert not Entry.objects.filter(verb="datasets.download").exists()


def test_a_token_that_may_only_look_cannot_send(program, dataset, lead):
    assert put(program(lead, scope="read"), dataset, "a", b"1").status_code == 403
    assert not Blob.objects.exists()


@pytest.mark.parametrize("is_read", [False, True])
def test_a_dataset_removed_while_files_come_in_is_not_found(dataset, lead, is_read):
    """Of one that others read the row of its repository stays, and nobody would find files."""
    if is_read:
        policy.decide(
            policy.Wish(
                moment=policy.Moment.READ, repository=dataset.repository, person=a_person()
            )
        )
    sent = actions.add_file(dataset, "a.txt", io.BytesIO(b"1"), by=lead)
    whole = resumable.Announced(length_bytes=1, path="b.txt")
    begun = resumable.begin(dataset, whole, by=lead)
    part = resumable.Part(at=0, body=SimpleNamespace(size_bytes=1))
    hub.delete(Repository.objects.get(), by=lead)

    def refused(act, *given, **more):
        with pytest.raises(Refused) as told:
            act(*given, **more, by=lead)
        return told.value.status

    later = [
        refused(actions.commit, dataset, {"a.txt": sent}, message="late"),
        refused(resumable.begin, dataset, whole),
        refused(resumable.append, begun, part),
    ]
    assert Repository.objects.exists() == is_read
    if not is_read:
        more = [store.Entry("c.txt", 1, io.BytesIO(b"2"))]
        later += [
            refused(actions.add_file, dataset, "c.txt", io.BytesIO(b"2")),
            refused(store.store_many, dataset.repository, more),
        ]
    assert set(later) == {404}
    assert not Revision.objects.exists()
