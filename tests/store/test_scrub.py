"""Reading again: what is damaged is found, put aside, told and mended."""

import io
import os
import shutil
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from fabriek.store import actions, damages, queries, scrub, suspects
from fabriek.store.base import Damaged, Harm
from fabriek.store.files import FolderStore
from fabriek.store.models import Blob, Damage, Round
from tests.factories import a_repository
from tests.store.test_actions import push, sha256
from tests.store.test_many import entries, push_many, read, spoilt

pytestmark = pytest.mark.django_db


def never():
    return False


def scrubbed(*, anew=False, **more):
    scrub.begin(anew=anew)
    reader = scrub.Reader(is_stopped=never, **more)
    return reader, reader.read()


def store_of(repository, *, singles=(), packed=()):
    """Keep files of the repository, named in one revision; returns {path: blob}."""
    files = {f"single-{n}": content for n, content in enumerate(singles)}
    push(repository, files) if files else None
    if packed:
        push_many(repository, {f"packed-{n}": content for n, content in enumerate(packed)})
    return queries.listing(queries.latest(repository))


def spoil(blob, *, at=0, byte=b"X"):
    """Turn a byte of it on disk, as a failing disk does."""
    path = queries.the_store().path(blob)
    path.chmod(0o600)
    with path.open("r+b") as file:
        file.seek(blob.pack_offset + at)
        file.write(byte)
    path.chmod(0o444)


def test_a_round_reads_everything_once():
    store_of(a_repository(), singles=[b"1" * 9, b"2" * 9], packed=[b"3" * 9, b"4" * 9])

    reader, is_whole_round = scrubbed()

    assert is_whole_round
    assert (reader.read_files, reader.read_bytes, reader.found) == (4, 36, 0)
    assert not Blob.objects.filter(verified_at=None).exists()
    done = Round.objects.get()
    assert (done.read_files, done.read_bytes, done.found) == (4, 36, 0)
    assert done.ended_at
    assert done.claimed_until is None


def test_a_blake3_that_was_not_known_is_noted():
    there = store_of(a_repository(), singles=[b"single"], packed=[b"packed"])
    known = dict(Blob.objects.values_list("pk", "blake3"))
    Blob.objects.update(blake3="")

    scrubbed()

    assert dict(Blob.objects.values_list("pk", "blake3")) == known
    assert len(there) == 2


def test_it_stops_between_files_and_goes_on_where_it_was():
    store_of(a_repository(), singles=[bytes([n]) * 9 for n in range(5)])
    scrub.begin()

    first = scrub.Reader(is_stopped=never, is_over=lambda: True)
    assert not first.read()
    assert first.read_files == 1
    second, ended = scrubbed()

    assert ended
    assert second.read_files == 4
    assert Round.objects.get().read_files == 5


def test_it_stops_in_the_middle_of_a_file_and_reads_that_one_again():
    store_of(a_repository(), singles=[os.urandom(9 * 2**20)])
    scrub.begin()

    stopped = scrub.Reader(is_stopped=lambda: True)
    assert not stopped.read()
    assert stopped.read_files == 0
    assert scrub.progress(timezone.now()).left_files == 1
    again, ended = scrubbed()

    assert (again.read_files, ended) == (1, True)


def test_one_reads_at_a_time_and_a_dead_ones_claim_runs_out():
    store_of(a_repository(), singles=[b"1"])
    opened = scrub.begin()
    now = timezone.now()
    Round.objects.update(claimed_until=now + timedelta(seconds=60))

    assert scrubbed()[1] is False
    Round.objects.update(claimed_until=now - timedelta(seconds=1))
    assert scrubbed()[1] is True

    assert Round.objects.get().pk == opened.pk


def test_what_was_read_longest_ago_comes_first_and_anew_reads_all_again():
    repository = a_repository()
    there = store_of(repository, singles=[b"old", b"new"])
    scrubbed()
    now = timezone.now()
    by = {"single-0": 9, "single-1": 1}
    for path, days in by.items():
        Blob.objects.filter(pk=there[path].pk).update(verified_at=now - timedelta(days=days))
    scrub.begin(anew=True)
    order = []

    scrub.Reader(is_stopped=never, told=lambda reader: order.append(reader.read_bytes)).read()

    assert order == [3, 6]
    verified = Blob.objects.order_by("verified_at").values_list("pk", flat=True)
    assert list(verified) == [there["single-0"].pk, there["single-1"].pk]


def test_a_round_is_due_when_the_last_began_long_enough_ago(settings):
    settings.SCRUB_DAYS = 7
    now = timezone.now()
    assert scrub.is_due(now)
    scrubbed()
    assert not scrub.is_due(now + timedelta(days=6))
    assert scrub.is_due(now + timedelta(days=8))


def test_it_reads_no_faster_than_it_may(monkeypatch):
    slept = []
    monkeypatch.setattr(scrub.time, "sleep", slept.append)
    monkeypatch.setattr(scrub.time, "monotonic", lambda: 0.0)
    store_of(a_repository(), singles=[b"x" * 500, b"y" * 500])

    scrubbed(bytes_per_s=250, began=0.0)

    assert slept == [2.0, 4.0]


def test_a_changed_byte_is_found_put_aside_and_never_given_out(settings):
    there = store_of(a_repository(), singles=[b"single"], packed=[b"packed one", b"packed two"])
    spoil(there["single-0"])
    spoil(there["packed-1"], at=3)

    reader, ended = scrubbed()

    assert (reader.found, ended) == (2, True)
    lines = {line.blob_id: line for line in Damage.objects.all()}
    for path, size_bytes in (("single-0", 6), ("packed-1", 10)):
        line = lines[there[path].pk]
        assert (line.what, line.size_bytes, line.repaired_at) == ("changed", size_bytes, None)
        (aside,) = settings.STORE_HOME.glob(f"*/quarantine/{line.aside}")
        assert aside.stat().st_size == size_bytes
        with pytest.raises(Damaged, match="Staff of the factory see it"):
            read(there[path])
    assert read(there["packed-0"]) == b"packed one"
    assert b"X" in aside.read_bytes()


@pytest.mark.parametrize("kind", ["single-0", "packed-0"])
@pytest.mark.parametrize("harm", ["gone", "short"])
def test_what_is_gone_or_cut_is_told(kind, harm):
    there = store_of(a_repository(), singles=[b"single"], packed=[b"packed"])
    path = queries.the_store().path(there[kind])
    path.unlink() if harm == "gone" else spoilt(path, b"pa")

    scrubbed()

    line = Damage.objects.get()
    assert (line.blob, line.what) == (there[kind], harm)


def test_a_disk_that_cannot_read_is_told(monkeypatch):
    store_of(a_repository(), singles=[b"single"])

    def broken(*_args):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "preadv", broken)
    scrubbed()

    assert Damage.objects.get().what == "unreadable"


def test_where_the_system_does_not_know_reading_past_memory_it_reads_all_the_same(monkeypatch):
    store_of(a_repository(), singles=[b"single"])
    preadv = os.preadv

    def old_kernel(descriptor, buffers, offset, flags=0):
        if flags:
            raise OSError(95, "Operation not supported")
        return preadv(descriptor, buffers, offset)

    monkeypatch.setattr(os, "preadv", old_kernel)
    reader, _ended = scrubbed()

    assert (reader.read_files, reader.found) == (1, 0)


def test_a_wrong_blake3_in_the_database_condemns_nothing():
    (blob,) = store_of(a_repository(), singles=[b"fine"]).values()
    right = blob.blake3
    Blob.objects.update(blake3="0" * 64)

    reader, _ended = scrubbed()

    assert (reader.found, Damage.objects.count()) == (0, 0)
    assert Blob.objects.get().blake3 == right


@pytest.mark.parametrize("kind", ["single-0", "packed-0"])
def test_sending_the_same_file_again_mends_it(kind):
    repository = a_repository()
    there = store_of(repository, singles=[b"single"], packed=[b"packed"])
    content = kind.partition("-")[0].encode()
    spoil(there[kind])
    scrubbed()

    actions.store_bytes(repository, io.BytesIO(content), by=None)

    line = Damage.objects.get()
    assert (line.how, line.repaired_at is None) == ("sent", False)
    assert read(Blob.objects.get(pk=there[kind].pk)) == content
    assert queries.the_store().verify(Blob.objects.get(pk=there[kind].pk))


@pytest.mark.parametrize("kind", ["single-0", "packed-0"])
def test_sending_it_again_among_many_mends_it(kind):
    repository = a_repository()
    there = store_of(repository, singles=[b"single"], packed=[b"packed"])
    content = kind.partition("-")[0].encode()
    spoil(there[kind])
    scrubbed()

    actions.store_many(repository, entries({"again": content}), by=None)

    assert Damage.objects.get().how == "sent"
    mended = Blob.objects.get(pk=there[kind].pk)
    assert (read(mended), mended.verified_at) == (content, None)


@pytest.mark.parametrize("kind", ["single-0", "packed-0"])
def test_a_second_place_mends_it(kind, settings, tmp_path):
    repository = a_repository()
    there = store_of(repository, singles=[b"single"], packed=[b"packed"])
    shutil.copytree(settings.STORE_HOME, tmp_path / "copy")
    settings.STORE_COPY = tmp_path / "copy"
    spoil(there[kind])

    reader, _ended = scrubbed()

    line = Damage.objects.get()
    assert (line.what, line.how, reader.found) == ("changed", "copy", 0)
    assert line.aside
    assert read(Blob.objects.get(pk=there[kind].pk)) == kind.partition("-")[0].encode()


def test_a_second_place_that_comes_later_mends_it_at_the_next_time(settings, tmp_path):
    there = store_of(a_repository(), singles=[b"single"])
    shutil.copytree(settings.STORE_HOME, tmp_path / "copy")
    spoil(there["single-0"])
    scrubbed()
    assert Damage.objects.get().repaired_at is None
    settings.STORE_COPY = tmp_path / "copy"

    reader, _ended = scrubbed(anew=True)

    assert reader.mended == 1
    assert Damage.objects.get().how == "copy"


def test_a_second_place_that_is_damaged_too_is_not_believed(settings, tmp_path):
    there = store_of(a_repository(), singles=[b"single"], packed=[b"packed"])
    for blob in there.values():
        spoil(blob)
    shutil.copytree(settings.STORE_HOME, tmp_path / "copy")
    settings.STORE_COPY = tmp_path / "copy"

    scrubbed()

    assert Damage.objects.filter(repaired_at=None).count() == 2
    assert damages.mend_from_copy() == 0
    for blob in there.values():
        with pytest.raises(Damaged):
            read(blob)


def test_what_reads_well_again_closes_its_line(settings):
    (blob,) = store_of(a_repository(), singles=[b"single"]).values()
    path = queries.the_store().path(blob)
    path.rename(path.with_suffix(".away"))
    scrubbed()
    path.with_suffix(".away").rename(path)

    scrubbed(anew=True)

    assert Damage.objects.get().how == "well"


def test_damaged_bytes_that_nothing_names_any_more_leave_the_list():
    repository = a_repository()
    blob = actions.store_bytes(repository, io.BytesIO(b"unused"), by=None)
    spoil(blob)
    scrubbed()
    long_ago = timezone.now() - timedelta(days=2)
    Blob.objects.update(stored_at=long_ago)
    repository.arrivals.update(at=long_ago)

    actions.sweep(timezone.now())

    line = Damage.objects.get()
    assert (line.blob, line.how, line.sha256) == (None, "forgotten", sha256(b"unused"))


def test_the_list_says_who_is_hit_by_code_in_one_query():
    first = a_repository()
    there = store_of(first, singles=[b"one", b"two"])
    push(first, {"more": b"3"})
    for blob in there.values():
        spoil(blob)
    scrubbed()
    lines = list(Damage.objects.all())

    with CaptureQueriesContext(
        connection,
    ) as asked:
        found = damages.hits(lines)

    assert len(asked) == 1
    assert {len(hit) for hit in found.values()} == {1}
    (hit,) = found[lines[0].blob_id]
    assert (hit.code, hit.kind, hit.revisions, hit.newest) == (
        first.code or "",
        "dataset",
        2,
        2,
    )


def test_progress_is_told_by_bytes_in_few_queries(django_assert_num_queries):
    store_of(a_repository(), singles=[b"x" * 300, b"y" * 100])
    now = timezone.now()
    assert scrub.progress(now).left_bytes == 400
    scrub.begin()
    Blob.objects.filter(size_bytes=300).update(verified_at=timezone.now())

    with django_assert_num_queries(4):
        told = scrub.progress(now)

    assert (told.percent, told.left_files, told.left_bytes) == (75, 1, 100)
    assert told.last_full_at is None
    scrubbed()
    assert scrub.progress(now).percent == 100
    assert scrub.progress(now).last_full_at


def test_looking_says_when_the_size_is_another():
    (blob,) = store_of(a_repository(), singles=[b"single"]).values()

    looked = queries.the_store().look(blob, pace=lambda _bytes: None)
    assert looked.harm is None
    blob.size_bytes = 5
    assert queries.the_store().look(blob, pace=lambda _bytes: None).harm == Harm.SHORT


# --- what a reader found ---------------------------------------------------------------------
def reader_who_finds(blob, *, harm):
    """Somebody reads it, and is told that it is damaged."""
    if harm == "gone":
        queries.the_store().path(blob).unlink()
    else:
        spoil(blob)
    with pytest.raises(Damaged, match="Staff of the factory see it"):
        read(blob)


@pytest.mark.parametrize(("kind", "harm"), [("packed-0", "changed"), ("single-0", "gone")])
def test_what_a_reader_found_damaged_comes_on_the_list(kind, harm):
    there = store_of(a_repository(), singles=[b"single"], packed=[b"packed", b"other"])
    reader_who_finds(there[kind], harm=harm)

    reader = scrub.Reader(is_stopped=never)
    reader.read_suspected()

    line = Damage.objects.get()
    assert (line.blob, line.what, reader.found) == (there[kind], harm, 1)
    assert list(suspects.everywhere(queries.the_store().home)) == []


@pytest.mark.parametrize(("kind", "harm"), [("packed-0", "changed"), ("single-0", "gone")])
@pytest.mark.parametrize("is_listed", [False, True])
@pytest.mark.parametrize("door", ["alone", "many"])
def test_what_a_reader_found_damaged_is_mended_by_sending_it_again(kind, harm, is_listed, door):
    repository = a_repository()
    there = store_of(repository, singles=[b"single"], packed=[b"packed", b"other"])
    content = kind.partition("-")[0].encode()
    reader_who_finds(there[kind], harm=harm)
    if is_listed:
        scrub.Reader(is_stopped=never).read_suspected()
    assert queries.missing(repository, [sha256(content), sha256(b"other")]) == [sha256(content)]

    if door == "alone":
        actions.store_bytes(repository, io.BytesIO(content), by=None)
    else:
        actions.store_many(repository, entries({"again": content}), by=None)

    assert read(Blob.objects.get(pk=there[kind].pk)) == content
    assert queries.missing(repository, [sha256(content)]) == []
    scrub.Reader(is_stopped=never).read_suspected()
    assert Damage.objects.filter(repaired_at=None).count() == 0


@pytest.mark.parametrize("kind", ["single-0", "packed-0"])
def test_rotten_bytes_that_nobody_read_yet_are_mended_by_sending_them_again(kind):
    repository = a_repository()
    there = store_of(repository, singles=[b"single"], packed=[b"packed"])
    spoil(there[kind])

    content = kind.partition("-")[0].encode()
    actions.store_many(repository, entries({"again": content}), by=None)

    assert read(Blob.objects.get(pk=there[kind].pk)) == content


def test_what_only_seemed_damaged_leaves_no_line():
    (blob,) = store_of(a_repository(), packed=[b"packed"]).values()
    reader_who_finds(blob, harm="changed")
    spoil(blob, byte=b"p")

    scrub.Reader(is_stopped=never).read_suspected()

    assert Damage.objects.count() == 0
    assert list(suspects.everywhere(queries.the_store().home)) == []


@pytest.mark.parametrize("kind", ["single-0", "packed-0"])
def test_bytes_sent_again_between_the_look_and_the_list_are_not_listed(kind, monkeypatch):
    repository = a_repository()
    there = store_of(repository, singles=[b"single"], packed=[b"packed"])
    content = kind.partition("-")[0].encode()
    spoil(there[kind])
    put_aside = FolderStore.quarantine

    def sent_just_before(*looked):
        actions.store_many(repository, entries({"again": content}), by=None)
        return put_aside(*looked)

    monkeypatch.setattr(FolderStore, "quarantine", sent_just_before)
    scrubbed()

    assert Damage.objects.count() == 0
    assert read(Blob.objects.get(pk=there[kind].pk)) == content


def test_what_lies_near_a_bucket_whole_mends_the_bucket(settings, client, server):
    settings.STORE_BUCKET, settings.S3_ENDPOINT = "s3://factory", server
    (blob,) = store_of(a_repository(), singles=[b"single"]).values()
    name = f"{blob.organisation_id}/{blob.sha256[:2]}/{blob.sha256}"
    client.put_object(Bucket="factory", Key=name, Body=b"XXXXXX")

    scrubbed()

    assert (Damage.objects.get().what, Damage.objects.get().how) == ("changed", "copy")
    assert client.get_object(Bucket="factory", Key=name)["Body"].read() == b"single"
