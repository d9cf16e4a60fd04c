"""What the portal holds: a dataset, or one state of it by number or branch; and its files."""

import hashlib
import re
from dataclasses import dataclass, replace

from fabriek.cli import http
from fabriek.cli.data_patience import repeated

NUMBER, MAIN = r"[0-9]{1,9}", "main"
NAME = r"[A-Za-z0-9_][A-Za-z0-9._/-]{0,198}"
# No branch has a `:` in its name, so before one we may say what follows.
BRANCH = "branch:"
REFERENCE = re.compile(rf"([A-Za-z0-9_-]+)(?:@(?:({NUMBER})|(?:{BRANCH})?({NAME})))?", re.ASCII)

Listing = dict[str, tuple[str, int]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Revision:
    """`number` is 0 where nothing was saved yet; `files`: {path: (SHA-256, size)}.

    `damaged`: how many of its files lie damaged at the portal, where that was asked;
    `digest`: of its listing, likewise. `parent`: the number that it was built on, or 0.
    """

    code: str
    number: int
    files: Listing
    damaged: int = 0
    digest: str = ""
    branch: str = MAIN
    parent: int = 0

    def __str__(self) -> str:
        on = "" if self.branch == MAIN else f" (branch {self.branch or 'removed'})"
        return f"{self.code}@{self.number}{on}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Reference:
    """What somebody typed; `name`: of a branch or a tag, `main` where nothing was said."""

    code: str
    number: int | None = None
    name: str = MAIN


def parted(reference: str) -> Reference:
    """Read `D26-0001@3` or `D26-0001@try`; without @ it means the newest revision.

    Digits are a number: the branch or tag 3 is `D26-0001@branch:3`.
    """
    match = REFERENCE.fullmatch(reference)
    if not match:
        http.stop(
            f"{reference} names no dataset. Write its code, D26-0001; with a revision, "
            "D26-0001@3; or with a branch or a tag, D26-0001@main (D26-0001@branch:3 where "
            "its name is all digits)."
        )
    number = int(match[2]) if match[2] else None
    return Reference(code=match[1], number=number, name=match[3] or MAIN)


def revision(reference: str, *, number: int | None = None) -> Revision:
    """Get the listing of a revision, proved by its digest."""
    said = parted(reference)
    code = said.code
    number, wanted = (said.number, said.number) if number is None else (number, None)
    if number is None and said.name != MAIN:
        number = _newest_number(said)
    if number is None and http.get(f"datasets/{code}")["revision"] is None:
        return Revision(code=code, number=0, files={})
    meant = f"A branch called {wanted} is {code}@{BRANCH}{wanted}." if wanted else ""
    answer = http.get_text(f"datasets/{code}/listing", hint=meant, revision=number)
    if hashlib.sha256(answer.content).hexdigest() != answer.headers.get("Fabriek-Digest"):
        http.stop("The list of files did not arrive whole. Run the command again.")
    return Revision(
        code=code,
        number=int(answer.headers["Fabriek-Revision"]),
        files=dict(_read(line) for line in answer.text.split("\n") if line),
        branch=answer.headers.get("Fabriek-Branch", MAIN),
        parent=int(answer.headers.get("Fabriek-Parent") or 0),
    )


def newest(code: str, *, perhaps: Listing) -> Revision:
    """Get the newest revision; at once where its digest says that it holds `perhaps`."""
    address = f"datasets/{code}/revisions?size=1"
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
    items = http.get(f"datasets/{code}/revisions", size=1)["items"]
    is_it = items and items[0]["digest"] == digest and not items[0].get("damaged")
    return f"{code}@{items[0]['number']}" if is_it else ""


def digest_of(listing: Listing) -> str:
    """Name a listing as the portal does: SHA-256 over its sorted lines."""
    lines = "".join(
        f"{listing[path][0]} {listing[path][1]} {path}\n" for path in sorted(listing)
    )
    return hashlib.sha256(lines.encode()).hexdigest()


def _newest_number(said: Reference) -> int:
    items = http.get(f"datasets/{said.code}/revisions", at=said.name, size=1)["items"]
    return int(items[0]["number"])


def _read(line: str) -> tuple[str, tuple[str, int]]:
    sha256, size, path = line.split(" ", 2)
    return path, (sha256, int(size))
