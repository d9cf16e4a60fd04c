"""Datasets from a terminal."""

import hashlib
import io
import json
import os
import sqlite3
import tarfile
import time
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from fabriek.cli import data_index, data_local, data_pull, data_remote, data_tus, http
from fabriek.datasets.models import Dataset
from fabriek.store.models import Blob, Damage
from tests.cli.conftest import wsgi_client
from tests.datasets.conftest import contents, made, push, push_beside
from tests.factories import a_case, a_person
from tests.store.test_scrub import scrubbed, spoil

pytestmark = pytest.mark.django_db
ROW = '{"prompt": "Hoi", "completion": "balie"}\n'


@pytest.fixture
def sent(monkeypatch, portal):
    """Write down which small files travel."""
    travelled = []

    def note(request: httpx.Request):
        if request.url.path.endswith("/bundle"):
            tar = b"".join(request.stream)
            request.stream = httpx.ByteStream(tar)
            with tarfile.open(fileobj=io.BytesIO(tar)) as names:
                travelled.extend(names.getnames())

    def watched(account):
        client = wsgi_client(account)
        client.event_hooks = {"request": [note]}
        return client

    monkeypatch.setattr(http, "client_for", watched)
    return travelled


def file(folder, name, text="some words"):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_a_new_dataset_tells_how_to_fill_it(fabriek, lead):
    case = a_case(lead=lead)

    result = fabriek(
        lead, "data", "new", "--case", case.code, "--title", "Desk", "--no-personal"
    )

    dataset = Dataset.objects.get()
    assert result.stdout == (
        f"{dataset.code} is made. Push files: fabriek data push {dataset.code} FILES\n"
    )
    assert (dataset.case, dataset.title, dataset.has_personal_data) == (case, "Desk", False)


def test_the_list_and_the_files_say_where_to_begin(fabriek, lead):
    nothing = fabriek(lead, "data", "ls")
    dataset = made(by=lead)
    empty = fabriek(lead, "data", "ls", dataset.code)

    assert nothing.stdout == "There are no datasets yet. Begin with: fabriek data new\n"
    assert empty.stdout.endswith(
        f"It holds no files yet. Push some: fabriek data push {dataset.code} FILES\n"
    )


def test_the_list_shows_datasets_and_ls_their_files(fabriek, lead, dataset):
    push(dataset, {"rows.jsonl": ROW.encode()})

    listed = fabriek(lead, "data", "ls")
    files = fabriek(lead, "data", "ls", dataset.code)

    assert dataset.code in listed.stdout
    assert f"{dataset.code}@1" in files.stdout
    assert files.stdout.splitlines()[-1].split() == [str(len(ROW)), "B", "rows.jsonl"]


def test_a_file_is_pushed_as_a_revision(fabriek, lead, dataset, tmp_path):
    path = file(tmp_path, "rows.jsonl", ROW)

    result = fabriek(lead, "data", "push", dataset.code, path, "-m", "first rows")

    assert result.exit_code == 0, result.stderr
    assert result.stdout.splitlines()[-1] == f"{dataset.code}@1 · 1 file(s)"
    assert contents(dataset) == {"rows.jsonl": len(ROW)}
    assert dataset.repository.revisions.get().message == "first rows"


def test_a_folder_keeps_its_paths_and_leaves_links_out(fabriek, lead, dataset, tmp_path):
    folder = tmp_path / "corpus"
    inside = file(folder, "2026/nov/text.txt")
    (folder / "2026/link.txt").symlink_to(inside)
    os.mkfifo(folder / "2026/pipe")

    result = fabriek(lead, "data", "push", dataset.code, folder)

    assert contents(dataset) == {"2026/nov/text.txt": 10}
    assert result.stderr == (
        f"{folder / '2026/link.txt'} is a link: left out.\n"
        f"{folder / '2026/pipe'} is a device or a pipe: left out.\n"
    )


def test_a_name_typed_on_a_mac_is_one_name(fabriek, lead, dataset, tmp_path):
    folder = tmp_path / "c"
    file(folder, "cafe\u0301/een.txt", "one")
    fabriek(lead, "data", "push", dataset.code, folder)

    same = fabriek(lead, "data", "verify", dataset.code, folder)
    again = file(folder, "caf\u00e9/een.txt", "two")
    both = fabriek(lead, "data", "push", dataset.code, folder)

    assert contents(dataset) == {"caf\u00e9/een.txt": 3}
    assert same.exit_code == 0
    assert str(again) in both.stderr
    assert "rename one of them" in both.stderr


def test_a_name_that_is_no_text_is_said_so(fabriek, lead, dataset, tmp_path):
    (tmp_path / "c").mkdir()
    (tmp_path / os.fsdecode(b"c/caf\xe9.txt")).write_text("an old archive")

    result = fabriek(lead, "data", "push", dataset.code, tmp_path / "c")

    assert (result.exit_code, contents(dataset)) == (1, {})
    assert result.stderr.startswith("The name of caf\ufffd.txt is not written in UTF-8.")


def test_bytes_that_are_there_already_are_not_sent_again(
    fabriek, sent, lead, dataset, tmp_path
):
    file(tmp_path / "c", "a.txt", "one")
    fabriek(lead, "data", "push", dataset.code, tmp_path / "c")
    file(tmp_path / "c", "b.txt", "two")
    file(tmp_path / "c", "same-as-b.txt", "two")

    result = fabriek(lead, "data", "push", dataset.code, tmp_path / "c")

    assert result.exit_code == 0
    assert sent == ["a.txt", "b.txt"]
    assert contents(dataset) == {"a.txt": 3, "b.txt": 3, "same-as-b.txt": 3}


def test_pushing_the_same_again_says_that_nothing_was_new(fabriek, lead, dataset, tmp_path):
    path = file(tmp_path, "a.txt")
    fabriek(lead, "data", "push", dataset.code, path)

    result = fabriek(lead, "data", "push", dataset.code, path)

    assert result.stdout.splitlines()[-2:] == [
        "Nothing was new. This revision holds these files already:",
        f"{dataset.code}@1 · 1 file(s)",
    ]
    assert dataset.repository.revisions.count() == 1


def test_many_files_are_asked_for_in_parts(fabriek, lead, dataset, tmp_path, monkeypatch):
    monkeypatch.setattr("fabriek.cli.data_sending.ASKED_AT_ONCE", 2)
    monkeypatch.setattr("fabriek.cli.data_bundle.PIECES_MAX", 2)
    for number in range(5):
        file(tmp_path / "c", f"{number}.txt", str(number))

    fabriek(lead, "data", "push", dataset.code, tmp_path / "c")

    assert len(contents(dataset)) == 5


def test_a_broken_row_is_named_by_its_line_and_nothing_is_saved(
    fabriek, lead, dataset, tmp_path
):
    path = file(tmp_path, "rows.jsonl", ROW + "{broken\n")

    result = fabriek(lead, "data", "push", dataset.code, path)

    assert result.exit_code == 1
    assert "rows.jsonl" in result.stderr
    assert "line 2" in result.stderr.lower()
    assert contents(dataset) == {}


def test_an_empty_file_is_refused(fabriek, lead, dataset, tmp_path):
    result = fabriek(lead, "data", "push", dataset.code, file(tmp_path, "a.txt", ""))

    assert result.exit_code == 1
    assert result.stderr == (
        "“a.txt” is empty (0 bytes). See whether it was saved well, and send it again, or "
        "leave it out: --exclude 'a.txt'. [empty_file]\n"
    )


def test_two_files_of_one_name_do_not_replace_each_other(fabriek, lead, dataset, tmp_path):
    one, two = file(tmp_path / "1", "a.txt"), file(tmp_path / "2", "a.txt")

    result = fabriek(lead, "data", "push", dataset.code, one, two)

    assert result.exit_code == 1
    assert result.stderr == (
        f"{one} and {two} would both be called a.txt. Push one folder, or rename one of them.\n"
    )
    assert contents(dataset) == {}


def test_an_empty_folder_is_nothing_to_push(fabriek, lead, dataset, tmp_path):
    (tmp_path / "c").mkdir()

    result = fabriek(lead, "data", "push", dataset.code, tmp_path / "c")

    assert (result.exit_code, result.stderr) == (1, "There is no file in what you named.\n")


def test_what_is_not_there_is_told(fabriek, lead, dataset, tmp_path, monkeypatch):
    """An empty name is what a shell gives for a variable that was never set."""
    file(tmp_path / "c", "a.txt")
    monkeypatch.chdir(tmp_path / "c")
    empty = fabriek(lead, "data", "push", dataset.code, "")
    missing = fabriek(lead, "data", "push", dataset.code, "b.txt")
    (tmp_path / "c/a.txt").unlink()
    (tmp_path / "c").rmdir()
    gone = fabriek(lead, "data", "push", dataset.code, ".")

    assert empty.stderr == "A name is empty. Is a variable not set? Name files or folders.\n"
    assert missing.stderr == f"{tmp_path}/c/b.txt cannot be read: No such file or directory.\n"
    assert gone.stderr == "The folder where you stand is gone. Go to another one first.\n"
    assert {empty.exit_code, missing.exit_code, gone.exit_code} == {1}
    assert contents(dataset) == {}


def test_somebody_elses_dataset_takes_nothing(fabriek, dataset, tmp_path):
    result = fabriek(a_person(), "data", "push", dataset.code, file(tmp_path, "a.txt"))

    assert result.exit_code == 1
    assert result.stderr.endswith("[not_found]\n")
    assert contents(dataset) == {}


def test_who_may_not_send_is_told_before_all_is_read(fabriek, dataset, tmp_path, monkeypatch):
    monkeypatch.setattr("fabriek.cli.data_sending.WORTH_ASKING_BYTES", 1)
    monkeypatch.setattr(data_local, "hashed", pytest.fail)

    result = fabriek(a_person(), "data", "push", dataset.code, file(tmp_path, "a.txt"))

    assert (result.exit_code, result.stderr[-12:]) == (1, "[not_found]\n")


# --- going on, looking, comparing ----------------------------------------------------------
BIG = os.urandom(3 * 2**20)


@pytest.fixture
def parts(monkeypatch):
    """Send large files in parts of 1 MiB."""
    for size in ("PART_BYTES", "LEAST_BYTES", "MOST_BYTES"):
        monkeypatch.setattr(data_tus, size, 2**20)


@pytest.fixture
def broken_network(monkeypatch, portal):
    """Let some requests never arrive: those for which `fails(request)` is true."""
    fails = []
    asked = []

    def watch(request: httpx.Request):
        asked.append((request.method, request.headers.get("Upload-Offset")))
        if any(fail(request) for fail in fails):
            raise httpx.ConnectError("the cable is out", request=request)

    def watched(account):
        client = wsgi_client(account)
        client.event_hooks = {"request": [watch]}
        return client

    monkeypatch.setattr(http, "client_for", watched)
    return fails, asked


def test_a_large_file_goes_on_where_an_earlier_push_broke_off(
    fabriek, parts, broken_network, lead, dataset, tmp_path
):
    fails, asked = broken_network
    (tmp_path / "big.bin").write_bytes(BIG)
    fails.append(lambda request: request.headers.get("Upload-Offset") == str(2**20))

    broken = fabriek(lead, "data", "push", dataset.code, tmp_path / "big.bin")
    assert broken.exit_code == 1
    assert broken.stderr == (
        "big.bin broke off: the cable is out.\n"
        "What has arrived is kept for four days: run the same command to go on from there.\n"
    )
    assert contents(dataset) == {}
    fails.clear()
    asked.clear()
    again = fabriek(lead, "data", "push", dataset.code, tmp_path / "big.bin")

    assert again.exit_code == 0, again.stderr
    assert [at for method, at in asked if method == "PATCH"] == [str(2**20), str(2 * 2**20)]
    assert contents(dataset) == {"big.bin": len(BIG)}


def test_a_part_that_fails_once_is_sent_again(
    fabriek, parts, broken_network, lead, dataset, tmp_path
):
    fails, asked = broken_network
    (tmp_path / "big.bin").write_bytes(BIG)
    once = [True]
    fails.append(
        lambda request: (
            request.headers.get("Upload-Offset") == str(2**20) and once and once.pop()
        )
    )

    result = fabriek(lead, "data", "push", dataset.code, tmp_path / "big.bin")

    assert result.exit_code == 0, result.stderr
    assert [at for method, at in asked if method == "PATCH"].count(str(2**20)) == 2


def test_ctrl_c_says_how_to_go_on(fabriek, lead, dataset, tmp_path, monkeypatch):
    def interrupted(*_anything):
        raise KeyboardInterrupt

    monkeypatch.setattr("fabriek.cli.data_bundle.send", interrupted)

    result = fabriek(lead, "data", "push", dataset.code, file(tmp_path, "a.txt"))

    assert result.exit_code == 130
    assert result.stderr == (
        "Stopped. What was sent is kept: run the same command to go on from there.\n"
    )


def test_what_is_gone_here_is_left_out_when_asked_for(fabriek, lead, dataset, tmp_path):
    folder = tmp_path / "c"
    one, two = file(folder, "a.txt", "one"), file(folder, "b.txt", "two")
    fabriek(lead, "data", "push", dataset.code, folder)
    one.unlink()

    kept = fabriek(lead, "data", "push", dataset.code, folder)
    tried = fabriek(lead, "data", "push", dataset.code, folder, "--delete", "--dry-run")
    gone = fabriek(lead, "data", "push", dataset.code, folder, "--delete")
    wrong = fabriek(lead, "data", "push", dataset.code, two, "--delete")

    assert kept.stdout.startswith("Nothing was new.")
    assert tried.stdout.splitlines()[1].split() == ["left", "out", "3", "B", "a.txt"]
    assert gone.stdout == f"{dataset.code}@2 · 1 file(s) · 1 left out\n"
    assert contents(dataset) == {"b.txt": 3}
    assert wrong.stderr.startswith("With --delete, push exactly one folder")


def test_a_dry_run_sends_nothing(fabriek, sent, lead, dataset, tmp_path):
    result = fabriek(lead, "data", "push", dataset.code, file(tmp_path, "a.txt"), "--dry-run")

    assert result.stdout.splitlines()[-1] == "Nothing was sent."
    assert sent == []
    assert contents(dataset) == {}


@pytest.fixture
def remembered_at_once(monkeypatch):
    """Take nothing for so fresh that a change could go unseen."""
    monkeypatch.setattr(data_index, "TOO_FRESH_NS", -(10**12))


def test_unchanged_files_are_not_read_again(
    fabriek, remembered_at_once, lead, dataset, tmp_path, monkeypatch
):
    folder = tmp_path / "c"
    for name in ("a.txt", "b.txt"):
        file(folder, name, name)
    read = []
    really = data_local.content_of
    monkeypatch.setattr(
        data_local, "content_of", lambda file: read.append(file.path) or really(file)
    )

    fabriek(lead, "data", "push", dataset.code, folder)
    file(folder, "a.txt", "other")
    fabriek(lead, "data", "push", dataset.code, folder)

    assert read == [str(folder / "a.txt"), str(folder / "b.txt"), str(folder / "a.txt")]
    assert contents(dataset) == {"a.txt": 5, "b.txt": 5}


def test_what_looks_as_it_did_is_not_read_also_beside_other_files(
    fabriek, remembered_at_once, lead, dataset, tmp_path, monkeypatch
):
    push(dataset, {"README.md": b"of the page"})
    path = file(tmp_path, "a.txt")
    fabriek(lead, "data", "push", dataset.code, path)
    monkeypatch.setattr(data_local, "hashed", pytest.fail)

    result = fabriek(lead, "data", "push", dataset.code, path)

    assert result.stdout.splitlines()[-1] == f"{dataset.code}@2 · 1 file(s)"


def test_what_somebody_else_saved_meanwhile_is_seen(
    fabriek, remembered_at_once, lead, dataset, tmp_path, monkeypatch
):
    folder = file(tmp_path / "c", "a.txt").parent
    file(folder, "b.txt")
    fabriek(lead, "data", "push", dataset.code, folder)
    push(dataset, {"a.txt": b"of another"})

    fabriek(lead, "data", "push", dataset.code, folder)
    assert contents(dataset) == {"a.txt": len("some words"), "b.txt": len("some words")}
    # And just before ours is saved, of which only the other file is new.
    file(folder, "b.txt", "more")
    really = http.post

    def after_another(address, body):
        if address.endswith("/revisions"):
            push(dataset, {"a.txt": b"of another"})
        return really(address, body)

    with monkeypatch.context() as patch:
        patch.setattr(http, "post", after_another)
        fabriek(lead, "data", "push", dataset.code, folder)
    again = fabriek(lead, "data", "push", dataset.code, folder)

    assert again.stdout == f"{dataset.code}@6 · 2 file(s)\n"
    assert contents(dataset) == {"a.txt": len("some words"), "b.txt": 4}


def test_what_is_on_another_branch_is_not_there_yet(fabriek, lead, dataset, tmp_path):
    push(dataset, {"a.txt": b"1"})
    push_beside(dataset, "try", {"a.txt": b"1", "b.txt": b"1"})

    result = fabriek(lead, "data", "push", dataset.code, file(tmp_path, "b.txt", "1"))

    assert result.stdout == f"{dataset.code}@3 · 2 file(s)\n"
    assert contents(dataset) == {"a.txt": 1, "b.txt": 1}


def test_a_file_so_fresh_that_a_change_could_go_unseen_is_read_again(tmp_path):
    path = file(tmp_path, "a.txt")
    os.utime(path, (1_700_000_000, 1_700_000_000))  # it says that it is old, and is not
    found = data_index.Local.of(str(path), path.stat())
    with data_index.opened() as index:
        index.keep([(found, "f" * 64)], read_at_ns=found.ctime_ns + 1)
        assert index.known([found], [str(tmp_path)]) == {}
        index.keep([(found, "f" * 64)], read_at_ns=found.ctime_ns + 10**9)
        assert index.known([found], [str(tmp_path)]) == {str(path): "f" * 64}


def test_an_index_that_cannot_be_used_is_done_without(fabriek, lead, dataset, tmp_path):
    place = Path(data_index.place())
    place.parent.mkdir(parents=True)
    place.write_bytes(b"no database at all" * 99)
    damaged = fabriek(lead, "data", "push", dataset.code, file(tmp_path, "a.txt"))
    with closing(sqlite3.connect(place)) as other:
        other.executescript("DROP TABLE files; PRAGMA user_version = 1;")  # an older command
    older = fabriek(lead, "data", "push", dataset.code, file(tmp_path, "b.txt"))
    with data_index.opened() as index:
        index.connection.execute("PRAGMA query_only = ON")  # as on a full disk
        index.begin_upload("portal", "D26-0001", "f" * 64, "address")
        assert index.upload("portal", "D26-0001", "f" * 64) == ""

    assert (damaged.exit_code, older.exit_code) == (0, 0), damaged.stderr + older.stderr


def test_a_folder_whose_own_name_is_no_text_is_pushed(fabriek, lead, dataset, tmp_path):
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    file(folder, "a.txt")

    result = fabriek(lead, "data", "push", dataset.code, folder)

    assert result.exit_code == 0, result.stderr
    assert contents(dataset) == {"a.txt": 10}


# --- leaving out ---------------------------------------------------------------------------
def test_what_is_excluded_stays_here(fabriek, lead, dataset, tmp_path):
    """The same patterns as `hf upload` takes: `*` also stands for a slash."""
    folder = tmp_path / "c"
    names = (".git/HEAD", "a.txt", "a.tmp", "sub/b.tmp", "sub/venv/x.py", "venv/y.py", "é/é.md")
    for name in names:
        file(folder, name)
    (folder / ".git/link").symlink_to(folder)  # nothing is told of what is left out anyway
    words = ("--exclude", ".git/", "--exclude", "*.tmp", "--exclude", "*venv/*")

    result = fabriek(lead, "data", "push", dataset.code, folder, *words)
    again = fabriek(
        lead, "data", "push", dataset.code, folder, *words, "--exclude", "e\u0301/*", "--delete"
    )

    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == f"{dataset.code}@1 · 2 file(s)\n"
    assert again.stdout == f"{dataset.code}@2 · 1 file(s) · 1 left out\n"
    assert contents(dataset) == {"a.txt": 10}


@pytest.mark.parametrize(
    "case",
    [
        (["*"], "--exclude leaves out every file in what you named. Nothing was sent.\n"),
        (
            ["sub"],
            "--exclude 'sub' leaves out no folder, and sub is one. To leave out all in it, "
            "write: --exclude 'sub/'\n",
        ),
        ([""], "--exclude '' says nothing. Write a pattern, such as '*.tmp' or '.git/'.\n"),
        (
            [],
            "“sub/.git/HEAD” is git's own, and no dataset can hold it. Leave it out: "
            "--exclude 'sub/.git/'. [path]\n",
        ),
    ],
)
def test_what_is_excluded_wrongly_is_told_before_anything_is_sent(
    fabriek, sent, lead, dataset, tmp_path, case
):
    patterns, said = case
    file(tmp_path / "c", "a.txt")
    file(tmp_path / "c", "sub/.git/HEAD")
    words = [word for pattern in patterns for word in ("--exclude", pattern)]

    result = fabriek(lead, "data", "push", dataset.code, tmp_path / "c", *words)

    assert (result.exit_code, result.stderr) == (1, said)
    assert sent == []


def test_a_pattern_that_left_nothing_out_is_told(fabriek, lead, dataset, tmp_path):
    file(tmp_path / "c", ".env")

    result = fabriek(
        lead, "data", "push", dataset.code, tmp_path / "c", "--dry-run", "--exclude", ".evn"
    )

    assert (result.exit_code, result.stderr) == (0, "--exclude '.evn' left nothing out.\n")


def test_pull_fetches_all_or_some_and_nothing_twice(fabriek, lead, dataset, tmp_path):
    small = {f"map/{n:02d}.txt": b"%d" % n for n in range(30)}
    push(dataset, small | {"groot/big.bin": BIG})
    target = tmp_path / "out"

    some = fabriek(lead, "data", "pull", dataset.code, target, "--only", "map/03.txt")
    whole = fabriek(lead, "data", "pull", f"{dataset.code}@1", target)
    again = fabriek(lead, "data", "pull", dataset.code, target)
    none = fabriek(lead, "data", "pull", dataset.code, target, "--only", "nee")

    assert "1 file(s)" in some.stdout
    assert whole.stdout.endswith(f"31 file(s) in {target} · 30 fetched, 3.1 MB\n")
    assert "0 fetched" in again.stdout
    assert none.stderr == f"{dataset.code}@1 has no file or folder “nee”.\n"
    found = {path.relative_to(target).as_posix(): path.read_bytes() for path in below(target)}
    assert found == small | {"groot/big.bin": BIG}


def test_what_is_changed_while_others_are_fetched_is_known_as_changed(
    fabriek, remembered_at_once, lead, dataset, tmp_path, monkeypatch
):
    push(dataset, {"a.txt": b"one", "b.txt": b"two"})
    target = tmp_path / "out"
    really = data_pull.Fetch.put

    def then_somebody_writes(fetch, part, path):
        really(fetch, part, path)
        file(target, "a.txt", "ONE")

    monkeypatch.setattr(data_pull.Fetch, "put", then_somebody_writes)
    fabriek(lead, "data", "pull", dataset.code, target)

    fabriek(lead, "data", "push", dataset.code, target)

    assert dataset.repository.revisions.count() == 2


def below(folder):
    return [path for path in folder.rglob("*") if path.is_file()]


def test_pull_goes_on_with_half_a_file_and_never_believes_it(fabriek, lead, dataset, tmp_path):
    push(dataset, {"big.bin": BIG})
    sha256 = hashlib.sha256(BIG).hexdigest()
    for half in (BIG[:1_000_000], b"\0" * 1_000_000, BIG + b"too much"):
        target = tmp_path / str(len(half)) / hashlib.sha256(half).hexdigest()[:4]
        target.mkdir(parents=True)
        data_pull._part_of(target / "big.bin", sha256).write_bytes(half)  # noqa: SLF001

        result = fabriek(lead, "data", "pull", dataset.code, target)

        assert result.exit_code == 0, result.stderr
        assert [path.name for path in below(target)] == ["big.bin"]
        assert (target / "big.bin").read_bytes() == BIG

    spoil(Blob.objects.get())
    result = fabriek(lead, "data", "pull", dataset.code, tmp_path / "spoilt")

    assert result.exit_code == 1
    assert result.stderr.startswith("big.bin arrives damaged each time, so it was not kept.\n")


@pytest.mark.parametrize("path", ["../up", "/etc/x", "a/../../b", "a\\b"])
def test_pull_writes_nothing_outside_its_folder(fabriek, lead, tmp_path, monkeypatch, path):
    revision = data_remote.Revision(code="D26-0001", number=1, files={path: ("f" * 64, 1)})
    monkeypatch.setattr(data_remote, "revision", lambda _reference: revision)

    result = fabriek(lead, "data", "pull", "D26-0001", tmp_path / "out")

    assert result.stderr.startswith(f"The portal names a file outside the folder: {path}.")
    assert not (tmp_path / "out").exists()


def test_pull_follows_no_link_out_of_its_folder(fabriek, lead, dataset, tmp_path):
    push(dataset, {"map/a.txt": b"1"})
    (tmp_path / "out").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out/map").symlink_to(tmp_path / "elsewhere")

    result = fabriek(lead, "data", "pull", dataset.code, tmp_path / "out")

    assert "is a link that leads elsewhere" in result.stderr
    assert below(tmp_path / "elsewhere") == []


def test_ls_shows_folders_a_folder_and_json(fabriek, lead, dataset):
    push(dataset, {"a.txt": b"1", "map/b.txt": b"22", "map/diep/c.txt": b"333"})

    top = fabriek(lead, "data", "ls", dataset.code)
    inside = fabriek(lead, "data", "ls", dataset.code, "map", "-l")
    told = fabriek(lead, "data", "ls", f"{dataset.code}@1", "--json")

    assert [line.split()[2] for line in top.stdout.splitlines()[-2:]] == ["map/", "a.txt"]
    assert "(2 file(s))" in top.stdout
    assert hashlib.sha256(b"22").hexdigest() in inside.stdout
    assert [each["path"] for each in json.loads(told.stdout)] == [
        "a.txt",
        "map/b.txt",
        "map/diep/c.txt",
    ]


def test_log_says_who_changed_how_much(fabriek, lead, dataset):
    push(dataset, {"a.txt": b"1", "b.txt": b"1"}, message="begin")
    push(dataset, {"a.txt": b"22", "c.txt": b"1"}, message="meer")

    told = fabriek(lead, "data", "log", dataset.code)
    one = fabriek(lead, "data", "log", dataset.code, "-n", 1, "--json")

    newest = told.stdout.splitlines()[1].split()
    assert newest[0] == "2"
    assert newest[-6:] == ["1", "0", "3", "4", "B", "meer"]
    assert [each["number"] for each in json.loads(one.stdout)] == [2]


def test_log_and_diff_follow_main_unless_another_branch_is_named(fabriek, lead, dataset):
    push(dataset, {"a.txt": b"1"}, message="begin")
    push_beside(dataset, "try/nl", {"b.txt": b"1"})
    push(dataset, {"c.txt": b"1"}, message="meer")
    code = dataset.code

    def numbers(*words):
        told = fabriek(lead, "data", "log", *words, "--json")
        return [(each["number"], each["branch"]) for each in json.loads(told.stdout)]

    def differing(*words):
        told = fabriek(lead, "data", "diff", *words)
        return told.stdout.splitlines()

    assert numbers(code) == [(3, "main"), (1, "main")]
    assert numbers(f"{code}@try/nl") == [(2, "try/nl"), (1, "main")]
    assert numbers(code, "--all") == [(3, "main"), (2, "try/nl"), (1, "main")]
    beside = fabriek(lead, "data", "log", f"{code}@try/nl").stdout.splitlines()
    assert [line.split()[:2] for line in beside] == [
        ["revision", "branch"],
        ["2", "try/nl"],
        ["1", "main"],
    ]
    # What the newest of a branch changed is told of what it was built on.
    assert differing(code)[1:] == [
        "added  -       1 B    c.txt",
        f"From {code}@1 to {code}@3: 1 added.",
    ]
    assert differing(f"{code}@try/nl")[-1] == (
        f"From {code}@1 to {code}@2 (branch try/nl): 1 added."
    )
    assert differing(code, 2)[-1].startswith(f"From {code}@2 (branch try/nl) to {code}@3: ")
    listed = fabriek(lead, "data", "ls", f"{code}@try/nl").stdout
    assert listed.splitlines()[-1].split()[-1] == "b.txt"
    assert "c.txt" not in listed
    wrong = fabriek(lead, "data", "log", f"{code}@none")
    assert (wrong.exit_code, wrong.stderr) == (
        1,
        "This dataset has no branch or tag “none”. It has: main, try/nl. [branch]\n",
    )
    told = fabriek(lead, "data", "log", f"{code}@2").stderr
    assert told.startswith("The log follows a branch")
    assert told.endswith(f"A branch called 2 is {code}@branch:2.\n")


def test_a_branch_of_digits_only_is_named_as_a_branch(fabriek, lead, dataset, tmp_path):
    push(dataset, {"a.txt": b"1"})
    push_beside(dataset, "7", {"b.txt": b"1"})
    code = dataset.code

    listed = fabriek(lead, "data", "ls", f"{code}@branch:7").stdout
    pulled = fabriek(lead, "data", "pull", f"{code}@branch:7", tmp_path / "c")
    log = json.loads(fabriek(lead, "data", "log", f"{code}@branch:7", "--json").stdout)
    wrong = fabriek(lead, "data", "ls", f"{code}@7")

    assert listed.splitlines()[-1].split()[-1] == "b.txt"
    assert pulled.exit_code == 0
    assert (tmp_path / "c" / "b.txt").read_bytes() == b"1"
    assert [each["number"] for each in log] == [2, 1]
    assert wrong.exit_code == 1
    assert wrong.stderr.splitlines()[-1].strip() == f"A branch called 7 is {code}@branch:7."
    assert fabriek(lead, "data", "ls", f"{code}@branch:").exit_code == 1


def test_diff_and_verify_leave_out_what_a_push_leaves_out(fabriek, lead, dataset, tmp_path):
    push(dataset, {"a.txt": b"one"})
    file(tmp_path / "c", "a.txt", "one")
    file(tmp_path / "c", ".git/config")
    where = (dataset.code, tmp_path / "c")

    plain = fabriek(lead, "data", "verify", *where)
    verified = fabriek(lead, "data", "verify", *where, "--exclude", ".git/")
    differing = fabriek(
        lead, "data", "diff", *where, "--exclude", ".git/", "--exclude", "*.tmp"
    )
    mistaken = fabriek(lead, "data", "verify", *where, "--exclude", ".git")
    numbers = fabriek(lead, "data", "diff", dataset.code, 1, "--exclude", "*.tmp")

    assert plain.exit_code == 3
    assert (verified.exit_code, differing.exit_code) == (0, 0)
    assert differing.stderr.splitlines()[0] == "--exclude '*.tmp' left nothing out."
    assert "leaves out no folder" in mistaken.stderr
    assert (numbers.exit_code, "is for a folder here" in numbers.stderr) == (1, True)


def test_diff_between_revisions_and_with_a_folder(fabriek, lead, dataset, tmp_path):
    push(dataset, {"a.txt": b"een\ntwee\n", "b.txt": b"1"})
    push(dataset, {"a.txt": b"een\ndrie\n"})
    file(tmp_path / "c", "a.txt", "een\ndrie\n")

    newest = fabriek(lead, "data", "diff", dataset.code, "--text")
    same = fabriek(lead, "data", "diff", dataset.code, 2, 2)
    folder = fabriek(lead, "data", "diff", dataset.code, tmp_path / "c", "--json")
    wrong = fabriek(lead, "data", "diff", dataset.code, tmp_path / "none")

    assert newest.exit_code == 3
    lines = newest.stdout.splitlines()
    assert lines[1].split() == ["changed", "9", "B", "9", "B", "a.txt"]
    assert lines[-2:] == ["-twee", "+drie"]
    assert same.exit_code == 0
    assert json.loads(folder.stdout)[0]["path"] == "b.txt"
    assert json.loads(folder.stdout)[0]["kind"] == "removed"
    assert (wrong.exit_code, "neither the number" in wrong.stderr) == (1, True)


def test_verify_reads_again_and_says_what_differs(
    fabriek, remembered_at_once, lead, dataset, tmp_path
):
    push(dataset, {"a.txt": b"one", "b.txt": b"two"})
    for name, text in {"a.txt": "one", "b.txt": "two"}.items():
        file(tmp_path / "c", name, text)

    same = fabriek(lead, "data", "verify", dataset.code, tmp_path / "c")
    # The disk lies: other bytes, and all else as it was.
    path = tmp_path / "c/b.txt"
    path.write_text("TWO")
    lies = data_index.Local.of(str(path), path.stat())
    with data_index.opened() as index:
        index.keep([(lies, hashlib.sha256(b"two").hexdigest())], read_at_ns=time.time_ns())
    quick = fabriek(lead, "data", "verify", dataset.code, tmp_path / "c", "--quick")
    differs = fabriek(lead, "data", "verify", dataset.code, tmp_path / "c")

    assert same.exit_code == 0
    assert same.stdout.endswith(f"is {dataset.code}@1, byte for byte: 2 file(s).\n")
    assert quick.exit_code == 0
    assert differs.exit_code == 3
    assert differs.stdout.splitlines()[1].split()[-1] == "b.txt"


def test_the_same_push_again_mends_what_a_disk_spoilt(
    fabriek, remembered_at_once, lead, dataset, tmp_path
):
    path = file(tmp_path, "a.txt", "one")
    fabriek(lead, "data", "push", dataset.code, path)
    spoil(Blob.objects.get())
    scrubbed()

    mended = fabriek(lead, "data", "push", dataset.code, path)
    again = fabriek(lead, "data", "push", dataset.code, path)

    assert mended.stdout.startswith("Something was damaged at the portal.")
    assert Damage.objects.get().how == "sent"
    assert again.stdout.startswith("Nothing was new.")


def test_a_name_that_is_no_dataset_is_told(fabriek, lead):
    result = fabriek(lead, "data", "pull", "D26-0001@..")

    assert result.stderr == (
        "D26-0001@.. names no dataset. Write its code, D26-0001; with a revision, "
        "D26-0001@3; or with a branch or a tag, D26-0001@main (D26-0001@branch:3 where its "
        "name is all digits).\n"
    )


def test_drop_says_what_would_go_asks_and_removes(fabriek, lead, dataset):
    for number in range(3):
        push(dataset, {"rows": f"{number}".encode() * 10}, by=lead)

    planned = fabriek(lead, "data", "drop", dataset.code, "--keep-last", "2", "--dry-run")
    kept = fabriek(lead, "data", "drop", dataset.code, "1", input="n\n")
    done = fabriek(lead, "data", "drop", dataset.code, "1", "2", "--yes", "--why", "room")

    assert "revision 3 stays: spared by what was asked" in planned.stdout
    assert "1 revision(s) would go; 10 B comes free." in planned.stdout
    assert (kept.exit_code, "Remove them?" in kept.stdout) == (1, True)
    assert "2 revision(s) removed" in done.stdout
    rows = dataset.repository.revisions.filter(dropped_at=None)
    assert list(rows.values_list("number", flat=True)) == [3]


def test_drop_without_asking_says_which_and_else_removes_nothing(fabriek, lead, dataset):
    for number in range(3):
        push(dataset, {"rows": f"{number}".encode() * 10}, by=lead)

    result = fabriek(lead, "data", "drop", dataset.code, "--yes")

    assert result.exit_code == 2
    assert "say which" in result.stderr
    assert dataset.repository.revisions.filter(dropped_at=None).count() == 3


def test_drop_removes_just_what_it_showed(fabriek, lead, dataset, monkeypatch):
    for number in range(3):
        push(dataset, {"rows": f"{number}".encode() * 10}, by=lead)

    def confirm(*asked, **how):
        push(dataset, {"rows": b"3" * 10}, by=lead)

    monkeypatch.setattr("typer.confirm", confirm)
    done = fabriek(lead, "data", "drop", dataset.code, "--keep-last", "1", "--json")

    assert [one["number"] for one in json.loads(done.stdout)["go"]] == [2, 1]
    assert "revision 1 would go" in done.stderr
    rows = dataset.repository.revisions.filter(dropped_at=None)
    assert list(rows.order_by("number").values_list("number", flat=True)) == [3, 4]
