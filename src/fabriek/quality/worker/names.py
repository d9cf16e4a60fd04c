"""Names of people in text: asked of a program of its own that stays resident.

`deduce` (LGPL) needs a `regex` that others here cannot have beside it, and 7 seconds to start:
it lives in an environment of its own, made by `make .venv/names`. Without it names are not
looked for, and the result says so.
"""

import json
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

SERVER = Path(__file__).parent / "names_server.py"
MOST_CHARACTERS = 20_000  # at once; longer texts are read in pieces
OVERLAP_CHARACTERS = 500  # so that a name on a border is whole in one of both
END_S = 10


class Names:
    """Ask line by line; a program that stopped answering reads no more names.

    Whoever counts on names looks at `are_read` afterwards.
    """

    def __init__(self, asked: Sequence[str], *, memory_bytes: int) -> None:
        self.process: subprocess.Popen[str] | None = None
        self.are_read = False
        if asked:
            self._start(list(asked), memory_bytes)

    def found(self, text: str) -> list[tuple[int, int]]:
        """Give where names stand, as (start, end)."""
        found: list[tuple[int, int]] = []
        for start in range(0, max(1, len(text)), MOST_CHARACTERS - OVERLAP_CHARACTERS):
            if not self.are_read:
                return []
            piece = text[start : start + MOST_CHARACTERS]
            found += [(start + first, start + last) for first, last in self._in(piece)]
            if start + MOST_CHARACTERS >= len(text):
                break
        return _joined(found)

    def _in(self, piece: str) -> list[tuple[int, int]]:
        answer = self._ask({"text": piece})
        try:
            found = [(int(start), int(end)) for start, end in answer]  # type: ignore[attr-defined]
        except (TypeError, ValueError):
            self.are_read = False
            return []
        return [(start, end) for start, end in found if 0 <= start < end <= len(piece)]

    def close(self) -> None:
        """Let it end, as it does when nobody asks: behind our walls we may not kill it."""
        if self.process is None or not self.process.stdin or not self.process.stdout:
            return
        with suppress(OSError):
            self.process.stdin.close()
        self.process.stdout.close()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(END_S)

    def _start(self, asked: list[str], memory_bytes: int) -> None:
        python, cache = asked
        try:
            self.process = subprocess.Popen(
                [python, "-I", "-B", str(SERVER), cache, str(memory_bytes)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                env={},
                encoding="utf-8",
            )
        except OSError:
            return
        self.are_read = True
        self.are_read = self._ask({}) == "ready"

    def _ask(self, question: dict[str, str]) -> object:
        if self.process is None or not self.process.stdin or not self.process.stdout:
            return None
        try:
            self.process.stdin.write(json.dumps(question) + "\n")
            self.process.stdin.flush()
            return json.loads(self.process.stdout.readline())
        except (OSError, ValueError):
            self.are_read = False
            return None


def _joined(found: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Make one of what overlaps: both pieces may have found it, one of them half."""
    joined: list[tuple[int, int]] = []
    for start, end in sorted(found):
        if joined and start < joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined
