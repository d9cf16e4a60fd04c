"""Reading what a job left: nothing that leads out of its folder is ever opened."""

import os
import threading
import time
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


def read(folder, name):
    with strange.opened(folder, name) as file:
        return file.read()


def open_files():
    return len([*Path("/proc/self/fd").iterdir()])


def test_a_plain_file_is_read_however_deep_it_lies(folder):
    (folder / "a" / "b").mkdir(parents=True)
    (folder / "a" / "b" / "c").write_text("words")

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
    assert strange.size_bytes(folder, "log") == 0


def test_all_files_and_links_are_named_and_no_folder_behind_a_link(folder, secret):
    (folder / "out" / "deep").mkdir(parents=True)
    (folder / "out" / "deep" / "one").write_text("")
    (folder / "out" / "link").symlink_to(secret)
    (folder / "out" / "others").symlink_to(secret.parent)

    names = [name.as_posix() for name in strange.names_below(folder, "out")]

    assert names == ["deep/one", "link", "others"]


def test_names_below_a_link_are_not_given(folder, secret):
    (folder / "out").symlink_to(secret.parent)

    with pytest.raises(strange.Untrusted):
        list(strange.names_below(folder, "out"))


def test_a_folder_that_goes_on_for_ever_is_given_up(folder):
    (folder / "out" / "/".join("d" * 40)).mkdir(parents=True)

    with pytest.raises(strange.Untrusted):
        list(strange.names_below(folder, "out"))


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
        list(strange.names_below(folder, "out"))

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
    (own / "secret-key").write_text("plain")
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
        until = time.monotonic() + 20
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
