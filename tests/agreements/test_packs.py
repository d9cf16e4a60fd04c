"""Packs that were made to cost much, or to hide what is in them."""

import bz2
import gzip
import io
import struct
import tarfile
import tracemalloc
import zipfile
from hashlib import sha256

import pytest
from django.db import connection

from fabriek.agreements import descent, packed
from tests.agreements.policy_world import a_policy_world
from tests.agreements.test_derived_data import OWN, ROWS, bound_by
from tests.datasets.conftest import made, push
from tests.hub.calls import NDJSON, header, lines, small

MIB = 2**20


def inside(content):
    return set(packed.sha256s(lambda: io.BytesIO(content), packed.Budget()))


def named(content):
    return sha256(content).hexdigest()


def tar_of(*members):
    """Pack (type, content) as they are, each with its own header."""
    written = b""
    for kind, content in members:
        info = tarfile.TarInfo("a")
        info.type, info.size = kind, len(content)
        written += info.tobuf(tarfile.USTAR_FORMAT) + content
        written += bytes(-len(content) % tarfile.BLOCKSIZE)
    return written + bytes(2 * tarfile.BLOCKSIZE)


def most_memory(content):
    tracemalloc.start()
    try:
        found = inside(content)
        return found, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME])
def test_a_header_that_says_to_be_very_long_costs_no_memory(kind):
    pack = bz2.compress(tar_of((kind, bytes(48 * MIB)), (tarfile.REGTYPE, ROWS)))

    found, most_bytes = most_memory(pack)

    assert named(ROWS) in found
    assert most_bytes < 24 * MIB


def test_what_is_skipped_in_a_tar_is_on_the_budget_too(monkeypatch):
    monkeypatch.setattr(packed, "MOST_BYTES", MIB)
    pack = tar_of((tarfile.XHDTYPE, bytes(2 * MIB)), (tarfile.REGTYPE, ROWS))

    assert inside(pack) == set()


def test_time_ends_it_as_well(monkeypatch):
    pack = gzip.compress(ROWS)
    assert inside(pack) == {named(ROWS)}
    monkeypatch.setattr(packed, "MOST_SECONDS", -1)

    assert inside(pack) == set()


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT])
@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_all_that_is_in_a_tar_of_any_kind_is_seen(form, mode):
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode=mode, format=form) as tar:
        folder = tarfile.TarInfo("a")
        folder.type = tarfile.DIRTYPE
        tar.addfile(folder)
        for name, content in (("b" * 90 + "/" + "é" * 30, OWN), ("c", b""), ("d", ROWS)):
            member = tarfile.TarInfo(name)
            member.size, member.mtime = len(content), 1.5
            tar.addfile(member, io.BytesIO(content))

    assert {named(OWN), named(ROWS)} <= inside(written.getvalue())


def test_a_length_in_a_header_of_its_own_counts():
    info = tarfile.TarInfo("a")
    said = b"13 size=%d\n" % len(ROWS)
    more = tar_of((tarfile.XHDTYPE, said))[: -2 * tarfile.BLOCKSIZE]
    pack = more + info.tobuf(tarfile.USTAR_FORMAT) + ROWS + bytes(4 * tarfile.BLOCKSIZE)

    assert named(ROWS) in inside(pack)


def test_an_odd_member_hides_nothing_behind_it():
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as pack:
        pack.writestr("first", b"x" * 300)
        pack.writestr("rows.csv", ROWS)
    odd = bytearray(written.getvalue())
    odd[6] |= 1  # it says to be encrypted
    odd[odd.index(b"PK\x01\x02") + 8] |= 1

    assert inside(bytes(odd)) == {named(ROWS)}


def test_a_zip_with_a_very_long_list_is_left_alone():
    count = 200_000
    begin = struct.pack("<4s5H3L2H", b"PK\x03\x04", 20, *[0] * 7, 1, 0) + b"a"
    line = struct.pack("<4s6H3L5H2L", b"PK\x01\x02", 20, 20, *[0] * 7, 1, *[0] * 6) + b"a"
    size, at = len(line) * count, len(begin)
    end = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, count, count, size, at)
    end += struct.pack("<4sLQL", b"PK\6\7", 0, at + size, 1)
    end += struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 65535, 65535, 2**32 - 1, 2**32 - 1, 0)

    found, most_bytes = most_memory(begin + line * count + end)

    assert found == set()
    assert most_bytes < 24 * MIB


# --- when it is done ---------------------------------------------------------------------
@pytest.fixture
def copy(db):
    world = a_policy_world()
    push(world.dataset, {"rows.csv": ROWS}, by=world.owner)
    world.agree(place="shared")
    return made(by=world.user, case=world.using)


@pytest.fixture
def depths(monkeypatch):
    """Write down how deep in transactions a pack is looked into."""
    seen, real = [], packed.sha256s
    monkeypatch.setattr(
        packed,
        "sha256s",
        lambda *asked: (seen.append(len(connection.savepoint_ids)), real(*asked))[1],
    )
    return seen


def test_no_pack_is_looked_into_while_others_wait(copy, depths, program):
    outside = len(connection.savepoint_ids)

    push(copy, {"own.gz": gzip.compress(OWN)}, by=copy.created_by)
    program(copy.created_by).post(
        f"/api/datasets/{copy.repository.repo_id}/commit/main",
        lines(header(), small("b.csv", OWN)).encode(),
        content_type=NDJSON,
    )

    assert depths == [outside, outside]


def test_large_files_that_were_there_before_hide_no_new_pack(copy, monkeypatch):
    monkeypatch.setattr(descent, "LOOKED_INTO", 2)
    there = {f"{number}.csv": OWN * 10 + b"%d\n" % number for number in range(3)}
    push(copy, there, by=copy.created_by)

    push(copy, {"rows.gz": gzip.compress(ROWS)}, by=copy.created_by)

    assert len(bound_by(copy)) == 1
