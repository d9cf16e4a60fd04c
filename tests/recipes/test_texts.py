"""A corpus is read from many kinds of files, one text at a time; its size is known early."""

import gzip
import json

import pyarrow
import pytest
from pyarrow import parquet

from fabriek_recipes import texts
from fabriek_recipes.pretrain_lm.shards import dealt
from fabriek_recipes.rows import RowProblem

TEXTS = ["Een zin.\nNog een.", "Een andere tekst.", "De derde."]


def written(folder, name, made=TEXTS):
    rows = "".join(json.dumps({"text": text}) + "\n" for text in made).encode()
    plain = "\n\n".join(made).encode()
    path = folder / name
    match path.suffixes:
        case [".jsonl"]:
            path.write_bytes(rows)
        case [".txt"]:
            path.write_bytes(plain)
        case [".jsonl", ".gz"]:
            path.write_bytes(gzip.compress(rows))
        case [".txt", ".gz"]:
            path.write_bytes(gzip.compress(plain))
        case [".jsonl", ".zst"]:
            path.write_bytes(pyarrow.compress(rows, codec="zstd", asbytes=True))
        case [".parquet"]:
            table = pyarrow.table({"id": [[1]] * len(made), "text": made})
            parquet.write_table(table, path)
    return path


@pytest.mark.parametrize(
    "name", ["a.jsonl", "a.txt", "a.jsonl.gz", "a.txt.gz", "a.jsonl.zst", "a.parquet"]
)
def test_every_kind_of_file_gives_the_same_texts(tmp_path, name):
    path = written(tmp_path, name)

    assert list(texts.read(path)) == TEXTS
    assert texts.files_of(tmp_path).train == (path,)
    told = sum(len(text.encode()) for text in TEXTS)
    assert told <= texts.size_of(path).text_bytes < told + 100


def test_other_files_are_no_text(tmp_path):
    for name in ("a.gz", "b.md", "c.parquet.gz", "d.csv", "e.zst"):
        (tmp_path / name).write_bytes(b"x")

    assert texts.files_of(tmp_path).train == ()


@pytest.mark.parametrize("name", ["a.jsonl.gz", "a.jsonl.zst", "a.txt.gz"])
@pytest.mark.parametrize("bad", [b"no archive at all", b"", None])
def test_what_cannot_be_unpacked_is_told(tmp_path, name, bad):
    path = tmp_path / name
    if bad is None:
        whole = written(tmp_path, f"b{path.name}", TEXTS * 400).read_bytes()
        bad = whole[: len(whole) // 2] if name != "a.txt.gz" else whole[:-9] + b"123456789"
    path.write_bytes(bad)

    problems = [item for item in texts.read(path) if isinstance(item, RowProblem)]

    assert len(problems) == 1
    assert "unpacked" in problems[0].sentence or "has no" in problems[0].sentence
    assert texts.size_of(path).text_bytes >= 0


def test_a_table_without_a_column_of_text_is_told(tmp_path):
    path = tmp_path / "a.parquet"
    parquet.write_table(pyarrow.table({"text": [1, 2]}), path)
    other = tmp_path / "b.parquet"
    parquet.write_table(pyarrow.table({"tekst": ["a"]}), other)

    for each in (path, other):
        (problem,) = texts.read(each)
        assert isinstance(problem, RowProblem)
        assert "has no column “text”" in str(problem.sentence)


def test_an_empty_cell_of_a_table_is_named_by_its_row(tmp_path):
    path = tmp_path / "a.parquet"
    parquet.write_table(pyarrow.table({"text": ["a", None, "b"]}), path)

    found = list(texts.read(path))

    assert found[0] == "a"
    assert str(found[1].sentence) == "Line 2 has no text; add it."


def test_a_text_has_the_line_it_begins_at(tmp_path):
    (tmp_path / "a.txt").write_text("\n\neen\ntwee\n\n\ndrie\n")

    found = list(texts.numbered(tmp_path / "a.txt"))

    assert found == [(3, "een\ntwee"), (7, "drie")]


def test_the_size_of_a_packed_file_is_guessed_from_its_beginning(tmp_path, monkeypatch):
    monkeypatch.setattr(texts, "SAMPLE_BYTES", 1_000_000)
    made = [f"Tekst nummer {number}, over de brug en het plein." for number in range(40_000)]
    whole = sum(len(text) + 13 for text in made)
    packed, plain = written(tmp_path, "a.jsonl.gz", made), written(tmp_path, "b.jsonl", made)

    assert texts.size_of(packed).text_bytes == pytest.approx(whole, rel=0.3)
    assert texts.size_of(packed).texts == pytest.approx(40_000, rel=0.3)
    assert texts.size_of(plain).text_bytes == pytest.approx(whole, rel=0.01)


def test_of_many_files_some_of_each_kind_are_opened_for_their_size(tmp_path, monkeypatch):
    monkeypatch.setattr(texts, "FILES_OPENED", 12)
    for number in range(90):
        written(tmp_path, f"{number:02d}.jsonl.gz", [*TEXTS, "x" * (number % 9)])
    written(tmp_path, "one.txt")
    paths = texts.files_of(tmp_path).train
    exact = [texts.size_of(path) for path in paths]
    opened = []
    by_itself = texts.size_of
    monkeypatch.setattr(
        texts,
        "size_of",
        lambda path, **sample: opened.append(path) or by_itself(path, **sample),
    )

    found = texts.size_of_all(paths)

    assert len(opened) <= 13
    assert found.text_bytes == pytest.approx(sum(one.text_bytes for one in exact), rel=0.05)
    assert found.texts == pytest.approx(sum(one.texts for one in exact), rel=0.05)


def test_small_files_are_dealt_out_together_and_large_ones_alone(tmp_path, monkeypatch):
    monkeypatch.setattr("fabriek_recipes.pretrain_lm.shards.SHARD_BYTES", 100)
    for name, size in (("a", 40), ("b", 70), ("c", 500), ("d", 10)):
        (tmp_path / f"{name}.txt").write_text("x" * size)
    files = texts.files_of(tmp_path).train

    shards = dealt(files)

    assert [[path.stem for path in each.files] for each in shards] == [["a", "b"], ["c"], ["d"]]
    assert [each.number for each in shards] == [0, 1, 2]


def test_of_a_large_corpus_only_the_beginning_can_be_taken(tmp_path):
    (tmp_path / "a.txt").write_text("\n\n".join(["x" * 10] * 10))
    (tmp_path / "b.txt").write_text("\n\n".join(["y" * 10] * 10))
    files = texts.files_of(tmp_path).train

    shards = dealt(files, bytes_max=150)
    few = dealt(files, bytes_max=35)

    told = [text[0] for shard in shards for text in shard.texts(by_line=False)]
    assert (told.count("x"), told.count("y")) == (10, 5)
    assert [len(text) for shard in few for text in shard.texts(by_line=False)] == [10] * 3
