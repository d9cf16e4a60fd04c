"""Plain text as a model reads it: all texts counted, a few shown token by token."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil
from pathlib import Path, PurePosixPath

from fabriek.quality.worker import rules
from fabriek.quality.worker.job import Given, Job, Json, Trouble
from fabriek.runs.worker import settings
from fabriek.runs.worker.asked import OF_DATA, OF_MODEL, SETTINGS, TOKENIZER
from fabriek.runs.worker.count import Count
from fabriek.runs.worker.pieces import Pieces
from fabriek.runs.worker.reading import Found, Place
from fabriek.runs.worker.shown import HIDDEN, LEARNED, Laid, Token, said, shown, together
from fabriek_recipes import texts
from fabriek_recipes.conversations import Message, Row
from fabriek_recipes.pretrain_lm import pieces as learning
from fabriek_recipes.rows import RowProblem, is_held_out

# Counted in about four seconds on two processor cores.
BYTES_MAX = 16 * 2**20
# A tokenizer is learned from so much, in about three seconds; the run takes more.
LEARNED_BYTES = 3 * 2**20
BATCH = 256
TEXT, SIGNS = "text", "signs"


@dataclass(frozen=True, slots=True)
class Taken:
    """A text, and where it was found."""

    found: Found
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cut:
    """How texts become tokens: pieces, and how many signs stand around each text."""

    pieces: Pieces
    end: str
    signs: int


def seen(job: Job) -> Json:
    """Do what `job.asked` says.

    `count`: count all texts. `picks`: which to show, `[file, line]` each; with `count` those
    that it finds telling. `vocabulary`: how many pieces a tokenizer of its own gets; 0: that of
    the model is used. `hide`: whether no words are shown.
    """
    reading = Reading.of(job)
    cut = _cut(job, reading)
    told: Json = {}
    picks = [(Place(*one[:2]), str(one[2])) for one in job.asked.get("picks", [])]
    if job.asked["count"]:
        counted, words = _counted(job, reading, cut)
        told["count"] = counted.as_json() | settings.told(_model_files(job))
        told["count"] |= {"highest": cut.pieces.highest, "words": words}
        picks = counted.picks()
    why = dict(picks)
    hide = bool(job.asked.get("hide"))
    told["sample"] = [
        shown(one.found, [_laid(one.text, cut, hide=hide)], why=why[one.found.place])
        for one in _picked(reading, set(why))
    ]
    return told


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The files of a corpus: those to learn from first, then those kept apart."""

    learned: list[tuple[int, Given]]
    apart: list[tuple[int, Given]]
    every: int

    @classmethod
    def of(cls, job: Job) -> "Reading":
        data = [
            one
            for one in enumerate(job.files)
            if one[1].path.startswith(OF_DATA) and texts.is_text(PurePosixPath(one[1].path))
        ]
        apart = [one for one in data if is_held_out(PurePosixPath(one[1].path))]
        learned = [one for one in data if one not in apart]
        if not learned:
            learned, apart = apart, []
        size = sum(file.size_bytes for _at, file in data)
        return cls(learned=learned, apart=apart, every=max(1, ceil(size / BYTES_MAX)))

    def texts(self) -> Iterator[Taken | tuple[Place, RowProblem]]:
        """Give every so many texts, and each problem."""
        number = 0
        for is_apart, files in ((False, self.learned), (True, self.apart)):
            for at, file in files:
                named = PurePosixPath(file.path)
                for line, one in texts.numbered(file.at, named):
                    if isinstance(one, RowProblem):
                        yield Place(at, one.line), one
                        continue
                    number += 1
                    if (number - 1) % self.every == 0:
                        yield Taken(Found(Place(at, line), _row(line, one), is_apart), one)


def _row(line: int, text: str) -> Row:
    """Put a text where a row is counted: all of it is what another may be the same as."""
    return Row(line, (Message("system", text), Message("assistant", "")))


def _cut(job: Job, reading: Reading) -> _Cut:
    files = _model_files(job)
    if vocabulary := int(job.asked["vocabulary"]):
        made = learning.train(_first(reading), vocabulary)
        path = job.temporary / TOKENIZER
        made.save(str(path))
        plain = Pieces(path, signs_are_text=True)
        return _Cut(pieces=plain, end=learning.END, signs=1)
    if TOKENIZER not in files:
        raise Trouble("no_tokenizer")
    pieces = Pieces(files[TOKENIZER], signs_are_text=True)
    end = _end(files)
    if not end:
        raise Trouble("no_end")
    pieces.note(end)
    return _Cut(pieces=pieces, end=end, signs=1 + pieces.signs_before())


def _first(reading: Reading) -> Iterator[str]:
    left = LEARNED_BYTES
    for one in reading.texts():
        if isinstance(one, Taken):
            left -= len(one.text)
            yield one.text
        if left <= 0:
            return


def _counted(job: Job, reading: Reading, cut: _Cut) -> tuple[Count, int]:
    count = Count(every=reading.every)
    ends_at = time.monotonic() + float(job.asked["count_s"])
    words = 0
    some: list[Taken] = []
    for one in reading.texts():
        if not isinstance(one, Taken):
            count.note_problem(*one)
            continue
        some.append(one)
        words += 0 if one.found.is_apart else len(one.text.split())
        if len(some) >= BATCH:
            _note(count, some, cut)
            some = []
            if time.monotonic() > ends_at:
                count.is_cut_short = True
                break
    _note(count, some, cut)
    return count, words


def _note(count: Count, some: list[Taken], cut: _Cut) -> None:
    sizes = cut.pieces.counts([one.text for one in some]) if some else []
    for one, size in zip(some, sizes, strict=True):
        tokens = size + cut.signs
        count.note(one.found, tokens=tokens, read=tokens, learned=tokens)


def _picked(reading: Reading, places: set[Place]) -> Iterator[Taken]:
    left = set(places)
    for one in reading.texts():
        if not left:
            return
        if isinstance(one, Taken) and one.found.place in left:
            left.discard(one.found.place)
            yield one


def _laid(text: str, cut: _Cut, *, hide: bool) -> Laid:
    """Cut a text into tokens; what looks like personal data is hidden, or all of it."""
    secret = [(hit.start, hit.end) for hit in rules.current().hits(text)]
    spans = cut.pieces.spans(text)
    tokens: list[Token] = [
        (HIDDEN if hide else said(text, span, secret), TEXT, LEARNED)
        for span in together(spans)
    ]
    tokens.append((cut.end, SIGNS, LEARNED))
    size = len(spans) + cut.signs
    return Laid(tokens=tokens, answer_at=0, size=size, learned=size)


def _model_files(job: Job) -> dict[str, Path]:
    return {
        file.path.removeprefix(OF_MODEL): file.at
        for file in job.files
        if file.path.startswith(OF_MODEL)
    }


def _end(files: dict[str, Path]) -> str:
    """Read the sign that ends a text from the settings of a tokenizer."""
    try:
        told = json.loads(files[SETTINGS].read_text())["eos_token"]
        return str(told["content"] if isinstance(told, dict) else told or "")
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return ""
