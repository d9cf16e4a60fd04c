"""`fabriek data push`: send what is new of files and folders, and save it as one revision."""

import time
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from fabriek.cli import data_bundle, data_index, data_local, data_remote, data_tus, http, show
from fabriek.cli.data_index import Index
from fabriek.cli.data_local import Files
from fabriek.cli.data_progress import Screen, Stopping, interruptible, watched
from fabriek.cli.data_remote import Listing, Revision
from fabriek.cli.data_tus import Sending

ASKED_AT_ONCE = 5000
SENDERS = 3
SHOWN_AT_MOST = 20

Code = Annotated[str, typer.Argument(help="The code of the dataset, such as D26-0001.")]


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What a push would do to the newest revision."""

    files: Files
    sha256s: dict[str, str]
    newest: Revision
    delete: list[str]

    @property
    def local(self) -> Listing:
        return {
            name: (self.sha256s[name], file.size_bytes) for name, file in self.files.items()
        }

    @property
    def new(self) -> list[str]:
        """Name what the newest revision has not, or not with these bytes."""
        there = {name: sha256 for name, (sha256, _size) in self.newest.files.items()}
        return [name for name, sha256 in self.sha256s.items() if there.get(name) != sha256]


@interruptible("What was sent is kept: run the same command to go on from there.")
def push(
    code: Code,
    sources: Annotated[list[Path], typer.Argument(help="Files or folders.", exists=True)],
    message: Annotated[str, typer.Option("--message", "-m", help="What changed.")] = "",
    delete: Annotated[
        bool, typer.Option("--delete", help="Leave out what is no longer in the folder.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be sent.")
    ] = False,
) -> None:
    """Push files as one new revision. Bytes that are there already are not sent again.

    Broken off by Ctrl-C or the network? Run the same command: it goes on where it stopped.
    """
    if delete and (len(sources) != 1 or not sources[0].is_dir()):
        http.stop("With --delete, push exactly one folder: the dataset becomes what is in it.")
    sources = [source.absolute() for source in sources]
    files = data_local.found(sources)
    _require_sound(files)
    with data_index.opened() as index, watched() as screen:
        looks, seen_at_ns = data_index.fingerprint(files), time.time_ns()
        digest = "" if dry_run else index.digest_at(looks)
        if digest and (newest := data_remote.newest_if(code, digest)):
            _say_nothing_new(newest, len(files))
            return
        told = screen.task("Reading", sum(file.size_bytes for file in files.values()))
        sha256s = data_local.hashed(files, sources, index, told)
        plan = _planned(code, files, sha256s, delete=delete)
        digest = data_remote.digest_of(plan.local)
        index.keep_digest(looks, digest, files.values(), seen_at_ns=seen_at_ns)
        if plan.new and not dry_run:
            _send(code, plan, index, screen)
    if dry_run:
        _tell(plan)
    else:
        _save(code, plan, message)


def _require_sound(files: Files) -> None:
    if not files:
        http.stop("There is no file in what you named.")
    empty = [name for name, file in files.items() if not file.size_bytes]
    if empty:
        more = f" So are {len(empty) - 1} more." if len(empty) > 1 else ""
        http.stop(
            f"“{empty[0]}” is empty (0 bytes).{more} See whether it was saved well, and send "
            "it again. [empty_file]"
        )


def _planned(code: str, files: Files, sha256s: dict[str, str], *, delete: bool) -> Plan:
    """Compare with the newest revision, by the names that the portal gives."""
    named = {unicodedata.normalize("NFC", name): file for name, file in files.items()}
    if len(named) != len(files):
        http.stop("Two files have names that look the same. Rename one of them.")
    hashes = {unicodedata.normalize("NFC", name): sha256 for name, sha256 in sha256s.items()}
    local = {name: (hashes[name], file.size_bytes) for name, file in named.items()}
    newest = data_remote.newest(code, perhaps=local)
    gone = sorted(newest.files.keys() - local.keys()) if delete else []
    return Plan(files=named, sha256s=hashes, newest=newest, delete=gone)


def _send(code: str, plan: Plan, index: Index, screen: Screen) -> None:
    """Send each bytes once, however many names they have: small ones together."""
    needed = _missing(code, {plan.sha256s[name] for name in plan.new})
    chosen: dict[str, str] = {}
    for name in plan.new:
        if plan.sha256s[name] in needed:
            chosen.setdefault(plan.sha256s[name], name)
    named = [(name, plan.files[name]) for name in chosen.values()]
    if not named:
        return
    stopping = Stopping()
    task = screen.task("Sending", sum(file.size_bytes for _name, file in named))
    told = stopping.watched(task)
    small = [each for each in named if each[1].size_bytes < data_bundle.BELOW_BYTES]
    works: list[Callable[[], None]] = [
        partial(
            data_tus.send,
            Sending(
                code=code,
                name=name,
                file=file,
                sha256=plan.sha256s[name],
                index=index,
                told=told,
                pause=stopping.pause,
            ),
        )
        for name, file in named
        if file.size_bytes >= data_bundle.BELOW_BYTES
    ]
    works += [
        partial(data_bundle.send, code, some, plan.sha256s, told)
        for some in data_bundle.bundles(small)
    ]
    side_by_side(works, stopping)


def side_by_side(works: list[Callable[[], None]], stopping: Stopping) -> None:
    """Do them side by side. The first that fails ends it: what has not begun never does."""
    if SENDERS == 1 or len(works) == 1:
        for work in works:
            work()
        return
    http.client()  # made before, so that all share it
    with ThreadPoolExecutor(SENDERS) as pool:
        waiting = [pool.submit(work) for work in works]
        try:
            for each in waiting:
                each.result()
        except BaseException:
            stopping.ask()
            pool.shutdown(wait=False, cancel_futures=True)
            http.client().close()
            raise


def _missing(code: str, hashes: set[str]) -> set[str]:
    """Ask which bytes must be sent, as many at a time as the portal takes."""
    asked = sorted(hashes)
    found: set[str] = set()
    for start in range(0, len(asked), ASKED_AT_ONCE):
        part = {"sha256": asked[start : start + ASKED_AT_ONCE]}
        found.update(http.post(f"datasets/{code}/missing", part)["sha256"])
    return found


def _say_nothing_new(revision: str, count: int) -> None:
    typer.echo("Nothing was new. This revision holds these files already:")
    typer.echo(f"{revision} · {count} file(s)")


def _save(code: str, plan: Plan, message: str) -> None:
    new, newest = plan.new, plan.newest
    if not new and not plan.delete:
        _say_nothing_new(str(newest), len(newest.files))
        return
    body: http.Json = {
        "message": message or f"{len(plan.files)} file(s) from the command line",
        "files": [{"path": name, "sha256": plan.sha256s[name]} for name in new],
        "delete": plan.delete,
    }
    if plan.delete:
        # What somebody saved meanwhile is not for us to leave out.
        body["parent"] = newest.number
    saved = http.post(f"datasets/{code}/revisions", body)
    left_out = f" · {len(plan.delete)} left out" if plan.delete else ""
    typer.echo(f"{code}@{saved['number']} · {saved['file_count']} file(s){left_out}")


def _tell(plan: Plan) -> None:
    there = plan.newest.files
    lines = [
        (
            "changed" if name in there else "added",
            show.size(plan.files[name].size_bytes),
            name,
        )
        for name in plan.new
    ]
    lines += [("left out", show.size(there[name][1]), name) for name in plan.delete]
    show.table(
        ("what", "size", "path"),
        lines[:SHOWN_AT_MOST],
        empty=f"Nothing is new: {plan.newest} holds these files already.",
    )
    if len(lines) > SHOWN_AT_MOST:
        show.note(f"... and {len(lines) - SHOWN_AT_MOST} more.")
    show.note("Nothing was sent.")
