"""What is odd in a file is seen also where it lies across two parts that are read."""

import pytest

from fabriek.quality.worker import lines, unread
from fabriek.quality.worker.lines import LOOKED_AT_BYTES
from fabriek.quality.worker.unread import Unread


def scanned(tmp_path, content, *, blank_counts=False):
    at = tmp_path / "rows.csv"
    at.write_bytes(content)
    return lines.scan(at, tmp_path, blank_counts=blank_counts)


def test_a_sign_that_lies_across_two_parts_is_no_reason_for_a_copy(tmp_path):
    content = b"x" * (LOOKED_AT_BYTES - 1) + "één\n".encode() * 9

    found = scanned(tmp_path, content)

    assert found.at == tmp_path / "rows.csv"
    assert (found.encoding, found.odd.count) == ("utf-8", 0)


@pytest.mark.parametrize(
    ("ending", "what"),
    [(b"\xe9\n", "odd"), (b"\0\n", "zeros"), (b"a\xc3", "odd")],
)
def test_what_is_odd_far_on_is_found_by_its_line(tmp_path, ending, what):
    found = scanned(tmp_path, b"a,b\n" + b"1,2\n" * (LOOKED_AT_BYTES // 4) + ending)

    assert getattr(found, what).rows == [LOOKED_AT_BYTES // 4 + 2]
    assert found.at == tmp_path / "rows.csv.clean"


@pytest.mark.parametrize("before", [0, 1])
def test_an_empty_line_between_two_parts_is_counted(tmp_path, before):
    line = b"x" * (LOOKED_AT_BYTES - 1 - before) + b"\n"

    found = scanned(tmp_path, line + b"\n" + b"y\n", blank_counts=True)

    assert found.blank.rows == [2]


@pytest.mark.parametrize(("more", "rows"), [(0, []), (1, [2])])
def test_the_longest_line_that_is_read_is_one_of_16_mib(tmp_path, more, rows):
    at, pieces = tmp_path / "rows.csv", []
    at.write_bytes(b"a\n" + b"x" * (lines.LINE_BYTES + more) + b"\ny\n")

    found = lines.scan(
        at, tmp_path, blank_counts=False, unread=lambda *piece: pieces.append(piece)
    )

    assert found.long.rows == rows
    assert {line for line, _piece in pieces} == set(rows)
    assert sum(len(piece) for _line, piece in pieces) == (lines.LINE_BYTES + 2) * more


def test_what_lies_across_two_windows_of_a_line_is_found_whole_and_once():
    found = {}
    seen = Unread(found=found)
    filler = "woord " * 20_000
    seen.read(7, f"{filler}mail jan@voorb".encode())
    seen.read(7, f"eeld.nl {filler} ja@x.nl".encode())
    edge = unread.WINDOW_BYTES - unread.OVERLAP_BYTES
    seen.read(8, b"1" * edge + b"0612345678 " + b"1" * edge)  # a part of a longer number

    assert {kind: places.rows for kind, places in found.items()} == {"email": [7]}
    seen.left = 10
    seen.read(9, b"x" * 10 + b" an@x.nl")
    assert found["email"].rows == [7]
