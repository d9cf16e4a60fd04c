"""The papers of a model for people and programs: signature, bill of materials, record."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_safe

from fabriek.people.http import SignedIn
from fabriek.registry import papers
from fabriek.registry.models import SigningKey


@require_safe
@login_required
def signature(request: SignedIn, code: str) -> HttpResponse:
    return papers.signature(code, request.user)


@require_safe
@login_required
def bill(request: SignedIn, code: str) -> HttpResponse:
    return papers.bill(code, request.user)


@require_safe
@login_required
def record(request: SignedIn, code: str, ending: str) -> HttpResponse:
    return papers.record(code, ending, request.user)


@require_safe
def key(request: HttpRequest, fingerprint: str = "") -> HttpResponse:  # noqa: ARG001
    """Give the factory's public key to anybody: the one in use, or an older one."""
    keys = SigningKey.objects.order_by("-first_used_at", "-pk")
    if fingerprint:
        keys = keys.filter(fingerprint=fingerprint)
    found = keys.first() or get_object_or_404(keys)
    response = HttpResponse(found.pem, content_type="application/x-pem-file")
    response["Access-Control-Allow-Origin"] = "*"
    return response
