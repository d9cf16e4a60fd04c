"""Reading what a job left: nothing that leads out of its folder is ever opened."""

import os
import pwd
import threading
import time
import tracemalloc
from pathlib import Path

import pytest

from fabriek.kernel import acl, strange

SOMEBODY = 65_533


@pytest.fixture
def secret(tmp_path):
    path = tmp_path / "secret-key"
    path.write_text("the secret key")
    return path


@pytest.fixture
def folder(tmp_path):
    """Give the folder of a run whose job has an account of its own."""
    folder = tmp_path / "run"
    folder.mkdir()
    acl.admit(folder, SOMEBODY)
    return folder


def read(folder, name, *, account=""):
    with strange.opened(strange.Place(folder=folder, account=account), name) as file:
        return file.read()


def names_in(folder, *, at_most=100):
    place = strange.Place(folder=folder)
    return [name.as_posix() for name in strange.names_below(place, "out", at_most=at_most)]


def shown(path, words):
    """Write a file as we lay it out for a job: for everybody to read."""
    path.write_text(words)
    path.chmod(0o444)
    return path


def open_files():
    return len([*Path("/proc/self/fd").iterdir()])


def test_a_plain_file_is_read_however_deep_it_lies(folder):
    (folder / "a" / "b").mkdir(parents=True)
    shown(folder / "a" / "b" / "c", "words")

    assert read(folder, "a/b/c") == b"words"


def test_a_link_is_not_followed_wherever_it_stands_in_the_path(folder, secret):
    (folder / "log").symlink_to(secret)
    (folder / "outputs").symlink_to(secret.parent)

    for name in ("log", "outputs/secret-key", "outputs"):
        with pytest.raises(strange.Untrusted):
            read(folder, name)


def test_a_hard_link_to_a_file_of_ours_is_not_read_in_a_folder_of_somebody_else(folder, secret):
    (folder / "log").hardlink_to(secret)

    with pytest.raises(strange.Untrusted):
        read(folder, "log")


def test_in_a_folder_that_is_ours_alone_a_file_may_have_two_names(tmp_path, secret):
    """As outputs have that were taken into the store without a copy."""
    (tmp_path / "log").hardlink_to(secret)

    assert read(tmp_path, "log") == b"the secret key"


def test_a_file_of_a_third_account_is_not_read(folder):
    (folder / "log").write_text("planted")
    if os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    os.chown(folder / "log", SOMEBODY - 1, -1)
    with pytest.raises(strange.Untrusted):
        read(folder, "log")

    os.chown(folder / "log", SOMEBODY, -1)
    assert read(folder, "log") == b"planted"


def test_a_private_file_of_ours_is_not_read_when_its_other_name_is_gone(folder, secret):
    """A hard link to it has one name only as soon as we remove ours, as SQLite does."""
    secret.chmod(0o600)
    (folder / "log").hardlink_to(secret)
    secret.unlink()

    with pytest.raises(strange.Untrusted):
        read(folder, "log")


def test_a_folder_that_lost_its_list_is_read_as_its_account_says(tmp_path, secret):
    """As after a backup was put back without access lists."""
    (tmp_path / "log").hardlink_to(secret)
    shown(tmp_path / "manifest", "ours")

    for account in ("daemon", "nobody-has-this-name"):
        assert read(tmp_path, "manifest", account=account) == b"ours"
        with pytest.raises(strange.Untrusted):
            read(tmp_path, "log", account=account)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_in_such_a_folder_the_files_of_the_account_are_read(tmp_path):
    (tmp_path / "log").write_text("words")
    os.chown(tmp_path / "log", pwd.getpwnam("daemon").pw_uid, -1)

    assert read(tmp_path, "log", account="daemon") == b"words"


def test_a_pipe_and_a_folder_are_no_files_and_hold_nobody_up(folder):
    os.mkfifo(folder / "pipe")
    (folder / "inner").mkdir()

    for name in ("pipe", "inner"):
        with pytest.raises(strange.Untrusted):
            read(folder, name)


def test_what_is_not_there_is_said_to_be_so(folder):
    with pytest.raises(FileNotFoundError):
        read(folder, "log")
    with pytest.raises(FileNotFoundError):
        read(folder, "outputs/log")
    assert strange.size_bytes(strange.Place(folder=folder), "log") == 0


def test_all_files_and_links_are_named_and_no_folder_behind_a_link(folder, secret):
    (folder / "out" / "deep").mkdir(parents=True)
    (folder / "out" / "deep" / "one").write_text("")
    (folder / "out" / "link").symlink_to(secret)
    (folder / "out" / "others").symlink_to(secret.parent)

    names = names_in(folder)

    assert names == ["deep/one", "link", "others"]


def test_names_below_a_link_are_not_given(folder, secret):
    (folder / "out").symlink_to(secret.parent)

    with pytest.raises(strange.Untrusted):
        names_in(folder)


def test_a_folder_that_goes_on_for_ever_is_given_up(folder):
    (folder / "out" / "/".join("d" * 40)).mkdir(parents=True)

    with pytest.raises(strange.Untrusted):
        names_in(folder)


def test_no_more_names_are_read_than_asked_for(folder):
    (folder / "out" / "deep").mkdir(parents=True)
    for name in ("a", "b", "deep/c"):
        (folder / "out" / name).write_text("")

    assert names_in(folder, at_most=4) == ["a", "b", "deep/c"]
    with pytest.raises(strange.TooMany):
        names_in(folder, at_most=3)


def test_millions_of_names_cost_no_memory(folder):
    (folder / "out").mkdir()
    for number in range(20_000):
        (folder / "out" / f"{number:0200d}").touch()
    tracemalloc.start()
    try:
        with pytest.raises(strange.TooMany):
            names_in(folder, at_most=100)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert most < 200_000  # all of them take 7 MB


def test_a_file_of_holes_is_told_from_one_of_bytes(tmp_path):
    with (tmp_path / "hollow").open("wb") as file:
        file.truncate(2**30)
    (tmp_path / "whole").write_bytes(os.urandom(2**21))
    with (tmp_path / "half").open("wb") as file:
        file.write(os.urandom(2**20))
        file.truncate(2**21)
    (tmp_path / "empty").touch()

    found = {}
    for path in tmp_path.iterdir():
        with path.open("rb") as file:
            found[path.name] = strange.is_hollow(file.fileno())

    assert found == {"hollow": True, "whole": False, "half": False, "empty": False}


def test_reading_leaves_nothing_open(folder, secret):
    (folder / "out").mkdir()
    (folder / "out" / "link").symlink_to(secret)
    (folder / "out" / "inner").mkdir()
    before = open_files()

    for _ in range(3):
        with pytest.raises(strange.Untrusted):
            read(folder, "out/link")
        with pytest.raises(strange.Untrusted):
            read(folder, "out/inner")
        names_in(folder)

    assert open_files() == before


def test_who_was_let_in_is_told(tmp_path, folder):
    assert acl.admitted(folder) == SOMEBODY
    assert acl.admitted(tmp_path) is None


def test_what_others_make_in_an_opened_folder_stays_ours_too(folder):
    (folder / "made").mkdir()

    assert acl.admitted(folder / "made") == os.geteuid()


def test_who_swaps_names_while_we_look_shows_us_nothing(folder, secret):
    """A second job of the case may do so for as long as the portal reads."""
    own = folder / "own"
    own.mkdir()
    shown(own / "secret-key", "plain")
    over = threading.Event()

    def swap():
        while not over.is_set():
            for target in (secret.parent, own):
                (folder / "next").symlink_to(target)
                (folder / "next").rename(folder / "outputs")
            (folder / "outputs").unlink()
            own.rename(folder / "outputs")
            (folder / "outputs").rename(own)

    hostile = threading.Thread(target=swap)
    hostile.start()
    told = {"plain": 0, "refused": 0}
    try:
        until = time.monotonic() + 90
        while min(told.values()) < 5 and time.monotonic() < until:
            try:
                told[read(folder, "outputs/secret-key").decode()] += 1
            except (FileNotFoundError, strange.Untrusted):
                told["refused"] += 1
    finally:
        over.set()
        hostile.join()

    assert set(told) == {"plain", "refused"}
    assert min(told.values()) >= 5
