"""What a command prints, line by line as it comes: an accounting may be longer than memory."""

import os
import select
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from typing import IO

from fabriek.engines.base import EngineDown

PIECE_BYTES = 65_536
# Longer than any name that a user can give to a job.
LINE_BYTES_MAX = 2**20


def lines(
    words: Sequence[str], *, environment: dict[str, str], patience_s: float
) -> Iterator[str]:
    """Start the command and give its lines; it may be silent for `patience_s` at a time.

    Who stops reading ends the command.

    Raises: EngineDown, when it cannot be run, is silent for too long, or ends badly. What was
    given before that may be all there is of it, but nobody knows.
    """
    with tempfile.TemporaryFile() as wrong:
        try:
            process = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=wrong,
                env=environment,
                cwd="/",
            )
        except (OSError, ValueError) as error:
            raise EngineDown(f"{words[0]} cannot be run: {error}") from error
        with process:
            try:
                yield from _lines(_pieces(process.stdout, patience_s))
                process.wait(patience_s)
            except subprocess.TimeoutExpired as error:
                raise EngineDown(f"{words[0]} does not end.") from error
            finally:
                # Over SSH this is a shell around a client, which ends when nobody reads it. All
                # of its group would be too much: the connection may be that of other commands.
                process.kill()
        if process.returncode:
            wrong.seek(0)
            raise EngineDown(wrong.read(PIECE_BYTES).decode("utf-8", "replace").strip()[:300])


def _pieces(pipe: IO[bytes] | None, patience_s: float) -> Iterator[bytes]:
    assert pipe is not None  # Popen gives one when asked for
    while True:
        ready, _, _ = select.select([pipe], [], [], patience_s)
        if not ready:
            raise EngineDown(f"No answer within {patience_s:.0f} seconds.")
        piece = os.read(pipe.fileno(), PIECE_BYTES)
        if not piece:
            return
        yield piece


def _lines(pieces: Iterator[bytes]) -> Iterator[str]:
    rest = b""
    for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n")
        for line in whole:
            yield line.decode("utf-8", "replace")
        if len(rest) > LINE_BYTES_MAX:
            raise EngineDown("An answer has a line that is too long.")
    if rest:
        yield rest.decode("utf-8", "replace")
