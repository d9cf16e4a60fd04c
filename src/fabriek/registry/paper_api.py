"""The papers of a model for programs."""

from django.http import HttpResponse
from ninja import Router

from fabriek.people.http import SignedIn
from fabriek.registry import papers

router = Router(tags=["models"])


@router.get("/{code}/signature")
def signature(request: SignedIn, code: str) -> HttpResponse:
    """Get the factory's signature over the files: a Sigstore bundle (OpenSSF model signing)."""
    return papers.signature(code, request.user)


@router.get("/{code}/bom")
def bill(request: SignedIn, code: str) -> HttpResponse:
    """Get the bill of materials: CycloneDX 1.6 with a model card."""
    return papers.bill(code, request.user)


@router.get("/{code}/record.{ending}")
def record(request: SignedIn, code: str, ending: str) -> HttpResponse:
    """Get the model's record in MLDCAT-AP: as `ttl`, `jsonld` or `rdf`."""
    return papers.record(code, ending, request.user)
