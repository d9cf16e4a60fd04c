import errno
import hashlib
import io
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest

from fabriek.kernel import strange
from fabriek.kernel.errors import Invalid, StorageFull, TooLarge
from fabriek.store import incoming, sources
from fabriek.store.files import FolderStore

OURS, THEIRS = 1, 2
LIMIT = 2**30
MANY = os.urandom(2**20) * 9  # several chunks, so that the second thread takes part


@pytest.fixture
def store(tmp_path):
    return FolderStore(tmp_path / "store")


def sha256(content):
    return hashlib.sha256(content).hexdigest()


@dataclass
class Bytes:
    organisation_id: int
    sha256: str
    blake3: str = ""
    size_bytes: int = 0
    pack_id: str | None = None
    pack_offset: int = 0


def kept(organisation_id, content):
    """Name bytes by what was received of them, or by themselves."""
    if isinstance(content, bytes):
        return Bytes(organisation_id, sha256(content), size_bytes=len(content))
    return Bytes(organisation_id, content.sha256, content.blake3, content.size_bytes)


def everything_below(folder):
    return sorted(
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and path.name != "lock"
    )


@pytest.mark.parametrize("content", [b"", b"one row\n", MANY, MANY + b"tail"])
def test_what_is_received_can_be_read_back(store, content):
    received = store.receive(OURS, io.BytesIO(content), limit_bytes=LIMIT)

    assert (received.sha256, received.size_bytes) == (sha256(content), len(content))
    with store.open(kept(OURS, received)) as file:
        assert file.read() == content
    assert store.verify(kept(OURS, received))
    path = store.path(kept(OURS, received))
    assert path == store.home / "1" / received.sha256[:2] / received.sha256
    assert path.stat().st_mode & 0o777 == 0o444


def test_chunks_are_as_good_as_a_file(store):
    received = store.receive(OURS, iter([b"a" * 10, MANY, b"b"]), limit_bytes=LIMIT)

    assert received.sha256 == sha256(b"a" * 10 + MANY + b"b")


def test_the_same_bytes_are_kept_once(store):
    first = store.receive(OURS, io.BytesIO(MANY), limit_bytes=LIMIT)
    inode = store.path(kept(OURS, first)).stat().st_ino

    again = store.receive(OURS, io.BytesIO(MANY), limit_bytes=LIMIT)

    assert again == first
    assert store.path(kept(OURS, first)).stat().st_ino == inode
    assert len(everything_below(store.home)) == 1


def test_organisations_share_nothing(store):
    received = store.receive(OURS, io.BytesIO(b"secret"), limit_bytes=LIMIT)

    assert store.has(kept(OURS, received))
    assert not store.has(kept(THEIRS, received))
    with pytest.raises(FileNotFoundError):
        store.open(kept(THEIRS, received))


def test_bytes_that_rotted_to_another_size_are_replaced(store):
    received = store.receive(OURS, io.BytesIO(b"whole"), limit_bytes=LIMIT)
    path = store.path(kept(OURS, received))
    path.chmod(0o600)
    path.write_bytes(b"who")
    assert not store.verify(kept(OURS, received))

    store.receive(OURS, io.BytesIO(b"whole"), limit_bytes=LIMIT)

    assert store.verify(kept(OURS, received))


def test_other_bytes_than_announced_are_refused_and_leave_nothing(store):
    with pytest.raises(Invalid, match="did not arrive as it was sent"):
        store.receive(
            OURS, io.BytesIO(b"torn"), limit_bytes=LIMIT, expected_sha256=sha256(b"torn off")
        )

    assert everything_below(store.home) == []


@pytest.mark.parametrize("name", ["", "../../etc/passwd", "A" * 64, "a" * 63, "a" * 64 + "\n"])
def test_what_is_no_sha256_never_becomes_a_path(store, name):
    with pytest.raises(Invalid, match="64 signs"):
        store.path(Bytes(OURS, name))


def test_more_than_the_limit_is_refused_and_leaves_nothing(store):
    with pytest.raises(TooLarge, match="larger than 0.00195312 GiB"):
        store.receive(OURS, io.BytesIO(MANY), limit_bytes=2**21)

    assert everything_below(store.home) == []


def test_a_stream_that_breaks_off_leaves_nothing(store):
    def broken():
        yield MANY
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        store.receive(OURS, broken(), limit_bytes=LIMIT)

    assert everything_below(store.home) == []


@contextmanager
def files_of_at_most(size_bytes):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_write_that_does_not_fit_is_refused_and_leaves_nothing(store):
    with files_of_at_most(5 * 2**20), pytest.raises(StorageFull, match="disk .* is full"):
        store.receive(OURS, io.BytesIO(MANY), limit_bytes=LIMIT)

    assert everything_below(store.home) == []


@contextmanager
def a_small_disk(folder):
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("only root may mount a disk of 4 MiB")
    try:
        yield FolderStore(folder / "store")
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_is_told_and_leaves_nothing(tmp_path):
    with a_small_disk(tmp_path / "small") as small:
        small.receive(OURS, io.BytesIO(b"fits"), limit_bytes=LIMIT)

        with pytest.raises(StorageFull):
            small.receive(OURS, io.BytesIO(MANY), limit_bytes=LIMIT)

        assert everything_below(small.home) == [f"1/{sha256(b'fits')[:2]}/{sha256(b'fits')}"]
        small.receive(OURS, io.BytesIO(MANY[: 2**20]), limit_bytes=LIMIT)


def test_a_full_disk_while_copying_out_is_told_and_leaves_nothing(store, tmp_path):
    received = store.receive(OURS, io.BytesIO(MANY), limit_bytes=LIMIT)

    with a_small_disk(tmp_path / "small") as small:
        with pytest.raises(StorageFull):
            store.materialise(kept(OURS, received), small.home / "inputs" / "rows.jsonl")

        assert everything_below(small.home) == []


def test_trouble_that_is_not_a_full_disk_is_not_called_so(store):
    def sick():
        yield MANY
        raise OSError(errno.EIO, "the disk is sick")

    with pytest.raises(OSError, match="the disk is sick"):
        store.receive(OURS, sick(), limit_bytes=LIMIT)


RECEIVES_FOR_EVER = """
import sys
from pathlib import Path
from django.conf import settings
settings.configure(USE_I18N=False)
from fabriek.store.files import FolderStore

def endless():
    yield b"x" * 3_000_000
    print("taking in", flush=True)
    sys.stdin.read()

FolderStore(Path(sys.argv[1])).receive(1, endless(), limit_bytes=2**40)
"""


def test_kill_9_while_receiving_leaves_only_what_the_sweep_removes(store):
    writer = subprocess.Popen(
        [sys.executable, "-c", RECEIVES_FOR_EVER, str(store.home)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert writer.stdout.readline() == b"taking in\n"
    soon = time.time() + 60
    assert store.sweep_temporary(before=soon) == 0  # alive: its file is locked

    writer.send_signal(signal.SIGKILL)
    writer.communicate()

    (left,) = everything_below(store.home)
    assert left.startswith("1/incoming/")
    assert store.sweep_temporary(before=time.time() - 3600) == 0  # too young to judge
    assert store.sweep_temporary(before=soon) == 1
    assert everything_below(store.home) == []


def test_two_who_send_the_same_bytes_at_once_both_succeed(store):
    meet = threading.Barrier(2)
    received = []

    def content():
        yield MANY
        meet.wait(timeout=60)
        yield b"end"

    def send():
        received.append(store.receive(OURS, content(), limit_bytes=LIMIT).sha256)

    senders = [threading.Thread(target=send) for _ in range(2)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join(timeout=300)

    name = sha256(MANY + b"end")
    assert received == [name, name]
    assert everything_below(store.home) == [f"1/{name[:2]}/{name}"]
    assert store.verify(kept(OURS, MANY + b"end"))


def test_materialised_files_share_the_bytes_and_are_read_only(store, tmp_path):
    received = store.receive(OURS, io.BytesIO(MANY), limit_bytes=LIMIT)
    target = tmp_path / "run" / "inputs" / "data.jsonl"

    store.materialise(kept(OURS, received), target)
    store.materialise(kept(OURS, received), target)

    assert target.read_bytes() == MANY
    assert target.stat().st_mode & 0o777 == 0o444
    assert everything_below(tmp_path / "run") == ["inputs/data.jsonl"]


def test_materialising_to_another_disk_copies(store, tmp_path):
    received = store.receive(OURS, io.BytesIO(b"small"), limit_bytes=LIMIT)

    with a_small_disk(tmp_path / "other") as other:
        target = other.home / "data.jsonl"
        store.materialise(kept(OURS, received), target)

        assert target.read_bytes() == b"small"
        assert target.stat().st_mode & 0o777 == 0o444


def test_bytes_are_lent_under_another_name(store):
    received = store.receive(OURS, io.BytesIO(b"{}\n"), limit_bytes=LIMIT)

    with store.under_name(kept(OURS, received), "rows.jsonl") as path:
        assert path.name == "rows.jsonl"
        assert path.read_bytes() == b"{}\n"

    assert everything_below(store.home) == [f"1/{received.sha256[:2]}/{received.sha256}"]


def test_an_output_is_adopted_and_cannot_be_written_any_more(store, tmp_path):
    output = tmp_path / "model.safetensors"
    output.write_bytes(MANY)

    received = store.adopt(OURS, output, limit_bytes=LIMIT)

    assert received.sha256 == sha256(MANY)
    assert store.verify(kept(OURS, received))
    assert store.path(kept(OURS, received)).stat().st_mode & 0o777 == 0o444
    assert everything_below(store.home) == [f"1/{received.sha256[:2]}/{received.sha256}"]
    assert store.adopt(OURS, output, limit_bytes=LIMIT) == received


def test_an_output_on_another_disk_is_copied_in(store, tmp_path):
    with a_small_disk(tmp_path / "other") as other:
        output = other.home.parent / "card.md"
        output.write_bytes(b"# Card")

        received = store.adopt(OURS, output, limit_bytes=LIMIT)

    assert store.verify(kept(OURS, received))


def test_a_link_a_pipe_and_a_folder_are_not_adopted(store, tmp_path):
    (tmp_path / "secret").write_text("of somebody else")
    (tmp_path / "link").symlink_to(tmp_path / "secret")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()

    for name in ("link", "pipe", "folder"):
        with pytest.raises(Invalid, match=f"“{name}” is not a plain file"):
            store.adopt(OURS, tmp_path / name, limit_bytes=LIMIT)

    assert everything_below(store.home) == []


def test_what_a_job_left_never_shares_its_bytes_with_the_store(store, tmp_path):
    """The job may hold open for writing what is ours: its first checkpoint."""
    output = tmp_path / "model.safetensors"
    output.write_bytes(MANY)
    with output.open("r+b") as held:
        place = strange.Place(folder=tmp_path)
        received = store.adopt(OURS, output, limit_bytes=LIMIT, within=place)
        held.write(b"EVIL")

    assert store.verify(kept(OURS, received))
    assert store.path(kept(OURS, received)).stat().st_nlink == 1
    assert output.read_bytes().startswith(b"EVIL")


def test_of_a_file_that_grows_no_more_is_copied_than_it_had(tmp_path):
    path = tmp_path / "grows"
    path.write_bytes(b"1234")
    with path.open("rb") as file:
        path.write_bytes(b"12345678")

        assert b"".join(sources.first_bytes(file, 4)) == b"1234"


def test_a_file_of_holes_is_not_copied(store, tmp_path):
    with (tmp_path / "hollow").open("wb") as file:
        file.truncate(2**40)

    with pytest.raises(Invalid, match="mostly of holes"):
        store.adopt(
            OURS,
            tmp_path / "hollow",
            limit_bytes=2**41,
            within=strange.Place(folder=tmp_path),
        )

    assert everything_below(store.home) == []


def test_without_room_for_all_of_it_nothing_is_copied(tmp_path):
    with pytest.raises(StorageFull):
        incoming.require_room(tmp_path / "store", 2**62)

    incoming.require_room(tmp_path / "store", 1)


def test_a_stream_that_would_fill_the_disk_to_its_brim_is_cut_off(store, monkeypatch):
    """A database there that cannot write stops everybody."""
    disk = SimpleNamespace(total=50 * 1000, free=2000)
    monkeypatch.setattr(incoming.shutil, "disk_usage", lambda _folder: disk)
    monkeypatch.setattr(incoming, "LOOK_EVERY_BYTES", 1000)

    def stream():
        for _ in range(6):
            yield b"x" * 500
            disk.free -= 500

    with pytest.raises(StorageFull):
        store.receive(OURS, stream(), limit_bytes=LIMIT)

    assert everything_below(store.home) == []


def test_an_output_larger_than_the_limit_is_not_adopted(store, tmp_path):
    (tmp_path / "big").write_bytes(b"12345")

    with pytest.raises(TooLarge):
        store.adopt(OURS, tmp_path / "big", limit_bytes=4)

    assert (tmp_path / "big").stat().st_mode & 0o200  # still its owner's to change


def test_bytes_sent_again_are_not_discarded(store):
    received = store.receive(OURS, io.BytesIO(b"old"), limit_bytes=LIMIT)
    path = store.path(kept(OURS, received))
    os.utime(path, (1000, 1000))
    store.receive(OURS, io.BytesIO(b"old"), limit_bytes=LIMIT)

    assert not store.discard(kept(OURS, received), untouched_since=time.time() - 60)
    assert store.has(kept(OURS, received))


def test_bytes_nobody_sent_again_are_discarded_once(store):
    received = store.receive(OURS, io.BytesIO(b"old"), limit_bytes=LIMIT)
    os.utime(store.path(kept(OURS, received)), (1000, 1000))

    assert store.discard(kept(OURS, received), untouched_since=2000)
    assert not store.discard(kept(OURS, received), untouched_since=2000)
    assert not store.has(kept(OURS, received))


def test_home_may_be_any_folder_name(tmp_path):
    store = FolderStore(Path(tmp_path / "een map met spaties"))

    received = store.receive(OURS, io.BytesIO(b"x"), limit_bytes=LIMIT)

    assert store.verify(kept(OURS, received))


def test_good_bytes_take_the_place_of_rotten_ones_of_the_same_size(store, tmp_path):
    received = store.receive(OURS, io.BytesIO(b"good bytes"), limit_bytes=99)
    path = store.path(Bytes(OURS, received.sha256))
    for again in ("sent", "adopted"):
        path.chmod(0o600)
        path.write_bytes(b"ROT! bytes")
        path.chmod(0o444)

        if again == "sent":
            store.receive(OURS, io.BytesIO(b"good bytes"), limit_bytes=99)
        else:
            (tmp_path / "output").write_bytes(b"good bytes")
            store.adopt(OURS, tmp_path / "output", limit_bytes=99)

        assert path.read_bytes() == b"good bytes"
