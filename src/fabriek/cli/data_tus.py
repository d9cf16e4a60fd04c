"""Send one large file in parts, each with its proof; go on where a broken-off one stopped.

While a part travels the proof of the next is made. How large a part is follows from how quick
the line is: on a slow one little is lost when it breaks off, on a quick one the portal, which
flushes each part to its disk, is seldom waited for.
"""

import base64
import hashlib
import os
import time
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import NoReturn

import httpx
from blake3 import blake3

from fabriek.cli import config, http
from fabriek.cli.data_index import Index, Local
from fabriek.cli.data_local import Told
from fabriek.cli.data_patience import AWAY

PART_BYTES = 16 * 2**20  # the first one
LEAST_BYTES, MOST_BYTES = 4 * 2**20, 256 * 2**20
PART_S = 2.0
PIECE_BYTES = 2**20  # each part but the last is some of these: disks like round places
VERSION = {"Tus-Resumable": "1.0.0"}
SHA256_HEADER = "Fabriek-SHA256"  # ours: what the file turned out to be, once it is whole
# Between tries after a part failed; a portal that is started again is back within these.
PAUSES_S = (0.5, 1, 2, 4, 8, 15)
NOT_FOUND, OTHER_OFFSET, OTHER_BYTES, BUSY, OTHER_CHECKSUM = 404, 409, 422, 423, 460
TRY_AGAIN = {NOT_FOUND, OTHER_OFFSET, BUSY, OTHER_CHECKSUM, *AWAY}


@dataclass(frozen=True, kw_only=True, slots=True)
class Sending:
    """One file on its way to a dataset. Without `sha256` the portal says what it is."""

    code: str
    name: str
    file: Local
    sha256: str = ""
    index: Index
    told: Told
    pause: Callable[[float], None] = time.sleep

    @property
    def mark(self) -> str:
        """Tell it apart from all others: by what is in it, else by what its folder says."""
        return self.sha256 or hashlib.sha256(repr(self.file).encode()).hexdigest()


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """From where to where, and its BLAKE3."""

    at: int
    end: int
    proof: bytes

    @property
    def size_bytes(self) -> int:
        return self.end - self.at


class Changed(Exception):
    """The file is not what it was when it was looked at."""


class _Again(Exception):
    """A part did not arrive; ask how far the upload is, and go on from there."""


def send(sending: Sending) -> str:
    """Send what is not there yet; give the SHA-256 of the whole, which is there then.

    What breaks off is kept, by the portal and in our index.
    """
    tries = 0
    while True:
        try:
            return _send(sending)
        except (_Again, httpx.TransportError) as trouble:
            if tries == len(PAUSES_S):
                _give_up(sending, trouble)
            sending.pause(PAUSES_S[tries])
            tries += 1
        except Changed:
            _forget(sending)
            path = sending.file.path
            http.stop(f"{path} changed while it was sent. Run the command again.")
        except OSError as error:
            http.stop(f"{sending.file.path} cannot be read: {error.strerror}.")


def _send(sending: Sending) -> str:
    address, answer = _place(sending)
    shown = int(answer.headers.get("Upload-Offset", 0))
    sending.told(shown)
    file = os.open(sending.file.path, os.O_RDONLY)
    try:
        _require_as_it_was(file, sending)
        with closing(parts(file, shown, sending.file.size_bytes)) as left:
            for part in left:
                answer = _part(sending, file, address, part)
                shown = part.end
        _require_as_it_was(file, sending)
    except (_Again, httpx.TransportError):
        sending.told(-shown)
        raise
    finally:
        os.close(file)
    sending.index.end_upload(config.read().url, sending.code, sending.mark)
    return answer.headers[SHA256_HEADER]


def _require_as_it_was(file: int, sending: Sending) -> None:
    """Hold on to a look at the file where no hash tells what it should be. Raises: Changed."""
    path = sending.file.path
    if not sending.sha256 and Local.of(path, os.fstat(file)) != sending.file:
        raise Changed


def parts(file: int, at: int, size_bytes: int) -> Generator[Part, None, None]:
    """Give the parts from `at` on; how soon the next is asked for says how quick the line is.

    Raises: Changed.
    """
    part_bytes = PART_BYTES
    with ThreadPoolExecutor(1) as beside:
        ready = beside.submit(_proved, file, at, min(at + part_bytes, size_bytes))
        while at < size_bytes:
            part = ready.result()
            at = part.end
            ready = beside.submit(_proved, file, at, min(at + part_bytes, size_bytes))
            began = time.monotonic()
            yield part
            part_bytes = _suited(part.size_bytes, time.monotonic() - began)


def _suited(part_bytes: int, took_s: float) -> int:
    """Let a part take some seconds; never much more than the one before it."""
    wanted = int(part_bytes * min(PART_S / max(took_s, 0.001), 2))
    return min(max(wanted - wanted % PIECE_BYTES, LEAST_BYTES), MOST_BYTES)


def _proved(file: int, at: int, end: int) -> Part:
    proof = blake3()
    for piece in _pieces(file, at, end):
        proof.update(piece)
    return Part(at=at, end=end, proof=proof.digest())


def _place(sending: Sending) -> tuple[str, httpx.Response]:
    """Find the upload that broke off, else begin one; its answer says how far it is."""
    portal = config.read().url
    kept = sending.index.upload(portal, sending.code, sending.mark)
    if kept:
        answer = http.send("HEAD", kept, headers=VERSION)
        if answer.is_success:
            return kept, answer
        if answer.status_code != NOT_FOUND:
            raise _Again(str(answer.status_code))
    facts = {"path": sending.name} | ({"sha256": sending.sha256} if sending.sha256 else {})
    headers = VERSION | {
        "Upload-Length": str(sending.file.size_bytes),
        "Upload-Metadata": ",".join(
            f"{name} {_base64(fact.encode())}" for name, fact in facts.items()
        ),
    }
    begun = http.send("POST", f"datasets/{sending.code}/uploads/", headers=headers)
    if begun.status_code in AWAY:
        raise _Again(f"the portal answered {begun.status_code}")
    if not begun.is_success:
        http.refuse(begun)
    address = str(begun.url.join(begun.headers["Location"]))
    sending.index.begin_upload(portal, sending.code, sending.mark, address)
    return address, begun


def _forget(sending: Sending) -> None:
    """Let the portal have its room back. It forgets by itself where this does not arrive."""
    portal = config.read().url
    if address := sending.index.upload(portal, sending.code, sending.mark):
        sending.index.end_upload(portal, sending.code, sending.mark)
        with suppress(httpx.TransportError):
            http.send("DELETE", address, headers=VERSION)


def _part(sending: Sending, file: int, address: str, part: Part) -> httpx.Response:
    headers = VERSION | {
        "Upload-Offset": str(part.at),
        "Upload-Checksum": f"blake3 {_base64(part.proof)}",
        "Content-Type": "application/offset+octet-stream",
        "Content-Length": str(part.size_bytes),
    }
    moved: list[int] = []
    content = _told_of(_pieces(file, part.at, part.end), sending.told, moved)
    try:
        answer = http.send("PATCH", address, headers=headers, content=content)
    except httpx.TransportError:
        sending.told(-sum(moved))
        raise
    if not answer.is_success:
        sending.told(-sum(moved))
        _refused(sending, answer)
    if answer.headers["Upload-Offset"] != str(part.end):
        sending.told(-sum(moved))
        raise _Again("the portal kept another part")
    return answer


def _refused(sending: Sending, answer: httpx.Response) -> NoReturn:
    """Try again what may go better; else say it, and begin anew next time."""
    if answer.status_code in TRY_AGAIN:
        raise _Again(f"the portal answered {answer.status_code}")
    if answer.status_code == OTHER_BYTES:
        sending.index.end_upload(config.read().url, sending.code, sending.mark)
    http.refuse(answer)


def _pieces(file: int, at: int, end: int) -> Iterator[bytes]:
    """Read a part as it is wanted: a whole one would lie in memory for each that is sent."""
    while at < end:
        piece = os.pread(file, min(PIECE_BYTES, end - at), at)
        if not piece:
            raise Changed
        at += len(piece)
        yield piece


def _told_of(pieces: Iterator[bytes], told: Told, moved: list[int]) -> Iterator[bytes]:
    for piece in pieces:
        yield piece
        moved.append(len(piece))
        told(len(piece))


def _give_up(sending: Sending, trouble: Exception) -> None:
    why = str(trouble).rstrip(".") or "it took too long"
    http.stop(
        f"{sending.name} broke off: {why}.",
        "What has arrived is kept for four days: run the same command to go on from there.",
    )


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()
