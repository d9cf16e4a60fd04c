"""The contract between portal and recipe: manifest, events, offsets."""

import json
import os

import pytest

from fabriek_recipes.run_folder import (
    Events,
    InputRef,
    Limits,
    Manifest,
    read_events,
    read_manifest,
    write_manifest,
)
from fabriek_recipes.words import Failed, Sentence

MANIFEST = Manifest(
    key="run-1",
    recipe="finetune_lm",
    knobs={"epochs": 2, "method": "lora"},
    inputs={"dataset": InputRef(kind="dataset", revision="r1", path="inputs/dataset")},
    seed=3,
    limits=Limits(gpus=1, timeout_s=60),
    code_version="abc",
)


def test_a_manifest_comes_back_as_it_was_written(tmp_path):
    write_manifest(tmp_path / "run", MANIFEST)

    assert read_manifest(tmp_path / "run") == MANIFEST
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["run.json"]


@pytest.mark.parametrize(
    "change",
    [
        {"format": 2},
        {"inputs": {"dataset": {"kind": "dataset", "revision": "r", "path": "../secret"}}},
        {"inputs": {"dataset": {"kind": "dataset", "revision": "r", "path": "/etc"}}},
        {"inputs": {"dataset": {"kind": "program", "revision": "r", "path": "inputs/x"}}},
        {"limits": {}},
        {"seed": "x"},
    ],
)
def test_a_manifest_that_will_not_do_is_refused_in_one_sentence(tmp_path, change):
    write_manifest(tmp_path, MANIFEST)
    raw = json.loads((tmp_path / "run.json").read_text()) | change
    (tmp_path / "run.json").write_text(json.dumps(raw))

    with pytest.raises(Failed) as refusal:
        read_manifest(tmp_path)

    assert refusal.value.code == "bad_manifest"


@pytest.mark.parametrize("text", ["", "{", "[]", "[" * 100_000, '{"format": 1}'])
def test_a_broken_manifest_is_refused(tmp_path, text):
    (tmp_path / "run.json").write_text(text)

    with pytest.raises(Failed):
        read_manifest(tmp_path)


def test_events_are_read_once_by_offset(tmp_path):
    path = tmp_path / "events.jsonl"
    with Events(path) as events:
        events.stage("Learning")
        first, offset = read_events(path)
        events.metrics(5, loss=1.5)

        second, end = read_events(path, offset)

    assert [event.kind for event in first] == ["stage"]
    assert [event.fields for event in second] == [{"step": 5, "values": {"loss": 1.5}}]
    assert read_events(path, end) == ([], end)


def test_half_a_line_is_waited_for_and_never_lost(tmp_path):
    path = tmp_path / "events.jsonl"
    line = b'{"at": 1.0, "kind": "stage", "name": "caf\xc3\xa9"}\n'
    seen, offset = [], 0

    for size in range(len(line) + 1):
        path.write_bytes(line[:size])
        events, offset = read_events(path, offset)
        seen.append(len(events))

    assert seen == [0] * len(line) + [1]
    assert offset == len(line)


def test_a_missing_file_is_no_events_yet(tmp_path):
    assert read_events(tmp_path / "events.jsonl", 0) == ([], 0)


def test_a_number_that_is_not_finite_becomes_null(tmp_path):
    with Events(tmp_path / "events.jsonl") as events:
        events.metrics(1, loss=float("nan"), rate=float("inf"))

    (event,), _offset = read_events(tmp_path / "events.jsonl")
    text = (tmp_path / "events.jsonl").read_text()

    assert event.fields["values"] == {"loss": None, "rate": None}
    assert "NaN" not in text


def test_a_line_torn_by_a_killed_writer_does_not_spoil_the_next(tmp_path):
    path = tmp_path / "events.jsonl"
    path.write_bytes(b'{"at": 1.0, "kind": "sta')

    with Events(path) as events:
        events.stage("Learning")
    found, _offset = read_events(path)

    assert [event.kind for event in found] == ["unreadable", "stage"]


def test_half_a_line_on_a_full_disk_is_told_and_does_not_spoil_the_next(tmp_path, monkeypatch):
    path, write = tmp_path / "events.jsonl", os.write
    with Events(path) as events:
        monkeypatch.setattr(os, "write", lambda file, line: write(file, line[:20]))
        with pytest.raises(OSError, match="No space left"):
            events.stage("Learning")
        monkeypatch.setattr(os, "write", write)
        events.stage("Saving")

    assert [event.kind for event in read_events(path)[0]] == ["unreadable", "stage"]


@pytest.mark.parametrize(
    "line", [b"[1]", b"{}", b"\xff", b"NaN", b'{"kind": 3}', b"[" * 50_000]
)
def test_a_line_that_is_no_event_is_called_unreadable(tmp_path, line):
    (tmp_path / "events.jsonl").write_bytes(line + b"\n")

    (event,), offset = read_events(tmp_path / "events.jsonl")

    assert event.kind == "unreadable"
    assert offset == len(line) + 1


def test_one_read_is_bounded_and_reading_on_gives_the_rest(tmp_path):
    path = tmp_path / "events.jsonl"
    with Events(path) as events:
        for step in range(50):
            events.metrics(step, loss=1.0)
    steps, offset = [], 0

    while True:
        found, after = read_events(path, offset, max_bytes=200)
        if after == offset:
            break
        assert after - offset <= 200
        steps += [event.fields["step"] for event in found]
        offset = after

    assert steps == list(range(50))


def test_a_line_longer_than_a_read_does_not_hold_the_reader_for_ever(tmp_path):
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"x" * 500 + b'\n{"at": 1, "kind": "stage", "name": "a"}\n')
    kinds, offset = [], 0

    while offset < path.stat().st_size:
        found, offset = read_events(path, offset, max_bytes=200)
        kinds += [event.kind for event in found]

    assert kinds[-1] == "stage"


def test_each_event_is_written_at_once(tmp_path):
    events = Events(tmp_path / "events.jsonl")

    events.warning("odd", Sentence("%(count)s rows were left out.", count=3))

    (event,), _offset = read_events(tmp_path / "events.jsonl")
    os.close(events.descriptor)
    assert event.fields == {
        "code": "odd",
        "text": "3 rows were left out.",
        "msgid": "%(count)s rows were left out.",
        "values": {"count": 3},
    }


def test_a_very_long_answer_is_cut_so_that_its_line_stays_short(tmp_path):
    with Events(tmp_path / "events.jsonl") as events:
        events.sample("é" * 100_000, "b" * 100_000, "c" * 100_000, "after")

    assert (tmp_path / "events.jsonl").stat().st_size < 64 * 1024
