"""Lines that are no rows, read for personal data as the plain text they are."""

from dataclasses import dataclass, field

from fabriek.quality.worker import rules
from fabriek.quality.worker.lines import Places

WINDOW_BYTES = 2**16
OVERLAP_BYTES = 2**9  # longer than what is looked for, with the words around it
MOST_BYTES = 2**26  # of a file: some ten seconds


@dataclass(kw_only=True, slots=True)
class Unread:
    """`found`: by kind the lines on which it is; of how many times it is there, only once."""

    found: dict[str, Places]
    left: int = MOST_BYTES
    line: int = 0
    tail: bytes = b""
    kinds: set[str] = field(default_factory=set)

    @property
    def is_in_part(self) -> bool:
        """Tell whether there was more than is read."""
        return self.left < 0

    def read(self, line: int, piece: bytes) -> None:
        """Read on: the pieces of one line come behind each other."""
        if line != self.line:
            self.line, self.tail, self.kinds = line, b"", set()
        text = self.tail + piece[: max(0, self.left)]
        self.left -= len(piece)
        for at in range(0, len(text), WINDOW_BYTES):
            start, end = max(0, at - OVERLAP_BYTES), at + WINDOW_BYTES
            window = text[start:end].decode("utf-8", "replace")
            # What is cut off at an edge stands whole in the window beside it.
            is_cut = bool(start or self.tail), end < len(text)
            self._look_at(window, *is_cut)
        self.tail = text[-OVERLAP_BYTES:]

    def _look_at(self, text: str, is_cut_before: bool, is_cut_behind: bool) -> None:
        known = rules.current()
        if not known.chance.search(text):
            return
        for hit in known.hits(text):
            is_part = (is_cut_before and hit.start == 0) or (
                is_cut_behind and hit.end == len(text)
            )
            if not is_part and hit.kind not in self.kinds:
                self.kinds.add(hit.kind)
                self.found.setdefault(hit.kind, Places()).add(self.line)
