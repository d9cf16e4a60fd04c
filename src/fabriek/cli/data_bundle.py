"""Many small files in one stream, as `tar` writes them: to the portal, and from it."""

import tarfile
from collections.abc import Iterator
from typing import BinaryIO

from fabriek.cli import http
from fabriek.cli.data_index import Local
from fabriek.cli.data_local import Told

BELOW_BYTES = 2**20  # what is smaller travels with others
BUNDLE_BYTES = 64 * 2**20
PIECE_BYTES = 2**20
BLOCK = 512
END = bytes(2 * BLOCK)

Named = tuple[str, Local]


def bundles(files: list[Named]) -> Iterator[list[Named]]:
    """Part them in streams of some 64 MiB: what breaks off costs no more than one of those."""
    some: list[Named] = []
    size = 0
    for name, file in files:
        some.append((name, file))
        size += file.size_bytes + BLOCK
        if size >= BUNDLE_BYTES:
            yield some
            some, size = [], 0
    if some:
        yield some


def send(code: str, files: list[Named], sha256s: dict[str, str], told: Told) -> None:
    """Send them, and see that they arrived as what they were."""
    headers = {name: _header(name, file.size_bytes) for name, file in files}
    size = sum(
        len(headers[name]) + file.size_bytes + -file.size_bytes % BLOCK for name, file in files
    )
    chunks = _large(_tar(files, headers, told))
    answer = http.post_stream(f"datasets/{code}/bundle", chunks, size + len(END))
    # By their hashes: the portal may write a name in another form than this computer does.
    arrived = set(answer["files"].values())
    for name, file in files:
        if sha256s[name] not in arrived:
            http.stop(f"{file.path} changed while it was sent. Run the command again.")


def received(stream: Iterator[bytes]) -> Iterator[tuple[str, bytes]]:
    """Read the files of a stream, whole, one after the other."""
    source = _Pieces(stream)
    with tarfile.open(fileobj=source, mode="r|", bufsize=PIECE_BYTES) as tar:  # type: ignore[call-overload]
        for entry in tar:
            content = tar.extractfile(entry)
            if content is not None:
                yield entry.name, content.read()


class _Pieces:
    """Pieces of a stream as something to read from."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self.pieces = pieces
        self.held = b""

    def read(self, size: int) -> bytes:
        parts = [self.held]
        have = len(self.held)
        while have < size and (piece := next(self.pieces, b"")):
            parts.append(piece)
            have += len(piece)
        all_of_it = b"".join(parts)
        self.held = all_of_it[size:]
        return all_of_it[:size]


def _tar(files: list[Named], headers: dict[str, bytes], told: Told) -> Iterator[bytes]:
    for name, file in files:
        yield headers[name]
        with open(file.path, "rb", buffering=0) as content:  # noqa: PTH123
            yield _exactly(content, file)
        yield bytes(-file.size_bytes % BLOCK)
        told(file.size_bytes)
    yield END


def _exactly(content: BinaryIO, file: Local) -> bytes:
    found = content.read(file.size_bytes + 1)
    if len(found) != file.size_bytes:
        http.stop(f"{file.path} changed while it was sent. Run the command again.")
    return found


def _header(name: str, size_bytes: int) -> bytes:
    entry = tarfile.TarInfo(name)
    entry.size = size_bytes
    return entry.tobuf(tarfile.PAX_FORMAT)


def _large(pieces: Iterator[bytes]) -> Iterator[bytes]:
    held: list[bytes] = []
    size = 0
    for piece in pieces:
        held.append(piece)
        size += len(piece)
        if size >= PIECE_BYTES:
            yield b"".join(held)
            held, size = [], 0
    yield b"".join(held)
