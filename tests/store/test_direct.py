"""Packs past the kernel's memory where the disk can; elsewhere the bytes are the same."""

import errno
import fcntl
import os
from itertools import islice

import pytest

from fabriek.store import direct, packs

CONTENT = os.urandom(2 * direct.AT_ONCE_BYTES + 12_345)
really = os.write


def pieces():
    """Cut it at places that are no one's block."""
    rest = iter(CONTENT)
    while piece := bytes(islice(rest, 700_001)):
        yield piece


def is_direct(descriptor):
    return bool(fcntl.fcntl(descriptor, fcntl.F_GETFL) & direct.O_DIRECT)


@pytest.mark.parametrize("can", ["all of it", "no direct writing", "some and no more"])
def test_a_pack_holds_what_was_given_however_it_was_written(tmp_path, monkeypatch, can):
    seen = []

    def write(descriptor, memory):
        seen.append(is_direct(descriptor))
        if is_direct(descriptor) and can == "no direct writing":
            raise OSError(errno.EINVAL, "not aligned")
        # As on a disk that is nearly full: what is left then is no whole block.
        return really(descriptor, memory[:5000] if can == "some and no more" else memory)

    monkeypatch.setattr(direct.os, "write", write)
    key = packs.keep(tmp_path, pieces())

    assert packs.path_of(tmp_path, key).read_bytes() == CONTENT
    assert seen[-1] is False  # the rest is no whole block
