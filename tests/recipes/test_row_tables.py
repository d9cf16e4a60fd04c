"""Examples in a table of Excel or in a list of JSON: read as the lines of a `.jsonl` are."""

import csv
import io
import json

import pytest

from fabriek_recipes import facts, row_tables
from fabriek_recipes.finetune_lm.knobs import RECIPE
from fabriek_recipes.kinds import Facts
from fabriek_recipes.leaks import leaks
from fabriek_recipes.pairs import Pair, read_pairs
from fabriek_recipes.rows import (
    LINE_BYTES_MAX,
    NO_ROWS,
    RowProblem,
    check,
    files_of,
    read,
    read_questions,
)
from tests.recipes.conftest import rows, write_rows

NOTHING = Facts(rows=0, text_bytes=0)
BOM = b"\xef\xbb\xbf"
DUTCH = (
    'Nr;Vraag;Antwoord\r\n1;Hoe laat één?;"Om half twee;\nniet later"\r\n;;\r\n2;Wáár?;Hier\r\n'
)
READ = [(2, "Hoe laat één?", "Om half twee;\nniet later"), (5, "Wáár?", "Hier")]


def told(found):
    return [
        str(one.sentence)
        if isinstance(one, RowProblem)
        else (one.line, one.prompt, one.completion)
        for one in found
    ]


@pytest.fixture
def file(tmp_path):
    def made(name, held):
        path = tmp_path / name
        path.write_bytes(held if isinstance(held, bytes) else held.encode())
        return path

    return made


def as_csv(made, names, delimiter=";"):
    out = io.StringIO()
    table = csv.DictWriter(out, list(names.values()), delimiter=delimiter)
    table.writeheader()
    table.writerows([{names[name]: one[name] for name in names} for one in made])
    return out.getvalue()


@pytest.mark.parametrize(
    "held",
    [
        DUTCH.encode("cp1252"),
        BOM + DUTCH.encode(),
        b"sep=;\r\n" + DUTCH.encode("cp1252"),
        b'"SEP=;"\r\n' + DUTCH.encode(),
        ("sep=\n" + DUTCH).encode("utf-16"),
        DUTCH.replace(";", "\t").replace("twee\t", "twee;").encode(),
    ],
)
def test_a_table_of_excel_is_read_with_the_line_at_which_each_row_begins(file, held):
    shift = b"sep=" in held.replace(b"\0", b"").lower()

    found = told(read(file("Vragen.CSV", held)))

    assert found == [(line + shift, *said) for line, *said in READ]


@pytest.mark.parametrize(
    ("row", "asked", "answered"),
    [
        ({"Question": "a", "Answer": "b"}, "a", "b"),
        ({"instruction": "a", "input": "over c", "output": "b"}, "a\n\nover c", "b"),
        ({"instruction": "a", "input": "", "output": "b"}, "a", "b"),
        ({"invoer": "a", "uitvoer": "b"}, "a", "b"),
        ({"vraag": "x", "prompt": "a", "completion": "b"}, "a", "b"),
    ],
)
def test_names_that_people_use_are_understood_in_each_form(file, row, asked, answered):
    table = file("a.csv", as_csv([row], {name: name for name in row}))
    lists = file("a.json", json.dumps([row]))
    lines = file("a.jsonl", json.dumps(row))

    found = [next(iter(read(path))) for path in (table, lists, lines)]

    assert {(one.prompt, one.completion) for one in found} == {(asked, answered)}
    assert [one.messages[0].content for one in read_questions(table)] == [asked]


def test_preferences_are_read_from_a_table(file):
    table = file("a.csv", "Vraag;Beter;Slechter\nWaar?;Hier.;Weet ik veel\nHoe?;Zo;\n")

    found = list(read_pairs(table))

    assert isinstance(found[0], Pair)
    assert (found[0].chosen.prompt, found[0].rejected.completion) == ("Waar?", "Weet ik veel")
    assert told(found[1:]) == ["Line 3 has no Slechter; add it."]


WANTED = (
    "The columns are: %s. Call the one with the question “prompt” or “vraag”, and the one with "
    "the answer “completion” or “antwoord”."
)


@pytest.mark.parametrize(
    ("name", "held", "said"),
    [
        ("a.csv", "klant;klacht\nA;B\nC;D\n", [WANTED % "klant, klacht"]),
        ("a.json", '[{"klant": "A"}, {"klant": "B"}]', [WANTED % "klant"]),
        ("a.csv", f"{'lang ' * 60};kort\nA;B\n", [WANTED % "…, kort"]),
        (
            "a.csv",
            "",
            ["The file has no rows; put the names of the columns first, and rows below."],
        ),
        ("a.csv", "vraag;antwoord\na;\n", ["In line 2 antwoord is empty; fill it."]),
        (
            "a.csv",
            "vraag;antwoord\na;b;c\n",
            ["Cells in line 2: 3, and in the first line: 2; mend it."],
        ),
        (
            "a.csv",
            'vraag;antwoord\na;"b\nc;d\n',
            ["Line 2 has a quote that does not end, or text after one; mend it."],
        ),
        (
            "a.csv",
            "vraag;antwoord\né;b\n".encode() + b"\xe9;c\n",
            ["Line 3 is not UTF-8 text; save the file as UTF-8."],
        ),
        (
            "a.csv",
            b"vraag;antwoord\n\xe9;b\n" + "é;c\n".encode(),
            ["Line 3 is not UTF-8 text; save the file as UTF-8."],
        ),
        (
            "a.csv",
            "vraag;antwoord\n".encode("utf-16-le"),
            ["Line 1 holds a zero byte; save the file as UTF-8 text."],
        ),
        (
            "a.json",
            '{"vraag": "a"}',
            [
                "The file is no list of rows; write [{…}, {…}] in a .json file, or one object "
                "on each line of a .jsonl file."
            ],
        ),
        ("a.json", " [ ] ", ["The file has no rows; put one JSON object on each line."]),
        (
            "a.json",
            '[{"vraag": "a", "antwoord": 3}]',
            ["In line 1 antwoord is not text; put it between quotes."],
        ),
        (
            "a.json",
            '[{"vraag": "a", "antwoord": "b"}, 7, {"vraag": "c", "antwoord": ""}]',
            [
                'Line 2 is not an object; write {"prompt": "…", "completion": "…"}.',
                "In line 3 antwoord is empty; fill it.",
            ],
        ),
        (
            "a.json",
            '[{"vraag": "a", "antwoord": "b"}, {"vraag": "c" "antwoord": "b"}]',
            ["Line 2 is not valid JSON near character 15; mend or remove it."],
        ),
        (
            "a.json",
            '[{"vraag": "a", "antwoord": "b"}, {"vraag": "c',
            ["Line 2 is not valid JSON near character 11; mend or remove it."],
        ),
        (
            "a.json",
            '[{"vraag": "a", "antwoord": "b"} {"vraag": "c"}]',
            ["Line 2 is not valid JSON near character 1; mend or remove it."],
        ),
        (
            "a.json",
            '[{"vraag": "a", "antwoord": "b"}]\n[{"vraag": "c", "antwoord": "d"}]',
            ["Line 2 is not valid JSON near character 1; mend or remove it."],
        ),
        (
            "a.json",
            "[" * 100_000,
            ["Line 1 holds a number or nesting too large to read; mend or remove it."],
        ),
        (
            "a.json",
            '[{"vraag": "é"}]'.encode("cp1252"),
            ["Line 1 is not UTF-8 text; save the file as UTF-8."],
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_the_line_or_the_place_in_the_list(file, name, held, said):
    assert [str(one.sentence) for one in check(file(name, held))] == said


def test_a_list_is_read_in_pieces_as_it_would_be_in_whole(file, monkeypatch):
    monkeypatch.setattr(row_tables, "CHUNK_BYTES", 5)
    made = [
        {"prompt": f"é \\ {n} tru", "completion": "“ja” ]," * n, "ok": True}
        for n in range(1, 9)
    ]

    found = told(
        read(file("a.json", "\n" + json.dumps(made, indent=2, ensure_ascii=False) + "\n"))
    )

    assert found == [(n, one["prompt"], one["completion"]) for n, one in enumerate(made, 1)]


def test_rows_over_the_bound_are_named_and_never_held(file):
    long = json.dumps({"prompt": "x" * (LINE_BYTES_MAX + 9), "completion": "a"})
    good = '{"prompt": "a", "completion": "b"}'
    said = "longer than 1024 KiB; split the row."

    small = told(read(file("a.json", f"[{good}, {long}, {good}]")))
    endless = told(read(file("b.json", f'[{good}, {{"prompt": "{"x" * 4 * LINE_BYTES_MAX}')))
    table = told(read(file("a.csv", f"prompt;completion\n{'x' * LINE_BYTES_MAX};a\nb;c\n")))

    assert small == [(1, "a", "b"), f"Line 2 is {said}", (3, "a", "b")]
    assert endless == [(1, "a", "b"), f"Line 2 is {said}"]
    assert table == [f"Line 2 is {said}"]


def test_the_same_rows_cost_the_same_in_whatever_file(tmp_path):
    made = rows(40)
    names = {"prompt": "prompt", "completion": "completion"}
    places = [write_rows(tmp_path / "lines", made), tmp_path / "table", tmp_path / "list"]
    for place in places[1:]:
        place.mkdir()
    (places[1] / "a.csv").write_bytes(as_csv(made, names).encode("cp1252"))
    (places[2] / "a.json").write_text(json.dumps(made, indent=4))

    found = [facts.look({"dataset": place}, NOTHING) for place in places]

    assert found[0].rows == 40
    assert found[1] == found[0] == found[2]
    assert [RECIPE.checks({"dataset": place}) for place in places] == [()] * 3


def test_of_a_large_table_the_first_part_tells_how_much_the_rest_holds(file, monkeypatch):
    table = file("a.csv", as_csv(rows(4_000), {"prompt": "vraag", "completion": "antwoord"}))
    whole = facts.look({"dataset": table}, NOTHING)
    monkeypatch.setattr(facts, "TABLE_BYTES_MAX", table.stat().st_size // 4)
    monkeypatch.setattr(facts, "PIECE_BYTES", 1)

    guessed = facts.look({"dataset": table}, NOTHING)

    assert whole.rows == 4_000
    assert guessed.rows == pytest.approx(4_000, rel=0.05)
    assert guessed.rows != 4_000


def test_a_table_kept_apart_is_found_and_leaks_are_named(tmp_path, file):
    file("README.md", "vraag;antwoord\n")
    file("kaart.png", b"\x89PNG")
    file("vragen.csv", "vraag;antwoord\na;b\nc;d\n")
    file(
        "vragen_test.json",
        '[{"prompt": "x", "completion": "y"}, {"prompt": "C", "completion": "d"}]',
    )

    contents = files_of(tmp_path)

    assert [path.name for path in contents.train] == ["vragen.csv"]
    assert [path.name for path in contents.held_out] == ["vragen_test.json"]
    (leak,) = leaks(contents)
    assert str(leak).startswith(
        "Line 3 of vragen.csv is the same row as line 2 of vragen_test.json"
    )


def test_beside_lines_of_json_tables_are_left_alone_as_before(tmp_path, file):
    file("rows.jsonl", '{"prompt": "a", "completion": "b"}\n')
    file("datapackage.json", "{}")
    file("bronnen.csv", "a;b\n")

    assert [path.name for path in files_of(tmp_path).train] == ["rows.jsonl"]
    assert RECIPE.checks({"dataset": tmp_path}) == ()


def test_a_folder_without_rows_says_what_may_be_added(tmp_path, file):
    file("README.md", "x")

    assert RECIPE.checks({"dataset": tmp_path}) == (NO_ROWS,)


def test_beside_whole_conversations_another_field_is_no_question_to_put_before_them(file):
    talk = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    row = {"question": "a", "chosen": talk, "rejected": [talk[0], {**talk[1], "content": "c"}]}

    (found,) = read_pairs(file("a.jsonl", json.dumps(row)))

    assert [one.content for one in found.chosen.messages] == ["a", "b"]
