"""Send one large file in parts, each with its proof; go on where a broken-off one stopped."""

import base64
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, NoReturn

import httpx
from blake3 import blake3

from fabriek.cli import config, http
from fabriek.cli.data_index import Index, Local
from fabriek.cli.data_local import Told

PART_BYTES = 16 * 2**20
PIECE_BYTES = 2**20
VERSION = {"Tus-Resumable": "1.0.0"}
# Between tries after a part failed; a portal that is started again is back within these.
PAUSES_S = (0.5, 1, 2, 4, 8, 15)
NOT_FOUND, OTHER_OFFSET, OTHER_BYTES, BUSY, OTHER_CHECKSUM = 404, 409, 422, 423, 460
TRY_AGAIN = {NOT_FOUND, OTHER_OFFSET, BUSY, OTHER_CHECKSUM, 502, 503, 504}


@dataclass(frozen=True, kw_only=True, slots=True)
class Sending:
    """One file on its way to a dataset."""

    code: str
    name: str
    file: Local
    sha256: str
    index: Index
    told: Told


class _Again(Exception):
    """A part did not arrive; ask how far the upload is, and go on from there."""


def send(sending: Sending) -> None:
    """Send what is not there yet. What breaks off is kept, by the portal and in our index."""
    tries = 0
    while True:
        try:
            _send(sending)
        except (_Again, httpx.TransportError) as trouble:
            if tries == len(PAUSES_S):
                _give_up(sending, trouble)
            time.sleep(PAUSES_S[tries])
            tries += 1
        else:
            return


def _send(sending: Sending) -> None:
    address, at = _place(sending)
    shown = at
    sending.told(at)
    with open(sending.file.path, "rb", buffering=0) as file:  # noqa: PTH123
        try:
            while at < sending.file.size_bytes:
                shown = at
                at = _part(sending, file, address, at)
                shown = at
        except (_Again, httpx.TransportError):
            sending.told(-shown)
            raise
    sending.index.end_upload(config.read().url, sending.code, sending.sha256)


def _place(sending: Sending) -> tuple[str, int]:
    """Find the upload that broke off, else begin one; say how far it is."""
    portal = config.read().url
    kept = sending.index.upload(portal, sending.code, sending.sha256)
    if kept:
        answer = http.send("HEAD", kept, headers=VERSION)
        if answer.is_success:
            return kept, int(answer.headers["Upload-Offset"])
        if answer.status_code != NOT_FOUND:
            raise _Again(str(answer.status_code))
    facts = {"path": sending.name, "sha256": sending.sha256}
    headers = VERSION | {
        "Upload-Length": str(sending.file.size_bytes),
        "Upload-Metadata": ",".join(
            f"{name} {_base64(fact.encode())}" for name, fact in facts.items()
        ),
    }
    begun = http.send("POST", f"datasets/{sending.code}/uploads/", headers=headers)
    if not begun.is_success:
        http.refuse(begun)
    address = str(begun.url.join(begun.headers["Location"]))
    sending.index.begin_upload(portal, sending.code, sending.sha256, address)
    return address, 0


def _part(sending: Sending, file: BinaryIO, address: str, at: int) -> int:
    file.seek(at)
    part = file.read(min(PART_BYTES, sending.file.size_bytes - at))
    headers = VERSION | {
        "Upload-Offset": str(at),
        "Upload-Checksum": f"blake3 {_base64(blake3(part).digest())}",
        "Content-Type": "application/offset+octet-stream",
        "Content-Length": str(len(part)),
    }
    moved: list[int] = []
    try:
        answer = http.send(
            "PATCH", address, headers=headers, content=_pieces(part, sending.told, moved)
        )
    except httpx.TransportError:
        sending.told(-sum(moved))
        raise
    if not answer.is_success:
        sending.told(-sum(moved))
        _refused(sending, answer)
    return int(answer.headers["Upload-Offset"])


def _refused(sending: Sending, answer: httpx.Response) -> NoReturn:
    """Try again what may go better; else say it, and begin anew next time."""
    if answer.status_code in TRY_AGAIN:
        raise _Again(f"the portal answered {answer.status_code}")
    if answer.status_code == OTHER_BYTES:
        sending.index.end_upload(config.read().url, sending.code, sending.sha256)
    http.refuse(answer)


def _pieces(part: bytes, told: Told, moved: list[int]) -> Iterator[bytes]:
    view = memoryview(part)
    for start in range(0, len(part), PIECE_BYTES):
        piece = bytes(view[start : start + PIECE_BYTES])
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
