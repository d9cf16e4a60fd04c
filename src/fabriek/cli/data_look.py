"""`fabriek data ls` and `log`: what a dataset holds, and how it became so."""

from collections import defaultdict
from itertools import islice
from typing import Annotated

import typer

from fabriek.cli import data_remote, http, show
from fabriek.cli.data_remote import Listing, Revision

SHORT = 12

Reference = Annotated[
    str,
    typer.Argument(help="A dataset, to see its files: D26-0001, D26-0001@3, D26-0001@try."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


def list_data(
    reference: Reference = "",
    folder: Annotated[str, typer.Argument(help="A folder in it.")] = "",
    *,
    q: Annotated[str, typer.Option(help="Words to search for.")] = "",
    long: Annotated[bool, typer.Option("--long", "-l", help="Show the SHA-256 too.")] = False,
    everything: Annotated[
        bool, typer.Option("--recursive", "-R", help="Show what is in folders, too.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List your datasets, or the files and folders of one."""
    if reference:
        _files(reference, folder.strip("/"), long=long, everything=everything, as_json=as_json)
    else:
        _datasets(q, as_json=as_json)


def log(
    reference: Annotated[
        str, typer.Argument(help="The dataset: D26-0001, or D26-0001@try for that branch.")
    ],
    most: Annotated[int, typer.Option("-n", help="How many at most.", min=1)] = 20,
    *,
    every: Annotated[
        bool, typer.Option("--all", help="Those of all branches, also of removed ones.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List the revisions, the newest first: who saved what, and how much it changed.

    Those that led to the branch “main”, or to the branch or tag that is named behind the @
    (@branch:7 where its name is all digits).
    """
    said = data_remote.parted(reference)
    if said.number is not None or (every and said.name != data_remote.MAIN):
        number = said.number
        named = f" A branch called {number} is {said.code}@branch:{number}." if number else ""
        http.stop(
            f"The log follows a branch: {said.code}, or {said.code}@BRANCH; --all shows those "
            f"of all branches.{named}"
        )
    asked = {"every": True} if every else {"at": said.name}
    address = f"datasets/{said.code}/revisions"
    found = list(islice(http.everything(address, changes=True, **asked), most))
    if as_json:
        show.json(found)
        return
    is_mixed = any(each["branch"] != data_remote.MAIN for each in found)
    branch = ("branch",) if is_mixed else ()
    show.table(
        ("revision", *branch, "id", "when", "who", "+", "~", "-", "files", "size", "message"),
        (
            (
                each["number"],
                *([each["branch"] or "(removed)"] if is_mixed else []),
                each["commit_id"][:SHORT],
                show.moment(each["created_at"]),
                each["author"],
                each["changes"]["added"],
                each["changes"]["changed"],
                each["changes"]["removed"],
                each["file_count"],
                show.size(each["size_bytes"]),
                each["message"],
            )
            for each in found
        ),
        empty=f"Nothing was saved yet. Push some files: fabriek data push {said.code} FILES",
    )


def _datasets(q: str, *, as_json: bool) -> None:
    found = http.everything("datasets/", q=q)
    if as_json:
        show.json(list(found))
        return
    show.table(
        ("code", "case", "licence", "title"),
        ((each["code"], each["case"], each["licence"], each["title"]) for each in found),
        empty="There are no datasets yet. Begin with: fabriek data new",
    )


def _files(reference: str, folder: str, *, long: bool, everything: bool, as_json: bool) -> None:
    revision = data_remote.revision(reference)
    inside = {
        path: facts
        for path, facts in revision.files.items()
        if not folder or path == folder or path.startswith(f"{folder}/")
    }
    if folder and not inside:
        http.stop(f"{revision} has no file or folder “{folder}”.")
    if as_json:
        show.json(
            [
                {"path": path, "size_bytes": size, "sha256": sha256}
                for path, (sha256, size) in inside.items()
            ]
        )
        return
    _tell_of(revision)
    rows = _all_rows(inside) if everything else _level(inside, folder)
    headings = ("size", "sha256", "path") if long else ("size", "path")
    show.table(
        headings,
        ((size, sha256, path) if long else (size, path) for size, sha256, path in rows),
        empty=f"It holds no files yet. Push some: fabriek data push {revision.code} FILES",
    )


def _tell_of(revision: Revision) -> None:
    found = http.get(f"datasets/{revision.code}")
    show.facts(
        [
            ("Dataset", f"{found['code']} · {found['title']}"),
            ("Case", found["case"]),
            ("Revision", str(revision) if revision.number else None),
            ("Files", f"{len(revision.files):,}"),
        ]
    )


def _all_rows(files: Listing) -> list[tuple[str, str, str]]:
    return [(show.size(size), sha256, path) for path, (sha256, size) in files.items()]


def _level(files: Listing, folder: str) -> list[tuple[str, str, str]]:
    """Show what lies right here: files, and folders with what is in them."""
    start = len(folder) + 1 if folder and folder not in files else 0
    plain: Listing = {}
    inside: dict[str, list[int]] = defaultdict(list)
    for path, facts in files.items():
        name, slash, _rest = path[start:].partition("/")
        if slash:
            inside[path[:start] + name].append(facts[1])
        else:
            plain[path] = facts
    folders = [
        (show.size(sum(sizes)), "-", f"{name}/  ({len(sizes):,} file(s))")
        for name, sizes in inside.items()
    ]
    return folders + _all_rows(plain)
