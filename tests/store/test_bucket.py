"""The store in a bucket, against a server that speaks S3 (moto's) and the real client."""

import fcntl
import hashlib
import io
import os
import threading
import time

import boto3
import pytest

from fabriek.kernel.errors import Invalid, TooLarge
from fabriek.store import bucket as bucket_store
from fabriek.store import bucket_work
from fabriek.store.base import Damaged, Harm, StoreDown
from tests.engines.waiting import eventually
from tests.store.test_files import Bytes

OURS, THEIRS = 1, 2
LIMIT = 2**30
LARGE = os.urandom(2**20) * 20


@pytest.fixture
def store(client, server, tmp_path):
    return opened(server, tmp_path / "near")


def opened(server, near, *, near_bytes=2**40):
    return bucket_store.opened(
        "s3://factory/data", endpoint=server, near=near, near_bytes=near_bytes
    )


def kept(received, organisation=OURS):
    return Bytes(
        organisation, received.sha256, blake3=received.blake3, size_bytes=received.size_bytes
    )


def names(client):
    found = client.list_objects_v2(Bucket="factory").get("Contents", ())
    return sorted(one["Key"] for one in found)


def far(store, one):
    """Forget what lies near, as when room was made."""
    store.near.path(one).unlink()
    return one


def given(store, content=LARGE, organisation=OURS):
    received = store.receive(organisation, io.BytesIO(content), limit_bytes=LIMIT)
    return kept(received, organisation)


def test_what_was_sent_is_in_the_bucket_and_can_be_read_back(store, client):
    one = given(store)

    assert names(client) == [f"data/1/{one.sha256[:2]}/{one.sha256}"]
    assert store.has(one)
    with store.open(far(store, one)) as file:
        assert file.read() == LARGE
        file.seek(-7, io.SEEK_END)
        assert file.read() == LARGE[-7:]
        file.seek(10)
        assert file.read(5) == LARGE[10:15]
    assert store.verify(one)


def test_an_object_in_several_parts_comes_back_whole(store, monkeypatch):
    monkeypatch.setattr(
        "fabriek.store.bucket_reading.SENDING",
        boto3.s3.transfer.TransferConfig(
            multipart_threshold=6 * 2**20, multipart_chunksize=6 * 2**20
        ),
    )

    one = far(store, given(store))

    with store.under_name(one, "rows.bin") as path:
        assert path.read_bytes() == LARGE


def test_bytes_that_are_there_are_not_sent_again(store, client, monkeypatch):
    given(store)
    before = client.head_object(Bucket="factory", Key=names(client)[0])["LastModified"]
    monkeypatch.setattr(store.bucket.client, "upload_file", None)

    given(store)

    after = client.head_object(Bucket="factory", Key=names(client)[0])["LastModified"]
    assert after == before


def test_organisations_share_nothing(store):
    one = given(store)

    theirs = Bytes(THEIRS, one.sha256, size_bytes=one.size_bytes)

    assert not store.has(theirs)
    with pytest.raises(Damaged):
        store.open(theirs)


@pytest.mark.parametrize(
    ("limit", "expected", "refusal"),
    [(10, None, TooLarge), (LIMIT, "0" * 64, Invalid)],
)
def test_what_is_refused_leaves_nothing_in_the_bucket(store, client, limit, expected, refusal):
    with pytest.raises(refusal):
        store.receive(OURS, io.BytesIO(LARGE), limit_bytes=limit, expected_sha256=expected)

    assert names(client) == []


def test_a_file_of_ours_is_adopted(store, tmp_path, client):
    path = store.near.home / "model.bin"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(LARGE)

    received = store.adopt(OURS, path, limit_bytes=LIMIT)

    assert received.sha256 == hashlib.sha256(LARGE).hexdigest()
    assert len(names(client)) == 1


def packed(store, *contents, organisation=OURS):
    key = store.keep_pack(organisation, iter(contents))
    found, offset = [], 0
    for content in contents:
        digest = hashlib.sha256(content).hexdigest()
        place = {"size_bytes": len(content), "pack_id": key, "pack_offset": offset}
        found.append(Bytes(organisation, digest, **place))
        offset += len(content)
    return key, found


def test_files_in_a_pack_are_read_out_of_the_middle_of_it(store, client, tmp_path):
    key, (first, second) = packed(store, b"one row\n", b"another\n")
    (store.near.home / "1" / "packs" / key).unlink()

    assert names(client) == [f"data/packs/1/{key}"]
    assert store.open(second).read() == b"another\n"
    assert store.has(second)
    store.lay_out([(first, tmp_path / "a" / "1.txt"), (second, tmp_path / "a" / "2.txt")])
    assert (tmp_path / "a" / "1.txt").read_bytes() == b"one row\n"
    assert (tmp_path / "a" / "2.txt").read_bytes() == b"another\n"
    assert list(store.pack_keys(before=time.time() + 60)) == [(OURS, key)]
    store.drop_pack(OURS, key)
    assert names(client) == []


def test_a_job_gets_links_and_not_copies(store, tmp_path):
    one = far(store, given(store))

    store.materialise(one, store.near.home / "run" / "rows.bin")

    assert (store.near.home / "run" / "rows.bin").samefile(store.near.path(one))
    assert (store.near.home / "run" / "rows.bin").read_bytes() == LARGE


def test_bringing_says_how_far_it_is_and_is_gone_on_from(store, server):
    one = far(store, given(store))
    part = store.near.home / "1" / "bringing" / one.sha256
    part.parent.mkdir()
    part.write_bytes(LARGE[:5_000_000])  # what a process brought before it was killed
    asked = []
    bringing = bucket_store.opened(
        "s3://factory/data", endpoint=server, near=store.near.home, near_bytes=2**40
    )
    object.__setattr__(
        bringing.bringing.bucket,
        "client",
        Spy(bringing.bringing.bucket.client, asked),
    )

    first = bringing.bring([one])
    while not (now := bringing.bring([one])).is_ready:
        assert now.total_bytes == len(LARGE)
        time.sleep(0.01)

    assert not first.is_ready
    assert asked[0] == f"bytes=5000000-{len(LARGE) - 1}"
    assert now.done_bytes == len(LARGE)
    assert store.near.path(one).read_bytes() == LARGE
    assert not part.exists()


def test_what_another_process_brought_meanwhile_leaves_nothing_begun(store):
    one = far(store, given(store))
    part = store.near.home / "1" / "bringing" / one.sha256
    part.parent.mkdir()
    with part.open("wb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert not store.bring([one]).is_ready
        store.near.path(one).write_bytes(LARGE)

    eventually(lambda: len(store.bringing._works) == 0)  # noqa: SLF001
    assert store.bring([one]).is_ready
    assert not part.exists()


class Spy:
    """The client, noting which parts were asked."""

    def __init__(self, client, asked):
        self.client, self.asked = client, asked

    def __getattr__(self, name):
        return getattr(self.client, name)

    def get_object(self, **asked):
        self.asked.append(asked["Range"])
        return self.client.get_object(**asked)


def test_other_bytes_under_the_same_name_are_never_given_to_a_job(store, client):
    one = far(store, given(store))
    client.put_object(Bucket="factory", Key=names(client)[0], Body=b"x" * len(LARGE))

    with pytest.raises(Damaged):
        store.materialise(one, store.near.home / "run" / "rows.bin")

    assert not (store.near.home / "run" / "rows.bin").exists()
    assert store.look(one, pace=lambda _size: None).harm == Harm.CHANGED


def test_damaged_bytes_go_aside_and_can_be_sent_again(store, client):
    one = far(store, given(store))
    client.put_object(Bucket="factory", Key=names(client)[0], Body=b"short")

    found = store.look(one, pace=lambda _size: None)
    name = store.quarantine(one, found)

    assert found.harm == Harm.SHORT
    assert names(client) == [f"data/quarantine/1/{name}"]
    assert store.look(one, pace=lambda _size: None).harm == Harm.GONE
    assert store.verify(given(store))


def test_what_was_sent_again_is_not_swept_away(store):
    since = time.time() - 3600
    one = given(store)

    assert not store.discard(one, untouched_since=since)
    os.utime(store.near.path(one), (since - 1, since - 1))
    assert store.discard(one, untouched_since=since)
    assert not store.has(one)
    assert not store.discard(one, untouched_since=since)


def test_what_was_used_least_lately_makes_room(client, server, tmp_path):
    store = opened(server, tmp_path / "near", near_bytes=25 * 2**20)
    old, new = given(store), given(store, LARGE + b"new")
    long_ago = time.time() - 7200
    os.utime(store.near.path(old), (long_ago, long_ago))

    store.sweep_temporary(before=0)

    assert not store.near.has(old)
    assert store.near.has(new)
    assert store.has(old)


def test_a_bucket_that_does_not_answer_is_said_so(tmp_path, monkeypatch, client):
    monkeypatch.setattr(bucket_store, "TRIES", 1)
    store = opened("http://127.0.0.1:9", tmp_path / "near")

    with pytest.raises(StoreDown):
        store.receive(OURS, io.BytesIO(b"row"), limit_bytes=LIMIT)


# --- what lies near is damaged ---------------------------------------------------------------
def rot(path, first=b"ROTROT"):
    """Change the beginning of a file, and not its size."""
    path.chmod(0o600)
    with path.open("r+b") as file:
        file.write(first)
    path.chmod(0o444)


def in_bucket(client, one):
    name = f"data/1/{one.sha256[:2]}/{one.sha256}"
    return client.get_object(Bucket="factory", Key=name)["Body"].read()


def test_reading_again_finds_what_is_damaged_near_and_removes_it(store):
    one = given(store)
    rot(store.near.path(one))

    assert store.look(one, pace=lambda _size: None).harm is None
    assert not store.near.has(one)
    with store.open(one) as file:
        assert file.read() == LARGE


def test_damaged_bytes_near_do_not_survive_quarantine(store, client):
    one = given(store)
    client.put_object(Bucket="factory", Key=names(client)[0], Body=b"X" * one.size_bytes)
    rot(store.near.path(one))

    assert store.quarantine(one, store.look(one, pace=lambda _size: None))

    assert not store.near.path(one).exists()
    with pytest.raises(Damaged):
        store.open(one)
    given(store)
    assert in_bucket(client, one) == LARGE
    assert store.near.path(one).read_bytes() == LARGE


def test_bytes_that_are_whole_near_survive_quarantine(store, client):
    one = given(store)
    client.put_object(Bucket="factory", Key=names(client)[0], Body=b"X" * one.size_bytes)

    assert store.quarantine(one, store.look(one, pace=lambda _size: None))

    assert store.near.path(one).read_bytes() == LARGE


def test_a_repair_is_never_made_of_damaged_bytes_that_lie_near(store, client):
    one = given(store)
    client.delete_object(Bucket="factory", Key=names(client)[0])
    rot(store.near.path(one))

    given(store)

    assert in_bucket(client, one) == LARGE


def test_what_was_sent_meanwhile_is_not_put_aside_for_what_lay_there_before(store, client):
    one = far(store, given(store))
    client.put_object(Bucket="factory", Key=names(client)[0], Body=b"X" * one.size_bytes)
    found = store.look(one, pace=lambda _size: None)
    client.put_object(Bucket="factory", Key=names(client)[0], Body=LARGE)

    assert store.quarantine(one, found) == ""
    assert in_bucket(client, one) == LARGE


def test_a_pack_that_is_damaged_near_is_read_from_the_bucket(store, tmp_path):
    key, (first, second) = packed(store, b"one row\n", b"another\n")
    near = store.near.home / "1" / "packs" / key
    rot(near, b"ROT")

    assert store.open(first).read() == b"one row\n"
    assert not near.exists()
    store.lay_out([(second, tmp_path / "2.txt")])
    rot(near, b"ROT")
    store.lay_out([(first, tmp_path / "1.txt"), (second, tmp_path / "2.txt")])
    assert (tmp_path / "1.txt").read_bytes() == b"one row\n"
    rot(near, b"ROT")
    with store.under_name(first, "rows.txt") as path:
        assert path.read_bytes() == b"one row\n"
    rot(near, b"ROT")
    assert store.look(first, pace=lambda _size: None).harm is None
    assert not near.exists()


def test_a_reader_who_found_damage_makes_the_next_sending_count(store, client):
    one = far(store, given(store))
    client.put_object(Bucket="factory", Key=names(client)[0], Body=b"X" * len(LARGE))
    with pytest.raises(Damaged):
        store.materialise(one, store.near.home / "run" / "rows.bin")

    given(store)

    assert in_bucket(client, one) == LARGE


def test_what_is_being_sent_makes_no_room_for_others(client, server, tmp_path):
    store = opened(server, tmp_path / "near", near_bytes=0)
    long_ago = time.time() - 7200
    real = store.bucket.client

    class Slow:
        """The client, with hours between its parts and a sweep in the middle."""

        def __getattr__(self, name):
            return getattr(real, name)

        def upload_file(self, path, *names, Callback, **more):  # noqa: N803  boto3's own
            os.utime(path, (long_ago, long_ago))
            Callback(1)
            store.bringing.make_room()
            real.upload_file(path, *names, Callback=Callback, **more)

    object.__setattr__(store.bucket, "client", Slow())

    one = given(store)

    assert in_bucket(client, one) == LARGE


# --- many objects, and what is left of them ------------------------------------------------
def test_many_objects_wait_their_turn_and_are_forgotten_once_they_are_near(store):
    wanted = [far(store, given(store, b"%d" % number)) for number in range(40)]
    before, most = threading.active_count(), 0

    store.bring(wanted)
    while not store.bring(wanted).is_ready:
        most = max(most, sum(one.name == "bringing" for one in threading.enumerate()))
        time.sleep(0.005)

    assert most <= bucket_work.AT_ONCE + 1  # one that ends may still be seen
    assert threading.active_count() <= before + bucket_work.AT_ONCE + 1
    # A moment after the last one is near: else it would grow for ever.
    eventually(lambda: len(store.bringing._works) == 0)  # noqa: SLF001
    assert all(store.near.has(one) for one in wanted)


def test_what_was_begun_and_never_gone_on_with_goes(store):
    one = far(store, given(store))
    parts = [store.near.home / "1" / "bringing" / name for name in ("a", "b", one.sha256)]
    parts[0].parent.mkdir()
    for part in parts:
        part.write_bytes(LARGE[:1000])
        os.utime(part, (0, 0))
    os.utime(parts[1])
    with parts[2].open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)  # somebody is at it, however slow

        store.sweep_temporary(before=time.time() - 60)

    assert [part.exists() for part in parts] == [False, True, True]
