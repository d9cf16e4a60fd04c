"""Finds the pictures of a dataset and their labels, without opening one; light for the portal.

A folder for each label, or a `metadata.csv` with `file_name` and `label`. A folder with a word
like `test` in its name is kept apart for scoring; without one, what a column of it says.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from fabriek_recipes import split_column, tables
from fabriek_recipes.row_problems import RowProblem
from fabriek_recipes.rows import PROBLEMS_MAX, is_held_out
from fabriek_recipes.split_column import Parted
from fabriek_recipes.words import Sentence, _

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp"})
METADATA = "metadata.csv"
LABELS_MIN, LABELS_MAX = 2, 1_000
BYTES_MAX = 100_000_000
WHOLE = frozenset({"train", "training", "data", "images", "pictures"})


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture: its file, how it is called in the dataset, its label."""

    path: Path
    name: str
    label: str
    is_apart: bool


def find(dataset: Path) -> tuple[list[Picture], list[Sentence]]:
    """Give the pictures, and what is wrong with the first of those that will not do."""
    found: list[Picture] = []
    problems: list[Sentence] = []
    for item in _each(dataset):
        if isinstance(item, Picture) and item.path.stat().st_size > BYTES_MAX:
            text = _("%(name)s is larger than %(most)s MB; make it smaller.")
            item = Sentence(text, name=item.name[-200:], most=BYTES_MAX // 10**6)  # noqa: PLW2901
        if isinstance(item, Picture):
            found.append(item)
        else:
            problems.append(item)
        if len(problems) >= PROBLEMS_MAX:
            break
    return found, problems or _label_problems(found)


def check(dataset: Path) -> tuple[Sentence, ...]:
    """Say what is wrong with how the pictures are laid out."""
    return tuple(find(dataset)[1])


def divided_by(dataset: Path) -> Parted | None:
    """Give the column of `metadata.csv` that keeps pictures apart, if one does."""
    listed = sorted(dataset.rglob(METADATA))
    if any(_is_apart(dataset, path) for path in listed):
        return None
    return split_column.parted(
        ((path, line), dict(zip(names, cells, strict=True)))
        for path in listed
        for line, names, cells in _rows(path)
    )


def _rows(table: Path) -> Iterator[tuple[int, Sequence[str], Sequence[str | None]]]:
    """Give the rows that are whole; what is wrong with one is told when it is a picture."""
    for item in tables.rows(table):
        if not isinstance(item, RowProblem):
            yield item


def _each(dataset: Path) -> Iterator[Picture | Sentence]:
    listed = sorted(dataset.rglob(METADATA))
    if listed:
        by = divided_by(dataset)
        for path in listed:
            yield from _listed(dataset, path, by)
        return
    for path in sorted(dataset.rglob("*")):
        if path.suffix.lower() in SUFFIXES and path.is_file():
            name = path.relative_to(dataset)
            folders = name.parts[:-1]
            apart = any(is_held_out(PurePosixPath(folder)) for folder in folders[:1])
            labels = [one for one in folders if one.lower() not in WHOLE][apart:]
            if not labels:
                text = _(
                    "%(name)s lies in no folder of a label; put each picture in a folder that "
                    "is called as its label, or add metadata.csv."
                )
                yield Sentence(text, name=name.as_posix()[-200:])
                continue
            yield Picture(path, name.as_posix(), labels[-1], is_apart=apart)


def _is_apart(dataset: Path, table: Path) -> bool:
    folders = table.parent.relative_to(dataset).parts
    return any(is_held_out(PurePosixPath(folder)) for folder in folders)


def _listed(dataset: Path, table: Path, by: Parted | None) -> Iterator[Picture | Sentence]:
    place = table.parent.relative_to(dataset)
    is_apart = _is_apart(dataset, table)
    for item in tables.rows(table):
        if isinstance(item, RowProblem):
            yield item.sentence
            continue
        line, names, cells = item
        row = dict(zip(names, cells, strict=True))
        file, label = row.get("file_name"), row.get("label")
        if not file or not label:
            text = _("Line %(line)s of metadata.csv has no file_name or no label; add both.")
            yield Sentence(text, line=line)
            continue
        asked = PurePosixPath(file)
        path = table.parent / asked
        if asked.is_absolute() or ".." in asked.parts or not path.is_file():
            text = _("Line %(line)s of metadata.csv names %(name)s, which is not there.")
            yield Sentence(text, line=line, name=file[:200])
            continue
        if path.suffix.lower() not in SUFFIXES:
            text = _("Line %(line)s of metadata.csv names %(name)s, which is no picture.")
            yield Sentence(text, line=line, name=file[:200])
            continue
        said = by is not None and by.is_apart((table, line))
        yield Picture(path, (place / asked).as_posix(), label, is_apart=is_apart or said)


def _label_problems(found: Sequence[Picture]) -> list[Sentence]:
    labels = {one.label for one in found}
    if not found:
        text = _(
            "The dataset has no pictures (.jpg, .png, .webp or .bmp); put them in a folder for "
            "each label."
        )
        return [Sentence(text)]
    if len(labels) < LABELS_MIN:
        text = _("There is only one label, “%(name)s”; add rows with another.")
        return [Sentence(text, name=next(iter(labels))[:60])]
    if len(labels) > LABELS_MAX:
        text = _("There are %(count)s different labels; at most %(most)s can be told apart.")
        return [Sentence(text, count=len(labels), most=LABELS_MAX)]
    return []
