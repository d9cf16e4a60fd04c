"""`fabriek data diff` and `verify`: what differs between revisions, or with a folder here."""

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import typer

from fabriek.cli import data_index, data_local, data_remote, http, show
from fabriek.cli.data_found import Files
from fabriek.cli.data_progress import watched
from fabriek.cli.data_push import Exclude, looked
from fabriek.cli.data_remote import Listing, Revision
from fabriek.cli.ends import interruptible

DIFFERS = 3  # 1 means that something went wrong
TEXT_BYTES = 2**20
Row = tuple[str, str, str, str]

Reference = Annotated[
    str, typer.Argument(help="The dataset: D26-0001, D26-0001@3, or D26-0001@try for a branch.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


@dataclass(frozen=True, kw_only=True, slots=True)
class Side:
    """One of two that are compared: a revision, or a folder here with its files."""

    name: str
    listing: Listing
    revision: Revision | None = None
    files: Files | None = None

    def text(self, path: str) -> list[str]:
        """Give the lines of a file; none where it is not there. Raises: UnicodeDecodeError."""
        if path not in self.listing:
            return []
        if self.files is not None:
            content = Path(self.files[path].path).read_bytes()
        else:
            assert self.revision is not None
            address = f"datasets/{self.revision.code}/files/{quote(path)}"
            content = http.get_text(address, revision=self.revision.number).content
        return content.decode().splitlines(keepends=True)


def diff(
    reference: Reference,
    one: Annotated[str, typer.Argument(help="A revision number, or a folder here.")] = "",
    other: Annotated[
        str, typer.Argument(help="Another revision; the newest when left out.")
    ] = "",
    *,
    text: Annotated[
        bool, typer.Option("--text", help="Also show which lines of small text files differ.")
    ] = False,
    exclude: Exclude = None,
    as_json: AsJson = False,
) -> None:
    """Show what changed: between two revisions, or between a revision and a folder here.

    `diff D26-0001` shows what the newest revision changed in the one that it was built on,
    `diff D26-0001 2` what changed since the second, `diff D26-0001 2 4` from the second to the
    fourth, and `diff D26-0001 ./texts` what `push --delete` of that folder would change, with
    the same --exclude. Ends with 3 when something differs.
    """
    if one and not one.isdecimal():
        before, after = _revision_side(reference), _folder_side(Path(one), exclude or ())
    elif exclude:
        http.stop(f"--exclude is for a folder here: fabriek data diff {reference} FOLDER")
    else:
        before, after = _two_revisions(reference, one, other)
    differing = _told(before, after, text=text, as_json=as_json)
    if differing:
        raise typer.Exit(DIFFERS)


@interruptible("Nothing was changed; run it again at any time.")
def verify(
    reference: Reference,
    folder: Annotated[
        Path, typer.Argument(help="The folder to look at.", exists=True, file_okay=False)
    ],
    *,
    quick: Annotated[
        bool, typer.Option("--quick", help="Trust files whose times and size are unchanged.")
    ] = False,
    exclude: Exclude = None,
    as_json: AsJson = False,
) -> None:
    """Read a folder here again and compare it with a revision, byte for byte by SHA-256.

    With --exclude, as if what is called so was not in the folder.
    Ends with 0 when all is the same, and with 3 when something differs.
    """
    wanted = _revision_side(reference)
    here = _folder_side(folder, exclude or (), quick=quick)
    if wanted.listing != here.listing or as_json:
        _told(wanted, here, text=False, as_json=as_json)
    if wanted.listing != here.listing:
        raise typer.Exit(DIFFERS)
    if not as_json:
        typer.echo(
            f"{folder} is {wanted.name}, byte for byte: {len(wanted.listing):,} file(s)."
        )


def _two_revisions(reference: str, one: str, other: str) -> tuple[Side, Side]:
    after = data_remote.revision(reference, number=int(other) if other else None)
    if one:
        return _revision_side(f"{after.code}@{one}"), _side(after)
    if not after.parent:
        return Side(name="nothing", listing={}), _side(after)
    return _revision_side(f"{after.code}@{after.parent}"), _side(after)


def _revision_side(reference: str) -> Side:
    return _side(data_remote.revision(reference))


def _side(revision: Revision) -> Side:
    return Side(name=str(revision), listing=revision.files, revision=revision)


def _folder_side(folder: Path, exclude: Sequence[str], *, quick: bool = True) -> Side:
    if not folder.is_dir():
        http.stop(f"{folder} is neither the number of a revision nor a folder here.")
    look = looked([str(folder)], exclude)
    files = look.files()
    with data_index.opened() as index, watched() as screen:
        told = screen.task("Reading", sum(file.size_bytes for file in files.values()))
        trusted = look.sources if quick else []
        sha256s = data_local.hashed(files, trusted, index, told)
    listing = {name: (sha256, files[name].size_bytes) for name, sha256 in sha256s.items()}
    return Side(name=look.sources[0], listing=listing, files=files)


def _told(before: Side, after: Side, *, text: bool, as_json: bool) -> bool:
    """Print what differs, and say whether anything does."""
    paths = sorted(
        path
        for path in before.listing.keys() | after.listing.keys()
        if before.listing.get(path) != after.listing.get(path)
    )
    if as_json:
        show.json([_as_json(before, after, path) for path in paths])
    elif paths:
        _tell(before, after, paths)
        if text:
            for path in paths:
                _tell_lines(before, after, path)
    else:
        typer.echo(f"{before.name} and {after.name} hold the same files.")
    return bool(paths)


def _tell(before: Side, after: Side, paths: list[str]) -> None:
    rows = [_row(before.listing.get(path), after.listing.get(path), path) for path in paths]
    show.table(("what", "before", "after", "path"), rows, empty="")
    kinds = [row[0] for row in rows]
    counts = ", ".join(
        f"{kinds.count(kind)} {kind}"
        for kind in ("added", "changed", "removed")
        if kind in kinds
    )
    show.note(f"From {before.name} to {after.name}: {counts}.")


def _row(old: tuple[str, int] | None, new: tuple[str, int] | None, path: str) -> Row:
    return (
        _kind(old, new),
        show.size(old[1]) if old else "-",
        show.size(new[1]) if new else "-",
        path,
    )


def _kind(old: tuple[str, int] | None, new: tuple[str, int] | None) -> str:
    return "added" if old is None else "removed" if new is None else "changed"


def _as_json(before: Side, after: Side, path: str) -> http.Json:
    old, new = before.listing.get(path), after.listing.get(path)
    return {
        "path": path,
        "kind": _kind(old, new),
        "before_sha256": old[0] if old else None,
        "before_bytes": old[1] if old else None,
        "after_sha256": new[0] if new else None,
        "after_bytes": new[1] if new else None,
    }


def _tell_lines(before: Side, after: Side, path: str) -> None:
    sizes = (side.listing[path][1] for side in (before, after) if path in side.listing)
    if max(sizes) > TEXT_BYTES:
        show.note(f"{path}: too large to compare by line.")
        return
    try:
        lines = list(_lines(before, after, path))
    except UnicodeDecodeError:
        show.note(f"{path}: no text.")
        return
    for line in lines:
        show.note(line.rstrip("\n"))


def _lines(before: Side, after: Side, path: str) -> Iterator[str]:
    return difflib.unified_diff(
        before.text(path),
        after.text(path),
        fromfile=f"{before.name}/{path}",
        tofile=f"{after.name}/{path}",
    )
