"""The events of a run: written line by line on the engine, read by offset in the portal."""

from __future__ import annotations

import contextlib
import errno
import json
import math
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Literal, cast

from fabriek_recipes.words import Sentence

# A line stays far below what one read takes in, so that a reader can never get stuck on it.
LINE_BYTES_MAX = 64 * 1024
READ_BYTES_MAX = 1024 * 1024
TEXT_CHARACTERS_MAX = 4_000

Json = str | int | float | bool | None | list["Json"] | dict[str, "Json"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One line: stage, progress, metrics, warning, failure, sample, result or measured.

    `unreadable` stands for a line that is no event: its writer was killed halfway.
    """

    at: float
    kind: str
    fields: Mapping[str, Json]


def read_events(
    path: Path, offset: int = 0, *, max_bytes: int = READ_BYTES_MAX
) -> tuple[list[Event], int]:
    """Give the whole lines after `offset` and the offset to continue at.

    A missing file is no events yet.
    """
    try:
        with path.open("rb") as file:
            return events_in(file, offset, max_bytes=max_bytes)
    except FileNotFoundError:
        return [], offset


def events_in(
    file: BinaryIO, offset: int = 0, *, max_bytes: int = READ_BYTES_MAX
) -> tuple[list[Event], int]:
    """Give the whole lines after `offset` and the offset to continue at.

    Half a line at the end is left for the next call. At most `max_bytes` are read: call again
    until the offset stands still.
    """
    file.seek(offset)
    chunk = file.read(max_bytes)
    end = chunk.rfind(b"\n") + 1
    if end == 0 and len(chunk) == max_bytes:
        end = max_bytes  # a line no writer of ours makes: step over it, do not wait for ever
    return [_event(line) for line in chunk[:end].split(b"\n") if line.strip()], offset + end


class Events:
    """The writer: each event is one line, one write, at once visible to the reader."""

    def __init__(self, path: Path) -> None:
        """Open for appending; a line torn by an earlier death is closed first."""
        self._path = path
        self._is_torn = False
        self._file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o640)
        if (size := os.fstat(self._file).st_size) and os.pread(
            self._file, 1, size - 1
        ) != b"\n":
            os.write(self._file, b"\n")

    def __enter__(self) -> Events:
        """Give itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the file."""
        os.close(self._file)

    @property
    def descriptor(self) -> int:
        """The open file, for locking."""
        return self._file

    def stage(self, name: str) -> None:
        """Say which part of the work begins (an English msgid)."""
        self._write("stage", name=name)

    def progress(self, done: int, total: int, unit: str) -> None:
        """Say how far the present stage is."""
        self._write("progress", done=done, total=total, unit=unit)

    def metrics(self, step: int, **values: float) -> None:
        """Record figures of a step; what is not a finite number becomes null."""
        self._write("metrics", step=step, values=dict(values))

    def warning(self, code: str, sentence: Sentence) -> None:
        """Say something people should know that does not stop the run."""
        self._write("warning", code=code, **_told(sentence))

    def failure(self, code: str, sentence: Sentence) -> None:
        """Say why the run stops and what to do."""
        self._write("failure", code=code, **_told(sentence))

    def sample(
        self,
        prompt: str,
        expected: str,
        answer: str,
        when: Literal["before", "after"] | int,
    ) -> None:
        """Show one answer of the model beside what was expected; `when` may be a step."""
        texts = {"prompt": prompt, "expected": expected, "answer": answer}
        cut: dict[str, Json] = {
            name: text[:TEXT_CHARACTERS_MAX] for name, text in texts.items()
        }
        self._write("sample", when=when, **cut)

    def result(self, scores: Mapping[str, float | None]) -> None:
        """Give the final scores."""
        self._write("result", scores=dict(scores))

    def measured(self, **figures: float) -> None:
        """Say what the run took: of a dry run its steps, of any the energy, where counted."""
        self._write("measured", figures=dict(figures))

    def _write(self, kind: str, **fields: Json) -> None:
        event = finite({"at": round(time.time(), 3), "kind": kind, **fields})
        line = json.dumps(event, ensure_ascii=False, allow_nan=False).encode("utf-8", "replace")
        if len(line) >= LINE_BYTES_MAX:
            raise ValueError(f"an event of {len(line)} bytes; the most is {LINE_BYTES_MAX}")
        line = (b"\n" if self._is_torn else b"") + line + b"\n"
        written = os.write(self._file, line)
        self._is_torn = written < len(line)
        if self._is_torn:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self._path))


class Silent(Events):
    """Says nothing: for the processes of a run that only follow the first."""

    def __init__(self) -> None:
        """Open nothing."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close nothing."""

    def _write(self, kind: str, **fields: Json) -> None:
        """Leave it unsaid."""


def finite(value: Json) -> Json:
    """Replace every number that JSON cannot say by null."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {str(name): finite(item) for name, item in value.items()}
    if isinstance(value, list):
        return [finite(item) for item in value]
    return value


def _told(sentence: Sentence) -> dict[str, Json]:
    # The template travels with the text, so that the portal can say the same in Dutch.
    text = str(sentence)[:TEXT_CHARACTERS_MAX]
    values: dict[str, Json] = {
        name: value[:TEXT_CHARACTERS_MAX] if isinstance(value, str) else value
        for name, value in sentence.values.items()
    }
    return {"text": text, "msgid": sentence.msgid, "values": values}


def _event(line: bytes) -> Event:
    with contextlib.suppress(ValueError, OverflowError, RecursionError):
        raw = json.loads(line, parse_constant=lambda _word: None)
        if isinstance(raw, dict) and isinstance(kind := raw.pop("kind", None), str):
            at = raw.pop("at", 0.0)
            number = isinstance(at, int | float) and not isinstance(at, bool)
            fields = cast("dict[str, Json]", finite(raw))
            return Event(at=float(at) if number else 0.0, kind=kind, fields=fields)
    return Event(
        at=0.0, kind="unreadable", fields={"text": line[:200].decode("utf-8", "replace")}
    )
