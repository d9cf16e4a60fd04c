"""What the worker does with hostile and unlucky files: all told, nothing lost, nothing left."""

import gzip
import io
import json
import os
import re
import struct
import subprocess
import sys
from functools import partialmethod
from pathlib import Path
from statistics import mean, pstdev

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fabriek.quality.worker import confine, look, many_texts, names, rules, treat, unread
from fabriek.quality.worker.job import Job, Trouble
from fabriek.quality.worker.names import Names
from fabriek_recipes import tables

EMAIL = {"choice": "mask", "kinds": ["email"], "whole": [], "decision": 1}
WHOLE = EMAIL | {"whole": ["email"]}
NAME = EMAIL | {"kinds": ["name"]}
CSV = b"email,v\n" + b"".join(b"a%d@x.nl,%d\n" % (n, n) for n in range(20))
LIST = json.dumps([{"email": f"a{n}@x.nl", "v": n} for n in range(20)]).encode()
NO_NAMES = Names((), memory_bytes=2**30)


@pytest.fixture
def job(tmp_path):
    def laid(files, **asked):
        folder = tmp_path / f"job{len(list(tmp_path.iterdir()))}"
        for name in ("files", "tmp"):
            (folder / name).mkdir(parents=True)
        named = []
        for number, (path, content) in enumerate(sorted(files.items()), start=1):
            at = folder / "files" / str(number)
            at.write_bytes(content)
            named.append({"path": path, "name": str(number), "size_bytes": len(content)})
        limits = {"memory_bytes": 2**30, "disk_bytes": 2**30, "cpu_s": 60, "names": None}
        told = limits | {"files": named, "file_count": len(named)} | asked
        (folder / "job.json").write_text(json.dumps(told))
        found = Job.read(folder)
        found.secret = "00" * 32
        return found

    return laid


@pytest.fixture
def looked(job):
    def found(files, **asked):
        asked = {"kind": "look", "context_tokens": 2048, "all_names": False} | asked
        return look.look(job(files, **asked), NO_NAMES)

    return found


@pytest.fixture
def treated(job):
    """Treat files; gives {path: content} of what was made."""

    def made(files, reader=NO_NAMES, **decisions):
        given = job(files, kind="treat", decisions=decisions)
        result = treat.treat(given, reader)
        return {
            one["path"]: (given.folder / "made" / one["name"]).read_bytes()
            for one in result["made"]
            if one["name"]
        }

    return made


def parquet(**columns):
    out = io.BytesIO()
    pq.write_table(pa.table(columns), out)
    return out.getvalue()


def table(content):
    return pq.read_table(io.BytesIO(content))


def lines(*rows):
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def kinds(result):
    return {(one["path"], one["column"], one["kind"]) for one in result["findings"]}


def codes(result):
    return {(one["code"], one["path"]) for one in result["problems"]}


# --- the walls ------------------------------------------------------------------------------
ESCAPE = """
import os, sys
from pathlib import Path
from fabriek.quality.worker import confine
folder = Path(sys.argv[1])
held = confine.hold(readable=[folder, Path(sys.prefix)], writable=[folder / "made"],
                    no_network=False)
print(held.keep_files)
file, made = folder / "files" / "1", folder / "made"
def tried(name, do):
    try:
        do()
    except OSError:
        return
    print("done:", name)
tried("chmod", lambda: os.chmod(file, 0o600))
tried("fchmod", lambda: os.fchmod(os.open(file, os.O_RDONLY), 0o600))
tried("utime", lambda: os.utime(file))
tried("truncate", lambda: os.truncate(file, 0))
tried("link", lambda: os.link(file, made / "x"))
tried("move", lambda: os.rename(file, made / "x"))
tried("remove", lambda: file.unlink())
tried("symlink", lambda: os.symlink(file, made / "y"))
tried("xattr", lambda: os.setxattr(file, "user.x", b"1"))
tried("write", lambda: file.open("r+b").write(b"EVIL"))
(made / "z").write_text("this it may")
"""


@pytest.mark.skipif(not confine.can_keep_files(), reason="This kernel lacks a wall.")
def test_what_is_linked_to_the_store_cannot_be_changed(tmp_path):
    stored = tmp_path / "stored"
    stored.write_bytes(b"GOOD")  # our own and writable: only the walls are in the way
    for name in ("files", "made"):
        (tmp_path / "job" / name).mkdir(parents=True)
    os.link(stored, tmp_path / "job" / "files" / "1")

    done = subprocess.run(
        [sys.executable, "-B", "-c", ESCAPE, str(tmp_path / "job")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.stdout == "True\n", done.stderr
    assert stored.read_bytes() == b"GOOD"
    assert (tmp_path / "job" / "made" / "z").exists(), done.stderr


# --- no file over another --------------------------------------------------------------------
def test_what_is_made_never_takes_the_name_of_another_file(treated):
    made = treated({"Data.json": LIST, "data.parquet": parquet(x=[1] * 7)}, email=WHOLE)

    assert list(made) == ["Data-2.parquet"]


def test_files_of_one_name_stay_apart(treated):
    made = treated(
        {"a.csv": CSV, "a.csv.gz": gzip.compress(CSV), "a.json": LIST, "v1.0/rows.json": LIST},
        email=WHOLE,
    )

    assert sorted(made) == ["a-2.csv", "a.csv", "a.parquet", "v1.0/rows.parquet"]
    assert (
        made["a.csv"]
        == made["a-2.csv"]
        == b"email,v\n" + b"".join(b"[EMAIL],%d\n" % n for n in range(20))
    )
    assert {table(made[path]).num_rows for path in made if path.endswith("t")} == {20}


# --- a CSV stays a CSV -----------------------------------------------------------------------
ROWS = (
    'email;n;code;price;day;ok;later;"a ""b"" c"\n'
    "a@x.nl;1;00123;1,50;2024-02-29;true;7; x \n"
    'b@x.nl;;0612345678;1.000,00;2024-03-01;false;8;"a;b\nc ""d"""\n'
    ";-3;+31;;;;word;é\n"
)
TREATED = ROWS.replace("a@x.nl", "[EMAIL]").replace("b@x.nl", "[EMAIL]")
AS_EXCEL = "sep=;\r\n", "\r\n"


@pytest.mark.parametrize(
    ("begin", "end", "encoding", "after"),
    [
        ("", "\n", "utf-8", "utf-8"),
        (*AS_EXCEL, "utf-8-sig", "utf-8-sig"),
        (*AS_EXCEL, "utf-16", "utf-8-sig"),
    ],
)
def test_of_a_treated_csv_nothing_differs_but_what_was_decided(
    treated, looked, begin, end, encoding, after
):
    before, wanted = (
        begin + rows.replace("\n", end).replace(f"b{end}c", "b\nc") for rows in (ROWS, TREATED)
    )
    made = treated({"a.csv": before.encode(encoding)}, email=EMAIL)

    assert made == {"a.csv": wanted.encode(after)}
    types = [
        [one["type"] for one in looked({"a.csv": content})["files"][0]["columns"]]
        for content in (before.encode(encoding), made["a.csv"])
    ]
    assert types[0] == types[1]
    assert {"BIGINT", "DATE", "BOOLEAN"} <= set(types[1])


def test_recipes_read_a_treated_csv_as_they_read_the_original(treated, tmp_path):
    original = ROWS.replace("c;d", "c\r;d").replace("b\nc", "b\rc").encode()
    made = treated({"a.csv": original}, email=EMAIL)
    for name, content in (("before.csv", original), ("after.csv", made["a.csv"])):
        (tmp_path / name).write_bytes(content)

    before, after = (tables.load([tmp_path / f"{name}.csv"]) for name in ("before", "after"))

    assert after.columns.pop("email").words == ["[EMAIL]"]
    del before.columns["email"]
    assert {name: (one.words, one.codes) for name, one in after.columns.items()} == {
        name: (one.words, one.codes) for name, one in before.columns.items()
    }
    assert after.has_decimal_comma


def test_a_csv_without_heading_rows_or_columns_is_treated_too(treated):
    drop = EMAIL | {"choice": "drop"}
    files = {
        "a.csv": b"a@x.nl,1\nb@x.nl,2\n",
        "b.csv": b"column 1,v\n",
        "c.csv": b"column 1\n1\n",
    }

    masked = treated(files, **{"column 1": EMAIL})
    dropped = treated(files, **{"column 1": drop})

    assert masked == {"a.csv": b"column 1,column 2\n[EMAIL],1\n[EMAIL],2\n"}
    assert dropped == {"a.csv": b"column 2\n1\n2\n", "b.csv": b"v\n"}


# --- nested columns --------------------------------------------------------------------------
CHAT = [[{"role": "user", "content": f"Mijn BSN is 111222333, mail a{n}@x.nl"}] for n in
        range(30)]  # fmt: skip


def test_nested_parquet_is_read_and_keeps_its_schema_when_masked(treated, looked):
    content = parquet(messages=CHAT, words=[["a b"]] * 30, image=[{"bytes": b"x", "path": "p"}]
                      * 30)  # fmt: skip
    decided = EMAIL | {"kinds": ["bsn", "email"]}

    made = table(treated({"chat.parquet": content}, messages=decided)["chat.parquet"])

    assert made.schema.field("messages").type == table(content).schema.field("messages").type
    assert made.column("messages")[3].as_py() == [
        {"role": "user", "content": "Mijn BSN is [BSN], mail [EMAIL]"}
    ]
    assert made.column("words")[0].as_py() == ["a b"]


def test_nested_parquet_is_looked_at(looked):
    content = parquet(messages=CHAT, words=[["mail b@x.nl"]] * 30,
                      image=[{"bytes": b"x", "path": "c@x.nl"}] * 30)  # fmt: skip

    found = looked({"chat.parquet": content})

    assert {(column, kind) for _path, column, kind in kinds(found)} == {
        ("messages", "bsn"), ("messages", "email"), ("words", "email"), ("image", "email"),
    }  # fmt: skip
    assert ("bytes_column", "chat.parquet") in codes(found)


@pytest.mark.parametrize(
    ("cells", "decided"),
    [
        ([[{"mail": "a@x.nl"}]], EMAIL | {"choice": "pseudonymise"}),
        ([[{"mail": 3}]], WHOLE),
        ([[{"a@x.nl": "b@x.nl"}]], EMAIL),
    ],
)
def test_what_does_not_fit_in_a_nested_column_is_refused(treated, cells, decided):
    with pytest.raises(Trouble) as refused:
        treated({"chat.parquet": parquet(c=cells)}, c=decided)

    assert (refused.value.code, refused.value.facts["column"]) == ("nested_column", "c")


# --- names -----------------------------------------------------------------------------------
STOPS = """
import json, sys
for number, line in enumerate(sys.stdin):
    if number > 2: sys.exit(1)
    print('"ready"' if number == 0 else "[]", flush=True)
"""


def test_a_reader_of_names_that_stops_halfway_stops_the_treatment(
    treated, tmp_path, monkeypatch
):
    server = tmp_path / "server.py"
    server.write_text(STOPS)
    monkeypatch.setattr(names, "SERVER", server)
    reader = Names([sys.executable, str(tmp_path)], memory_bytes=2**32)
    rows = [{"c": f"bericht {n} van Jan"} for n in range(5)]

    with pytest.raises(Trouble) as refused:
        treated({"a.jsonl": lines(*rows)}, reader, c=NAME)

    reader.close()
    assert refused.value.code == "no_names"


class FindsJan(Names):
    """A reader that finds whatever it is given."""

    def _ask(self, question):
        return [[one.start(), one.end()] for one in re.finditer("Jan Vos", question["text"])]


def test_names_far_on_in_a_long_text_are_masked_too(treated):
    reader = FindsJan((), memory_bytes=2**30)
    reader.are_read = True
    for_border = "x" * (names.MOST_CHARACTERS - 3)

    text = f"{for_border}Jan Vos {'y ' * 30_000} Jan Vos"
    made = treated({"a.jsonl": lines({"c": text})}, reader, c=NAME)

    assert json.loads(made["a.jsonl"])["c"] == text.replace("Jan Vos", "[NAME]")


# --- nothing left, nothing lost --------------------------------------------------------------
def test_notes_and_small_texts_are_read_and_treated(job):
    files = {"README.md": b"Vragen: jan@x.nl\n", "notes.dat": b"bsn 111222333\n",
             "a.csv": b"x,y\n1,2\n", "b.bin": b"\0bsn 111222333"}  # fmt: skip
    asked = {"kind": "look", "context_tokens": 2048, "all_names": False}
    given = job(files, **asked)

    found = look.look(given, NO_NAMES)

    assert kinds(found) == {
        ("README.md", "README.md", "email"), ("notes.dat", "notes.dat", "bsn"),
    }  # fmt: skip
    decisions = {"README.md": EMAIL, "notes.dat": EMAIL | {"choice": "drop"}}
    given.asked |= {"kind": "treat", "decisions": decisions}
    made = treat.treat(given, NO_NAMES)["made"]
    assert [(one["was"], one["path"], bool(one["name"])) for one in made] == [
        ("README.md", "README.md", True), ("notes.dat", "", False),
    ]  # fmt: skip
    assert (given.folder / "made" / made[0]["name"]).read_text() == "Vragen: [EMAIL]\n"


def test_keys_inside_a_masked_cell_are_masked(treated):
    rows = {"c": {"jan@x.nl": "piet@x.nl", "els@x.nl": 1, "bsn": "111222333"}}

    made = json.loads(treated({"a.jsonl": lines(rows)}, c=EMAIL)["a.jsonl"])

    assert made == {"c": {"[EMAIL]": "[EMAIL]", "[EMAIL] (2)": 1, "bsn": "[BSN]"}}


@pytest.mark.parametrize(
    ("path", "content", "count"),
    [
        ("a.csv", CSV + b"b@x.nl,1,2,3\nzonder\n", 2),
        ("a.jsonl", b'{"email":"a@x.nl"}\n{"email": broken\n[1]\n', 2),
        ("a.jsonl", b'{"email":"a@x.nl"}\n{"email":"\\ud800x"}\n', 1),
    ],
)
def test_rows_that_would_be_lost_stop_the_treatment(treated, path, content, count):
    with pytest.raises(Trouble) as refused:
        treated({path: content}, email=EMAIL)

    assert refused.value.code == "rows_left_out"
    assert refused.value.facts == {"path": path, "count": count}


def test_files_that_were_not_laid_out_stop_the_treatment_and_are_told(job):
    given = job({"a.csv": CSV}, kind="treat", decisions={"email": EMAIL}, file_count=2)
    with pytest.raises(Trouble, match="too_many_files"):
        treat.treat(given, NO_NAMES)

    given.asked |= {"kind": "look", "context_tokens": 2048, "all_names": False}
    assert ("files_left_out", "") in codes(look.look(given, NO_NAMES))


# --- no values -------------------------------------------------------------------------------
def test_what_may_be_a_name_is_not_kept_where_names_are_not_read(looked):
    rows = "".join(f"Jan de Vries,{n},balie\n" * 6 for n in range(2))

    found = looked({"a.csv": f"wie,n,soort\n{rows}".encode()})

    told = {one["name"]: one.get("values") for one in found["files"][0]["columns"]}
    assert told["wie"] is None
    assert told["soort"] == [["balie", 12]]


def test_names_of_columns_that_are_values_are_masked_and_can_be_treated(job):
    content = lines(*({f"jan{n}@x.nl": n, "v": 1} for n in range(3)))
    asked = {"kind": "look", "context_tokens": 2048, "all_names": False}
    given = job({"a.jsonl": content}, **asked)

    found = look.look(given, NO_NAMES)

    assert "@x.nl" not in json.dumps(found)
    assert kinds(found) == {("a.jsonl", "[EMAIL]", "email")}
    given.asked |= {"kind": "treat", "decisions": {"[EMAIL]": EMAIL}}
    made = treat.treat(given, NO_NAMES)["made"]
    assert b"@x.nl" not in (given.folder / "made" / made[0]["name"]).read_bytes()
    assert "@x.nl" not in json.dumps(made)


def test_a_first_row_with_an_address_in_it_is_no_heading(looked):
    found = looked({"a.csv": b"Jan Vos;jan@x.nl\nPiet Pot;piet@x.nl\nEls Dam;els@x.nl\n"})

    assert [one["name"] for one in found["files"][0]["columns"]] == ["column 1", "column 2"]


# --- hostile lines ---------------------------------------------------------------------------
def test_half_signs_on_every_line_are_trouble_of_that_file_only(looked):
    hostile = b'{"c":"\\ud800"}\n' * 30

    found = looked({"a.jsonl": hostile, "b.csv": CSV})

    assert ("broken_json", "a.jsonl") in codes(found)
    assert ("b.csv", "email", "email") in kinds(found)


@pytest.mark.parametrize(
    ("behind", "percent"), [(b'{"email":"b@x.nl","n":', 63), (b"oops], {b@x.nl}", 71)]
)
def test_a_list_that_breaks_off_is_read_up_to_there(looked, treated, behind, percent):
    whole = b'[\n{"email": "a@x.nl",\n "n": 1}, {"n": 2},' + behind

    found = looked({"a.json": whole})

    told = next(one for one in found["problems"] if one["code"] == "json_breaks_off")
    assert (told["rows"], told["facts"]) == ([3], {"whole": 2, "percent": percent})
    assert found["files"][0]["rows"] == 2
    # Also in what is behind there: nobody knows of which column that is.
    assert kinds(found) == {("a.json", "email", "email"), ("a.json", "…", "email")}
    with pytest.raises(Trouble) as refused:
        treated({"a.json": whole}, email=EMAIL)
    assert refused.value.code == "rows_left_out"


def test_a_list_on_one_line_that_is_long_is_read_as_any_other(looked):
    rows = [{"text": "x" * 2**20, "n": n} for n in range(17)] + [{"text": "a@x.nl"}]

    found = looked({"a.json": json.dumps(rows).encode()})

    assert found["files"][0]["rows"] == len(rows)
    assert kinds(found) == {("a.json", "text", "email")}
    assert not codes(found) & {("long_lines", "a.json"), ("no_json", "a.json")}


@pytest.mark.parametrize(
    ("path", "content"),
    [("a.json", b'{"rows": [{"email": "a@x.nl"}, '), ("a.jsonl", b"[1]\n[2]\na@x.nl\n")],
)
def test_a_file_without_one_whole_row_is_read_as_text(looked, monkeypatch, path, content):
    whole = looked({path: content})
    monkeypatch.setattr(
        unread.Unread, "__init__", partialmethod(unread.Unread.__init__, left=9)
    )
    part = looked({path: content})

    assert kinds(whole) == {(path, "…", "email")}
    assert whole["files"][0]["broken"] in {"no_json", "broken_json"}
    assert ("unread_in_part", path) not in codes(whole)
    assert (kinds(part), ("unread_in_part", path) in codes(part)) == (set(), True)


def test_nothing_a_database_cannot_keep_is_written(job):
    given = job({"a.jsonl": b'{"a\\u0000b":"x","v":1}\n' * 9}, kind="look",
                context_tokens=2048, all_names=False)  # fmt: skip

    given.finish(look.look(given, NO_NAMES) | {"odd": ["\0", "\ud800"]})

    text = Path(given.folder / "told" / "result.json").read_text()
    assert "\\u0000" not in text
    assert json.loads(text)["odd"] == ["", "?"]


# --- the same row twice ----------------------------------------------------------------------
def test_mean_and_spread_are_right_far_from_nought_and_of_one_value(looked):
    far = [1e9 + n % 7 + 0.25 for n in range(200)]
    rows = "".join(f"{value!r},{n % 5},0.1,x\n" for n, value in enumerate(far))

    found = looked({"a.csv": f"far,whole,one,word\n{rows}".encode()})

    told = {one["name"]: one for one in found["files"][0]["columns"]}
    assert told["far"]["mean"] == float(f"{mean(far):.6g}")
    assert told["far"]["spread"] == float(f"{pstdev(far):.6g}")
    assert (told["whole"]["mean"], told["whole"]["spread"]) == (2.0, 1.41421)
    assert (told["one"]["mean"], told["one"]["spread"]) == (0.1, 0.0)


def test_a_row_is_the_same_whatever_type_its_column_was_read_with(looked):
    other = lines({"n": "2", "t": "y"}, {"n": "9", "t": "q"})

    found = looked({"a.csv": b"n,t\n1,x\n2,y\n3,z\n", "b.jsonl": other, "c.csv": b"n\n1\n2\n"})

    told = [
        (one["path"], one["pairs"]) for one in found["problems"] if one["code"] == "same_rows"
    ]
    assert told == [("b.jsonl", [[1, "a.csv", 2]])]


def test_nothing_and_an_empty_text_are_the_same_in_a_row_that_is_there_twice(looked):
    rows = [{"n": 1, "t": ""}, {"n": 2, "t": "x"}, {"n": 1, "t": None}, {"n": None, "t": "x"}]

    found = looked({"a.jsonl": lines(*rows)})

    told = [one["pairs"] for one in found["problems"] if one["code"] == "same_rows"]
    assert told == [[[3, "a.jsonl", 1]]]


@pytest.mark.parametrize("path", ["a.jsonl", "a.json"])
def test_a_text_in_json_is_looked_at_without_its_quotes(looked, path):
    rows = [{"x": one, "soort": "balie"} for one in ("111222333", "123456782") * 10]
    content = lines(*rows) if path == "a.jsonl" else json.dumps(rows).encode()

    found = looked({path: content})

    assert kinds(found) == {(path, "x", "bsn")}
    told = {one["name"]: one for one in found["files"][0]["columns"]}
    assert (told["soort"]["values"], told["soort"]["longest"]) == ([["balie", 20]], 5)


# --- everyday data --------------------------------------------------------------------------
SAID = "the desk in the hall opens at nine and closes at five on day {} of the week {}"


def told(result, code):
    return [
        (one["path"], one["rows"], one["count"])
        for one in result["problems"]
        if one["code"] == code
    ]


def numbered(*rows, first, columns="id,text,label"):
    lines = (f"{first + n},{row}\n" for n, row in enumerate(rows))
    return f"{columns}\n{''.join(lines)}".encode()


def test_a_leak_is_told_whatever_number_or_label_the_row_has(looked):
    said = [SAID.format(n, n * 7) for n in range(6)]
    train = numbered(*(f"{one},a" for one in said), first=1)
    same = numbered(f"{said[2]},a", "something else that stands nowhere else,a", first=900)
    relabelled = numbered(f"{said[4]},b", first=700)

    found = looked({"train.csv": train, "test.csv": same, "val.csv": relabelled})

    assert told(found, "leak") == [("test.csv", [1], 1)]
    assert told(found, "near_leak") == [("val.csv", [1], 1)]


def test_a_leak_between_the_parts_of_one_table_is_told(looked):
    said = [SAID.format(n, n * 7) for n in range(6)]
    rows = [f"{one},a,Train" for one in said]
    rows += [f"{said[2]},a,held-out", f"{said[4]},b,test", f"{SAID.format(90, 8)},a,test"]
    rows.append(f"{SAID.format(91, 9)},a,")
    parted = numbered(*rows, first=1, columns="id,text,label,deel")
    other = parted.replace(b"a,\n", b"a,unknown\n")

    found = looked({"a.csv": parted, "b.csv": other.replace(b"the ", b"that ")})

    assert found["splits"] == {"train": 6, "validation": 1, "test": 2}
    assert told(found, "leak") == [("a.csv", [7], 1)]
    assert told(found, "near_leak") == [("a.csv", [8], 1)]
    (leak,) = (one for one in found["problems"] if one["code"] == "leak")
    assert (leak["column"], leak["facts"]["of"]) == ("deel", 3)


def test_a_column_parts_the_rows_also_where_each_file_holds_one_part(looked):
    said = [SAID.format(n, n * 7) for n in range(6)]
    one = numbered(*(f"{each},train" for each in said), first=1, columns="id,text,deel")
    two = numbered(f"{said[2]},test", first=900, columns="id,text,deel")

    found = looked({"a.csv": one, "b.csv": two})

    assert found["splits"] == {"train": 6, "test": 1}
    assert told(found, "leak") == [("b.csv", [1], 1)]


def test_rows_that_are_alike_by_chance_are_no_leak(looked):
    people = [f"{20 + n % 9},{'mv'[n % 2]},{n % 3}" for n in range(60)]
    remark = "nothing in particular was seen on the day of the visit to the site"
    visits = [f"{n * 1.7},{n * 3.1},{n * 0.3},{remark}" for n in range(60)]
    measured = "id,a,b,c,remark"

    found = looked(
        {
            "people/train.csv": numbered(*people, first=1, columns="id,age,sex,label"),
            "people/test.csv": numbered(*people[:20], first=500, columns="id,age,sex,label"),
            "visits/train.csv": numbered(*visits[:40], first=1, columns=measured),
            "visits/test.csv": numbered(*visits[40:], first=500, columns=measured),
        }
    )

    assert {one["code"] for one in found["problems"]} == {"constant"}


def test_rows_that_do_not_fit_their_table_are_read_for_personal_data(looked):
    rows = [f"{n},{n * 3},fine" for n in range(30_000)]
    rows[25_000] = "1,a@example.nl,bel 06-12345678"
    ragged = "id,note\n" + "1,fine\n" * 30 + "2,mail,b@example.nl\n"

    found = looked(
        {"a.csv": "\n".join(["id,amount,note", *rows]).encode(), "b.csv": ragged.encode()}
    )

    assert kinds(found) == {
        ("a.csv", "amount", "email"), ("a.csv", "note", "phone"), ("b.csv", "note", "email"),
    }  # fmt: skip
    assert {tuple(one["rows"]) for one in found["findings"]} == {(25_001,), (31,)}


def test_lines_that_are_no_json_are_read_for_personal_data(looked):
    found = looked({"a.jsonl": b'{"a": 1}\n{"a": mail jan@voorbeeld.nl\n["06-12345678"]\n'})

    assert told(found, "broken_json") == [("a.jsonl", [2, 3], 2)]
    places = [(one["column"], one["kind"], one["rows"]) for one in found["findings"]]
    assert places == [("…", "email", [2]), ("…", "phone", [3])]
    assert {one["by"] for one in found["findings"]} == {"line"}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Naam patiënt", {"name"}),
        ("klant_email_2", {"email"}),
        ("Telefoonnr. privé", {"phone"}),
        ("Straat + huisnr", {"address"}),
        ("Hoofddiagnose", {"special:health"}),
        ("etnische achtergrond", {"special:origin"}),
        ("product_name", set()),
        ("race_time", set()),
        ("email_opened", set()),
        ("kind", set()),
    ],
)
def test_the_name_of_a_column_tells_however_it_is_written(name, expected):
    assert rules.current().told_by(name) == expected


def test_keys_of_nested_cells_tell_what_stands_below_them(looked, treated):
    row = {
        "tools": [{"name": "find"}],
        "meta": {"diagnose": "I10", "tel": "0201234567", "n": 1},
    }
    content = lines(*[row] * 12)

    found = looked({"a.jsonl": content})
    made = treated({"a.jsonl": content}, meta=EMAIL | {"kinds": ["special:health", "phone"]})

    assert kinds(found) == {("a.jsonl", "meta", "phone"), ("a.jsonl", "meta", "special:health")}
    masked = json.loads(made["a.jsonl"].splitlines()[0])["meta"]
    assert masked == {"diagnose": "[SPECIAL HEALTH]", "tel": "[PHONE]", "n": 1}


def test_numbers_as_the_dutch_write_them_are_numbers(looked):
    rows = "".join(f"{n};€ 1.{n:03},50;1,{n:03};1,5\n" for n in range(100, 140))

    found = looked({"a.csv": f"id;bedrag;duizend;ook\n{rows};n.v.t.;;x\n".encode("cp1252")})

    kinds_of = {one["name"]: one["kind"] for one in found["files"][0]["columns"]}
    assert kinds_of == {"id": "number", "bedrag": "text", "duizend": "text", "ook": "text"}
    found = looked({"a.csv": f"id;bedrag;duizend;ook\n{rows};;;2\n".encode("cp1252")})
    columns = {one["name"]: one for one in found["files"][0]["columns"]}
    assert (columns["bedrag"]["min"], columns["bedrag"]["max"]) == (1100.5, 1139.5)
    assert (columns["bedrag"]["missing"], columns["duizend"]["kind"]) == (1, "text")


@pytest.mark.parametrize("first", [b"sep=;", b'"Sep=;"', b"sep="])
def test_a_first_line_for_excel_is_no_heading(looked, first):
    found = looked({"a.csv": first + b"\r\nnaam;bedrag\r\nJan;1,50\r\nPiet;2,75\r\n"})

    assert [one["name"] for one in found["files"][0]["columns"]] == ["naam", "bedrag"]
    assert kinds(found) == {("a.csv", "naam", "name")}
    assert found["rows"] == 2


def test_a_folder_of_more_letters_than_tables_is_read_for_personal_data(looked, monkeypatch):
    monkeypatch.setattr(look, "MOST_TABLES", 2)
    monkeypatch.setattr(many_texts, "MOST_NAMED", 1)
    letters = {f"letters/{n}.txt": b"dear all\nmail a%d@example.nl\n" % n for n in range(6)}

    found = looked(letters)

    assert (found["rows"], told(found, "many_texts")) == (12, [("", [], 6)])
    counted = {one["path"]: (one["rows"], one["count"]) for one in found["findings"]}
    assert counted == {
        "letters/0.txt": ([2], 1), "letters/1.txt": ([2], 1), "letters/2.txt": ([2], 1),
        "letters/…": ([], 3),
    }  # fmt: skip


def test_what_zstd_packed_is_read_and_bombs_are_not(looked, treated):
    content = zstd(lines({"text": "mail a@example.nl"}))

    found = looked({"a.jsonl.zst": content, "b.csv.zst": zstd(b"1,2\n" * 2**22)})

    assert kinds(found) == {("a.jsonl.zst", "text", "email")}
    assert ("bomb", "b.csv.zst") in codes(found)
    assert treated({"a.jsonl.zst": content}, text=EMAIL) == {
        "a.jsonl": b'{"text": "mail [EMAIL]"}\n'
    }


def zstd(content):
    out = pa.BufferOutputStream()
    with pa.CompressedOutputStream(out, "zstd") as packed:
        packed.write(content)
    return out.getvalue().to_pybytes()


def test_what_offices_write_is_said_not_to_be_read(looked):
    archive = b"PK\x05\x06" + b"\0" * 18

    found = looked(
        {"a.xlsx": b"PK\x03\x04" + archive, "b.pdf": b"%PDF\n\0", "c.7z": b"7z\xbc\0"}
    )

    assert {one["code"]: one["paths"] for one in found["problems"] if one.get("paths")} == {
        "documents": ["b.pdf"], "archive": ["c.7z"], "workbooks": ["a.xlsx"],
    }  # fmt: skip


def test_pictures_and_sounds_of_other_makes_are_no_broken_ones(looked):
    tiff = struct.pack("<4sIHHHIIHHIHH", b"II*\0", 8, 2, 256, 3, 1, 64, 257, 3, 1, 48, 0)
    photo = b"\xff\xd8\xff\xc0" + struct.pack(">HBHHB", 8, 8, 48, 64, 0) + b"x" * 2**16
    flac = b"fLaC\0\0\0\x22" + b"\0" * 10 + (16_000 << 44 | 32_000).to_bytes(8, "big")
    files = {"train/a.tif": tiff, "test/b.tif": tiff, "c.flac": flac, "d.mp3": b"ID3",
             "phone.jpg": photo + b"\xff\xd9" + b"SEFT" * 100, "cut.jpg": photo}  # fmt: skip

    found = looked(files)

    assert (found["image"]["formats"], found["audio"]["seconds"]) == ({"TIFF": 2, "JPEG": 1}, 2)
    named = {one["code"]: one["paths"] for one in found["problems"]}
    assert named == {
        "broken_picture": ["cut.jpg"], "leaked_pictures": ["test/b.tif"],
        "same_pictures": ["train/a.tif"],
    }  # fmt: skip
