"""An edited table shares its bytes with what it was; without our way of writing it does not."""

import hashlib
import random

import pyarrow as pa
import pytest
from pyarrow import parquet as plain

from fabriek.store import parquet

ROWS, PUT_IN, AT = 1_000_000, 10, 300_000
# In bytes that look like chance, as compressed ones do, this stands once in 64 KiB.
CUT = b"\xab\xcd"


def a_table(numbers, values):
    return pa.table({"number": pa.array(numbers), "value": pa.array(values)})


@pytest.fixture(scope="module")
def versions():
    chance = random.Random(7)
    numbers = [chance.getrandbits(40) for _ in range(ROWS)]
    values = [chance.random() for _ in range(ROWS)]
    more = [chance.random() for _ in range(PUT_IN)]
    return a_table(numbers, values), a_table(
        numbers[:AT] + [1] * PUT_IN + numbers[AT:], values[:AT] + more + values[AT:]
    )


def pieces(content):
    """Cut where the content itself says so."""
    return content.split(CUT)


def share_of_new_bytes(before, after):
    known = {hashlib.sha256(piece).digest() for piece in pieces(before)}
    new = [p for p in pieces(after) if hashlib.sha256(p).digest() not in known]
    return sum(map(len, new)) / len(after)


def written(write, tables, folder):
    found = []
    for number, table in enumerate(tables):
        write(table, folder / f"{number}.parquet")
        found.append((folder / f"{number}.parquet").read_bytes())
    return found


def test_an_edited_table_shares_most_of_its_bytes(versions, tmp_path):
    ours = share_of_new_bytes(*written(parquet.write, versions, tmp_path))
    usual = share_of_new_bytes(*written(plain.write_table, versions, tmp_path))

    assert ours < 0.2
    assert usual > 0.6


def test_what_was_written_can_be_read(versions, tmp_path):
    parquet.write(versions[0], tmp_path / "rows.parquet")

    assert plain.read_table(tmp_path / "rows.parquet").equals(versions[0])
    facts = plain.read_metadata(tmp_path / "rows.parquet")
    assert facts.row_group(0).column(0).compression == "ZSTD"
