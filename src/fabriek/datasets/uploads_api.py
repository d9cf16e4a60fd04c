"""Uploads in parts over HTTP: the protocol tus 1.0.0, for its own clients as for ours."""

from django.conf import settings
from django.http import HttpResponse
from django.urls import reverse
from ninja import Path, Router
from ninja.decorators import decorate_view

from fabriek.datasets import finding, refusals, resumable, tus
from fabriek.datasets.models import Dataset, Upload
from fabriek.datasets.resumable import Part
from fabriek.kernel.body import Body
from fabriek.people.http import SignedIn

router = Router(tags=["uploads"])

CREATED, DONE = 201, 204


@router.api_operation(["OPTIONS"], "/", auth=None)
@decorate_view(tus.speaks_tus)
def capabilities(request: SignedIn, code: Path[str]) -> HttpResponse:  # noqa: ARG001
    """Say which of the protocol's extensions are spoken here."""
    return _answer(DONE, tus.capabilities(settings.UPLOAD_LIMIT_BYTES))


@router.post("/", url_name="upload_new")
@decorate_view(tus.speaks_tus)
def begin(request: SignedIn, code: Path[str]) -> HttpResponse:
    """Announce a file by its length; it may bring its first part along.

    Whole, it is in the store, and `Fabriek-SHA256` tells what a revision may name.
    """
    tus.require_version(request)
    dataset = finding.dataset(code, request.user)
    concat = request.headers.get("Upload-Concat", "")
    if concat.startswith("final"):
        return _created(dataset, _join(request, dataset, concat))
    brings = bool(int(request.META.get("CONTENT_LENGTH") or 0))
    if brings:
        tus.require_offset_stream(request)
    checksum = tus.checksum(request)
    upload = resumable.begin(dataset, tus.announced(request), by=request.user)
    if brings:
        part = Part(at=0, body=Body(request), checksum=checksum)
        upload = resumable.append(upload, part, by=request.user)
    return _created(dataset, upload)


@router.api_operation(["HEAD"], "/{key}", url_name="upload")
@decorate_view(tus.speaks_tus)
def look(request: SignedIn, code: Path[str], key: Path[str]) -> HttpResponse:
    """Say how much has arrived."""
    tus.require_version(request)
    upload = _upload(request, code, key)
    upload = resumable.settle(upload, by=request.user)
    return _answer(200, tus.headers_of(upload))


@router.api_operation(["PATCH", "POST"], "/{key}")
@decorate_view(tus.speaks_tus)
def append(request: SignedIn, code: Path[str], key: Path[str]) -> HttpResponse:
    """Send the next part. A client that knows no PATCH says so in X-HTTP-Method-Override."""
    tus.require_version(request)
    if request.headers.get("X-HTTP-Method-Override", "").upper() == "DELETE":
        return stop(request, code, key)
    upload = _upload(request, code, key)
    tus.require_offset_stream(request)
    if "chunked" in request.headers.get("Transfer-Encoding", ""):
        raise refusals.wrong_header("Content-Length")
    part = Part(
        at=tus.number(request, "Upload-Offset"),
        body=Body(request),
        checksum=tus.checksum(request),
    )
    upload = resumable.append(upload, part, by=request.user)
    return _answer(DONE, tus.headers_of(upload))


@router.delete("/{key}")
@decorate_view(tus.speaks_tus)
def stop(request: SignedIn, code: Path[str], key: Path[str]) -> HttpResponse:
    """Forget an upload and what arrived of it."""
    tus.require_version(request)
    resumable.stop(_upload(request, code, key), by=request.user)
    return _answer(DONE, {})


def _join(request: SignedIn, dataset: Dataset, concat: str) -> Upload:
    told = request.headers.get("Upload-Metadata", "")
    return resumable.join(
        dataset,
        tus.keys_to_join(concat),
        by=request.user,
        path=tus.path_in(tus.metadata(told)),
        told=told,
        concat=concat[: tus.TOLD_CHARACTERS],
    )


def _created(dataset: Dataset, upload: Upload) -> HttpResponse:
    address = reverse("api:upload", args=[dataset.code, upload.key])
    return _answer(CREATED, tus.headers_of(upload) | {"Location": address})


def _answer(status: int, headers: dict[str, str]) -> HttpResponse:
    return HttpResponse(status=status, headers=headers)


def _upload(request: SignedIn, code: str, key: str) -> Upload:
    return resumable.found(finding.dataset(code, request.user), key, by=request.user)
