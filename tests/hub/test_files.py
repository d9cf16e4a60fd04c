import json
from urllib.parse import urlencode

import pytest
from django.utils import timezone

from fabriek.agreements.models import Decided
from fabriek.hub import queries
from fabriek.hub.models import GitName
from fabriek.store.models import File, Repository, Revision
from tests.factories import a_person
from tests.hub.calls import Hub, body, git_sha1, large, sha256
from tests.store.test_scrub import spoil

pytestmark = pytest.mark.django_db
TEXT = b"hello\n"
BINARY = bytes(range(256)) * 8000  # 2 MB
FORM = "application/x-www-form-urlencoded"


def paths_info(hub, *paths, revision="main", expand="False"):
    form = urlencode({"paths": paths, "expand": expand}, doseq=True)
    return hub.client.post(f"{hub.api}/paths-info/{revision}", form, content_type=FORM)


def sent(hub, content):
    put, _verify = hub.links(content)
    assert (
        hub.client.put(put, content, content_type="application/octet-stream").status_code == 200
    )


@pytest.fixture
def filled(hub):
    sent(hub, BINARY)
    hub.commit(large("data/big.bin", BINARY))
    hub.push({"a.txt": TEXT, "data/b.txt": b"two", "data/deep/er/c.txt": b"three"})
    return hub


def test_a_damaged_file_hides_no_other(filled):
    GitName.objects.all().delete()  # as of what the command line or a page sent
    damaged = File.objects.get(path="a.txt").blob
    spoil(damaged)

    told = {one["path"]: one for one in filled.get("/tree/main?recursive=true").json()}

    assert told["data/b.txt"]["oid"] == git_sha1(b"two")
    assert told["a.txt"]["lfs"]["oid"] == sha256(TEXT)  # asked for again, which mends it
    assert not GitName.objects.filter(blob=damaged).exists()


def test_a_fresh_repository_answers_as_one_without_files(hub):
    told = hub.get().json()

    assert len(told["sha"]) == 40
    assert (told["siblings"], told["private"], told["gated"]) == ([], True, False)
    assert hub.get(f"/revision/{told['sha']}").json()["sha"] == told["sha"]
    assert hub.get("/tree/main?recursive=True").json() == []
    assert hub.get("/commits/main").json() == []
    assert hub.get("/refs").json()["branches"][0]["targetCommit"] == told["sha"]
    absent = hub.head("README.md")
    assert (absent.status_code, absent["X-Error-Code"]) == (404, "EntryNotFound")
    assert absent["X-Repo-Commit"] == told["sha"]


def test_what_a_repository_tells_of_itself(filled):
    told = filled.get("?blobs=true").json()

    newest = Revision.objects.first()
    assert (told["id"], told["sha"]) == (filled.repo_id, newest.commit_id)
    assert [s["rfilename"] for s in told["siblings"]] == [
        "a.txt", "data/b.txt", "data/big.bin", "data/deep/er/c.txt",
    ]  # fmt: skip
    assert told["siblings"][0] == {"rfilename": "a.txt", "size": 6, "blobId": git_sha1(TEXT)}
    assert told["siblings"][2]["lfs"]["sha256"] == sha256(BINARY)


def test_small_text_is_named_as_git_does_and_the_rest_by_its_sha256(filled):
    small, large_one = paths_info(filled, "a.txt", "data/big.bin").json()

    assert small == {"type": "file", "oid": git_sha1(TEXT), "size": 6, "path": "a.txt"}
    assert large_one["lfs"]["oid"] == sha256(BINARY)
    assert len(large_one["oid"]) == 40


def test_what_did_not_come_through_the_hub_gets_its_git_name_when_asked(filled):
    queries.git_names.GitName.objects.all().delete()

    assert filled.head("a.txt")["ETag"] == f'"{git_sha1(TEXT)}"'
    assert filled.get("/tree/main").json()[0]["oid"] == git_sha1(TEXT)


def test_a_folder_and_all_below_it(filled):
    def names(path):
        return [(e["type"][0], e["path"]) for e in filled.get(path).json()]

    assert names("/tree/main") == [("f", "a.txt"), ("d", "data")]
    assert names("/tree/main/data") == [
        ("f", "data/b.txt"), ("f", "data/big.bin"), ("d", "data/deep"),
    ]  # fmt: skip
    assert names("/tree/main/data%2Fdeep?recursive=True") == [
        ("d", "data/deep/er"), ("f", "data/deep/er/c.txt"),
    ]  # fmt: skip
    assert names("/tree/main?recursive=True") == [
        ("f", "a.txt"), ("d", "data"), ("f", "data/b.txt"), ("f", "data/big.bin"),
        ("d", "data/deep"), ("d", "data/deep/er"), ("f", "data/deep/er/c.txt"),
    ]  # fmt: skip


def test_a_folder_that_is_not_there_is_said_so(filled):
    for path in ("nope", "DATA", "data/b.tx", "data/deep/er/c.txt/x"):
        answer = filled.get(f"/tree/main/{path}")
        assert (answer.status_code, answer["X-Error-Code"]) == (404, "EntryNotFound")


@pytest.mark.parametrize("recursive", ["True", "False"])
@pytest.mark.parametrize("page", [1, 2, 3, 7])
def test_pages_of_a_tree_give_each_entry_once(hub, monkeypatch, recursive, page):
    names = ["a/x", "a-/x", "a--c", "a.b/y/z", "a.b/y/zz", "a0", "é/ü", "A/q", "b", "a/x0/y"]
    names = [name for name in names if name != "A/q"]
    hub.push({name: name.encode() for name in names})
    whole = hub.get(f"/tree/main?recursive={recursive}").json()
    monkeypatch.setattr("fabriek.hub.tree_views.PAGE", page)

    url, found = f"{hub.api}/tree/main?recursive={recursive}", []
    while url:
        answer = hub.client.get(url)
        found += answer.json()
        url = answer.get("Link", "").split(">")[0][1:].replace("http://testserver", "")

    assert found == whole
    if recursive == "True":
        assert [e["path"] for e in whole if e["type"] == "file"] == sorted(names)


def test_with_expand_the_last_commit_is_told(filled):
    told = filled.get("/tree/main?expand=True").json()

    assert told[0]["lastCommit"]["id"] == Revision.objects.first().commit_id


def test_paths_that_are_not_there_are_left_out(filled):
    told = paths_info(filled, "data", "nope", "a.txt", "", "\u0000", "../etc").json()

    assert [(e["type"], e["path"]) for e in told] == [("file", "a.txt"), ("directory", "data")]


def test_too_many_names_that_are_no_files_are_refused(filled):
    names = [f"nope{n}" for n in range(201)]

    assert paths_info(filled, *names).status_code == 400
    assert paths_info(filled, *names[:200]).json() == []


def test_a_file_with_what_clients_need_to_know(filled):
    answer = filled.resolve("a.txt")

    assert (answer.status_code, body(answer)) == (200, TEXT)
    assert answer["X-Repo-Commit"] == Revision.objects.first().commit_id
    assert (answer["ETag"], answer["Accept-Ranges"]) == (f'"{git_sha1(TEXT)}"', "bytes")
    assert (answer["Content-Length"], answer["X-Linked-Size"]) == ("6", "6")
    assert answer["Content-Disposition"].startswith("attachment")
    assert answer["Content-Security-Policy"] == (
        "default-src 'none'; sandbox; frame-ancestors 'none'"
    )


def test_with_head_there_are_no_bytes(filled):
    answer = filled.head("data/big.bin")

    assert (answer.status_code, answer.content) == (200, b"")
    assert answer["ETag"] == f'"{sha256(BINARY)}"'
    assert answer["Content-Length"] == str(len(BINARY))


def test_what_a_client_has_is_not_sent_again(filled):
    answer = filled.resolve("a.txt", headers={"If-None-Match": f'"x", W/"{git_sha1(TEXT)}"'})

    assert (answer.status_code, answer.content) == (304, b"")


@pytest.mark.parametrize(
    ("asked", "first", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=5-", 5, len(BINARY)),
        ("bytes=100-199", 100, 200),
        ("bytes=-7", len(BINARY) - 7, len(BINARY)),
        (f"bytes=0-{10**17}", 0, len(BINARY)),
        (f"bytes=-{10**17}", 0, len(BINARY)),
        (f"bytes={len(BINARY) - 1}-", len(BINARY) - 1, len(BINARY)),
    ],
)
def test_a_part_of_a_file(filled, asked, first, end):
    answer = filled.resolve("data/big.bin", headers={"Range": asked})

    assert (answer.status_code, body(answer)) == (206, BINARY[first:end])
    assert answer["Content-Range"] == f"bytes {first}-{end - 1}/{len(BINARY)}"
    assert answer["Content-Length"] == str(end - first)


@pytest.mark.parametrize("asked", [f"bytes={len(BINARY)}-", "bytes=-0", f"bytes={10**17}-"])
def test_a_part_beyond_the_end(filled, asked):
    answer = filled.resolve("data/big.bin", headers={"Range": asked})

    assert answer.status_code == 416
    assert answer["Content-Range"] == f"bytes */{len(BINARY)}"


@pytest.mark.parametrize(
    "asked",
    [
        "bytes=5-3",
        "bytes=-",
        "bytes=a-b",
        "lines=1-2",
        "bytes=" + ",".join(f"{n}-{n}" for n in range(5000)),
        "bytes=" + "9" * 5000 + "-",
        "bytes=0-1,2-3",
    ],
)
def test_of_anything_else_the_whole_file_is_a_right_answer(filled, asked):
    answer = filled.resolve("a.txt", headers={"Range": asked})

    assert (answer.status_code, body(answer)) == (200, TEXT)


def test_the_rest_of_another_file_is_not_joined_to_what_a_client_has(filled):
    """Browsers and curl go on with what broke off, and the branch may have gone on as well."""
    etag = filled.head("data/big.bin")["ETag"]

    same, other = (
        filled.resolve("data/big.bin", HTTP_RANGE="bytes=5-", HTTP_IF_RANGE=had)
        for had in (etag, '"another"')
    )

    assert (same.status_code, same.taken) == (206, BINARY[5:])
    assert (other.status_code, other.taken) == (200, BINARY)


def test_parts_of_a_small_file_that_lies_in_a_pack(filled):
    for first in range(len(TEXT)):
        answer = filled.resolve("a.txt", headers={"Range": f"bytes={first}-"})
        assert body(answer) == TEXT[first:]


def test_what_is_not_there_is_remembered_with_its_commit(filled):
    answer = filled.resolve("nope.txt")

    assert (answer.status_code, answer["X-Error-Code"]) == (404, "EntryNotFound")
    assert answer["X-Repo-Commit"] == Revision.objects.first().commit_id


def test_a_name_in_another_form_of_unicode_is_the_same(hub):
    hub.push({"café.txt": TEXT})

    assert hub.resolve("cafe\u0301.txt").status_code == 200


def test_revisions_by_branch_tag_and_forty_signs(hub):
    first = hub.push({"a.txt": b"1"})
    hub.client.post(
        f"{hub.api}/tag/main", json.dumps({"tag": "v1"}), content_type="application/json"
    )
    hub.client.post(f"{hub.api}/branch/feature%2Fshort", "{}", content_type="application/json")
    second = hub.push({"a.txt": b"2"})
    third = hub.push({"a.txt": b"3"}, branch="feature%2Fshort")

    for name, commit, content in [
        ("main", second, b"2"), ("v1", first, b"1"), (first, first, b"1"),
        ("feature%2Fshort", third, b"3"), ("feature/short", third, b"3"),
    ]:  # fmt: skip
        answer = hub.resolve("a.txt", revision=name)
        assert (answer["X-Repo-Commit"], body(answer)) == (commit, content)
        assert hub.get(f"/revision/{name}").json()["sha"] == commit


@pytest.mark.parametrize(
    "name",
    ["nope", "0" * 40, "refs/pr/1", "refs%2Fconvert%2Fparquet", "%00", "..", "a" * 300, "é",
     "%ED%A0%80", "main%20", "'; drop table", "a/" * 50, "%2e%2e%2f"],
)  # fmt: skip
def test_a_revision_that_is_not_there(filled, name):
    answer = filled.get(f"/revision/{name}")

    assert (answer.status_code, answer["X-Error-Code"]) == (404, "RevisionNotFound")
    assert filled.resolve("a.txt", revision=name)["X-Error-Code"] == "RevisionNotFound"


def test_a_path_behind_a_revision_is_no_revision(filled):
    assert filled.get("/revision/main/a.txt")["X-Error-Code"] == "RevisionNotFound"


def test_history_newest_first_in_pages(hub, monkeypatch):
    commits = [hub.push({"a.txt": b"%d" % n}) for n in range(3)]
    monkeypatch.setattr("fabriek.hub.ref_views.PAGE", 2)

    first = hub.get("/commits/main")
    rest = hub.client.get(first["Link"].split(">")[0][1:].replace("http://testserver", ""))

    assert [c["id"] for c in first.json() + rest.json()] == commits[::-1]
    assert first.json()[0]["title"] == "first"


def test_a_branch_goes_on_from_where_it_began(hub):
    first = hub.push({"a.txt": b"1"})
    hub.client.post(f"{hub.api}/branch/short", "{}", content_type="application/json")
    hub.push({"a.txt": b"2"})
    third = hub.push({"b.txt": b"3"}, branch="short")

    assert [c["id"] for c in hub.get("/commits/short").json()] == [third, first]
    names = [s["rfilename"] for s in hub.get("/revision/short").json()["siblings"]]
    assert names == ["a.txt", "b.txt"]
    assert body(hub.resolve("a.txt", revision="short")) == b"1"


@pytest.mark.parametrize(
    "name",
    ["main", "v1", "v1/x", "0" * 40, "a..b", "-a", ".a", "a.lock", "a b", "a//b", "refs/x",
     "x%00y", "a" * 300, "a/b/c/d/e/f/g"],
)  # fmt: skip
def test_a_name_that_no_branch_or_tag_can_have(hub, name):
    hub.push({"a.txt": b"1"})
    tag = json.dumps({"tag": "v1"})
    hub.client.post(f"{hub.api}/tag/main", tag, content_type="application/json")

    answer = hub.client.post(f"{hub.api}/branch/{name}", "{}", content_type="application/json")

    assert answer.status_code in {409, 422}
    assert answer.status_code == 409 or "letters, digits" in answer.json()["error"]
    assert len(hub.get("/refs").json()["branches"]) == 1


def test_a_name_of_six_words_is_found_again(hub):
    hub.push({"a.txt": b"1"})
    at = f"{hub.api}/branch/a/b/c/d/e/f"

    assert hub.client.post(at, "{}", content_type="application/json").status_code == 200
    assert [f["path"] for f in hub.get("/tree/a/b/c/d/e/f").json()] == ["a.txt"]
    assert len(hub.get("/refs").json()["branches"]) == 2


def test_what_its_owner_removed_is_gone_and_not_empty(hub, lead):
    first = hub.push({"a.txt": b"1"})
    hub.push({"b.txt": b"2"})
    Revision.objects.filter(commit_id=first).update(
        dropped_at=timezone.now(), dropped_by=lead, dropped_why="too old"
    )
    File.objects.filter(revision__commit_id=first).delete()

    answers = [
        hub.get(f"/revision/{first}"),
        hub.get(f"/tree/{first}"),
        hub.resolve("a.txt", revision=first),
        paths_info(hub, "a.txt", revision=first),
        hub.client.post(
            f"{hub.api}/branch/old", json.dumps({"startingPoint": first}),
            content_type="application/json",
        ),
    ]  # fmt: skip

    assert [(a.status_code, a["X-Error-Code"]) for a in answers] == [
        (404, "RevisionNotFound")
    ] * 5
    assert "Use a newer revision" in answers[0].json()["error"]
    assert len(hub.get("/commits/main").json()) == 2


def test_a_branch_is_removed_and_its_name_begins_anew(hub):
    first = hub.push({"a.txt": b"1"})
    branch = f"{hub.api}/branch/short"
    hub.client.post(branch, "{}", content_type="application/json")
    second = hub.push({"a.txt": b"2"}, branch="short")

    assert hub.client.delete(branch).status_code == 200
    assert hub.get("/revision/short").status_code == 404
    assert hub.get(f"/revision/{second}").status_code == 200
    hub.client.post(branch, "{}", content_type="application/json")
    assert hub.get("/revision/short").json()["sha"] == first
    assert hub.client.delete(f"{hub.api}/branch/main").status_code == 409
    assert hub.client.delete(f"{hub.api}/branch/nope").status_code == 404


def test_a_tag_is_made_once_and_removed(hub):
    hub.push({"a.txt": b"1"})
    wish = json.dumps({"tag": "v1", "message": "as published\u0000"})

    statuses = [
        hub.client.post(
            f"{hub.api}/tag/main", wish, content_type="application/json"
        ).status_code
        for _time in range(2)
    ]

    assert statuses == [200, 409]
    assert [t["name"] for t in hub.get("/refs").json()["tags"]] == ["v1"]
    assert hub.client.delete(f"{hub.api}/tag/v1").status_code == 200
    assert hub.client.delete(f"{hub.api}/tag/v1").status_code == 404


def test_who_took_which_revision_is_written_down_once_an_hour(filled, lead):
    Decided.objects.all().delete()
    for _time in range(3):
        filled.resolve("a.txt")

    told = Decided.objects.filter(moment="read").values_list("person", "revision", "allowed")
    assert list(told) == [(lead.pk, 2, True)]


@pytest.mark.django_db(transaction=True)  # a decision stands once it is saved
def test_a_call_for_a_file_costs_three_queries(filled, django_assert_num_queries):
    newest = filled.head("a.txt")["X-Repo-Commit"]

    # Who asks; which repository, and whether terms bind it; the revision and the file in it.
    for revision in ("main", newest):
        for path in ("a.txt", "nope.txt"):
            with django_assert_num_queries(3):
                filled.head(path, revision)


@pytest.mark.django_db(transaction=True)  # a decision stands once it is saved
@pytest.mark.parametrize(("path", "count"), [("", 4), ("/tree/main", 5)])
def test_what_clients_ask_before_all_files_costs(
    filled, path, count, django_assert_num_queries
):
    filled.get(path)

    with django_assert_num_queries(count):
        filled.get(path)


@pytest.mark.django_db(transaction=True)  # a decision stands once it is saved
def test_what_is_told_of_many_files_costs_the_same(filled, django_assert_num_queries):
    filled.get("/tree/main?recursive=True")
    for path in ("/tree/main?recursive=True", "/tree/main/data/deep?recursive=True"):
        with django_assert_num_queries(4):
            filled.get(path)


def test_every_wrong_method_is_refused(filled):
    for path in (filled.api, f"{filled.api}/tree/main", f"{filled.files}/resolve/main/a.txt"):
        assert filled.client.put(path, "{}").status_code == 405
    assert filled.client.get(f"{filled.api}/commit/main").status_code == 405


def test_an_open_model_is_read_by_everybody_who_signs_in(program, made):
    model = made("models", "desk")
    model.push({"config.json": b"{}"})
    Repository.objects.update(is_open=True)

    theirs = Hub(program(a_person()), model.repo_id, "models")

    assert theirs.get().json()["private"] is False
    assert body(theirs.resolve("config.json")) == b"{}"
    assert theirs.head("config.json")["ETag"] == f'"{git_sha1(b"{}")}"'


@pytest.mark.django_db(transaction=True)  # a decision stands once it is saved
@pytest.mark.parametrize("more", [1, 6])
def test_all_branches_cost_the_same(hub, more, django_assert_num_queries):
    hub.push({"a.txt": b"1"})
    for number in range(more):
        hub.client.post(f"{hub.api}/branch/b{number}", "{}", content_type="application/json")
    hub.push({"b.txt": b"2"}, branch="b0")
    newest = hub.push({"a.txt": b"3"})
    hub.get("/refs")

    with django_assert_num_queries(5):
        told = hub.get("/refs").json()["branches"]

    assert len(told) == more + 1
    assert told[0]["targetCommit"] == newest
    assert told[1]["targetCommit"] != newest


@pytest.mark.django_db(transaction=True)  # a decision stands once it is saved
@pytest.mark.parametrize("folders", [1, 60])
def test_paths_cost_the_same(hub, folders, django_assert_num_queries):
    hub.push({f"{number:02}/a.txt": b"1" for number in range(folders)})
    asked = [f"{number:02}" for number in range(folders)]
    paths_info(hub, *asked, "absent", "0")

    with django_assert_num_queries(5):
        told = paths_info(hub, *asked, "absent", "0").json()

    assert [one["path"] for one in told] == asked
