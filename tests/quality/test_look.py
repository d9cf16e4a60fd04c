"""What a look finds in files of rows, and that hostile files end in words, never in a hang."""

import gzip
import io
import json
import pickle
import struct
import wave
import zipfile
import zlib

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fabriek.quality.states import ErrandState
from tests.quality.conftest import codes, looked_at, problem

pytestmark = pytest.mark.django_db(transaction=True)

ROWS = b"id;amount;label;day;note\n" + b"".join(
    b"%d;%d.5;%s;2026-01-%02d;note number %d about it\n"
    % (n, n % 17, b"desk" if n % 3 else b"phone", 1 + n % 28, n)
    for n in range(200)
)


def column(look, name, file=0):
    return next(one for one in look.result["files"][file]["columns"] if one["name"] == name)


def parquet(**columns):
    out = io.BytesIO()
    pq.write_table(pa.table(columns), out)
    return out.getvalue()


def test_a_csv_is_profiled_column_by_column(dataset):
    found = looked_at(dataset, {"a.csv": ROWS})

    assert found.result["rows"] == 200
    amount, label, day = (column(found, name) for name in ("amount", "label", "day"))
    assert (amount["kind"], amount["min"], amount["max"], amount["distinct"]) == (
        "number", 0.5, 16.5, 17,
    )  # fmt: skip
    assert sum(amount["bars"]["shares"]) == pytest.approx(1, abs=0.001)
    assert label["values"] == [["desk", 133], ["phone", 67]]
    assert (day["kind"], day["first"], day["last"]) == ("time", "2026-01-01", "2026-01-28")
    assert found.result["tokens"]["by"] == "characters"


@pytest.mark.parametrize(
    ("name", "content", "code", "rows", "count"),
    [
        ("ragged.csv", b"a,b,c\n" + b"1,2,3\n" * 30 + b"3\n4,5,6,7\n", "ragged", [31, 32], 2),
        ("blank.jsonl", b'{"text":"a b"}\n\n{"text":"c d"}\n', "blank_lines", [2], 1),
        ("const.csv", b"a,b\n" + b"".join(b"%d,x\n" % n for n in range(30)), "constant", [],
         30),
        ("zero.csv", b"a,b\n1,x\n2,\0\n3,y\n", "zero_bytes", [3], 1),
        ("head.csv", b"1,2.5\n3,4.5\n" * 9, "no_heading", [], 0),
        ("far.csv", b"a\n" + b"".join(b"%d\n" % n for n in range(99)) + b"99999\n", "far_out",
         [100], 1),
        ("days.csv", b"d,e\n" + b"13/02/2026,1\n03/14/2026,2\n" * 9, "two_orders", [], 0),
        ("comma.csv", b"a;b\n" + b"1,5;1\n2.500,75;2\n" * 9, "comma_read", [], 0),
        ("empty.csv", b"a;b\n1;2\n;\n3;4\n", "empty_rows", [2], 1),
        ("garbled.csv", "a;b\n1;cafÃ© dicht\n2;goed zo\n".encode(), "garbled", [1], 1),
        ("qa.csv", b"question,answer\nhow,so\nwhen,now\nHow ,thus\n", "differing_answers",
         [1, 3], 1),
        ("same.csv", b"a,b\n1,x\n2,y\n1,x\n", "same_rows", [3], 1),
        ("label.csv", b"text,label\n" + b"t,a\n" * 95 + b"u,b\n" * 5, "one_sided", [], 95),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_rows(dataset, name, content, code, rows, count):
    dataset_file = {name: content}

    found = problem(looked_at(dataset, dataset_file), code, name)

    assert (found["rows"], found["count"]) == (rows, count)


def test_windows_1252_inside_utf_8_is_read_and_told_by_line(dataset):
    content = b"naam;plaats\n" + "één;hier\n".encode() * 3 + "één;daar\n".encode("cp1252")

    found = looked_at(dataset, {"a.csv": content})

    assert problem(found, "odd_encoding")["rows"] == [5]
    assert found.result["files"][0]["rows"] == 4


@pytest.mark.parametrize("encoding", ["utf-16", "cp1252", "utf-8-sig"])
def test_other_encodings_are_read(dataset, encoding):
    content = ("a;b\n" + "één;2\n" * 9).encode(encoding)

    found = looked_at(dataset, {"a.csv": content})

    assert [one["name"] for one in found.result["files"][0]["columns"]] == ["a", "b"]
    assert found.result["rows"] == 9


def test_a_quote_that_never_closes_swallows_nothing(dataset):
    content = b"a,b\n" + b'1,"x"\n' * 50 + b'2,"never\n' + b"3,y\n" * 500

    found = looked_at(dataset, {"a.csv": content})

    assert problem(found, "open_quote")
    assert found.result["files"][0]["rows"] == 551


@pytest.mark.slow
def test_five_thousand_columns_are_looked_at(dataset):
    names = ",".join(f"c{n}" for n in range(5000))
    content = f"{names}\n".encode() + (",".join(["1"] * 5000) + "\n").encode() * 3

    found = looked_at(dataset, {"wide.csv": content})

    assert found.state == ErrandState.DONE
    assert found.result["files"][0]["column_count"] == 5000


def test_more_columns_than_that_are_said_to_be_too_many(dataset):
    content = ",".join(f"c{n}" for n in range(5001)).encode() + b"\n"

    found = looked_at(dataset, {"wide.csv": content})

    assert problem(found, "too_many_columns")["count"] == 5001


@pytest.mark.slow
def test_a_line_of_300_megabytes_is_left_out_and_told(dataset):
    content = b"a,b\n1,2\n" + b"x" * 300_000_000 + b"\n3,4\n"

    found = looked_at(dataset, {"long.csv": content, "other.csv": b"a,b\n1,2\n"})

    assert problem(found, "long_lines", "long.csv")["rows"] == [3]
    assert found.result["files"][1]["rows"] == 1


@pytest.mark.slow
def test_a_packed_bomb_is_not_unpacked(dataset):
    bomb = gzip.compress(b"0" * 400_000_000, 9)

    found = looked_at(dataset, {"a.csv.gz": bomb, "b.csv": b"a,b\n1,2\n"})

    assert problem(found, "bomb", "a.csv.gz")
    assert found.result["rows"] == 1


def test_a_packed_table_is_read(dataset):
    found = looked_at(dataset, {"a.csv.gz": gzip.compress(ROWS)})

    assert found.result["rows"] == 200


def test_an_archive_that_is_a_bomb_or_holds_pickles_is_told_and_not_opened(dataset):
    bomb, pickles = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", b"0" * 250_000_000)
    with zipfile.ZipFile(pickles, "w") as archive:
        archive.writestr("model/data.pkl", b"x")

    found = looked_at(dataset, {"bomb.zip": bomb.getvalue(), "model.zip": pickles.getvalue()})

    assert {(code, path) for code, path, _c in codes(found)} == {
        ("bomb", "bomb.zip"),
        ("pickle_in_zip", "model.zip"),
    }


class Touch:
    """What a pickle can do: run a program."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (self.path, "w")


def test_pickles_are_flagged_by_what_they_are_and_never_opened(dataset, tmp_path):
    here = tmp_path / "opened"
    content = pickle.dumps(Touch(str(here)))

    found = looked_at(dataset, {"a.pkl": content, "b.csv": content, "c.bin": content})

    assert problem(found, "pickle")["paths"] == ["a.pkl", "b.csv", "c.bin"]
    assert not here.exists()


def test_parquet_that_lies_about_itself_is_said_to_be_broken(dataset):
    good = parquet(a=list(range(1000)), b=["text"] * 1000)
    cut, lying = good[: len(good) // 2], bytearray(good)
    lying[-8:-4] = struct.pack("<I", 2**31)
    garbage = bytearray(good)
    garbage[10:200] = b"\xff" * 190

    found = looked_at(
        dataset,
        {"cut.parquet": cut, "lying.parquet": bytes(lying), "garbage.parquet": bytes(garbage),
         "good.parquet": good},
    )  # fmt: skip

    assert found.state == ErrandState.DONE
    broken = {
        path for code, path, _c in codes(found) if code in {"broken_file", "broken_values"}
    }
    assert broken == {"cut.parquet", "lying.parquet", "garbage.parquet"}


def test_rows_are_numbered_alike_in_all_kinds_of_files(dataset):
    rows = [
        {"text": f"sentence {n} of {'cafÃ©' if n == 3 else 'some'} words"} for n in range(6)
    ]
    lines = "".join(json.dumps(row) + "\n" for row in rows).encode()

    found = looked_at(
        dataset,
        {"a.jsonl": lines, "b.json": json.dumps(rows).encode(),
         "c.parquet": parquet(text=[row["text"] for row in rows])},
    )  # fmt: skip

    assert [problem(found, "garbled", one)["rows"] for one in
            ("a.jsonl", "b.json", "c.parquet")] == [[4], [4], [4]]  # fmt: skip


def test_rows_of_a_test_that_are_in_the_training_are_told(dataset):
    text = "the desk in the hall opens at nine and closes at five on all days of the week"
    train = [f"{text} number {n} {n * 7}" for n in range(20)]
    test = [train[3], f"{train[5]} again", "something else that nobody wrote down before today"]

    found = looked_at(
        dataset,
        {"data/train.jsonl": _lines(train), "data/test.jsonl": _lines(test)},
    )

    assert problem(found, "leak", "data/test.jsonl")["rows"] == [1]
    near = problem(found, "near_leak", "data/test.jsonl")
    assert 2 in near["rows"]
    assert found.result["splits"] == {"train": 20, "test": 3}


def _lines(texts):
    return "".join(json.dumps({"text": text}) + "\n" for text in texts).encode()


def test_texts_that_are_nearly_the_same_are_told_with_their_double(dataset):
    words = [f"word{n}" for n in range(60)]
    one = " ".join(words)
    other = " ".join([*words[:-1], "changed"])
    apart = " ".join(reversed(words))

    found = problem(looked_at(dataset, {"a.jsonl": _lines([one, apart, other])}), "near_rows")

    assert found["pairs"] == [[3, "a.jsonl", 1]]
    assert found["count"] == 1


def test_languages_are_counted(dataset):
    dutch = "De balie van het ziekenhuis is vandaag de hele dag geopend voor iedereen."
    english = "The desk of the hospital is open all day today for everybody who comes."

    found = looked_at(dataset, {"a.txt": f"{dutch}\n{dutch}\n{english}\n".encode()})

    assert found.result["languages"] == {"rows": 3, "counts": {"nl": 2, "en": 1}}


def test_pictures_are_read_by_their_headers_only(dataset):
    files = {
        "img/a.png": png(640, 480),
        "img/b.png": png(640, 480),
        "img/bomb.png": png(60_000, 60_000),
        "img/cut.png": png(640, 480)[:-12],
        "img/fake.jpg": b"\xff\xd8\xff" + b"\xff" * 9000,
        "img/other.jpg": jpeg(320, 200),
    }

    found = looked_at(dataset, files)

    assert found.result["image"]["formats"] == {"PNG": 3, "JPEG": 1}
    assert problem(found, "broken_picture")["paths"] == ["img/cut.png", "img/fake.jpg"]
    assert problem(found, "huge_picture")["paths"] == ["img/bomb.png"]
    assert problem(found, "same_pictures")["paths"] == ["img/b.png"]


def png(width, height):
    def chunk(kind, content):
        body = kind + content
        return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IEND", b"")


def jpeg(width, height):
    size = b"\xff\xc0" + struct.pack(">HBHHB", 8, 8, height, width, 0)
    return b"\xff\xd8" + b"\xff\xe0" + struct.pack(">H", 4) + b"xx" + size + b"\xff\xd9"


def test_sounds_tell_how_long_they_are(dataset):
    def sound(rate, frames):
        out = io.BytesIO()
        with wave.open(out, "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(rate)
            file.writeframes(b"\0\0" * frames)
        return out.getvalue()

    found = looked_at(
        dataset,
        {"a.wav": sound(16_000, 32_000), "b.wav": sound(44_100, 44_100), "c.wav": b"RIFFxxxx"},
    )

    assert found.result["audio"]["seconds"] == 3
    assert found.result["audio"]["rates"] == {"16000": 1, "44100": 1}
    assert problem(found, "broken_sound")["paths"] == ["c.wav"]
    assert problem(found, "mixed_rates")["count"] == 2


def test_a_disk_that_is_full_ends_in_words(dataset, settings):
    settings.LOOK_DISK_BYTES = 1000

    found = looked_at(dataset, {"a.csv.gz": gzip.compress(b"a,b\n" + b"1,2\n" * 2_000_000)})

    assert found.state in {ErrandState.DONE, ErrandState.FAILED}
    assert problem(found, "bomb") if found.state == ErrandState.DONE else found.trouble
