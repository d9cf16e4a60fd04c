"""Many small files in one stream, as `tar` writes them: to the portal, and from it."""

import hashlib
import tarfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import httpx

from fabriek import tar_header
from fabriek.cli import data_patience, http
from fabriek.cli.data_index import Local
from fabriek.cli.data_local import SMALL_BYTES, Told, content_of

BELOW_BYTES = SMALL_BYTES  # what is smaller travels with others
BUNDLE_BYTES = 48 * 2**20
PIECES_MAX = 5000
PIECE_BYTES = 2**20
BLOCK = 512
END, PADDING = bytes(2 * BLOCK), bytes(BLOCK)


class Piece(NamedTuple):
    """A small file on its way: without `content` it is read when its turn comes.

    What was read has `proof`, its BLAKE3; its SHA-256 then need not be known.
    """

    name: str
    file: Local
    sha256: str = ""
    content: bytes | None = None
    proof: str = ""


def bundles(pieces: Iterable[Piece]) -> Iterator[list[Piece]]:
    """Part them in streams of some 48 MiB: what breaks off costs no more than one of those."""
    bundle = Bundle()
    for piece in pieces:
        bundle.add(piece)
        if bundle.is_full:
            yield bundle.pieces
            bundle = Bundle()
    if bundle.pieces:
        yield bundle.pieces


class Bundle:
    """What goes in one stream."""

    def __init__(self) -> None:
        self.pieces: list[Piece] = []
        self.size_bytes = 0

    def add(self, piece: Piece) -> None:
        self.pieces.append(piece)
        self.size_bytes += piece.file.size_bytes + BLOCK

    @property
    def is_full(self) -> bool:
        return self.size_bytes >= BUNDLE_BYTES or len(self.pieces) >= PIECES_MAX


def send(
    code: str, pieces: Sequence[Piece], told: Told, pause: Callable[[float], None] = time.sleep
) -> list[str]:
    """Send them, and see that they arrived as what they were; give the SHA-256 of each."""
    headers = [tar_header.of(piece.name, piece.file.size_bytes) for piece in pieces]
    size = sum(
        len(header) + piece.file.size_bytes + -piece.file.size_bytes % BLOCK
        for header, piece in zip(headers, pieces, strict=True)
    )
    kind = {"Content-Type": "application/x-tar", "Content-Length": str(size + len(END))}
    moved: list[int] = []

    def post() -> httpx.Response:
        told(-sum(moved))  # what broke off begins anew
        moved.clear()
        chunks = _large(_tar(pieces, headers, told, moved))
        return http.send("POST", f"datasets/{code}/bundle", content=chunks, headers=kind)

    answer = data_patience.repeated(post, pause)
    # By their hashes: the portal may write a name in another form than this computer does.
    arrived, proved = set(answer["files"].values()), answer.get("blake3", {})
    sha256s = [_sha256_of(piece, proved) for piece in pieces]
    for piece, sha256 in zip(pieces, sha256s, strict=True):
        if sha256 not in arrived:
            http.stop(f"{piece.file.path} changed while it was sent. Run the command again.")
    return sha256s


def _sha256_of(piece: Piece, proved: Mapping[str, str]) -> str:
    """Give what we know it by, or the portal, of bytes whose BLAKE3 is that of ours."""
    known = piece.sha256 or proved.get(piece.proof)
    return known or hashlib.sha256(piece.content or b"").hexdigest()


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


def _tar(
    pieces: Sequence[Piece], headers: Sequence[bytes], told: Told, moved: list[int]
) -> Iterator[bytes]:
    for header, piece in zip(headers, pieces, strict=True):
        yield header
        yield content_of(piece.file) if piece.content is None else piece.content
        yield PADDING[: -piece.file.size_bytes % BLOCK]
        moved.append(piece.file.size_bytes)
        told(piece.file.size_bytes)
    yield END


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
