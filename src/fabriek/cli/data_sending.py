"""Send what is new of files and folders, and save it as one revision."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import typer

from fabriek.cli import (
    data_bundle,
    data_index,
    data_local,
    data_remote,
    data_tus,
    data_unread,
    http,
    show,
)
from fabriek.cli.data_bundle import Piece
from fabriek.cli.data_found import Files, Look
from fabriek.cli.data_index import Index, Local
from fabriek.cli.data_progress import Screen, watched
from fabriek.cli.data_remote import Listing, Revision
from fabriek.cli.data_sender import Sender, missing, side_by_side
from fabriek.cli.data_tus import Sending
from fabriek.cli.data_unchanged import NOTHING_NEW

ASKED_AT_ONCE = 5000
# What takes longer to read than to ask whether it may be sent.
WORTH_ASKING_BYTES = 64 * 2**20
SHOWN_AT_MOST = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What a push would do to the newest revision."""

    files: Files
    sha256s: dict[str, str]
    newest: Revision
    delete: list[str]

    @property
    def local(self) -> Listing:
        return _listing(self.files, self.sha256s)

    @property
    def new(self) -> list[str]:
        """Name what the newest revision has not, or not with these bytes."""
        there = {name: sha256 for name, (sha256, _size) in self.newest.files.items()}
        return [name for name, sha256 in self.sha256s.items() if there.get(name) != sha256]


def push(code: str, look: Look, *, message: str, delete: bool, dry_run: bool) -> None:
    """Do what the command says; `look` is what there is, and something of it may be new."""
    files = look.files()
    with data_index.opened() as index, watched() as screen:
        if dry_run:
            told = screen.task("Reading", _size_bytes(files))
            sha256s = data_local.hashed(files, look.sources, index, told)
            _tell(_planned(code, files, sha256s, delete=delete))
            return
        place = data_index.place_of(look.sources, look.exclude, is_whole=delete)
        fingerprint, digest = index.look_at(place)
        is_known = bool(digest) and fingerprint == look.fingerprint()
        if is_known and (known := data_remote.newest_if(code, digest)):
            _say_nothing_new(known, len(files))
            return
        plan = _sent(code, look, files, index, screen, delete=delete)
    digest = _save(code, plan, message)
    if digest:
        looked = (look.fingerprint(), digest)
        with data_index.opened() as index:
            index.keep_look(place, looked, files.values(), seen_at_ns=look.at_ns)


def _say_nothing_new(revision: str, count: int) -> None:
    typer.echo(NOTHING_NEW)
    typer.echo(f"{revision} · {count} file(s)")


def _sent(
    code: str, look: Look, files: Files, index: Index, screen: Screen, *, delete: bool
) -> Plan:
    """Read what may be new, and send what the portal lacks of it meanwhile."""
    large = {name: file for name, file in files.items() if _is_large(file)}
    unread = data_unread.surely_new(code, large, look, index) if large else {}
    if not large and _size_bytes(files) >= WORTH_ASKING_BYTES:
        missing(code, [])  # a wrong code, or a case that is closed, is told before all is read
    read = {name: file for name, file in files.items() if name not in unread}
    told = screen.task("Reading", _size_bytes(read))
    sending = screen.task("Sending", _size_bytes(files))
    with side_by_side() as beside:
        sender = Sender(code, beside, sending)
        with _kept(sender, index) as keep:
            sha256s = data_local.hashed(read, look.sources, index, told, sender.take)
            sender.flush()
            keep()  # while the last are on their way
            sha256s |= data_unread.send(unread, index, sender)
            sha256s |= sender.settled()
        plan = _planned(code, files, sha256s, delete=delete)
        _send_rest(code, plan, index, sender)
    return plan


@contextmanager
def _kept(sender: Sender, index: Index) -> Iterator[Callable[[], None]]:
    """Remember what the portal has of small files, also where something breaks off."""
    begun_ns = time.time_ns()

    def keep() -> None:
        index.keep(sender.newly_known(), read_at_ns=begun_ns)

    try:
        yield keep
    finally:
        keep()


def _planned(code: str, files: Files, sha256s: dict[str, str], *, delete: bool) -> Plan:
    """Compare with the newest revision."""
    local = _listing(files, sha256s)
    newest = data_remote.newest(code, perhaps=local)
    gone = sorted(newest.files.keys() - local.keys()) if delete else []
    return Plan(files=files, sha256s=sha256s, newest=newest, delete=gone)


def _listing(files: Files, sha256s: dict[str, str]) -> Listing:
    return {name: (sha256s[name], file.size_bytes) for name, file in files.items()}


def _is_large(file: Local) -> bool:
    """Tell what travels by itself, in parts."""
    return file.size_bytes >= data_bundle.BELOW_BYTES


def _size_bytes(files: Files) -> int:
    return sum(file.size_bytes for file in files.values())


def _send_rest(code: str, plan: Plan, index: Index, sender: Sender) -> None:
    """Send what was not read now, as it is known from before, and large files."""
    chosen: dict[str, str] = {}
    # Where something is damaged there, all is asked for: to send it again mends it.
    for name in plan.sha256s if plan.newest.damaged else plan.new:
        if plan.sha256s[name] not in sender.seen:
            chosen.setdefault(plan.sha256s[name], name)
    needed = _missing(code, sorted(chosen))
    pieces = [Piece(chosen[sha256], plan.files[chosen[sha256]], sha256) for sha256 in needed]
    small = [piece for piece in pieces if not _is_large(piece.file)]
    for piece in pieces:
        if _is_large(piece.file):
            sending = Sending(
                code=code,
                name=piece.name,
                file=piece.file,
                sha256=piece.sha256,
                index=index,
                told=sender.told,
                pause=sender.beside.stopping.pause,
            )
            sender.beside.begin(partial(data_tus.send, sending))
    pause = sender.beside.stopping.pause
    for some in data_bundle.bundles(small):
        sender.beside.begin(partial(data_bundle.send, code, some, sender.told, pause))


def _missing(code: str, sha256s: list[str]) -> list[str]:
    """Ask which bytes must be sent, as many at a time as the portal takes."""
    found: set[str] = set()
    for start in range(0, len(sha256s), ASKED_AT_ONCE):
        found |= missing(code, sha256s[start : start + ASKED_AT_ONCE])
    return [sha256 for sha256 in sha256s if sha256 in found]


def _save(code: str, plan: Plan, message: str) -> str:
    """Save it, and give the digest of a revision that surely holds all of this; or nothing."""
    new, newest = plan.new, plan.newest
    if newest.damaged:
        show.note("Something was damaged at the portal. What is here of it was sent again.")
    if not new and not plan.delete:
        _say_nothing_new(str(newest), len(plan.files))
        return newest.digest
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
    # What somebody else saved in between may have other bytes under one of these names.
    return str(saved["digest"]) if saved["number"] == newest.number + 1 else ""


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
