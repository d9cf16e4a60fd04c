"""The disk is asked some way ahead of what the kernel sends, where it must come from there."""

import errno
import os
import socket

import pytest

from fabriek.serve import outflow

FIRST, SIZE = 5000, 60_000
AHEAD, PIECE, WISH = 16_384, 4096, 3000
PLACES = range(FIRST, FIRST + SIZE, AHEAD)  # where it looks whether that is in memory


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    monkeypatch.setattr(outflow, "AHEAD_BYTES", AHEAD)
    monkeypatch.setattr(outflow, "PIECE_BYTES", PIECE)
    monkeypatch.setattr(outflow, "WISH_BYTES", WISH)


@pytest.fixture
def content(tmp_path):
    """Lay out more than is sent, on both sides."""
    content = os.urandom(FIRST + SIZE + 1000)
    (tmp_path / "large.bin").write_bytes(content)
    return content


@pytest.fixture
def ends():
    here, there = socket.socketpair()
    with here, outflow.Socket.of(there) as way:
        here.setblocking(False)
        yield here, way


def pages(monkeypatch, in_memory):
    """Have so many of the places lie in memory; give those that were looked at."""
    looked = []

    def preadv(_descriptor, _memory, at, flags):
        assert flags == os.RWF_NOWAIT
        looked.append(at)
        if len(looked) > in_memory:
            raise BlockingIOError(errno.EAGAIN, "it would wait for the disk")
        return 1

    monkeypatch.setattr(outflow.os, "preadv", preadv)
    return looked


@pytest.mark.parametrize("in_memory", [0, 2])
def test_all_is_asked_once_and_nothing_far_ahead(
    content, tmp_path, ends, monkeypatch, in_memory
):
    here, way = ends
    wishes = []

    def wish(_descriptor, at, length, advice):
        assert (0 < length <= WISH, advice) == (True, os.POSIX_FADV_WILLNEED)
        assert at + length <= FIRST + len(came(here)) + AHEAD
        wishes.append((at, length))
        raise OSError(errno.EINVAL, "this disk grants no wishes")

    looked = pages(monkeypatch, in_memory)
    monkeypatch.setattr(outflow.os, "posix_fadvise", wish)
    with (tmp_path / "large.bin").open("rb", buffering=0) as file:
        sent = way.sendfile(file, FIRST, SIZE)

    assert (sent, came(here)) == (SIZE, content[FIRST : FIRST + SIZE])
    assert looked == list(PLACES)[: in_memory + 1]
    assert [at for at, _length in wishes] == [FIRST, *map(sum, wishes[:-1])]
    assert sum(wishes[-1]) == FIRST + SIZE


@pytest.mark.parametrize(("size", "places"), [(SIZE, list(PLACES)), (PIECE, [])])
def test_what_lies_in_memory_and_what_is_small_is_sent_in_one_go(
    content, tmp_path, ends, monkeypatch, size, places
):
    here, way = ends
    looked = pages(monkeypatch, in_memory=len(PLACES))
    monkeypatch.delattr(outflow.os, "posix_fadvise")  # nothing is asked
    with (tmp_path / "large.bin").open("rb", buffering=0) as file:
        sent = way.sendfile(file, FIRST, size)

    assert (sent, came(here)) == (size, content[FIRST : FIRST + size])
    assert looked == places


def test_a_file_that_is_shorter_than_was_said_ends_where_it_ends(
    content, tmp_path, ends, monkeypatch
):
    here, way = ends
    pages(monkeypatch, in_memory=0)
    with (tmp_path / "large.bin").open("rb", buffering=0) as file:
        sent = way.sendfile(file, FIRST, SIZE + 2000)

    assert (sent, came(here)) == (SIZE + 1000, content[FIRST:])


def came(here):
    try:
        return here.recv(2**20, socket.MSG_PEEK)
    except BlockingIOError:
        return b""
