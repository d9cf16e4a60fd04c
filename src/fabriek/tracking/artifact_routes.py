"""The routes of files: `mlflow-artifacts/artifacts/<number of the run>/artifacts/<path>`."""

import mimetypes
import unicodedata

from django.http import FileResponse, HttpRequest
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _

from fabriek.kernel.body import stream
from fabriek.tracking import answers, artifacts, doors, queries, refusals, shapes
from fabriek.tracking.answers import Words
from fabriek.tracking.doors import Caller, Found
from fabriek.tracking.models import Artifact

FOLDER = "artifacts"


def put(who: Caller, request: HttpRequest, place: str) -> Words:
    number, path = _parts(place)
    who.require_person()  # what data leaves a run by is decided at its outputs
    found = doors.writable(who, number)
    length = request.META.get("CONTENT_LENGTH") or ""
    announced = int(length) if length.isdecimal() else None
    if announced is None and "HTTP_TRANSFER_ENCODING" not in request.META:
        announced = 0  # an empty file
    if found.tracked is None:
        raise refusals.no_run()
    artifacts.put(found.tracked, path, stream(request), announced=announced)
    return {}


def get(who: Caller, _request: HttpRequest, place: str) -> HttpResponseBase:
    return sent(_artifact(who, place))


def delete(who: Caller, _request: HttpRequest, place: str) -> Words:
    """Remove a file, or all below a folder."""
    number, path = _sought(place)
    who.require_person()
    found = doors.writable(who, number)
    if found.tracked:
        below = list(queries.artifacts_of(found.tracked, path))
        exact = list(Artifact.objects.filter(tracked=found.tracked, path=path))
        for one in (*exact, *below):
            one.tracked = found.tracked
            artifacts.remove(one)
    return {}


def names(who: Caller, words: Words) -> Words:
    """List what a folder holds, by names alone, as the client wants it here."""
    place = refusals.storable(str(words.get("path") or "")).strip("/")
    number, _slash, rest = place.partition("/")
    folder = _kept(rest.removeprefix(FOLDER).strip("/"))
    found = doors.readable(who, number)
    below = queries.files_below(_listed(found, folder), folder)
    return {"files": shapes.infos(below.items(), "")}


def sent(artifact: Artifact) -> HttpResponseBase:
    """Give a file to be saved: never shown as a page of ours, whatever is in it."""
    name = artifact.path.rpartition("/")[2]
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    response = FileResponse(
        artifacts.opened(artifact), as_attachment=True, filename=name, content_type=kind
    )
    return answers.safe(response)


def _listed(found: Found, folder: str) -> list[tuple[str, int]]:
    if found.tracked is None:
        return []
    rows = queries.artifacts_of(found.tracked, folder)
    return list(rows.values_list("path", "size_bytes"))


def _artifact(who: Caller, place: str) -> Artifact:
    number, path = _sought(place)
    found = doors.readable(who, number)
    rows = Artifact.objects.filter(tracked=found.tracked, path=path)
    artifact = rows.first() if found.tracked else None
    if artifact is None or found.tracked is None:
        raise refusals.no_file()
    artifact.tracked = found.tracked
    return artifact


def _parts(place: str) -> tuple[str, str]:
    """Take the number and the path out of an address. Raises: Wrong."""
    number, _slash, rest = place.partition("/")
    folder, slash, path = rest.partition("/")
    if folder != FOLDER or not slash or not path:
        raise refusals.Wrong(
            _("A file stands below the number of its run: …/%(number)s/artifacts/name.txt.")
            % {"number": number[: refusals.SHOWN]}
        )
    return number, _kept(path)


def _sought(place: str) -> tuple[str, str]:
    """Do the same where a file is looked for. Raises: Absent, for a name that none can have."""
    number, path = _parts(place)
    if refusals.storable(path) != path:
        raise refusals.no_file()
    return number, path


def _kept(path: str) -> str:
    """Write accents in one form, as paths are kept: some systems take them apart."""
    return unicodedata.normalize("NFC", path)
