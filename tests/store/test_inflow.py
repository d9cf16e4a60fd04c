"""Bytes on their way in: each in its place and hashed, whatever the source and the disk do."""

import errno
import fcntl
import hashlib
import io
import os

import pytest
from blake3 import blake3

from fabriek.store import inflow
from fabriek.store.direct import O_DIRECT
from fabriek.store.hashing import WORTH_A_THREAD_BYTES
from fabriek.store.inflow import BLOCK_BYTES, PIECE_BYTES, PIECES

SEVERAL = (PIECES + 1) * PIECE_BYTES
CONTENT = os.urandom(SEVERAL + 12_345)


@pytest.fixture
def place(tmp_path):
    descriptor = os.open(tmp_path / "whole", os.O_RDWR | os.O_CREAT)
    yield descriptor
    os.close(descriptor)


def is_direct(descriptor):
    return bool(fcntl.fcntl(descriptor, fcntl.F_GETFL) & O_DIRECT)


def poured(content, place, *, at=0, readinto=None):
    """Pour it, and require that it lies there and was hashed."""
    digests = [hashlib.sha256(), blake3()]
    os.ftruncate(place, at)

    got = inflow.pour(readinto or io.BytesIO(content).readinto, place, digests, at=at)

    assert got == len(content)
    assert os.pread(place, at + len(content) + 1, 0) == bytes(at) + content
    assert digests[0].digest() == hashlib.sha256(content).digest()
    assert digests[1].digest() == blake3(content).digest()
    assert not is_direct(place)


@pytest.mark.parametrize("at", [0, BLOCK_BYTES, 5])
@pytest.mark.parametrize(
    "size", [0, 5, WORTH_A_THREAD_BYTES, PIECE_BYTES, SEVERAL, len(CONTENT)]
)
def test_all_of_it_lies_in_its_place(place, at, size):
    poured(CONTENT[:size], place, at=at)


def test_a_source_may_give_little_at_a_time(place):
    source = io.BytesIO(CONTENT)

    poured(CONTENT, place, readinto=lambda target: source.readinto(target[:777_777]))


def test_where_the_disk_wants_no_direct_writes_it_is_written_the_ordinary_way(
    place, monkeypatch
):
    really, refused = os.pwrite, []

    def pwrite(descriptor, piece, at):
        if is_direct(descriptor) and at:
            refused.append(at)
            raise OSError(errno.EINVAL, "not in these blocks")
        return really(descriptor, piece, at)

    monkeypatch.setattr(inflow.os, "pwrite", pwrite)
    poured(CONTENT, place)

    assert len(refused) <= 1  # none where this disk cannot do it at all


def test_a_disk_that_takes_a_part_is_given_the_rest(place, monkeypatch):
    really = os.pwrite
    monkeypatch.setattr(
        inflow.os, "pwrite", lambda to, piece, at: really(to, piece[: 3 * BLOCK_BYTES], at)
    )
    poured(CONTENT[: PIECE_BYTES + 5], place)


def test_a_full_disk_and_a_broken_source_are_told(place, monkeypatch):
    def breaks(_target):
        raise ConnectionError

    with pytest.raises(ConnectionError):
        inflow.pour(breaks, place, [])

    def full(_descriptor, _piece, at):
        if at:
            raise OSError(errno.ENOSPC, "full")
        return PIECE_BYTES

    monkeypatch.setattr(inflow.os, "pwrite", full)
    with pytest.raises(OSError, match="full"):
        inflow.pour(io.BytesIO(CONTENT).readinto, place, [])
    assert not is_direct(place)
