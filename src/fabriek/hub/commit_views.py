"""What clients ask before a commit, and the commit itself."""

import base64
import unicodedata
from collections.abc import Iterator
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from fabriek.agreements import blind
from fabriek.hub import (
    bodies,
    commit_lines,
    commits,
    doors,
    git_names,
    queries,
    refusals,
    xet_places,
)
from fabriek.hub.answers import in_header, json_of, said, view
from fabriek.hub.doors import Door
from fabriek.hub.repo_views import address
from fabriek.registry import pushed, unfinished
from fabriek.store import queries as store
from fabriek.store.incoming import require_room
from fabriek.store.models import Repository, Revision

PREUPLOAD_BYTES_MAX = 4 * 2**20
FILES_MAX = 2000  # clients ask 256 at a time


@view("POST")
def preupload(request: HttpRequest, *, branch: str, **where: str) -> HttpResponse:
    """Say for each file how it is to be sent, and what is there under its name already."""
    _refuse_pull_request(request)
    door = doors.writable(request, **where)
    point = queries.point(door.repository, branch)
    asked = [_file(each) for each in _list(json_of(request, limit_bytes=PREUPLOAD_BYTES_MAX))]
    if door.repository.kind == Repository.Kind.MODEL:
        for path, _size, _sample in asked:
            pushed.require_name(path)  # before gigabytes are on their way
    # Told here, where programs show the sentence: of a xorb they show a number, after minutes.
    require_room(xet_places.incoming_folder())
    paths = [unicodedata.normalize("NFC", path) for path, _size, _sample in asked]
    # A name of what is there is a name of what is in it, to who could try all that may be.
    is_blind = blind.is_blind(door.person, door.repository)
    found = [] if is_blind else queries.entries(point, paths)
    # What is damaged is asked for again, which mends it.
    harmed = store.harmed(door.repository.organisation_id) if found else set()
    there = {entry.path: entry for entry in found if entry.sha256 not in harmed}
    told = [
        _told(path, is_regular(size, sample), there.get(unicodedata.normalize("NFC", path)))
        for path, size, sample in asked
    ]
    return said({"files": told})


@view("POST")
def commit(request: HttpRequest, *, branch: str, **where: str) -> HttpResponse:
    _refuse_pull_request(request)
    door = doors.writable(request, **where)
    lines = bodies.lines(
        request, limit_bytes=commit_lines.LINE_BYTES_MAX, too_long=commit_lines.TOO_LONG
    )
    lines = _to_the_end(lines, door)
    revision = commits.commit(door.repository, branch, commit_lines.read(lines), by=door.person)
    oid = revision.commit_id if revision else queries.beginning(door.repository)
    url = f"{address(request, door.repository)}/commit/{oid}"
    lacks = _lacks(door.repository, revision)
    answer = said({"success": True, "commitOid": oid, "commitUrl": url, "hookOutput": lacks})
    if lacks:
        # Clients print it, once for each topic: so the sentence is its own.
        plain = in_header(lacks).replace(";", ",")
        answer["X-HF-Warning"] = f"{plain}; {plain}"
    return answer


def _to_the_end(lines: Iterator[bytes], door: Door) -> Iterator[bytes]:
    yield from lines
    doors.require_still_write(door)


def is_regular(size_bytes: int, sample: bytes) -> bool:
    """Tell whether a file goes inside the commit: small, and text."""
    return size_bytes <= git_names.REGULAR_BYTES_MAX and git_names.is_text(sample)


def _lacks(repository: Repository, revision: Revision | None) -> str:
    """Say what keeps what was pushed from being a model; nothing where nothing does."""
    if revision is None or repository.kind != Repository.Kind.MODEL:
        return ""
    return unfinished.sentence(repository, revision)


def _told(path: str, regular: bool, there: queries.Entry | None) -> dict[str, Any]:
    # What clients work out themselves to compare: git's name inside, SHA-256 beside.
    oid = (there.sha1 if regular else there.sha256) if there else ""
    mode = "regular" if regular else "lfs"
    return {"path": path, "uploadMode": mode, "shouldIgnore": False, "oid": oid or None}


def _refuse_pull_request(request: HttpRequest) -> None:
    if request.GET.get("create_pr") in {"1", "true", "True"}:
        raise refusals.no_pull_requests()


def _list(asked: dict[str, Any]) -> list[Any]:
    files = asked.get("files")
    if not isinstance(files, list) or len(files) > FILES_MAX:
        raise refusals.unreadable()
    return files


def _file(told: object) -> tuple[str, int, bytes]:
    """Read path, size and sample. Raises: Unreadable."""
    path, size, sample = (
        (told.get(name) for name in ("path", "size", "sample"))
        if isinstance(told, dict)
        else (None, None, None)
    )
    if not isinstance(path, str) or type(size) is not int or size < 0:
        raise refusals.unreadable()
    if not queries.is_sane(path):
        raise refusals.unreadable(
            _("A name of a file holds a sign that is none. Give that file another name.")
        )
    try:
        return path, size, base64.b64decode(sample or "", validate=True)
    except (TypeError, ValueError) as error:
        raise refusals.unreadable() from error
