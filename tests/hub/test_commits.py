import json
import tracemalloc

import pytest

from fabriek.hub import commit_lines, commits, queries
from fabriek.kernel.models import Entry
from fabriek.store.models import Blob, Damage, File, Revision
from tests.factories import a_case, a_person
from tests.hub.calls import (
    NDJSON,
    Hub,
    b64,
    body,
    git_sha1,
    gone,
    header,
    large,
    lines,
    sha256,
    small,
)
from tests.store.test_scrub import scrubbed, spoil

pytestmark = pytest.mark.django_db
BIG = b"\0" * 100


def names(revision=None):
    revision = revision or Revision.objects.first()
    return list(revision.files.values_list("path", flat=True))


def preupload(hub, *files, branch="main", query=""):
    asked = {"files": [{"path": p, "size": s, "sample": b64(c)} for p, s, c in files]}
    return hub.client.post(
        f"{hub.api}/preupload/{branch}{query}",
        json.dumps(asked),
        content_type="application/json",
    )


def raw(hub, text):
    return hub.client.post(f"{hub.api}/commit/main", text, content_type=NDJSON)


# --- before a commit ---------------------------------------------------------------------
def test_text_goes_inside_and_the_rest_beside(hub):
    told = preupload(
        hub,
        ("a.csv", 10, b"a,b\n"),
        ("b.bin", 10, b"a\0b"),
        ("c.csv", 2**20 + 1, b"a,b\n"),
        ("d.txt", 10, b"\xff\xfe"),
        ("empty", 0, b""),
    ).json()["files"]

    assert [f["uploadMode"] for f in told] == ["regular", "lfs", "lfs", "lfs", "regular"]
    assert [f["oid"] for f in told] == [None] * 5


def test_what_is_there_is_told_by_the_name_that_clients_compare(hub):
    hub.push({"a.txt": b"one", "café.txt": b"two"})

    a, b, as_large = preupload(
        hub, ("a.txt", 3, b"one"), ("cafe\u0301.txt", 3, b"x"), ("a.txt", 2**21, b"one")
    ).json()["files"]

    assert (a["oid"], b["oid"]) == (git_sha1(b"one"), git_sha1(b"two"))
    assert as_large["oid"] == sha256(b"one")


def test_what_is_damaged_is_asked_for_again_and_that_mends_it(hub):
    first = hub.push({"a.txt": b"one"})
    spoil(Blob.objects.get())
    scrubbed()

    told = preupload(hub, ("a.txt", 3, b"one")).json()["files"][0]
    again = hub.push({"a.txt": b"one"})

    assert (told["oid"], again) == (None, first)
    assert Damage.objects.get().how == "sent"


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        '{"files": 1}',
        '{"files": [1]}',
        '{"files": [{"path": "a"}]}',
        '{"files": [{"path": "a", "size": -1, "sample": ""}]}',
        '{"files": [{"path": "a", "size": 1, "sample": "*"}]}',
        '{"files": [{"path": 1, "size": 1, "sample": ""}]}',
        json.dumps({"files": [{"path": "a", "size": 1, "sample": ""}] * 2001}),
    ],
)
def test_what_asks_nothing_is_unreadable(hub, text):
    answer = hub.client.post(f"{hub.api}/preupload/main", text, content_type="application/json")

    assert answer.status_code == 400


def test_pull_requests_are_said_not_to_be_offered(hub):
    assert preupload(hub, ("a.txt", 1, b"a"), query="?create_pr=1").status_code == 501
    answer = hub.commit(small("a.txt", b"a"), query="?create_pr=1")
    assert (answer.status_code, Revision.objects.count()) == (501, 0)
    assert "branch" in answer["X-Error-Message"]


# --- a commit ----------------------------------------------------------------------------
def test_a_commit_is_a_revision_and_says_where(hub, lead, case):
    answer = hub.commit(small("a.txt", b"one"), small("data/b.txt", b"two"))

    revision = Revision.objects.get()
    told = answer.json()
    assert told["commitOid"] == revision.commit_id
    assert told["commitUrl"].endswith(f"/datasets/{hub.repo_id}/commit/{revision.commit_id}")
    assert (names(), revision.message, revision.author) == (
        ["a.txt", "data/b.txt"],
        "first",
        lead,
    )
    assert Entry.objects.filter(verb="store.commit", by=lead, thread=case.code).count() == 1


def test_the_same_again_changes_nothing(hub):
    assert hub.push({"a.txt": b"one"}) == hub.push({"a.txt": b"one"})
    assert Revision.objects.count() == 1


def test_a_commit_without_files_changes_nothing(hub):
    beginning = hub.get().json()["sha"]

    assert hub.commit().json()["commitOid"] == beginning
    assert Revision.objects.count() == 0


def test_summary_and_description_are_kept_as_far_as_there_is_room(hub):
    head = {
        "key": "header",
        "value": {"summary": "a\u0000 b\n" * 100, "description": "c\n\u202ed"},
    }
    hub.commit(head, small("a.txt", b"1"), headed=False)

    message = Revision.objects.get().message
    assert message.startswith("a b a b")
    assert len(message) == 300


def test_files_and_folders_are_left_out(hub):
    hub.push({"a.txt": b"1", "d/b.txt": b"2", "d/e/c.txt": b"3", "dd.txt": b"4"})

    hub.commit(gone("d/", "deletedFolder"), gone("a.txt"), small("new.txt", b"5"))

    assert names() == ["dd.txt", "new.txt"]


def test_many_folders_are_left_out_in_one_look(hub, django_assert_max_num_queries):
    hub.push({f"d{n}/x/{m}.txt": b"1" for n in range(30) for m in range(3)} | {"d": b"2"})

    with django_assert_max_num_queries(60):
        hub.commit(*(gone(f"d{n}/", "deletedFolder") for n in range(30)))

    assert names() == ["d"]


class Counted(list):
    """Names of files, and how many of them were looked at."""

    looked_at = 0

    def __getitem__(self, which):
        found = super().__getitem__(which)
        self.looked_at += len(found) if isinstance(which, slice) else 1
        return found

    def __iter__(self):
        for name in super().__iter__():
            self.looked_at += 1
            yield name


def test_many_folders_are_left_out_without_passing_all_files_for_each(hub, monkeypatch):
    """Of a hundred thousand folders the last ones else cost half a minute and more."""
    hub.push({f"d{n}/x/a.txt": b"1" for n in range(100)} | {"d0.txt": b"2", "d": b"3"})
    there = Counted(queries.paths(Revision.objects.get()))
    monkeypatch.setattr(queries, "paths", lambda _revision: there)
    some = [gone(f"d{n}/", "deletedFolder") for n in range(100)]
    again = [gone(path, "deletedFolder") for path in ("d1/x/", "d1")]

    hub.commit(*some, *again * 500)

    assert there.looked_at <= 100 * (2 * 8 + 1)  # to where each begins and ends, and its one
    assert names() == ["d", "d0.txt"]


def test_all_is_left_out_only_when_something_else_comes(hub):
    hub.push({"a.txt": b"1", "b/c.txt": b"2"})

    assert hub.commit(gone("/", "deletedFolder")).status_code == 422
    assert hub.commit(gone("/", "deletedFolder"), small("new", b"3")).status_code == 200
    assert names() == ["new"]


def test_a_commit_has_an_end(hub, monkeypatch):
    monkeypatch.setattr(commits, "FILES_MAX", 3)

    answer = hub.commit(*(small(f"{n}.txt", b"1") for n in range(4)))

    assert (answer.status_code, Revision.objects.count()) == (413, 0)


def test_what_is_left_out_and_put_in_at_once_is_there(hub):
    hub.push({"data/0.txt": b"old", "a.txt": b"1"})

    hub.commit(gone("data", "deletedFolder"), small("data/0.txt", b"new"))

    assert names() == ["a.txt", "data/0.txt"]
    assert hub.head("data/0.txt")["ETag"] == f'"{git_sha1(b"new")}"'


def test_what_is_not_there_cannot_be_left_out(hub):
    hub.push({"a.txt": b"1"})

    answer = hub.commit(gone("nope.txt"))

    assert (answer.status_code, answer["X-Error-Code"]) == (404, "EntryNotFound")


def test_the_last_file_stays(hub):
    hub.push({"a.txt": b"1"})

    answer = hub.commit(gone("a.txt"))

    assert (answer.status_code, Revision.objects.count()) == (422, 1)


def test_a_commit_on_what_is_no_longer_the_newest_is_refused(hub):
    first = hub.push({"a.txt": b"1"})
    second = hub.push({"a.txt": b"2"})

    stale = hub.commit(header(parent=first), small("a.txt", b"3"), headed=False)
    good = hub.commit(header(parent=second[:7]), small("a.txt", b"4"), headed=False)

    assert (stale.status_code, good.status_code) == (412, 200)
    assert second in stale["X-Error-Message"]
    for wrong in (first[:6], second[:6], "x", "0" * 40):
        answer = hub.commit(header(parent=wrong), small("a.txt", b"5"), headed=False)
        assert answer.status_code == 412


def test_the_first_commit_may_name_the_beginning(hub):
    beginning = hub.get().json()["sha"]

    assert (
        hub.commit(header(parent=beginning), small("a", b"1"), headed=False).status_code == 200
    )
    assert (
        hub.commit(header(parent=beginning), small("a", b"2"), headed=False).status_code == 412
    )


def test_who_saves_between_look_and_save_is_not_overwritten(hub, monkeypatch):
    first = hub.push({"a.txt": b"1"})
    real = commits._saved  # noqa: SLF001  between its look and its save

    def save(repository, change, **more):
        monkeypatch.setattr(commits, "_saved", real)
        hub.push({"a.txt": b"2"})
        return real(repository, change, **more)

    monkeypatch.setattr(commits, "_saved", save)
    answer = hub.commit(header(parent=first), small("a.txt", b"3"), headed=False)

    assert (answer.status_code, Revision.objects.count()) == (412, 2)


def test_only_a_branch_takes_a_commit(hub):
    first = hub.push({"a.txt": b"1"})
    for name in (first, "nope", "refs/pr/1", "%00"):
        answer = hub.commit(small("a.txt", b"2"), branch=name)
        assert (answer.status_code, answer["X-Error-Code"]) == (404, "RevisionNotFound")


def test_large_files_must_have_been_sent_here(hub, program):
    stranger = a_person()
    theirs = Hub(program(stranger), f"{a_case(lead=stranger).code}/secret")
    asked = {"name": "secret", "type": "dataset"}
    theirs.client.post("/api/repos/create", json.dumps(asked), content_type="application/json")
    theirs.push({"salaries.csv": b"1,2"})
    theirs.commit(small("x.bin", BIG))

    answer = hub.commit(large("x.bin", BIG))

    assert (answer.status_code, answer.json()["code"]) == (422, "never_sent")
    assert hub.get().json()["siblings"] == []


@pytest.mark.parametrize("oid", ["", "x" * 64, "A" * 64, "0" * 63, "../../../etc/passwd"])
def test_what_is_no_sha256_is_refused(hub, oid):
    value = {"path": "a.bin", "algo": "sha256", "oid": oid, "size": 1}

    assert hub.commit({"key": "lfsFile", "value": value}).status_code == 422


# --- hostile lines -----------------------------------------------------------------------
@pytest.mark.parametrize(
    "path",
    [
        "", "/etc/passwd", "../x", "a/../b", "a//b", "./a", "a\\b", "C:/x", "a\u0000b", "a\nb",
        "con", "x" * 300, "a/" * 600, "\ud800", "\u202eexe.txt", ".git/config", "a ", "a.",
    ],
)  # fmt: skip
def test_a_path_that_will_not_do_changes_nothing(hub, path):
    answer = hub.commit(small("good.txt", b"1"), small(path, b"2"))

    assert answer.status_code == 422
    assert Revision.objects.count() == 0


def test_a_file_named_twice_is_refused_in_any_form_of_unicode(hub):
    for one, other in [
        ("a.txt", "a.txt"),
        ("café", "cafe\u0301"),
        ("A.txt", "a.txt"),
        ("a", "a/b"),
    ]:
        answer = hub.commit(small(one, b"1"), small(other, b"2"))
        assert (answer.status_code, Revision.objects.count()) == (422, 0)


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "[]",
        "null",
        '"file"',
        '{"key": "file"}',
        '{"key": "file", "value": null}',
        '{"key": "file", "value": {"path": "a"}}',
        '{"key": "file", "value": {"path": 1, "content": ""}}',
        '{"key": "file", "value": {"path": "a", "content": 7}}',
        '{"key": "file", "value": {"path": "a", "content": "*not base64*"}}',
        '{"key": "file", "value": {"path": "a", "content": "YQ"}}',
        '{"key": "file", "value": {"path": "a", "content": "Y Q=="}}',
        '{"key": "lfsFile", "value": {"path": "a", "oid": 1}}',
        '{"key": "lfsFile", "value": {"path": "a", "algo": "md5", "oid": "1"}}',
        '{"key": "deletedFile", "value": {}}',
        '{"key": "header", "value": {"summary": 1}}',
        '{"key": "symlink", "value": {"path": "a"}}',
        "[" * 100_000,
        b"\xff\xfe",
    ],
)
def test_a_line_that_cannot_be_read_changes_nothing(hub, line):
    good = lines(header(), small("a.txt", b"1")).encode()
    line = line if isinstance(line, bytes) else line.encode()

    answer = raw(hub, b"\n".join([good, line]))

    assert (answer.status_code, Revision.objects.count()) == (400, 0)


def test_a_line_of_what_goes_inside_is_taken_and_a_longer_one_is_not(hub):
    content = b"x" * 2**20
    assert hub.commit(small("a.txt", content)).status_code == 200
    assert Blob.objects.get().size_bytes == len(content)

    answer = hub.commit(small("b.txt", b"x" * (2 * 2**20)))

    assert (answer.status_code, Revision.objects.count()) == (413, 1)


@pytest.mark.parametrize(
    "line",
    [
        '{"key": "file", "value": [' + "[]," * 500_000 + "[]]}",
        '{"key": "file", "value": {' + ",".join(f'"{n}":1' for n in range(100_000)) + "}}",
        '{"key": "header", "value": {"summary": ' + "[" * 100_000 + "]" * 100_000 + "}}",
        "[" + "1," * 500_000 + "1]",
    ],
)
def test_a_line_that_grows_in_memory_is_not_read(hub, line):
    tracemalloc.start()
    try:
        answer = raw(hub, line.encode())
        _now, most_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert (answer.status_code, Revision.objects.count()) == (400, 0)
    assert most_bytes < 16 * 2**20


def test_a_long_line_may_hold_any_sign_and_its_words_in_any_order(hub):
    content = 'a "word" \\ é {[,]} \n' * 4000
    value = {"encoding": "utf-8", "content": content, "path": "a.txt"}

    answer = raw(hub, json.dumps({"value": value, "key": "file"}).encode())

    assert answer.status_code == 200
    assert body(hub.resolve("a.txt")).decode() == content


def test_a_long_line_is_never_held_whole(hub, monkeypatch):
    monkeypatch.setattr(commit_lines, "LINE_BYTES_MAX", 1000)

    answer = raw(hub, b'{"key": "' + b"x" * 10_000_000)

    assert answer.status_code == 413


def test_empty_lines_and_line_ends_of_windows_are_read(hub):
    text = lines(header(), small("a.txt", b"1")).replace("\n", "\r\n") + "\r\n\r\n"

    assert raw(hub, text).status_code == 200
    assert names() == ["a.txt"]


def test_many_files_are_taken_in_some_at_a_time(hub, monkeypatch):
    monkeypatch.setattr(commits, "AT_ONCE", 7)
    files = {f"d{n % 5}/{n}.txt": b"%d" % (n % 40) for n in range(100)}

    hub.push(files)

    assert File.objects.count() == 100
    assert hub.resolve("d2/77.txt").headers["Content-Length"] == "2"


def test_files_of_no_bytes_are_kept(hub):
    hub.push({".gitkeep": b"", "a/__init__.py": b""})

    assert names() == [".gitkeep", "a/__init__.py"]
    assert hub.resolve(".gitkeep")["Content-Length"] == "0"


def test_rows_of_any_form_are_kept_word_for_word(hub):
    rows = b'{"a": 1}\r\n{"a": 2}'
    hub.push({"rows.jsonl": rows})

    assert hub.head("rows.jsonl")["ETag"] == f'"{git_sha1(rows)}"'


def test_a_case_that_closes_meanwhile_takes_no_commit(hub, case, monkeypatch):
    real = commits.taking.take

    def take(*words, **named):
        case.state = "closed"
        case.save()
        return real(*words, **named)

    monkeypatch.setattr(commits.taking, "take", take)

    assert hub.commit(small("a.txt", b"1")).status_code == 409
    assert Revision.objects.count() == 0
