"""Large files beside the commit, as git LFS sends them: in one piece or in parts."""

from dataclasses import replace
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from fabriek.agreements import blind
from fabriek.hub import bodies, doors, links, parts, refusals
from fabriek.hub.answers import json_of, said, view
from fabriek.hub.links import Upload
from fabriek.kernel.body import stream
from fabriek.kernel.errors import Invalid
from fabriek.store import actions as store
from fabriek.store import queries
from fabriek.store.incoming import too_large
from fabriek.store.singles import checked

OBJECTS_MAX = 2000  # clients ask 256 at a time
LFS = "application/vnd.git-lfs+json"


@view("POST")
def batch(request: HttpRequest, *, kind: str | None = None, **where: str) -> HttpResponse:
    """Say which files must still be sent, and by which link each."""
    door = doors.writable(request, kind or "models", **where)
    asked = json_of(request)
    if asked.get("operation") != "upload":
        raise refusals.no_lfs_download()
    objects = [_object(each) for each in _list(asked)]
    oids = [oid for oid, _size in objects]
    wanted = set(blind.missing(door.repository, oids, by=door.person))
    transfers = asked.get("transfers")
    in_parts = isinstance(transfers, list) and "multipart" in transfers
    part_bytes = parts.size_for([size for _oid, size in objects if _in_parts(size)])
    told = []
    for oid, size in objects:
        upload = Upload(repository=door.repository, token=door.writer, oid=oid, size_bytes=size)
        if in_parts and _in_parts(size):
            upload = replace(upload, key=links.new_key(), part_bytes=part_bytes)
        told.append(_told(request, upload, wanted=oid in wanted))
    some_in_parts = any("header" in _upload_of(each) for each in told)
    transfer = "multipart" if some_in_parts else "basic"
    return _lfs({"transfer": transfer, "objects": told, "hash_algo": "sha256"})


@view("PUT")
def put(request: HttpRequest, signed: str) -> HttpResponse:
    """Take in one file, whole; its link says what it must be."""
    upload = links.read(signed)
    _require_length(request, upload.size_bytes)
    body = stream(request)
    store.store_bytes(upload.repository, body, by=upload.person, expected_sha256=upload.oid)
    return said({})


@view("PUT")
def put_part(request: HttpRequest, signed: str, number: int) -> HttpResponse:
    upload = links.read(signed)
    if not upload.key:
        raise links.link_over()
    _require_length(request, parts.length(upload, number))
    response = said({})
    response["ETag"] = f'"{parts.write(upload, number, stream(request))}"'
    return response


@view("POST")
def complete(request: HttpRequest, signed: str) -> HttpResponse:
    """Put the parts together; done before is done."""
    upload = links.read(signed)
    json_of(request)
    if not upload.key:
        raise links.link_over()
    parts.put_together(upload)
    return said({})


@view("POST")
def verify(request: HttpRequest, signed: str) -> HttpResponse:
    """Say whether the file arrived here; its sender says again who they are."""
    person = doors.person_of(request, writes=True)
    upload = links.read(signed, to_begin=False)
    if upload.person != person:
        raise links.link_over()
    asked = json_of(request)
    sent = blind.sent(upload.repository, [upload.oid], by=person)
    here = queries.claimed(upload.repository, sent).get(upload.oid)
    size = asked.get("size")
    if here is None or (size is not None and size != here.size_bytes):
        raise Invalid(_("This file did not arrive whole. Send it again."), code="not_here")
    return said({})


def _in_parts(size_bytes: int) -> bool:
    return parts.WORTH_PARTS_BYTES <= size_bytes <= settings.UPLOAD_LIMIT_BYTES


def _told(request: HttpRequest, upload: Upload, *, wanted: bool) -> dict[str, Any]:
    told: dict[str, Any] = {"oid": upload.oid, "size": upload.size_bytes}
    if not wanted:
        return told  # without a link clients know that it is here
    if upload.size_bytes > settings.UPLOAD_LIMIT_BYTES:
        sentence = str(too_large(settings.UPLOAD_LIMIT_BYTES))
        return told | {"error": {"code": 413, "message": sentence}}
    if upload.key:
        return told | {"actions": _by_parts(request, upload)}
    signed = links.signed(upload)
    put_at = {"href": _url(request, put, signed), "expires_in": links.BASIC_S}
    return told | {"actions": {"upload": put_at, "verify": _verify(request, signed)}}


def _by_parts(request: HttpRequest, upload: Upload) -> dict[str, Any]:
    signed = links.signed(upload)
    header = {"chunk_size": str(upload.part_bytes)}
    for number in range(1, parts.count(upload.size_bytes, upload.part_bytes) + 1):
        header[f"{number:05d}"] = _url(request, put_part, signed, number)
    at_the_end = {
        "href": _url(request, complete, signed),
        "header": header,
        "expires_in": links.PARTS_S,
    }
    return {"upload": at_the_end, "verify": _verify(request, signed)}


def _verify(request: HttpRequest, signed: str) -> dict[str, Any]:
    return {"href": _url(request, verify, signed), "expires_in": links.PARTS_S}


def _url(request: HttpRequest, name: object, *words: object) -> str:
    place = reverse(name, args=words, urlconf="fabriek.hub.urls")  # type: ignore[arg-type]
    return request.build_absolute_uri(place)


def _require_length(request: HttpRequest, size_bytes: int) -> None:
    """Refuse before the first byte what is longer or shorter than the link says."""
    announced = bodies.announced(request)
    if announced is not None and announced != size_bytes:
        raise Invalid(
            _("%(sent)s bytes were announced here, and %(agreed)s before. Nothing was kept.")
            % {"sent": announced, "agreed": size_bytes},
            code="other_size",
        )


def _upload_of(told: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = told.get("actions", {}).get("upload", {})
    return found


def _list(asked: dict[str, Any]) -> list[Any]:
    objects = asked.get("objects")
    if not isinstance(objects, list) or len(objects) > OBJECTS_MAX:
        raise refusals.unreadable()
    return objects


def _object(told: object) -> tuple[str, int]:
    """Read SHA-256 and size. Raises: Unreadable, Invalid."""
    if not isinstance(told, dict):
        raise refusals.unreadable()
    oid, size = told.get("oid"), told.get("size")
    if not isinstance(oid, str) or type(size) is not int or size < 0:
        raise refusals.unreadable()
    return checked(oid), size


def _lfs(body: object) -> HttpResponse:
    response = said(body)
    response["Content-Type"] = LFS
    return response
