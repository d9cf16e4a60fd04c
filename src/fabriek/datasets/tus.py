"""The words of tus 1.0.0: what its headers say, and which ones we answer with."""

import base64
import binascii
from collections.abc import Callable
from functools import wraps

from django.http import HttpRequest, HttpResponse
from django.utils.http import http_date

from fabriek.datasets import refusals
from fabriek.datasets.models import Upload
from fabriek.datasets.receiving import ALGORITHMS, Checksum
from fabriek.datasets.resumable import Announced

VERSION = "1.0.0"
EXTENSIONS = "creation,creation-with-upload,checksum,expiration,termination,concatenation"
OFFSET_STREAM = "application/offset+octet-stream"
TOLD_CHARACTERS = 4096
DIGITS = 15
NAMES = ("path", "relativePath", "filename", "name")
# Ours: what the file turned out to be, once it is whole.
SHA256_HEADER = "Fabriek-SHA256"

View = Callable[..., HttpResponse]


def speaks_tus(view: View) -> View:
    """Say which version in every answer, refusals too."""

    @wraps(view)
    def spoken(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        response = view(request, *args, **kwargs)
        response.headers.setdefault("Tus-Resumable", VERSION)
        response.headers.setdefault("Cache-Control", "no-store")
        if response.status_code == refusals.NotTus.status:
            response.headers["Tus-Version"] = VERSION
        return response

    return spoken


def require_version(request: HttpRequest) -> None:
    if request.headers.get("Tus-Resumable") != VERSION:
        raise refusals.other_version()


def require_offset_stream(request: HttpRequest) -> None:
    if request.content_type != OFFSET_STREAM:
        raise refusals.no_offset_stream()


def capabilities(limit_bytes: int) -> dict[str, str]:
    return {
        "Tus-Version": VERSION,
        "Tus-Extension": EXTENSIONS,
        "Tus-Max-Size": str(limit_bytes),
        "Tus-Checksum-Algorithm": ",".join(ALGORITHMS),
    }


def headers_of(upload: Upload) -> dict[str, str]:
    found = {
        "Upload-Offset": str(upload.offset_bytes),
        "Upload-Length": str(upload.length_bytes),
        "Upload-Expires": http_date(upload.expires_at.timestamp()),
        "Upload-Metadata": upload.told,
        "Upload-Concat": upload.concat,
        SHA256_HEADER: upload.sha256,
    }
    return {name: value for name, value in found.items() if value}


def announced(request: HttpRequest) -> Announced:
    """Read what a client tells of a file. Raises: Unreadable."""
    told = request.headers.get("Upload-Metadata", "")
    facts = metadata(told)
    return Announced(
        length_bytes=number(request, "Upload-Length"),
        path=path_in(facts),
        sha256=facts.get("sha256", ""),
        told=told,
        is_part=request.headers.get("Upload-Concat") == "partial",
    )


def metadata(told: str) -> dict[str, str]:
    """Read `name base64, name base64`; a name may stand alone."""
    if len(told) > TOLD_CHARACTERS or not told.isascii():
        raise refusals.wrong_header("Upload-Metadata")
    facts: dict[str, str] = {}
    for pair in filter(None, (each.strip() for each in told.split(","))):
        name, _blank, value = pair.partition(" ")
        try:
            facts[name] = _decoded(value).decode()
        except ValueError as error:
            raise refusals.wrong_header("Upload-Metadata") from error
    return facts


def path_in(facts: dict[str, str]) -> str:
    return next((facts[name] for name in NAMES if facts.get(name)), "")


def number(request: HttpRequest, header: str) -> int:
    told = request.headers.get(header, "")
    if not (told.isascii() and told.isdigit()) or len(told) > DIGITS:
        raise refusals.wrong_header(header)
    return int(told)


def checksum(request: HttpRequest) -> Checksum | None:
    told = request.headers.get("Upload-Checksum")
    if told is None:
        return None
    algorithm, _blank, value = told.strip().partition(" ")
    if algorithm not in ALGORITHMS:
        raise refusals.unknown_algorithm(", ".join(ALGORITHMS))
    try:
        return Checksum(algorithm=algorithm, digest=_decoded(value))
    except ValueError as error:
        raise refusals.wrong_header("Upload-Checksum") from error


def keys_to_join(concat: str) -> list[str]:
    """Read `final;/a/1 /a/2`: the last part of each address is the key.

    Not taken apart as an address, which can be wrong in many ways: a wrong key is not found.
    """
    addresses = concat.partition(";")[2].split()
    return [address.rstrip("/").rpartition("/")[2] for address in addresses]


def _decoded(value: str) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except binascii.Error as error:
        raise ValueError(value) from error
