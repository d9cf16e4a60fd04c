"""`fabriek data pull`: fetch a revision, or some of it; each file whole and proved, or not."""

import hashlib
import os
import time
import unicodedata
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Annotated, BinaryIO
from urllib.parse import quote

import httpx
import typer

from fabriek.cli import data_bundle, data_index, data_local, data_remote, http, show
from fabriek.cli.data_index import Index, Local
from fabriek.cli.data_local import Told
from fabriek.cli.data_progress import watched
from fabriek.cli.data_remote import Listing, Revision
from fabriek.cli.ends import interruptible

FETCHERS = 3
# Fewer small files than this are fetched one by one: a stream would bring others along.
WORTH_A_STREAM = 20
PAUSES_S = (0.5, 1, 2, 4, 8, 15)
DAMAGED_AT_MOST = 3  # a line may spoil bytes once, and a disk does so each time
PARTIAL, WHOLE = 206, 200

Reference = Annotated[
    str,
    typer.Argument(
        help="The dataset: D26-0001, D26-0001@3 for its third revision, D26-0001@try: a branch."
    ),
]


class _Damaged(Exception):
    """What came is not what was said; asked for again, it may be."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Fetch:
    """What is wanted of a revision, and where it goes."""

    revision: Revision
    folder: Path
    wanted: Listing
    told: Told
    # How each looked when it was put there: what is changed after that is another file.
    placed: dict[str, Local] = field(default_factory=dict)

    def put(self, part: BinaryIO, path: str) -> None:
        """Put a whole file in its place; still open, so that no other is taken for it."""
        place = self.place(path)
        Path(part.name).replace(place)
        self.placed[path] = Local.of(str(place), os.fstat(part.fileno()))

    def place(self, path: str) -> Path:
        return self.folder / path


@interruptible("What has arrived stays: run the same command to fetch the rest.")
def pull(
    reference: Reference,
    folder: Annotated[
        Path, typer.Argument(help="Where to put it; the code when left out.")
    ] = Path(),
    only: Annotated[
        list[str] | None, typer.Option(help="A file or folder of it; may be said again.")
    ] = None,
) -> None:
    """Fetch the files of a dataset. What is there already is not fetched again.

    Broken off? Run the same command: it goes on where it stopped.
    """
    revision = data_remote.revision(reference)
    if not revision.number:
        http.stop(f"{revision.code} holds no files yet.")
    target = (folder if folder != Path() else Path(revision.code)).absolute()
    chosen = _chosen(revision, only or [])
    for path in chosen:
        _require_inside(target, path)
    target.mkdir(parents=True, exist_ok=True)
    with data_index.opened() as index, watched() as screen:
        total = sum(size for _sha256, size in chosen.values())
        needed = _not_here(chosen, target, index, screen.task("Looking", total))
        told = screen.task("Fetching", sum(size for _sha256, size in needed.values()))
        fetch = Fetch(revision=revision, folder=target, wanted=needed, told=told)
        _fetch_all(fetch)
        _remember(fetch, index)
    typer.echo(
        f"{revision} · {len(chosen)} file(s) in {target} · {len(needed)} fetched, "
        f"{show.size(sum(size for _sha256, size in needed.values()))}"
    )


def _chosen(revision: Revision, only: list[str]) -> Listing:
    if not only:
        return revision.files
    found: Listing = {}
    for asked in only:
        name = unicodedata.normalize("NFC", asked.strip("/"))
        some = {
            path: facts
            for path, facts in revision.files.items()
            if path == name or path.startswith(f"{name}/")
        }
        if not some:
            http.stop(f"{revision} has no file or folder “{asked}”.")
        found |= some
    return found


def _require_inside(folder: Path, path: str) -> None:
    """Never write outside the folder, whatever a portal says or a link in it points at."""
    parts = PurePosixPath(path)
    is_below = not parts.is_absolute() and ".." not in parts.parts and bool(parts.parts)
    if not is_below or "\0" in path or "\\" in path:
        http.stop(f"The portal names a file outside the folder: {path}. Nothing was fetched.")
    for above in parts.parents:
        if above.parts and (folder / above).is_symlink():
            http.stop(f"{folder / above} is a link that leads elsewhere. Nothing was fetched.")


def _not_here(chosen: Listing, folder: Path, index: Index, told: Told) -> Listing:
    """Leave out what is here already, byte for byte."""
    here: dict[str, Local] = {}
    for path, (_sha256, size) in chosen.items():
        place = folder / path
        if place.is_file() and not place.is_symlink():
            stat = place.stat()
            if stat.st_size == size:
                here[path] = Local.of(str(place), stat)
    sha256s = data_local.hashed(here, [str(folder)], index, told)
    return {path: facts for path, facts in chosen.items() if sha256s.get(path) != facts[0]}


def _fetch_all(fetch: Fetch) -> None:
    small = [path for path, facts in fetch.wanted.items() if facts[1] < data_bundle.BELOW_BYTES]
    streamed = set(small) if len(small) >= WORTH_A_STREAM else set()
    if streamed:
        _fetch_stream(fetch, streamed)
    works = [partial(_fetch_one, fetch, path) for path in fetch.wanted if path not in streamed]
    if FETCHERS == 1 or len(works) == 1:
        for work in works:
            work()
        return
    http.client()
    with ThreadPoolExecutor(FETCHERS) as pool:
        for done in [pool.submit(work) for work in works]:
            done.result()


# --- many small files --------------------------------------------------------------------
def _fetch_stream(fetch: Fetch, wanted: set[str]) -> None:
    """Take small files out of a stream of them; broken off, it goes on after the last."""
    after = ""

    def read() -> None:
        nonlocal after
        asked = {
            "revision": str(fetch.revision.number),
            "below": str(data_bundle.BELOW_BYTES),
            "under": _common_folder(wanted),
            "after": after,
        }
        address = f"datasets/{fetch.revision.code}/bundle"
        with http.client().stream("GET", address, params=asked) as answer:
            if not answer.is_success:
                answer.read()
                http.refuse(answer)
            for path, content in data_bundle.received(answer.iter_raw(2**20)):
                if path in wanted:
                    _keep_small(fetch, path, content)
                after = path

    _trying_again(read, what="The stream of small files")


def _keep_small(fetch: Fetch, path: str, content: bytes) -> None:
    sha256, _size = fetch.wanted[path]
    if hashlib.sha256(content).hexdigest() != sha256:
        raise _Damaged(path)
    place = fetch.place(path)
    part = _part_of(place, sha256)
    try:
        file = part.open("wb")
    except FileNotFoundError:
        place.parent.mkdir(parents=True, exist_ok=True)
        file = part.open("wb")
    with file:
        file.write(content)
        file.flush()
        fetch.put(file, path)
    fetch.told(len(content))


def _common_folder(paths: set[str]) -> str:
    """Give the folder that all are in, so that the stream brings little else along."""
    folders = {path.rpartition("/")[0] for path in paths}
    return os.path.commonpath(folders) if all(folders) else ""


# --- one file ------------------------------------------------------------------------------
def _fetch_one(fetch: Fetch, path: str) -> None:
    """Fetch a file beside its place, go on with what came before, and put it there whole."""
    sha256, size_bytes = fetch.wanted[path]
    place = fetch.place(path)
    place.parent.mkdir(parents=True, exist_ok=True)
    part = _part_of(place, sha256)

    def read() -> None:
        digest = hashlib.sha256()
        have = _hash_what_came(part, size_bytes, digest)
        fetch.told(have)
        moved = have
        try:
            with part.open("ab") as file:
                for chunk in _rest(fetch, path, have, size_bytes):
                    digest.update(chunk)
                    file.write(chunk)
                    moved += len(chunk)
                    fetch.told(len(chunk))
        except httpx.TransportError:
            fetch.told(-moved)
            raise
        if digest.hexdigest() != sha256:
            part.unlink()
            fetch.told(-moved)
            raise _Damaged(path)

    _trying_again(read, what=path)
    with part.open("rb") as file:
        fetch.put(file, path)


def _rest(fetch: Fetch, path: str, have: int, size_bytes: int) -> Iterator[bytes]:
    if have == size_bytes:
        return
    revision = fetch.revision
    address = f"datasets/{revision.code}/files/{quote(path)}?revision={revision.number}"
    headers = {"Range": f"bytes={have}-"} if have else {}
    with http.client().stream("GET", address, headers=headers) as answer:
        if answer.status_code != (PARTIAL if have else WHOLE):
            answer.read()
            http.refuse(answer)
        yield from answer.iter_raw(data_local.CHUNK_BYTES)


def _hash_what_came(part: Path, size_bytes: int, digest: "hashlib._Hash") -> int:
    """Read again what a broken-off fetch left; what is too long is no good."""
    try:
        have = part.stat().st_size
    except FileNotFoundError:
        return 0
    if have > size_bytes:
        part.unlink()
        return 0
    with part.open("rb") as file:
        while chunk := file.read(data_local.CHUNK_BYTES):
            digest.update(chunk)
    return have


def _part_of(place: Path, sha256: str) -> Path:
    """Name a part by its content: what is left of another revision is never gone on with."""
    name = hashlib.sha256(f"{place.name} {sha256}".encode()).hexdigest()
    return place.with_name(f".{name[:24]}.part")


def _trying_again(read: Callable[[], None], *, what: str) -> None:
    damaged = 0
    for pause_s in (*PAUSES_S, None):
        try:
            read()
        except _Damaged:
            damaged += 1
            if pause_s is None or damaged == DAMAGED_AT_MOST:
                http.stop(
                    f"{what} arrives damaged each time, so it was not kept.",
                    "It may be damaged at the factory: tell its staff, who can read it again.",
                )
            time.sleep(pause_s)
        except httpx.TransportError as trouble:
            if pause_s is None:
                http.stop(
                    f"{what} broke off: {str(trouble).rstrip('.') or 'it took too long'}.",
                    "What has arrived stays: run the same command to fetch the rest.",
                )
            time.sleep(pause_s)
        else:
            return


def _remember(fetch: Fetch, index: Index) -> None:
    here = ((file, fetch.wanted[path][0]) for path, file in fetch.placed.items())
    index.keep(here, read_at_ns=time.time_ns())
