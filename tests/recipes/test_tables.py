"""Tables of every kind are read the same way, and what is wrong is told by its line."""

import json
import time
import tracemalloc
from datetime import date

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fabriek_recipes import tables


def cells(table: tables.Table) -> dict[str, list]:
    return {
        name: [column.words[code] if code >= 0 else None for code in column.codes]
        for name, column in table.columns.items()
    }


def test_the_same_rows_are_the_same_in_csv_json_and_parquet(tmp_path):
    rows = [
        {"a": 1, "b": 2.5, "c": "x y", "d": date(2026, 1, 31), "e": True},
        {"a": 2, "b": None, "c": "z", "d": None, "e": False},
    ]
    (tmp_path / "t.jsonl").write_text(
        "\n".join(json.dumps({**row, "d": row["d"] and str(row["d"])}) for row in rows)
    )
    (tmp_path / "t.csv").write_text("a,b,c,d,e\n1,2.5,x y,2026-01-31,true\n2,NA,z,,false\n")
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "t.parquet")

    found = [
        cells(tables.load([tmp_path / f"t.{kind}"])) for kind in ("csv", "jsonl", "parquet")
    ]

    assert found[0] == {
        "a": ["1", "2"],
        "b": ["2.5", None],
        "c": ["x y", "z"],
        "d": ["2026-01-31", None],
        "e": ["true", "false"],
    }
    assert found[1:] == found[:1] * 2


def test_a_quoted_cell_may_hold_the_delimiter_and_a_new_line(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes(b'\xef\xbb\xbfa;"b;c"\r\n1;"x;\ny"\r\n')

    table = tables.load([path])

    assert cells(table) == {"a": ["1"], "b;c": ["x; y"]}
    assert list(table.lines) == [3]


def test_a_table_as_excel_writes_it_is_a_table(tmp_path):
    path = tmp_path / "t.csv"
    for content in (
        b"sep=;\r\nprijs;caf\xe9\r\n1,5;a,b\r\n",
        "prijs;café\n1,5;a,b".encode("utf-16"),
    ):
        path.write_bytes(content)

        table = tables.load([path])

        assert cells(table) == {"prijs": ["1,5"], "café": ["a,b"]}
        assert table.has_decimal_comma


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("t.csv", b"", "The file has no rows; put the names of the columns first"),
        ("t.csv", b"a,b\n", "The file has no rows; put the names of the columns first"),
        ("t.csv", b"a,b\n1,2\n3\n", "Cells in line 3: 1, and in the first line: 2; mend it."),
        ("t.csv", b"a,a\n1,2\n", "Two columns are called “a”; rename one."),
        ("t.csv", b"a,\n1,2\n", "Column 2 has no name in the first line; give it one."),
        ("t.csv", b'a,b\n1,"2\n', "Line 2 has a quote that does not end"),
        ("t.csv", b"a,b\n1,\x81\n", "Line 2 is not UTF-8 text; save the file as UTF-8."),
        ("t.csv", b"a,b\n1,\0\n", "Line 2 holds a zero byte"),
        ("t.jsonl", b"{}\n", "Line 1 is no row;"),
        ("t.jsonl", b'{"a": [1]}\n', "In line 1 “a” is a list or an object"),
        ("t.jsonl", b'{"a": 1}\nnee\n', "Line 2 is not valid JSON near character 1"),
        ("t.parquet", b"PAR1 and no more", "The file is no whole Parquet file"),
        ("t.txt", b"a\n", "The dataset has no .csv, .parquet or .jsonl file with rows"),
    ],
)
def test_what_is_wrong_is_told_by_its_line(tmp_path, name, content, sentence):
    (tmp_path / name).write_bytes(content)

    problems = tables.check(tmp_path)

    assert len(problems) == 1
    assert problems[0].startswith(sentence)


def test_a_line_without_end_is_never_held_in_memory(tmp_path):
    with (tmp_path / "t.csv").open("wb") as file:
        file.write(b"a,b\n1,")
        file.truncate(300_000_000)  # a hole: 300 MB of zero bytes that take no room

    assert tables.check(tmp_path)[0].startswith(
        "Line 2 is longer than 1024 KiB; split the row."
    )


def test_a_table_of_lists_inside_parquet_is_refused(tmp_path):
    pq.write_table(pa.table({"a": [[1], [2]]}), tmp_path / "t.parquet")

    assert tables.check(tmp_path)[0].startswith("Column “a” holds lists or bytes")


def test_a_file_called_test_is_kept_apart_unless_it_is_all_there_is(tmp_path):
    (tmp_path / "a.csv").write_text("a\n1\n")
    (tmp_path / "b_test.csv").write_text("a\n1\n")

    both = tables.files_of(tmp_path)
    (tmp_path / "a.csv").unlink()
    alone = tables.files_of(tmp_path)

    assert [path.name for path in both.held_out] == ["b_test.csv"]
    assert [path.name for path in alone.train] == ["b_test.csv"]
    assert alone.held_out == ()


def test_rows_and_columns_are_counted_without_reading_them(tmp_path):
    (tmp_path / "a.csv").write_text("a,b\n1,2\n\n3,4\n")
    pq.write_table(pa.table({"a": [1, 2, 3], "b": [1, 2, 3]}), tmp_path / "b.parquet")

    rows, columns, size = tables.size_of([tmp_path / "a.csv", tmp_path / "b.parquet"])

    assert (rows, columns) == (5, 2)
    assert size > 0


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string()])
def test_a_small_parquet_file_cannot_fill_memory(tmp_path, kind):
    words = pa.array(["x" * 20_000] * 4_000, type=kind)
    pq.write_table(pa.table({"a": words}), tmp_path / "t.parquet")
    tracemalloc.start()

    names = tables.names_of(tmp_path / "t.parquet")
    problems = tables.check(tmp_path)

    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (names, problems) == (("a",), ())
    assert (tmp_path / "t.parquet").stat().st_size < 40_000
    assert peak < 20_000_000


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["y" * 3_000_000], "Column “a” grows too large when it is unpacked"),
        (["z" * 1_200_000, *("k",) * 99], "Column “a” holds a text longer than 1024 KiB"),
    ],
)
def test_a_cell_of_parquet_is_no_longer_than_a_line(tmp_path, words, sentence):
    pq.write_table(pa.table({"a": words}), tmp_path / "t.parquet")

    problems = tables.check(tmp_path)

    assert len(problems) == 1
    assert problems[0].startswith(sentence)


def test_bytes_behind_a_dictionary_are_refused(tmp_path):
    words = pa.array([b"x", b"x"]).dictionary_encode()
    pq.write_table(pa.table({"a": words}), tmp_path / "t.parquet")

    assert tables.check(tmp_path)[0].startswith("Column “a” holds lists or bytes")


def _check_s(folder):
    begun = time.process_time()
    assert tables.check(folder) == ()
    return time.process_time() - begun


def test_rows_of_many_names_take_no_longer_than_as_many_cells_in_narrow_rows(tmp_path):
    for name, names, rows in (("narrow", 200, 400), ("wide", 2_000, 40)):
        row = json.dumps({f"k{number}": number for number in range(names)})
        (tmp_path / name).mkdir()
        (tmp_path / name / "t.jsonl").write_text("\n".join([row] * rows))

    # By turns, so that what else the machine does meanwhile meets both.
    took = [(_check_s(tmp_path / "narrow"), _check_s(tmp_path / "wide")) for _ in range(5)]

    narrow_s, wide_s = map(min, zip(*took, strict=True))
    assert wide_s < 3 * narrow_s
