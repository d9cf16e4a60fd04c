"""Rows are read, and what is wrong with them is told by line."""

import json
import tracemalloc

import pytest

from fabriek_recipes.rows import (
    LINE_BYTES_MAX,
    Row,
    RowProblem,
    check,
    files_of,
    read,
    read_texts,
)

GOOD = '{"prompt": "Wie belt?", "completion": "De wijkzuster"}'


def sentences(path, **options):
    return [str(problem.sentence) for problem in check(path, **options)]


def test_both_shapes_of_rows_are_read(tmp_path):
    path = tmp_path / "rows.jsonl"
    talk = {
        "messages": [
            {"role": "system", "content": "Wees kort."},
            {"role": "user", "content": "Wie belt?"},
            {"role": "assistant", "content": "De wijkzuster"},
        ]
    }
    path.write_text(GOOD + "\n\n" + json.dumps(talk))

    found = [item for item in read(path) if isinstance(item, Row)]

    assert [(row.line, row.prompt, row.completion) for row in found] == [
        (1, "Wie belt?", "De wijkzuster"),
        (3, "Wees kort.\nWie belt?", "De wijkzuster"),
    ]
    assert check(path) == []


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ('{"prompt": "a"', "Line 2 is not valid JSON near character 15; mend or remove it."),
        ("[1]", 'Line 2 is not an object; write {"prompt": "…", "completion": "…"}.'),
        ("{}", "Line 2 has neither prompt and completion nor messages; add them."),
        ('{"prompt": "a"}', "Line 2 has no completion; add it."),
        (
            '{"prompt": 3, "completion": "b"}',
            "In line 2 prompt is not text; put it between quotes.",
        ),
        ('{"prompt": "a", "completion": " "}', "In line 2 completion is empty; fill it."),
        (
            '{"prompt": "\\ud800", "completion": "b"}',
            "In line 2 prompt holds half a character; mend it.",
        ),
        (
            '{"messages": []}',
            "Line 2 needs a list of at least two messages: a question and an answer.",
        ),
        (
            '{"messages": [{"role": "user", "content": "a"}, {"role": "robot"}]}',
            "Line 2 has a role that is not system, user, assistant or tool; mend it.",
        ),
        (
            '{"messages": [{"role": [], "content": "a"}, {}]}',
            "Line 2 has a role that is not system, user, assistant or tool; mend it.",
        ),
        (
            '{"messages": [{"role": "assistant", "content": "a"},'
            ' {"role": "user", "content": "b"}]}',
            "Line 2 does not end with a message by the assistant; add the answer.",
        ),
        (
            '{"messages": [{"role": "system", "content": "a"},'
            ' {"role": "assistant", "content": "b"}]}',
            "Line 2 has no message by the user; add the question.",
        ),
        ("1" * 5_000, "Line 2 holds a number or nesting too large to read; mend or remove it."),
        (
            "[" * 50_000,
            "Line 2 holds a number or nesting too large to read; mend or remove it.",
        ),
    ],
)
def test_a_bad_row_is_named_by_line_with_what_to_do(tmp_path, line, sentence):
    path = tmp_path / "rows.jsonl"
    path.write_text(GOOD + "\n" + line + "\n" + GOOD)

    assert sentences(path) == [sentence]


def test_bytes_that_are_no_text_are_named_by_line(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_bytes(GOOD.encode() + b"\n\xff\xfe\n")

    assert sentences(path) == ["Line 2 is not UTF-8 text; save the file as UTF-8."]


def test_an_empty_file_is_refused(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b"")

    assert sentences(path) == ["The file has no rows; put one JSON object on each line."]
    assert sentences(path, plain=True) == sentences(path)


def test_one_row_without_a_line_end_is_a_dataset(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text(GOOD)

    assert check(path) == []


def test_the_mark_windows_puts_before_a_file_does_no_harm(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + GOOD.encode() + b"\r\n")

    assert check(path) == []


def test_a_line_over_the_bound_is_refused_without_being_held_in_memory(tmp_path):
    path = tmp_path / "rows.jsonl"
    with path.open("wb") as file:
        for _part in range(32):
            file.write(b"x" * LINE_BYTES_MAX)
        file.write(b"\n" + GOOD.encode())
    tracemalloc.start()

    found = list(read(path))

    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert isinstance(found[0], RowProblem)
    assert isinstance(found[1], Row)
    assert len(found) == 2
    assert peak < 8 * LINE_BYTES_MAX


def test_only_the_first_problems_are_collected(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text("{\n" * 100)

    assert [problem.line for problem in check(path)] == list(range(1, 21))
    assert len(check(path, limit=3)) == 3


def test_plain_text_is_cut_at_blank_lines(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("Een zin.\nNog een.\n\n\nEen andere tekst.")

    assert list(read_texts(path)) == ["Een zin.\nNog een.", "Een andere tekst."]


def test_texts_are_also_taken_from_rows(tmp_path):
    path = tmp_path / "text.jsonl"
    path.write_text('{"text": "Een zin."}\n' + GOOD + '\n{"tekst": "x"}')

    found = list(read_texts(path))

    assert found[:2] == ["Een zin.", "Wie belt?\nDe wijkzuster"]
    assert isinstance(found[2], RowProblem)


def test_a_file_is_kept_apart_by_a_whole_word_in_its_name(tmp_path):
    for name in ("rows.jsonl", "rows_test.jsonl", "latest.jsonl", "text.txt", "notes.md"):
        (tmp_path / name).write_text(GOOD)

    contents = files_of(tmp_path)

    assert [path.name for path in contents.train] == ["latest.jsonl", "rows.jsonl"]
    assert [path.name for path in contents.held_out] == ["rows_test.jsonl"]


def test_a_single_file_is_learned_from_whatever_its_name(tmp_path):
    (tmp_path / "test.jsonl").write_text(GOOD)

    assert [path.name for path in files_of(tmp_path).train] == ["test.jsonl"]
