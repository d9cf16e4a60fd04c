"""Another company's data at every route: it answers as a name that nobody gave."""

import json

import pytest

from fabriek.store.models import Repository, Revision
from tests.factories import a_case, a_partner, a_person, staff
from tests.hub.calls import Hub, body, header, large, lines, sha256, small

pytestmark = pytest.mark.django_db
SECRET = b"salaries\n"
JSON = "application/json"
SHA = "0" * 40

# Each with a name in its place: method, path, body, kind of body.
ROUTES = [
    ("GET", "/api/{kind}/{id}", "", JSON),
    ("GET", "/api/{kind}/{id}/revision/main", "", JSON),
    ("GET", "/api/{kind}/{id}/revision/nope", "", JSON),
    ("GET", f"/api/{{kind}}/{{id}}/revision/{SHA}", "", JSON),
    ("GET", "/api/{kind}/{id}/tree/main", "", JSON),
    ("GET", "/api/{kind}/{id}/tree/main/data?recursive=True", "", JSON),
    (
        "POST",
        "/api/{kind}/{id}/paths-info/main",
        "paths=a.txt",
        "application/x-www-form-urlencoded",
    ),
    ("GET", "/api/{kind}/{id}/refs", "", JSON),
    ("GET", "/api/{kind}/{id}/commits/main", "", JSON),
    ("GET", "/api/{kind}/{id}/auth-check", "", JSON),
    ("GET", "/api/{kind}/{id}/auth-check/write", "", JSON),
    ("PUT", "/api/{kind}/{id}/settings", '{"private": true}', JSON),
    ("POST", "/api/{kind}/{id}/branch/short", "{}", JSON),
    ("DELETE", "/api/{kind}/{id}/branch/short", "", JSON),
    ("POST", "/api/{kind}/{id}/tag/main", '{"tag": "v1"}', JSON),
    ("DELETE", "/api/{kind}/{id}/tag/v1", "", JSON),
    ("POST", "/api/{kind}/{id}/preupload/main", '{"files": []}', JSON),
    ("POST", "/api/{kind}/{id}/commit/main", lines(header(), small("x", b"1")), JSON),
    ("POST", "{files}/{id}.git/info/lfs/objects/batch", '{"operation": "upload"}', JSON),
    ("GET", "{files}/{id}/resolve/main/a.txt", "", JSON),
    ("HEAD", "{files}/{id}/resolve/main/a.txt", "", JSON),
    ("GET", "{files}/{id}/resolve/nope/nope.txt", "", JSON),
    ("DELETE", "/api/repos/delete", "delete", JSON),
    ("POST", "/api/repos/move", "move", JSON),
]


def call(client, route, repo_id, kind):
    method, path, text, content_type = route
    files = "/datasets" if kind == "datasets" else ""
    namespace, _slash, name = repo_id.partition("/")
    text = {
        "delete": json.dumps({"name": name, "organization": namespace, "type": kind[:-1]}),
        "move": json.dumps(
            {"fromRepo": repo_id, "toRepo": f"{namespace}/other", "type": kind[:-1]}
        ),
    }.get(text, text)
    path = path.format(kind=kind, id=repo_id, files=files)
    return client.generic(method, path, text, content_type=content_type)


def told(answer, repo_id):
    """All that an answer says, without the name that was asked."""
    text = body(answer).decode().replace(repo_id, "NAME")
    return answer.status_code, sorted(answer.headers.items()), text


@pytest.fixture(params=["datasets", "models"])
def theirs(request, made):
    hub = made(request.param, "secret")
    hub.push({"a.txt": SECRET, "data/config.json": b"{}"})
    return hub


@pytest.fixture
def stranger():
    person = a_person()
    a_case(lead=person)
    return person


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route[0]} {route[1]}")
def test_what_is_of_others_answers_as_what_is_not_there(program, theirs, stranger, route):
    client = program(stranger)
    unknown = f"{theirs.repo_id.split('/')[0]}/nobody"

    one, other = (
        call(client, route, repo_id, theirs.kind) for repo_id in (theirs.repo_id, unknown)
    )

    assert told(one, theirs.repo_id) == told(other, unknown)
    assert (one.status_code, one["X-Error-Code"]) == (404, "RepoNotFound")
    assert Revision.objects.count() == 1
    assert Repository.objects.filter(name="secret").count() == 1


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route[0]} {route[1]}")
def test_without_a_token_nothing_is_told(client, theirs, route):
    one, other = (
        call(client, route, repo_id, theirs.kind) for repo_id in (theirs.repo_id, "C26-9999/x")
    )

    assert told(one, theirs.repo_id) == told(other, "C26-9999/x")
    assert one.status_code == 401


def test_the_same_work_is_done_for_both(program, theirs, stranger, django_assert_num_queries):
    client = program(stranger)
    names = [theirs.repo_id, "C26-9999/nobody"]
    for repo_id in names:
        call(client, ROUTES[0], repo_id, theirs.kind)  # the day of its last use is noted once

    for repo_id in names:
        with django_assert_num_queries(2):
            call(client, ROUTES[0], repo_id, theirs.kind)


def test_staff_see_no_data_of_companies(program, theirs):
    assert call(program(staff()), ROUTES[0], theirs.repo_id, theirs.kind).status_code == 404


def test_a_partner_reads_and_writes(program, theirs, case):
    partner = a_person()
    a_partner(case, lead=partner)
    hub = Hub(program(partner), theirs.repo_id, theirs.kind)

    assert body(hub.resolve("a.txt")) == SECRET
    assert hub.commit(small("b.txt", b"2")).status_code == 200


def test_who_was_only_invited_does_not(program, theirs, case):
    invited = a_person()
    a_partner(case, lead=invited, state="invited")

    assert Hub(program(invited), theirs.repo_id, theirs.kind).get().status_code == 404


def test_a_guessed_sha256_brings_nothing_into_ones_own(program, theirs, stranger, case):
    client = program(stranger)
    asked = {"name": "mine", "type": "dataset"}
    mine = client.post("/api/repos/create", json.dumps(asked), content_type=JSON).json()["id"]

    answer = Hub(client, mine).commit(large("a.txt", SECRET))

    assert (answer.status_code, answer.json()["code"]) == (422, "never_sent")


def test_a_reading_token_reads_and_changes_nothing(program, theirs, lead):
    client = program(lead, scope="read")
    changing = [route for route in ROUTES if route[0] in {"POST", "PUT", "DELETE"}]
    changing = [route for route in changing if "paths-info" not in route[1]]

    statuses = {call(client, r, theirs.repo_id, theirs.kind).status_code for r in changing}

    assert statuses == {403}
    assert body(Hub(client, theirs.repo_id, theirs.kind).resolve("a.txt")) == SECRET
    assert Revision.objects.count() == 1


def test_what_may_be_found_and_not_read_is_gated(program, theirs, stranger):
    Repository.objects.update(listed_for="members")
    hub = Hub(program(stranger), theirs.repo_id, theirs.kind)

    for answer in (hub.get(), hub.resolve("a.txt"), hub.get("/tree/main"), hub.get("/refs"),
                   hub.get("/revision/nope"), hub.resolve("x", revision="nope")):  # fmt: skip
        assert (answer.status_code, answer["X-Error-Code"]) == (403, "GatedRepo")
        assert SECRET not in body(answer)
    assert hub.commit(small("b.txt", b"2")).status_code == 403


def test_the_same_bytes_are_not_shared_between_organisations(program, theirs, stranger):
    client = program(stranger)
    asked = {"name": "mine", "type": "dataset"}
    mine = client.post("/api/repos/create", json.dumps(asked), content_type=JSON).json()["id"]

    wish = {"operation": "upload", "objects": [{"oid": sha256(SECRET), "size": len(SECRET)}]}
    answer = client.post(
        f"/datasets/{mine}.git/info/lfs/objects/batch", json.dumps(wish), content_type=JSON
    )

    assert "actions" in answer.json()["objects"][0]
