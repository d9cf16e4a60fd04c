"""The disk is asked to begin early; what is asked is a wish that nothing depends on."""

import io
import os

import pytest

from fabriek.store import early, inflow
from fabriek.store.files import FolderStore

MIB = 2**20


@pytest.fixture
def asked(monkeypatch):
    """Note what the kernel is asked for: from where, and how much."""
    calls = []

    def ask(_descriptor, offset, size, _how):
        calls.append((offset.value, size.value))
        return -1  # as a file system that does not know it

    monkeypatch.setattr(early, "_known_here", lambda: ask)
    # Where a disk takes what is large by itself, nothing waits in the kernel's memory.
    monkeypatch.setattr(inflow, "set_direct", lambda _descriptor, *, is_on: False)
    return calls


def taken_in(store, content):
    return store.receive(1, io.BytesIO(content), limit_bytes=100 * MIB)


def test_a_large_file_is_asked_for_while_it_comes_in(asked, tmp_path):
    content = os.urandom(11 * MIB)

    received = taken_in(FolderStore(tmp_path), content)

    assert asked == [(0, 4 * MIB), (4 * MIB, 4 * MIB)]
    assert received.size_bytes == len(content)


def test_a_small_file_is_not_worth_a_question(asked, tmp_path):
    taken_in(FolderStore(tmp_path), b"small")

    assert asked == []


@pytest.mark.parametrize("known", [True, False])
def test_with_or_without_such_a_call_the_bytes_are_whole(known, tmp_path, monkeypatch):
    if not known:
        monkeypatch.setattr(early, "_known_here", lambda: None)
    content = os.urandom(9 * MIB)
    store = FolderStore(tmp_path)

    received = taken_in(store, content)

    kept = tmp_path / "1" / received.sha256[:2] / received.sha256
    assert kept.read_bytes() == content
