"""What the portal holds: a dataset named `D26-0001` or `D26-0001@3`, and the files in it."""

import hashlib
import re
from dataclasses import dataclass, replace

from fabriek.cli import http
from fabriek.cli.data_patience import repeated

REFERENCE = re.compile(r"([A-Za-z0-9_-]+)(?:@([0-9]{1,9}))?", re.ASCII)

Listing = dict[str, tuple[str, int]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Revision:
    """`number` is 0 where nothing was saved yet; `files`: {path: (SHA-256, size)}.

    `damaged`: how many of its files lie damaged at the portal, where that was asked;
    `digest`: of its listing, likewise.
    """

    code: str
    number: int
    files: Listing
    damaged: int = 0
    digest: str = ""

    def __str__(self) -> str:
        return f"{self.code}@{self.number}"


def parted(reference: str) -> tuple[str, int | None]:
    """Read `D26-0001@3`; without @ it means the newest revision."""
    match = REFERENCE.fullmatch(reference)
    if not match:
        http.stop(f"{reference} names no dataset. Write its code: D26-0001, or D26-0001@3.")
    return match[1], int(match[2]) if match[2] else None


def revision(reference: str, *, number: int | None = None) -> Revision:
    """Get the listing of a revision, proved by its digest."""
    code, said = parted(reference)
    number = number if number is not None else said
    if number is None and http.get(f"datasets/{code}")["revision"] is None:
        return Revision(code=code, number=0, files={})
    answer = http.get_text(f"datasets/{code}/listing", revision=number)
    if hashlib.sha256(answer.content).hexdigest() != answer.headers.get("Fabriek-Digest"):
        http.stop("The list of files did not arrive whole. Run the command again.")
    return Revision(
        code=code,
        number=int(answer.headers["Fabriek-Revision"]),
        files=dict(_read(line) for line in answer.text.split("\n") if line),
    )


def newest(code: str, *, perhaps: Listing) -> Revision:
    """Get the newest revision; at once where its digest says that it holds `perhaps`."""
    # What is saved on another branch is nothing that a push goes on from.
    address = f"datasets/{code}/revisions?main=true&size=1"
    items = repeated(lambda: http.send("GET", address))["items"]
    if not items:
        return Revision(code=code, number=0, files={})
    number, damaged = int(items[0]["number"]), int(items[0].get("damaged", 0))
    digest = str(items[0]["digest"])
    is_it = digest == digest_of(perhaps)
    found = Revision(code=code, number=number, files=perhaps) if is_it else None
    found = found or revision(code, number=number)
    return replace(found, damaged=damaged, digest=digest)


def newest_if(code: str, digest: str) -> str:
    """Name the newest revision where its files are these, each with these bytes; or nothing."""
    items = http.get(f"datasets/{code}/revisions", main="true", size=1)["items"]
    is_it = items and items[0]["digest"] == digest and not items[0].get("damaged")
    return f"{code}@{items[0]['number']}" if is_it else ""


def digest_of(listing: Listing) -> str:
    """Name a listing as the portal does: SHA-256 over its sorted lines."""
    lines = "".join(
        f"{listing[path][0]} {listing[path][1]} {path}\n" for path in sorted(listing)
    )
    return hashlib.sha256(lines.encode()).hexdigest()


def _read(line: str) -> tuple[str, tuple[str, int]]:
    sha256, size, path = line.split(" ", 2)
    return path, (sha256, int(size))
