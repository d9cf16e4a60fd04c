"""Reading what a program sends: real recordings, and everything that is none."""

import io
import random
from pathlib import Path

import lz4.frame
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fabriek.hub import xet_shards, xet_xorbs
from fabriek.kernel.errors import Invalid, TooLarge
from tests.hub.xet_making import File, Xorb, a_shard, chunk

RECORDED = Path(__file__).parent / "recorded"
# What hf_xet 1.8.0 called them.
XORB = "e2e541802ae4d431d3833f46e492ae7fb24a4e859d64c839d4e535e8eaa31b39"
NUMBERS = "2aa9f2166f54005901b72f889ff83574e09c64928b5077bf8aa65c418b754736"
ROWS = "640426f864cebbc256bc308352c354aec7dfb29083a98840f080f957415dca5f"


def unpacked(body):
    unpacking = xet_xorbs.Unpacking(io.BytesIO(body))
    return list(unpacking), unpacking


def test_a_recorded_xorb_has_the_name_that_its_program_gave_it():
    body = (RECORDED / "xorb-e2e541802ae4d431.bin").read_bytes()

    chunks, unpacking = unpacked(body)

    assert unpacking.contents.name == XORB
    assert unpacking.contents.lengths == (8402, 8880, 478, 62387, 22175, 115438)
    assert [len(one) for one in chunks] == list(unpacking.contents.lengths)


def test_a_recorded_list_names_its_files_and_their_chunks():
    shard = io.BytesIO((RECORDED / "shard.bin").read_bytes())

    found = {file.sha256: list(xet_shards.segments(shard, file)) for file in
             list(xet_shards.files(shard))}  # fmt: skip

    assert found.keys() == {NUMBERS, ROWS}
    sizes = {sha256: sum(one.size_bytes for one in parts) for sha256, parts in found.items()}
    assert sizes == {NUMBERS: 200_000, ROWS: 177_600}
    assert {one.xorb for parts in found.values() for one in parts} == {XORB}


@given(st.lists(st.binary(min_size=1, max_size=300), min_size=1, max_size=60), st.sampled_from(
    [0, 1, 2]))  # fmt: skip
def test_what_is_packed_comes_out_again(chunks, scheme):
    xorb = Xorb(*chunks, scheme=scheme)

    found, unpacking = unpacked(xorb.body)

    assert found == list(chunks)
    assert unpacking.contents.name == xorb.name


def test_an_index_behind_the_chunks_is_passed_over():
    xorb = Xorb(b"one", b"two")

    found, unpacking = unpacked(xorb.body + b"XETBLOB\x01" + b"whatever" * 100)

    assert found == [b"one", b"two"]
    assert unpacking.contents.name == xorb.name


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\0" * 7,
        b"\1" + chunk(b"x")[1:],
        chunk(b"x" * 100)[:-1],
        chunk(b"x" * 100, scheme=1)[:-5],
        chunk(b"x") + b"rest",
        chunk(b"x")[:4] + b"\7" + chunk(b"x")[5:],
        chunk(b"") + chunk(b"x"),
        b"\0\0\0\0\0\0\0\0",
        b"\0\4\0\0\1\4\0\0abcd",
    ],
    ids=[
        "nothing",
        "half a header",
        "another version",
        "cut",
        "cut frame",
        "half a second header",
        "an unknown scheme",
        "an empty chunk",
        "zeros",
        "no frame",
    ],
)
def test_what_is_no_xorb_is_refused(body):
    with pytest.raises(Invalid) as refused:
        unpacked(body)

    assert refused.value.code == "broken_xorb"


def test_a_frame_that_holds_more_than_it_says_is_not_unpacked_further():
    bomb = lz4.frame.compress(bytes(100 * 2**20), store_size=False)
    head = b"\0" + len(bomb[:100_000]).to_bytes(3, "little") + b"\1" + (9).to_bytes(3, "little")

    with pytest.raises(Invalid):
        unpacked(head + bomb[:100_000])


def test_chunks_that_grow_beyond_twice_a_xorb_are_refused():
    full = chunk(bytes(128 * 2**10), scheme=1)

    with pytest.raises(TooLarge):
        unpacked(full * 1025)


def test_a_full_xorb_that_does_not_shrink_is_taken():
    """As clients make them: 64 MiB of a file, and the headers on top."""
    full = chunk(random.Random(1).randbytes(2**17)) * 512

    found, _unpacking = unpacked(full)

    assert sum(map(len, found)) == 64 * 2**20


def test_too_many_chunks_are_refused():
    with pytest.raises(TooLarge):
        unpacked(chunk(b"x") * 8193)


def test_a_chunk_that_is_longer_than_any_is_refused():
    with pytest.raises(Invalid):
        unpacked(chunk(bytes(128 * 2**10 + 1), scheme=1))


@pytest.mark.parametrize("at", [0, 1, 47, 48, 95, 96, 143, 190, -49])
def test_a_list_that_was_cut_off_is_refused(at):
    shard = io.BytesIO(a_shard(File(Xorb(b"one").all()))[:at])

    with pytest.raises(Invalid) as refused:
        _all_read(shard)

    assert refused.value.code == "broken_shard"


@pytest.mark.parametrize("change", [(0, b"XX"), (32, b"\3"), (96 + 44, b"\0\0\0\0")])
def test_a_list_of_another_kind_is_refused(change):
    at, instead = change
    body = bytearray(a_shard(File(Xorb(b"one").all())))
    body[at : at + len(instead)] = instead

    with pytest.raises(Invalid):
        _all_read(io.BytesIO(bytes(body)))


def test_noise_is_refused_and_never_breaks_us():
    noise = random.Random(7)
    for length in range(0, 2000, 7):
        body = noise.randbytes(length)
        with pytest.raises((Invalid, TooLarge)):
            unpacked(body)
        with pytest.raises(Invalid):
            _all_read(io.BytesIO(a_shard()[:48] + body))


def _all_read(shard):
    for file in list(xet_shards.files(shard)):
        list(xet_shards.segments(shard, file))
