"""What is in a repository: all of it, a folder, or some paths."""

import unicodedata

from django.http import HttpRequest, HttpResponse, QueryDict

from fabriek.hub import queries, reading, refusals, words
from fabriek.hub.answers import said, view
from fabriek.hub.repo_views import next_page
from fabriek.kernel.body import stream
from fabriek.store.models import MAIN

PAGE, PAGE_EXPANDED = 1000, 100
PATHS_MAX, FOLDERS_MAX = 5000, 200
FORM_BYTES_MAX = 4 * 2**20
YES = {"true", "1", "True"}


@view("GET", "HEAD")
def info(request: HttpRequest, *, revision: str = MAIN, **where: str) -> HttpResponse:
    found = _at(request, revision, where)
    blobs = request.GET.get("blobs") in YES
    entries = queries.entries(found.point)
    return said(words.info(found.door.repository, found.point, entries, blobs=blobs))


@view("GET")
def tree(request: HttpRequest, *, rest: str, **where: str) -> HttpResponse:
    reader = reading.at(request, rest, **where)
    point, folder = reader.point, unicodedata.normalize("NFC", reader.path).strip("/")
    expand = request.GET.get("expand") in YES
    most = PAGE_EXPANDED if expand else PAGE
    after = request.GET.get("cursor", "")
    if not queries.is_sane(after):
        raise refusals.unreadable()
    found = _page(point, folder, after, most, recursive=request.GET.get("recursive") in YES)
    if not found and folder and not after:
        raise refusals.entry_not_found(folder, point.commit_id)
    told = words.expanded if expand else words.in_tree
    response = said([told(entry, point) for entry in found])
    if len(found) >= most:
        next_page(request, response, cursor=queries.path_of(found[-1]))
    return response


def _at(request: HttpRequest, revision: str, where: dict[str, str]) -> reading.Reading:
    """Find a revision of which no path may be left. Raises: as `reading.at`."""
    found = reading.at(request, revision, **where)
    if found.path:
        raise refusals.revision_not_found(revision)
    return found


def _page(
    point: queries.Point, folder: str, after: str, most: int, *, recursive: bool
) -> list[queries.Entry | str]:
    if point.revision is None:
        return []
    if not recursive:
        return queries.page_of_folder(point.revision, folder, after=after, most=most)
    files = queries.page_of_files(point.revision, folder, after=after, most=most)
    return words.folders_of(files, after=after, folder=folder)


@view("POST")
def paths_info(request: HttpRequest, *, revision: str, **where: str) -> HttpResponse:
    """Tell of some paths; those that are not there are left out."""
    point = _at(request, revision, where).point
    form = _form(request)
    asked = [unicodedata.normalize("NFC", path).strip("/") for path in form.getlist("paths")]
    asked = [path for path in dict.fromkeys(asked) if path and queries.is_sane(path)]
    entries = queries.entries(point, asked)
    there = {entry.path for entry in entries}
    others = [path for path in asked if path not in there]
    if len(others) > FOLDERS_MAX:
        raise refusals.unreadable()  # each is a question of its own
    folders = queries.folders_among(point, others)
    told = words.expanded if form.get("expand") in YES else words.in_tree
    found: list[queries.Entry | str] = [*entries, *folders]
    return said([told(entry, point) for entry in found])


def _form(request: HttpRequest) -> QueryDict:
    text = stream(request).read(FORM_BYTES_MAX + 1)
    if len(text) > FORM_BYTES_MAX or text.count(b"&") > PATHS_MAX:
        raise refusals.unreadable()
    try:
        return QueryDict(text, encoding="utf-8")
    except (ValueError, RecursionError) as error:
        raise refusals.unreadable() from error
