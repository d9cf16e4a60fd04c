"""A tokenizer from its file alone: how many tokens, and which letters each stands for."""

from collections.abc import Callable, Sequence
from pathlib import Path

from tokenizers import Encoding, Tokenizer

from fabriek.quality.worker.job import Trouble

# That of the largest open models is some 35 MB.
FILE_BYTES_MAX = 128 * 2**20
# What stands before it stands before any text.
ANY = "a"

Span = tuple[int, int]


class Pieces:
    def __init__(self, path: Path, *, signs_are_text: bool = False) -> None:
        """Read the file. Raises: Trouble, when it is no tokenizer.

        `signs_are_text`: letters that look like a sign of the model are letters. `highest`
        is the highest number of any token it gave when it counted.
        """
        self.highest = 0
        if path.stat().st_size > FILE_BYTES_MAX:
            raise Trouble("bad_tokenizer")
        try:
            self._tokenizer = Tokenizer.from_file(str(path))
            self._tokenizer.no_truncation()
            self._tokenizer.no_padding()
            self._tokenizer.encode_special_tokens = signs_are_text
        except Trouble:
            raise
        # Whatever its parser says of a stranger's file, also a panic, which is no Exception.
        except BaseException as why:
            raise Trouble("bad_tokenizer") from why

    def counts(self, texts: Sequence[str]) -> list[int]:
        # Without keeping which letters: a third less work.
        found = self._encoded(texts, self._tokenizer.encode_batch_fast)
        self.highest = max(self.highest, *(max(one.ids, default=0) for one in found), 0)
        return [len(one) for one in found]

    def note(self, sign: str) -> None:
        """Count a sign that stands beside every text among those it gave."""
        self.highest = max(self.highest, self._tokenizer.token_to_id(sign) or 0)

    def signs_before(self) -> int:
        """Count the signs that it puts before any text."""
        try:
            bare = self._tokenizer.encode(ANY, add_special_tokens=False).ids
            dressed = self._tokenizer.encode(ANY).ids
        except BaseException as why:  # as below
            raise Trouble("bad_tokenizer") from why
        places = range(len(dressed) - len(bare) + 1)
        return next((at for at in places if dressed[at : at + len(bare)] == bare), 0)

    def spans(self, text: str) -> list[Span]:
        """Say which letters each token stands for."""
        found = self._encoded([text], self._tokenizer.encode_batch)[0]
        return [(start, end) for start, end in found.offsets]

    def _encoded(
        self, texts: Sequence[str], encode: Callable[..., list[Encoding]]
    ) -> list[Encoding]:
        try:
            return list(encode(list(texts), add_special_tokens=False))
        except Trouble:
            raise
        except BaseException as why:  # as above
            raise Trouble("bad_tokenizer") from why
