"""Read a source of which it was said beforehand how long it is: no more, and no less."""

from collections.abc import Iterator
from itertools import chain

from django.utils.translation import gettext as _

from fabriek.kernel.errors import Invalid
from fabriek.store import paths
from fabriek.store.incoming import CHUNK_BYTES, Source, chunks_of


def exactly(source: Source, size_bytes: int, path: str) -> Iterator[bytes]:
    """Give what comes, and refuse when it is not as much as was said."""
    left = size_bytes
    for chunk in _at_most(source, max(size_bytes, 0)):
        left -= len(chunk)
        if left < 0:
            break
        yield chunk
    if left:
        raise Invalid(
            _(
                "“%(path)s” is not as long as was announced, so nothing of it was kept. "
                "Send it again."
            )
            % {"path": paths.shortened(path)},
            code="other_size",
        )


def _at_most(source: Source, size_bytes: int) -> Iterator[bytes]:
    """Read no further than the file goes: behind it another may begin in the same stream."""
    read = getattr(source, "read", None)
    if read is None:
        yield from chunks_of(source)
        return
    left = size_bytes
    while left and (chunk := read(min(left, CHUNK_BYTES))):
        left -= len(chunk)
        yield chunk


def whole(source: Source, size_bytes: int, path: str) -> bytes:
    """Read a small file: most come whole, with one call. Raises: Invalid."""
    read = getattr(source, "read", None)
    if read is not None:
        first: bytes = read(size_bytes)
        if len(first) == size_bytes:
            return first
        source = chain([first], _at_most(source, size_bytes - len(first)))
    return b"".join(exactly(source, size_bytes, path))
