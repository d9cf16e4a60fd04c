import hashlib
import io
import os
import threading
from datetime import timedelta

import pytest
from django.db import IntegrityError, connection
from django.utils import timezone

from fabriek.kernel.errors import Invalid, Refused, StorageFull
from fabriek.kernel.models import Entry
from fabriek.store import actions, queries, sweeping
from fabriek.store.models import Arrival, Blob, File, Repository, Revision
from tests.factories import a_case, a_person, a_repository
from tests.store.test_files import everything_below, files_of_at_most

pytestmark = pytest.mark.django_db

ROWS = b'{"prompt": "a", "completion": "b"}\n'


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def push(repository, files, *, by=None, message="first", **more):
    """Send and commit: {path: bytes}."""
    blobs = {
        path: actions.store_bytes(repository, io.BytesIO(content), by=by)
        for path, content in files.items()
    }
    return actions.commit(repository, blobs, message=message, by=by, **more)


def contents(revision):
    return {path: blob.sha256 for path, blob in queries.listing(revision).items()}


def test_a_repository_is_made_and_told():
    case, maker = a_case(), a_person()

    repository = actions.create_repository(
        kind="model", case=case, organisation=case.organisation, is_open=False, by=maker
    )

    assert repository.thread == case.code
    assert list(Entry.objects.values_list("verb", "by", "thread", "subject_id")) == [
        ("store.create_repository", maker.pk, case.code, repository.pk)
    ]


def test_the_first_revision_holds_what_was_sent():
    repository, author = a_repository(), a_person()

    revision = push(repository, {"b.txt": b"two", "a/rows.jsonl": ROWS}, by=author)

    assert (revision.number, revision.parent, revision.author) == (1, None, author)
    assert (revision.file_count, revision.size_bytes) == (2, len(ROWS) + 3)
    assert contents(revision) == {"a/rows.jsonl": sha256(ROWS), "b.txt": sha256(b"two")}
    lines = f"{sha256(ROWS)} {len(ROWS)} a/rows.jsonl\n{sha256(b'two')} 3 b.txt\n"
    assert revision.digest == sha256(lines.encode())
    entry = Entry.objects.get(verb="store.commit")
    assert (entry.by, entry.thread) == (author, repository.thread)
    assert entry.details == {"number": 1, "digest": revision.digest}


def test_the_next_revision_changes_adds_and_leaves_out():
    repository = a_repository()
    first = push(repository, {"keep": b"1", "change": b"2", "drop": b"3"})

    second = push(repository, {"change": b"22", "new": b"4"}, parent=first, delete=["drop"])

    assert (second.number, second.parent) == (2, first)
    assert contents(second) == {
        "change": sha256(b"22"),
        "keep": sha256(b"1"),
        "new": sha256(b"4"),
    }
    assert contents(first).keys() == {"keep", "change", "drop"}


def test_a_push_that_changes_nothing_returns_the_newest_revision():
    repository = a_repository()
    first = push(repository, {"a": b"1"})

    again = push(repository, {"a": b"1"}, message="again")

    assert again == first
    assert again.message == "first"
    assert Entry.objects.filter(verb="store.commit").count() == 1


def test_a_stale_parent_is_refused_and_nothing_changed():
    repository = a_repository()
    first = push(repository, {"a": b"1"})
    push(repository, {"a": b"2"}, parent=first)

    with pytest.raises(Refused, match="saved revision 2 while you worked on revision 1"):
        push(repository, {"a": b"3"}, parent=first)

    assert repository.revisions.count() == 2


def test_a_commit_whose_answer_got_lost_may_be_sent_again():
    repository = a_repository()
    first = push(repository, {"a": b"1"})
    second = push(repository, {"a": b"2"}, parent=first)

    assert push(repository, {"a": b"2"}, parent=first) == second


def test_the_database_holds_one_revision_of_each_number():
    revision = push(a_repository(), {"a": b"1"})

    revision.pk = None
    with pytest.raises(IntegrityError):
        revision.save(force_insert=True)


@pytest.mark.django_db(transaction=True)
def test_two_commits_at_once_become_two_revisions():
    if connection.vendor != "postgresql":
        pytest.skip("SQLite lets one writer in at a time; there is no at once")
    repository = a_repository()
    blobs = {x: actions.store_bytes(repository, io.BytesIO(x), by=None) for x in (b"1", b"2")}
    meet = threading.Barrier(2)

    def save(content):
        meet.wait(timeout=60)
        actions.commit(repository, {content.decode(): blobs[content]}, message="", by=None)
        connection.close()

    savers = [threading.Thread(target=save, args=[content]) for content in blobs]
    for saver in savers:
        saver.start()
    for saver in savers:
        saver.join(timeout=300)

    assert list(repository.revisions.values_list("number", "file_count")) == [(2, 2), (1, 1)]


@pytest.mark.parametrize(
    ("files", "more", "said"),
    [
        ({}, {}, "needs at least one file"),
        ({"../a": b"1"}, {}, "steps out of the folder"),
        ({"x" * 300: b"1"}, {}, "is too long"),
        ({"A": b"1", "a": b"2"}, {}, "differ in capitals only"),
        ({"a": b"1"}, {"message": "x" * 301}, "longer than 300 characters"),
        ({"a": b"1"}, {"delete": ["b"]}, "“b” cannot be left out"),
    ],
)
def test_a_commit_that_breaks_a_rule_is_refused_and_nothing_changed(files, more, said):
    repository = a_repository()

    with pytest.raises(Invalid) as refusal:
        push(repository, files, **more)

    assert said in str(refusal.value)
    assert not Revision.objects.exists()
    assert not File.objects.exists()


def test_leaving_out_the_last_file_is_refused():
    repository = a_repository()
    push(repository, {"a": b"1"})

    with pytest.raises(Invalid, match="needs at least one file"):
        push(repository, {}, delete=["a"])

    assert repository.revisions.count() == 1


def test_a_new_name_may_not_differ_from_an_old_one_in_capitals_only():
    repository = a_repository()
    push(repository, {"Data.csv": b"1"})

    with pytest.raises(Invalid, match="“data.csv” and “Data.csv” differ"):
        push(repository, {"data.csv": b"1"})


def test_who_called_another_one_by_the_name_with_its_code_keeps_it():
    case = a_case()
    named = {"D26-0001": "questions", "D26-0002": "questions-d26-0003", "D26-0003": "questions"}
    for code, title in named.items():
        actions.name_repository(a_repository(case=case), code=code, title=title)

    names = Repository.objects.order_by("code").values_list("name", flat=True)
    assert list(names) == ["questions", "questions-d26-0003", "questions-d26-0003-2"]


def test_a_file_of_the_same_case_may_be_named_without_sending_it_again():
    case = a_case()
    push(a_repository(case=case), {"rows": ROWS})
    other = a_repository(case=case)

    revision = actions.commit(other, {"copy": sha256(ROWS)}, message="", by=None)

    assert contents(revision) == {"copy": sha256(ROWS)}


def test_another_organisation_cannot_name_what_it_never_sent():
    push(a_repository(), {"rows": ROWS})
    guesser = a_repository()

    with pytest.raises(Invalid, match="bytes of “mine” were not sent here"):
        actions.commit(guesser, {"mine": sha256(ROWS)}, message="", by=None)

    assert not guesser.revisions.exists()


def test_another_case_of_the_same_organisation_cannot_name_it_either():
    ours = a_case()
    push(a_repository(case=ours), {"rows": ROWS})
    other = a_repository(case=a_case(organisation=ours.organisation, lead=ours.created_by))
    blob = Blob.objects.get()

    for guess in (blob.sha256, blob):
        with pytest.raises(Invalid, match="were not sent here"):
            actions.commit(other, {"mine": guess}, message="", by=None)


def test_what_arrived_at_one_repository_cannot_be_named_in_another():
    case = a_case()
    blob = actions.store_bytes(a_repository(case=case), io.BytesIO(ROWS), by=None)

    with pytest.raises(Invalid, match="were not sent here"):
        actions.commit(a_repository(case=case), {"rows": blob}, message="", by=None)


def test_missing_names_what_must_still_be_sent_and_tells_nothing_of_others():
    case = a_case()
    push(a_repository(), {"theirs": b"theirs"})
    push(a_repository(case=case), {"ours": b"ours"})
    repository = a_repository(case=case)
    actions.store_bytes(repository, io.BytesIO(b"sent"), by=None)

    asked = [sha256(x) for x in (b"theirs", b"ours", b"sent", b"new", b"new")]
    missing = queries.missing(repository, asked)

    assert missing == [sha256(b"theirs"), sha256(b"new")]


def test_a_full_disk_leaves_no_row_and_no_file(settings):
    repository = a_repository()

    with files_of_at_most(2**20), pytest.raises(StorageFull):
        actions.store_bytes(repository, io.BytesIO(b"x" * 2**21), by=None)

    assert not Blob.objects.exists()
    assert everything_below(settings.STORE_HOME) == []


def test_materialise_lays_out_every_file(tmp_path):
    revision = push(a_repository(), {"a.txt": b"1", "deep/er/b.txt": b"2", "c.txt": b"1"})

    actions.materialise(revision, tmp_path / "inputs")
    actions.materialise(revision, tmp_path / "inputs")

    found = everything_below(tmp_path / "inputs")
    assert found == ["a.txt", "c.txt", "deep/er/b.txt"]
    assert (tmp_path / "inputs/deep/er/b.txt").read_bytes() == b"2"


# --- sweeping ----------------------------------------------------------------------------
def grown_old(blob):
    """Let two days pass for these bytes."""
    long_ago = timezone.now() - timedelta(days=2)
    Blob.objects.filter(pk=blob.pk).update(stored_at=long_ago)
    Arrival.objects.filter(blob=blob).update(at=long_ago)
    path = queries.the_store().path(blob)
    os.utime(path, (long_ago.timestamp(), long_ago.timestamp()))
    return path


def test_the_sweep_removes_what_no_revision_names_after_a_day():
    repository = a_repository()
    forgotten = actions.store_bytes(repository, io.BytesIO(b"forgotten"), by=None)
    path = grown_old(forgotten)

    swept = actions.sweep(timezone.now())

    assert (swept.blobs, swept.size_bytes, swept.temporary) == (1, 9, 0)
    assert not path.exists()
    assert not Blob.objects.exists()
    assert actions.sweep(timezone.now()).blobs == 0


def test_the_sweep_keeps_what_any_revision_names():
    repository = a_repository()
    push(repository, {"a": b"1"})
    newest = push(repository, {"a": b"2"})
    kept = [grown_old(blob) for blob in Blob.objects.all()]

    actions.sweep(timezone.now())

    assert [path.exists() for path in kept] == [True, True]
    assert contents(newest) == {"a": sha256(b"2")}


def test_the_sweep_keeps_what_was_sent_today():
    blob = actions.store_bytes(a_repository(), io.BytesIO(b"new"), by=None)

    actions.sweep(timezone.now())

    assert queries.the_store().has(blob)


def test_what_is_sent_again_before_the_sweep_is_kept():
    repository = a_repository()
    grown_old(actions.store_bytes(repository, io.BytesIO(b"again"), by=None))
    blob = actions.store_bytes(repository, io.BytesIO(b"again"), by=None)

    actions.sweep(timezone.now())

    revision = actions.commit(repository, {"a": blob}, message="", by=None)
    assert contents(revision) == {"a": sha256(b"again")}


def test_a_file_sent_again_between_row_and_file_survives_the_sweep():
    """The push found the bytes on disk, and its transaction ends after the row has gone."""
    repository = a_repository()
    blob = actions.store_bytes(repository, io.BytesIO(b"race"), by=None)
    grown_old(blob)
    store = queries.the_store()
    store.receive(blob.organisation_id, io.BytesIO(b"race"), limit_bytes=99)

    actions.sweep(timezone.now())

    assert not Blob.objects.filter(pk=blob.pk).exists()
    assert store.verify(blob)


def test_an_arrival_older_than_a_day_opens_nothing_any_more():
    case = a_case()
    push(a_repository(case=a_case(organisation=case.organisation)), {"rows": ROWS})
    repository = a_repository(case=case)
    blob = actions.store_bytes(repository, io.BytesIO(ROWS), by=None)
    grown_old(blob)

    actions.sweep(timezone.now())

    assert Blob.objects.filter(pk=blob.pk).exists()  # the other case still names it
    with pytest.raises(Invalid, match="were not sent here"):
        actions.commit(repository, {"rows": blob}, message="", by=None)


def test_nothing_goes_where_most_files_have_no_row(monkeypatch):
    monkeypatch.setattr(sweeping, "FEW_UNKNOWN", 1)
    owner, store = a_repository().organisation_id, queries.the_store()
    for content in (b"one", b"two"):
        store.receive(owner, io.BytesIO(content), limit_bytes=99)
    later = timezone.now() + timedelta(days=10)

    actions.sweep(later + timedelta(days=6 - later.weekday()))

    assert len(list(store.singles(before=later.timestamp()))) == 2


def test_no_pack_goes_where_most_have_no_row(monkeypatch):
    monkeypatch.setattr(sweeping, "FEW_UNKNOWN", 1)
    owner, store = a_repository().organisation_id, queries.the_store()
    for content in (b"one", b"two"):
        store.keep_pack(owner, [content])
    later = timezone.now() + timedelta(days=10)

    actions.sweep(later)

    assert len(list(store.pack_keys(before=later.timestamp()))) == 2


@pytest.mark.parametrize("is_in_bucket", [False, True])
def test_files_that_no_row_names_go_on_a_sunday(is_in_bucket, settings, server, client):
    if is_in_bucket:
        settings.STORE_BUCKET, settings.S3_ENDPOINT = "s3://factory", server
    repository = a_repository()
    push(repository, {"named": b"named"})
    (named,) = queries.listing(queries.latest(repository)).values()
    store, lost, fresh = queries.the_store(), b"its row was never written", b"a moment ago"
    owner = repository.organisation_id
    for content in (lost, fresh):
        store.receive(owner, io.BytesIO(content), limit_bytes=99)
    sunday = timezone.now() + timedelta(days=10)
    sunday += timedelta(days=6 - sunday.weekday())
    near = getattr(store, "near", store)
    for path in near.home.glob(f"{owner}/??/*"):
        at = sunday.timestamp() - (3600 if path.name == sha256(fresh) else 2 * 86400)
        os.utime(path, (at, at))

    actions.sweep(sunday - timedelta(days=1))
    assert {name for _owner, name in store.singles(before=sunday.timestamp())} == {
        named.sha256,
        sha256(lost),
        sha256(fresh),
    }
    actions.sweep(sunday)

    assert {name for _owner, name in store.singles(before=sunday.timestamp())} == {
        named.sha256,
        sha256(fresh),
    }
