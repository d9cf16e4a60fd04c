"""A `.json` file that breaks off, or is broken: the rows before that, each on a line."""

import codecs
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from fabriek.quality.worker.lines import LINE_BYTES

CHUNK_BYTES = 2**22
BEGIN, BETWEEN = re.compile(r"\ufeff?\s*\[?"), re.compile(r"[\s,]*")
LINE_ENDS = str.maketrans("\r\n", "  ")


@dataclass(frozen=True, kw_only=True, slots=True)
class Salvaged:
    """`rows` whole ones, as JSON lines; behind `read_bytes` of the file is none."""

    rows: int
    read_bytes: int


def salvage(at: Path, target: Path) -> Salvaged:
    """Write what can be read of a list, or of objects behind each other, as JSON lines.

    The file is UTF-8. An element that is no object becomes one, as DuckDB names it.
    """
    rows = read_bytes = 0
    with at.open("rb") as file, target.open("w", encoding="utf-8") as out:
        for said, is_object, end in _elements(file):
            # No string holds a line end: these stand between the words of an element.
            line = said.translate(LINE_ENDS)
            out.write(f"{line}\n" if is_object else f'{{"json": {line}}}\n')
            rows, read_bytes = rows + 1, end
    return Salvaged(rows=rows, read_bytes=read_bytes)


def _elements(file: BinaryIO) -> Iterator[tuple[str, bool, int]]:
    """Give each whole element as it is written, whether it is an object, and where it ends."""
    read = json.JSONDecoder().raw_decode
    decode = codecs.getincrementaldecoder("utf-8")().decode
    text, gone_bytes = decode(file.read(CHUNK_BYTES)), 0
    at, is_end = _end(BEGIN, text, 0), False
    end_bytes = len(text[:at].encode())
    while True:
        start = _end(BETWEEN, text, at)
        try:
            element, end = read(text, start)
            is_whole = is_end or end < len(text)  # else a number may go on
        except (ValueError, RecursionError):
            is_whole = False
        if is_whole:
            end_bytes += len(text[at:end].encode())
            yield text[start:end], isinstance(element, dict), gone_bytes + end_bytes
            at = end
        elif is_end or len(text) - start > LINE_BYTES:
            return
        else:
            piece = file.read(CHUNK_BYTES)
            is_end = not piece
            gone_bytes, end_bytes = gone_bytes + end_bytes, 0
            text, at = text[at:] + decode(piece, final=is_end), 0


def _end(pattern: re.Pattern[str], text: str, at: int) -> int:
    match = pattern.match(text, at)
    return match.end() if match else at
