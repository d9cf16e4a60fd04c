"""The bytes of one file, whole or in part."""

from pathlib import PurePosixPath

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from fabriek.agreements.policy import Moment
from fabriek.hub import doors, git_names, queries, reading, refusals, sending
from fabriek.hub.answers import view
from fabriek.store.models import Repository


@view("GET", "HEAD")
def resolve(
    request: HttpRequest, *, rest: str, kind: str | None = None, **where: str
) -> HttpResponseBase:
    """Give a file, or with HEAD what clients ask before they fetch it."""
    found = reading.at_file(request, rest, kind=kind or "models", **where)
    point = found.point
    if not found.path:
        raise refusals.entry_not_found("", point.commit_id)
    file = queries.file(point, found.path)
    if found.door.repository.kind == Repository.Kind.MODEL:
        # Whatever its name or size, it may be what the model learned.
        doors.require(found.door, Moment.RELEASE, revision=point.revision)
    etag = f'"{git_names.named(file.blob) or file.blob.sha256}"'
    if etag in _etags(request):
        response: HttpResponseBase = HttpResponse(status=304)
    else:
        name = PurePosixPath(file.path).name
        response = sending.blob(request, file.blob, name=name, etag=etag)
    response.headers["ETag"] = etag
    response.headers["X-Repo-Commit"] = point.commit_id
    response.headers["X-Linked-Size"] = str(file.blob.size_bytes)
    return response


def _etags(request: HttpRequest) -> set[str]:
    words = request.META.get("HTTP_IF_NONE_MATCH", "").split(",")[:20]
    return {word.strip().removeprefix("W/") for word in words}
