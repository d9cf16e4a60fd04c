"""What is odd in a file is seen also where it lies across two parts that are read."""

import pytest

from fabriek.quality.worker import lines
from fabriek.quality.worker.lines import LOOKED_AT_BYTES


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
    found = scanned(tmp_path, b"a\n" + b"x" * (lines.LINE_BYTES + more) + b"\ny\n")

    assert found.long.rows == rows
