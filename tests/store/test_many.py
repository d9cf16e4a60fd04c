"""Many files in one stream: into packs, whole or not at all, each kept once."""

import gc
import io
import os
import signal
import subprocess
import sys
import threading
import time
import unicodedata
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from fabriek.kernel.errors import Invalid, Refused, StorageFull
from fabriek.store import actions, many, queries, sweeping
from fabriek.store.base import Damaged
from fabriek.store.models import Arrival, Blob, Damage, Pack
from tests.factories import a_case, a_repository
from tests.store.test_actions import contents, sha256
from tests.store.test_files import a_small_disk, everything_below, files_of_at_most

pytestmark = pytest.mark.django_db

BIG = os.urandom(many.SMALL_BYTES + 1)


def entries(files):
    """Give them as an archive does: all out of one stream, one behind the other."""
    stream = io.BytesIO(b"".join(files.values()))
    for path, content in files.items():
        yield actions.Entry(path, len(content), stream, sha256(content))


def push_many(repository, files, **more):
    blobs = actions.store_many(repository, entries(files), by=None)
    return actions.commit(repository, blobs, message="many", by=None, **more)


def read(blob):
    with queries.the_store().open(blob) as file:
        return file.read()


def packs_on_disk(settings):
    return sorted(path.name for path in settings.STORE_HOME.glob("*/packs/*"))


FILES = {"a.txt": b"one", "b/c.txt": b"two two", "big.bin": BIG, "d.txt": b"one", "e.txt": b""}


def test_small_files_go_into_one_pack_and_large_ones_stay_apart(settings):
    repository = a_repository()

    revision = push_many(repository, FILES)

    assert contents(revision) == {path: sha256(content) for path, content in FILES.items()}
    there = queries.listing(revision)
    pack = Pack.objects.get()
    assert pack.size_bytes == len(b"onetwo two")
    assert packs_on_disk(settings) == [pack.key]
    assert {path: blob.pack_id == pack.key for path, blob in there.items()} == {
        "a.txt": True,
        "b/c.txt": True,
        "big.bin": False,
        "d.txt": True,
        "e.txt": False,
    }
    assert there["a.txt"] == there["d.txt"]
    assert {path: read(blob) for path, blob in there.items()} == FILES
    assert all(queries.the_store().verify(blob) for blob in there.values())
    assert all(blob.blake3 for blob in there.values())


def test_bytes_that_are_here_already_cost_no_second_copy(settings):
    repository = a_repository()
    push_many(repository, {"a": b"1", "b": b"2"})
    single = actions.store_bytes(repository, io.BytesIO(b"3"), by=None)

    revision = push_many(repository, {"x": b"1", "y": b"2", "z": b"3"})

    assert Pack.objects.count() == 1
    assert packs_on_disk(settings) == [Pack.objects.get().key]
    assert queries.listing(revision)["z"] == single


def test_a_pack_has_an_end(monkeypatch):
    monkeypatch.setattr(many, "PACK_BYTES", 3000)
    monkeypatch.setattr(many, "BATCH_BYTES", 1500)
    monkeypatch.setattr(many, "SMALL_BYTES", 500)
    files = {f"{number}.bin": os.urandom(400) for number in range(20)}

    revision = push_many(a_repository(), files)

    sizes = list(Pack.objects.values_list("size_bytes", flat=True))
    assert sum(sizes) == 8000
    assert max(sizes) <= 3000
    assert {path: read(blob) for path, blob in queries.listing(revision).items()} == files


@pytest.mark.parametrize("wait", ["before a long file", "long"])
def test_what_waits_is_noted_before_the_sweep_takes_it(monkeypatch, wait):
    repository = a_repository()
    if wait == "long":
        monkeypatch.setattr(many, "WAITS_S", 0)
    else:
        monkeypatch.setattr(many, "LONG_BYTES", len(BIG))
    seen = []

    def coming_in():
        yield actions.Entry("a.txt", 3, io.BytesIO(b"one"))
        yield actions.Entry("b.bin", len(BIG), io.BytesIO(BIG))
        for number in range(queries.AT_ONCE):  # what came before went on from the last batch
            yield actions.Entry(f"{number}", 1, io.BytesIO(b"1"))
        yield actions.Entry("c.bin", len(BIG), looked())

    def looked():
        seen.append(Blob.objects.filter(sha256=sha256(b"one"), pack__isnull=False).exists())
        yield BIG

    actions.store_many(repository, coming_in(), by=None)

    assert seen == [True]


def test_what_waited_nearly_until_the_sweep_is_refused(monkeypatch):
    monkeypatch.setattr(many, "LATEST_S", -1)

    with pytest.raises(Refused, match="came in so slowly"):
        push_many(a_repository(), {"a": b"1"})

    assert not Blob.objects.exists()


def test_a_reader_stands_in_the_pack_where_its_bytes_are():
    revision = push_many(a_repository(), {"a": b"before", "b": b"wanted", "c": b"behind"})
    blob = queries.listing(revision)["b"]

    with queries.the_store().open(blob) as file:
        descriptor = file.fileno()
        place = os.lseek(descriptor, 0, os.SEEK_CUR)
        assert os.pread(descriptor, 6, place) == b"wanted"
        assert file.seek(0, io.SEEK_END) == 6
        file.seek(2)
        assert os.lseek(file.fileno(), 0, os.SEEK_CUR) == place + 2
        assert file.read(100) == b"nted"
        assert file.read() == b""
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)


def test_packed_files_are_laid_out_read_only_and_may_be_laid_out_again(tmp_path):
    revision = push_many(a_repository(), FILES)

    actions.materialise(revision, tmp_path / "inputs")
    actions.materialise(revision, tmp_path / "inputs")

    found = {
        path.relative_to(tmp_path / "inputs").as_posix(): path.read_bytes()
        for path in (tmp_path / "inputs").rglob("*")
        if path.is_file()
    }
    assert found == FILES
    modes = {path.stat().st_mode & 0o777 for path in (tmp_path / "inputs").rglob("*.*")}
    assert modes == {0o444}


def test_a_packed_file_is_lent_under_a_name():
    blob = queries.listing(push_many(a_repository(), {"a": b"{}\n"}))["a"]

    with queries.the_store().under_name(blob, "rows.jsonl") as path:
        assert (path.name, path.read_bytes()) == ("rows.jsonl", b"{}\n")

    assert not path.exists()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (("../up", 1, io.BytesIO(b"1"), None), "steps out of the folder"),
        (("a", 2, io.BytesIO(b"1"), None), "not as long as was announced"),
        (("a", 1, [b"12"], None), "not as long as was announced"),
        (("a", -1, io.BytesIO(b"12"), None), "not as long as was announced"),
        (("a", 1, io.BytesIO(b"1"), sha256(b"2")), "did not arrive as it was sent"),
        (("a", 1, io.BytesIO(b"1"), "x"), "64 signs"),
        (("there", 1, io.BytesIO(b"1"), None), "named twice"),
        (
            (unicodedata.normalize("NFD", "één"), 1, io.BytesIO(b"1"), None),
            "named twice",
        ),
        (("a", many.SMALL_BYTES + 1, io.BytesIO(b"1"), None), "not as long as was announced"),
    ],
)
def test_a_stream_that_lies_is_refused_and_leaves_nothing_named(settings, wrong, said):
    repository = a_repository()
    right = [
        actions.Entry("there", 1, io.BytesIO(b"t")),
        actions.Entry(unicodedata.normalize("NFC", "één"), 1, io.BytesIO(b"n")),
    ]

    with pytest.raises(Invalid) as refusal:
        actions.store_many(repository, [*right, actions.Entry(*wrong)], by=None)

    assert said in str(refusal.value)
    assert not Blob.objects.exists()
    assert everything_below(settings.STORE_HOME) == []


def test_a_stream_that_breaks_off_keeps_the_packs_that_were_whole(monkeypatch, settings):
    monkeypatch.setattr(many, "PACK_BYTES", 2000)
    monkeypatch.setattr(many, "BATCH_BYTES", 1000)
    monkeypatch.setattr(many, "SMALL_BYTES", 500)
    repository = a_repository()
    files = {f"{number}": os.urandom(450) for number in range(9)}

    def broken():
        yield from list(entries(files))[:8]
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        actions.store_many(repository, broken(), by=None)

    assert sorted(Pack.objects.values_list("key", flat=True)) == packs_on_disk(settings)
    assert Pack.objects.count() == 2
    missing = queries.missing(repository, [sha256(content) for content in files.values()])
    assert missing == [sha256(files["8"])]
    assert contents(push_many(repository, files)).keys() == files.keys()


def test_a_full_disk_leaves_no_row_and_no_file(settings, tmp_path):
    files = {f"{number}": os.urandom(200_000) for number in range(30)}
    with files_of_at_most(5 * 2**20), pytest.raises(StorageFull):
        push_many(a_repository(), files)
    assert everything_below(settings.STORE_HOME) == []

    with a_small_disk(tmp_path / "small") as small:
        settings.STORE_HOME = small.home
        with pytest.raises(StorageFull):
            push_many(a_repository(), files)
        assert everything_below(small.home) == []

    assert not Blob.objects.exists()


def test_knowing_a_hash_is_not_having_the_bytes():
    push_many(a_repository(), {"theirs": b"theirs"})
    guesser = a_repository()

    with pytest.raises(Invalid, match="did not arrive as it was sent"):
        actions.store_many(
            guesser, [actions.Entry("a", 1, io.BytesIO(b"?"), sha256(b"theirs"))], by=None
        )
    with pytest.raises(Invalid, match="were not sent here"):
        actions.commit(guesser, {"a": sha256(b"theirs")}, message="", by=None)


def test_what_arrived_in_a_pack_may_be_named_there_and_nowhere_else_of_the_organisation():
    here = a_repository()
    other = a_repository(case=a_case(organisation=here.organisation))
    actions.store_many(here, entries({"a": b"one", "b": b"two"}), by=None)

    assert [arrival.blob for arrival in here.arrivals.all()] == [None]
    assert queries.missing(other, [sha256(b"one")]) == [sha256(b"one")]
    with pytest.raises(Invalid, match="were not sent here"):
        actions.commit(other, {"a": sha256(b"one")}, message="", by=None)
    assert queries.missing(here, [sha256(b"one")]) == []
    assert contents(actions.commit(here, {"a": sha256(b"one")}, message="", by=None)) == {
        "a": sha256(b"one")
    }


def test_what_leaves_its_pack_has_still_arrived_where_it_was_sent(settings):
    here = a_repository()
    other = a_repository(case=a_case(organisation=here.organisation))
    actions.store_many(here, entries({"a": b"one", "b": b"two", "c": b"three"}), by=None)
    actions.store_bytes(other, io.BytesIO(b"one"), by=None)  # to a file of its own
    pack = Pack.objects.get()
    Damage.objects.create(
        blob=Blob.objects.get(sha256=sha256(b"two")), size_bytes=3, what="gone", place=pack.key
    )
    actions.store_many(other, entries({"b": b"two"}), by=None)  # healed: into another pack
    Blob.objects.filter(sha256=sha256(b"three")).update(stored_at=timezone.now())
    Pack.objects.filter(pk=pack.key).update(size_bytes=100)  # mostly holes: it is written anew
    sweeping.sweep_packs(timezone.now() - timedelta(days=1))

    packs = {blob.sha256: blob.pack_id for blob in Blob.objects.all()}
    assert packs[sha256(b"one")] is None
    assert pack.key not in packs.values()
    wanted = {"a": sha256(b"one"), "b": sha256(b"two"), "c": sha256(b"three")}
    assert contents(actions.commit(here, wanted, message="", by=None)) == wanted
    with pytest.raises(Invalid, match="were not sent here"):
        actions.commit(other, {"c": wanted["c"]}, message="", by=None)


def test_a_pack_that_another_sweep_removed_meanwhile_stops_nobody(monkeypatch, settings):
    actions.store_many(a_repository(), entries({"a": b"one"}), by=None)
    Arrival.objects.all().delete()
    Blob.objects.all().delete()
    seen = sweeping._wasteful()  # noqa: SLF001  what both of two at once saw
    (settings.STORE_HOME / "1" / "packs").mkdir(parents=True, exist_ok=True)
    gone = settings.STORE_HOME / "1" / "packs" / ("0" * 32)
    gone.symlink_to("nowhere")  # as a file that went after its name was read
    before = timezone.now() - timedelta(days=1)

    assert sweeping.sweep_packs(before) == 1
    monkeypatch.setattr(sweeping, "_wasteful", lambda: seen)

    assert sweeping.sweep_packs(before) == 0


def test_the_same_bytes_far_apart_in_a_stream_are_kept_once(monkeypatch, settings):
    monkeypatch.setattr(many, "PACK_BYTES", 2000)
    monkeypatch.setattr(many, "BATCH_BYTES", 1000)
    monkeypatch.setattr(many, "SMALL_BYTES", 500)
    files = {f"{number}": os.urandom(450) for number in range(8)}
    twice = files | {f"again/{path}": content for path, content in files.items()}

    revision = push_many(a_repository(), twice)

    assert {path: read(blob) for path, blob in queries.listing(revision).items()} == twice
    sizes = Pack.objects.values_list("size_bytes", flat=True)
    assert sum(sizes) == sum(map(len, files.values()))


@pytest.mark.django_db(transaction=True)
def test_two_who_send_the_same_files_at_once_both_succeed():
    if connection.vendor != "postgresql":
        pytest.skip("SQLite lets one writer in at a time; there is no at once")
    repository = a_repository()
    other = a_repository(case=a_case(organisation=repository.organisation))
    files = {f"{number}": os.urandom(100) for number in range(300)}
    meet, done = threading.Barrier(2), []

    def send(place):
        meet.wait(timeout=60)
        done.append(actions.store_many(place, entries(files), by=None))
        connection.close()

    senders = [threading.Thread(target=send, args=[place]) for place in (repository, other)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join(timeout=300)

    # Also who came second is given rows that say where the bytes lie.
    for blobs in done:
        assert {path: read(blob) for path, blob in blobs.items()} == files
    assert Blob.objects.count() == 300
    for place in (repository, other):
        revision = actions.commit(place, done[0], message="", by=None)
        assert {p: read(blob) for p, blob in queries.listing(revision).items()} == files


# --- damage ------------------------------------------------------------------------------
def pack_path(blob):
    return queries.the_store().path(blob)


def spoilt(path, content):
    path.chmod(0o600)
    path.write_bytes(content)


def test_a_pack_that_was_cut_in_half_is_never_given_out_wrong(tmp_path):
    revision = push_many(a_repository(), {"a": b"a" * 100, "b": b"b" * 100})
    there = queries.listing(revision)
    spoilt(pack_path(there["a"]), b"a" * 100 + b"b" * 20)
    store = queries.the_store()

    assert read(there["a"]) == b"a" * 100
    assert (store.has(there["a"]), store.has(there["b"])) == (True, False)
    with pytest.raises(Damaged, match="bytes of this file are damaged"):
        store.open(there["b"])
    with pytest.raises(Damaged):
        actions.materialise(revision, tmp_path / "inputs")
    assert not (tmp_path / "inputs" / "b").exists()


def test_a_row_that_points_past_the_end_or_at_other_bytes_gives_nothing():
    there = queries.listing(push_many(a_repository(), {"a": b"a" * 9, "b": b"b" * 9}))
    store = queries.the_store()

    for place in (10_000, 1):
        there["a"].pack_offset = place
        with pytest.raises(Damaged):
            store.open(there["a"])
    there["b"].pack_id = "../../../etc/passwd"
    with pytest.raises(ValueError, match="no key of a pack"):
        store.open(there["b"])


def test_what_was_refused_closes_no_file_of_another_when_it_is_forgotten():
    """The number of a file that was closed is given to the next one that is opened."""
    there = queries.listing(push_many(a_repository(), {"a": b"a" * 9}))
    there["a"].pack_offset = 1
    with pytest.raises(Damaged) as refused:
        queries.the_store().open(there["a"])
    others = os.open(os.devnull, os.O_RDONLY)

    del refused
    gc.collect()

    os.fstat(others)
    os.close(others)


def test_bytes_that_are_gone_are_taken_in_again_when_they_come():
    repository = a_repository()
    there = queries.listing(push_many(repository, {"a": b"a" * 9, "b": b"b" * 9}))
    pack_path(there["a"]).unlink()

    again = push_many(repository, {"a": b"a" * 9, "b": b"b" * 9})

    assert [read(blob) for blob in queries.listing(again).values()] == [b"a" * 9, b"b" * 9]
    assert Blob.objects.count() == 2


# --- sweeping ----------------------------------------------------------------------------
def days_later(settings, days=2):
    """Let time pass for all that is in the store."""
    ago = timezone.now() - timedelta(days=days)
    Blob.objects.update(stored_at=ago)
    Arrival.objects.update(at=ago)
    for path in settings.STORE_HOME.rglob("*"):
        if path.is_file():
            os.utime(path, (ago.timestamp(), ago.timestamp()))


def test_a_pack_of_which_nothing_is_named_goes(settings):
    actions.store_many(a_repository(), entries({"a": b"1", "b": b"2"}), by=None)
    days_later(settings)

    swept = actions.sweep(timezone.now())

    assert (swept.blobs, swept.size_bytes, swept.packs) == (2, 2, 1)
    assert packs_on_disk(settings) == []
    assert not Pack.objects.exists()


def test_what_is_gone_from_a_pack_is_given_back_and_the_rest_stays(settings):
    repository = a_repository()
    keep, gone = os.urandom(200_000), os.urandom(150_000)
    blobs = actions.store_many(repository, entries({"keep": keep, "gone": gone}), by=None)
    revision = actions.commit(repository, {"keep": blobs["keep"]}, message="", by=None)
    pack = pack_path(blobs["keep"])
    before = pack.stat().st_blocks
    days_later(settings)

    actions.sweep(timezone.now())

    assert pack.stat().st_blocks * 512 < before * 512 - 140_000
    assert pack.stat().st_mode & 0o777 == 0o444
    assert Pack.objects.get().hole_bytes == 150_000
    assert read(queries.listing(revision)["keep"]) == keep
    with pytest.raises(Damaged):
        read(blobs["gone"])


def test_a_pack_that_somebody_reads_is_left_until_the_next_time(settings):
    repository = a_repository()
    blobs = actions.store_many(
        repository, entries({"keep": b"k" * 9000, "gone": b"g" * 8000}), by=None
    )
    actions.commit(repository, {"keep": blobs["keep"]}, message="", by=None)
    days_later(settings)

    with queries.the_store().open(blobs["gone"]) as reader:
        actions.sweep(timezone.now())
        assert Pack.objects.get().hole_bytes == 0
        assert os.pread(reader.fileno(), 8000, blobs["gone"].pack_offset) == b"g" * 8000
    actions.sweep(timezone.now())

    assert Pack.objects.get().hole_bytes == 8000


def test_a_pack_that_is_mostly_holes_is_written_anew_and_its_readers_have_a_day(settings):
    repository = a_repository()
    blobs = actions.store_many(
        repository, entries({"gone": b"g" * 9000, "keep": b"k" * 1000}), by=None
    )
    revision = actions.commit(repository, {"keep": blobs["keep"]}, message="", by=None)
    days_later(settings)

    actions.sweep(timezone.now())

    moved = queries.listing(revision)["keep"]
    assert (moved.pack_id != blobs["keep"].pack_id, moved.pack_offset) == (True, 0)
    assert read(moved) == b"k" * 1000
    assert read(blobs["keep"]) == b"k" * 1000  # looked up before
    actions.sweep(timezone.now())
    assert Pack.objects.count() == 2
    actions.sweep(timezone.now() + timedelta(days=2))
    assert Pack.objects.get().key == moved.pack_id
    assert packs_on_disk(settings) == [moved.pack_id]
    assert read(moved) == b"k" * 1000


def test_where_no_holes_can_be_made_a_pack_is_written_anew_all_the_same(settings, monkeypatch):
    monkeypatch.setattr("fabriek.store.packs._punched", lambda *_hole: False)
    repository = a_repository()
    blobs = actions.store_many(
        repository, entries({"gone": b"g" * 9000, "keep": b"k" * 1000}), by=None
    )
    revision = actions.commit(repository, {"keep": blobs["keep"]}, message="", by=None)
    days_later(settings)

    actions.sweep(timezone.now())

    assert read(queries.listing(revision)["keep"]) == b"k" * 1000
    assert Pack.objects.get(pk=blobs["keep"].pack_id).retired_at


def test_what_was_sent_again_on_its_own_leaves_the_pack(settings):
    repository = a_repository()
    revision = push_many(repository, {"a": b"a" * 900, "b": b"b" * 900})
    actions.store_bytes(repository, io.BytesIO(b"a" * 900), by=None)
    days_later(settings)

    actions.sweep(timezone.now())

    there = queries.listing(revision)
    assert (there["a"].pack_id, there["b"].pack_id is None) == (None, False)
    assert {path: read(blob) for path, blob in there.items()} == {
        "a": b"a" * 900,
        "b": b"b" * 900,
    }
    assert Pack.objects.get().hole_bytes == 900


def test_a_file_taken_up_again_while_the_sweep_runs_is_kept(settings, monkeypatch):
    """It was chosen to go; before its row is locked, somebody sends it again."""
    repository = a_repository()
    actions.store_many(repository, entries({"a": b"race"}), by=None)
    days_later(settings)
    forget, sent = sweeping._forget, []  # noqa: SLF001  the moment between two looks

    def first_send_again(blobs, *, before):
        sent.append(actions.store_many(repository, entries({"a": b"race"}), by=None))
        return forget(blobs, before=before)

    monkeypatch.setattr(sweeping, "_forget", first_send_again)
    swept = actions.sweep(timezone.now())

    assert swept.blobs == 0
    revision = actions.commit(repository, sent[0], message="", by=None)
    assert read(queries.listing(revision)["a"]) == b"race"


def test_a_pack_whose_writer_was_killed_before_it_was_noted_is_swept(settings):
    repository = a_repository()
    key = queries.the_store().keep_pack(repository.organisation_id, [b"left behind"])

    actions.sweep(timezone.now())
    assert packs_on_disk(settings) == [key]  # may be noted at this moment
    days_later(settings)
    assert actions.sweep(timezone.now()).packs == 1

    assert packs_on_disk(settings) == []


KEEPS_FOR_EVER = """
import sys
from pathlib import Path
from django.conf import settings
settings.configure(USE_I18N=False)
from fabriek.store.files import FolderStore

def endless():
    yield b"x" * 3_000_000
    print("taking in", flush=True)
    sys.stdin.read()

FolderStore(Path(sys.argv[1])).keep_pack(1, endless())
"""


def test_kill_9_in_the_middle_of_a_pack_leaves_only_what_the_sweep_removes(settings):
    writer = subprocess.Popen(
        [sys.executable, "-c", KEEPS_FOR_EVER, str(settings.STORE_HOME)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert writer.stdout.readline() == b"taking in\n"
    writer.send_signal(signal.SIGKILL)
    writer.communicate()

    (left,) = everything_below(settings.STORE_HOME)
    assert left.startswith("1/incoming/")
    assert queries.the_store().sweep_temporary(before=time.time() + 60) == 1
    assert everything_below(settings.STORE_HOME) == []


@pytest.fixture
def small_packs(monkeypatch):
    """Many packs of few files."""
    for name, size in {"PACK_BYTES": 3000, "BATCH_BYTES": 1500, "SMALL_BYTES": 500}.items():
        monkeypatch.setattr(many, name, size)


def threads_of_ours():
    return [one for one in threading.enumerate() if one.name.startswith("ThreadPoolExecutor")]


def test_a_push_that_python_ends_in_the_middle_ends_too(settings, monkeypatch, small_packs):
    """When Python ends it begins nothing new, and waits for every thread."""
    before, asked = threads_of_ours(), []
    really = many.asking.Asking.ask

    def ask(self, *words, **more):
        asked.append(words)
        if len(asked) > 4:
            raise RuntimeError("cannot schedule new futures after interpreter shutdown")
        return really(self, *words, **more)

    monkeypatch.setattr(many.asking.Asking, "ask", ask)
    files = {f"{number}": os.urandom(400) for number in range(40)}

    with pytest.raises(RuntimeError, match="after interpreter shutdown"):
        actions.store_many(a_repository(), entries(files), by=None)

    assert threads_of_ours() == before
    kept = {str(pack.pk) for pack in Pack.objects.all()}
    assert {one.split("/")[-1] for one in everything_below(settings.STORE_HOME)} == kept


def test_a_push_for_which_no_thread_can_be_had_is_refused_and_ends(monkeypatch, small_packs):
    before, really = threads_of_ours(), many.Filling.__init__
    made = []

    def begin(self, organisation_id, threads):
        made.append(self)
        if len(made) == 2:  # it is in the queue already when no thread can be started
            submit = threads.submit

            def fails(*words):
                submit(*words)
                raise RuntimeError("can't start new thread")

            monkeypatch.setattr(threads, "submit", fails)
        really(self, organisation_id, threads)

    monkeypatch.setattr(many.Filling, "__init__", begin)
    files = {f"{number}": os.urandom(400) for number in range(20)}

    with pytest.raises(RuntimeError, match="can't start new thread"):
        actions.store_many(a_repository(), entries(files), by=None)

    assert threads_of_ours() == before


def test_what_was_wrong_is_told_also_where_what_came_before_cannot_be_noted(
    monkeypatch, small_packs
):
    def lies():
        yield from entries({f"{number}": os.urandom(400) for number in range(9)})
        yield actions.Entry("x", 10, io.BytesIO(b"z" * 10), "0" * 64)

    def note(_filled):
        raise OSError("the database is away")

    monkeypatch.setattr(many.noting, "note", note)

    with pytest.raises(Invalid, match="did not arrive as it was sent"):
        actions.store_many(a_repository(), lies(), by=None)
