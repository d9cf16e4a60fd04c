"""A file that is too much for a worker is left out and named; the others are looked at."""

import json

import pyarrow as pa
import pytest

from fabriek.quality import again, folders
from fabriek.quality.states import ErrandState
from tests.quality.conftest import looked_at
from tests.quality.test_worker import CSV, job, looked, parquet

__all__ = ["job", "looked"]

FILES = [{"path": f"{name}.csv", "name": name} for name in ("1", "2", "3")]
READ = {"name": "2", "is_fair": True, "guilty": [], "heaviest": "1"}
UNFAIR = READ | {"is_fair": False}


@pytest.mark.django_db(transaction=True)
def test_a_packed_column_is_named_and_costs_no_other_file_its_look(dataset, settings):
    """A thousand cells of half a megabyte are some hundred bytes on the disk."""
    settings.LOOK_MEMORY_BYTES = 2**29
    cells = pa.DictionaryArray.from_arrays(pa.array([0] * 1000, pa.int32()), ["x" * 500_000])
    packed = parquet(text=cells)
    text = b"tell us what you think of it\n" * 20

    found = looked_at(dataset, {"a.csv": CSV, "b.parquet": packed, "c.csv": CSV, "d.txt": text})

    assert (found.state, found.trouble) == (ErrandState.DONE, "")
    assert {one["path"]: one.get("rows") for one in found.result["files"]} == {
        "a.csv": 20,
        "b.parquet": None,
        "c.csv": 20,
        "d.txt": 20,
    }
    wrong = [one for one in found.result["problems"] if one["severity"] == "wrong"]
    assert [one["path"] for one in wrong] == ["b.parquet"]
    assert wrong[0]["code"] in {"too_much_memory", "none_left_beside"}


@pytest.mark.parametrize(
    ("told", "asked", "next_asked"),
    [
        # Behind others it may be innocent, also where the process died: it comes first then.
        (READ, {}, {"first": "2", "tried": ["2"]}),
        # There it failed again: it is to blame itself.
        (READ, {"first": "2", "tried": ["2"]}, {"aside": {"2": "stopped_reading"}}),
        # There it did not fail, so another left it too little.
        (UNFAIR, {"first": "3", "tried": ["2"]}, {"aside": {"1": "none_left_beside"}}),
        (UNFAIR | {"guilty": ["3"]}, {}, {"aside": {"3": "too_much_memory"}}),
        # All files together.
        (UNFAIR | {"name": ""}, {}, {"aside": {"1": "none_left_beside"}}),
    ],
)
def test_blame_is_proven(tmp_path, told, asked, next_asked):
    laid(tmp_path, told, asked)

    assert again.lay(tmp_path)

    after = json.loads((tmp_path / folders.ASKED).read_text())
    assert {name: after[name] for name in next_asked} == next_asked
    assert not folders.was_started(tmp_path)
    assert folders.told(tmp_path, folders.RESULT) is None


@pytest.mark.parametrize(
    ("told", "asked"),
    [
        (None, {}),  # it was killed before it read a file
        (READ | {"name": ""}, {}),
        (UNFAIR, {"again": again.MOST_AGAIN}),
        # Told by what took the worker over.
        ({"name": "../x", "is_fair": 0, "guilty": [[], "9"], "heaviest": {}}, {}),
    ],
)
def test_it_ends_where_nobody_can_be_named(tmp_path, told, asked):
    laid(tmp_path, told, asked)

    assert not again.lay(tmp_path)

    assert folders.was_started(tmp_path)


def laid(folder, told, asked):
    (folder / "told").mkdir()
    (folder / folders.ASKED).write_text(json.dumps({"files": FILES} | asked))
    (folder / folders.PID).write_text("1")
    (folder / folders.RESULT).write_text("{}")
    if told is not None:
        (folder / folders.READING).write_text(json.dumps(told))


def test_what_is_left_out_is_told_and_what_comes_first_changes_no_word(looked):
    files = {"a.csv": CSV, "b.csv": b"v\n1\n2\n", "c.csv": CSV}

    plain = looked(files)
    first = looked(files, first="3")
    without = looked(files, aside={"2": "stopped_reading"})

    assert first == plain
    assert [(one["path"], one.get("broken")) for one in without["files"]] == [
        ("a.csv", None),
        ("b.csv", "stopped_reading"),
        ("c.csv", None),
    ]
    assert ("stopped_reading", "b.csv") in {
        (one["code"], one["path"]) for one in without["problems"]
    }
