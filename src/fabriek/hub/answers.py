"""How answers of the hub look: JSON, refusals with the headers that clients read."""

import json
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.http.response import HttpResponseBase
from django.utils import translation
from django.views.decorators.csrf import csrf_exempt

from fabriek.hub.refusals import EntryNotFound, HubRefused, NotSignedIn, WrongRange, unreadable
from fabriek.kernel.body import stream
from fabriek.kernel.errors import Refused

View = Callable[..., HttpResponseBase]
# What we say in curly quotes stands in headers too, which take plain signs only.
PLAIN = str.maketrans({"“": '"', "”": '"', "‘": "'", "’": "'", "…": "...", "–": "-"})
JSON_BYTES_MAX = 2**20
# Each of these may become an object in memory, sixty times as large as the sign.
PARTING, PARTS_MAX = (b"[", b"{", b","), 100_000
SERVER_ERROR = 500
# Bytes of others are never a page of ours, whatever a browser makes of them.
POLICY = "default-src 'none'; sandbox; frame-ancestors 'none'"


def view(*methods: str) -> Callable[[View], View]:
    """Make a view of the hub: only `methods`, no cookies and so no CSRF, refusals as JSON."""

    def decorate(inner: View) -> View:
        @csrf_exempt
        @wraps(inner)
        def wrapped(request: HttpRequest, *words: str, **named: str) -> HttpResponseBase:
            if request.method not in methods:
                return HttpResponseNotAllowed(methods)
            language = translation.get_language_from_request(request)
            with translation.override(language):
                try:
                    response = inner(request, *words, **named)
                except Refused as refusal:
                    response = refused(refusal)
            return _finished(request, response)

        return wrapped

    return decorate


def said(body: object, *, status: int = 200) -> HttpResponse:
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    # Half of a sign, which a program sent and we repeat, is no text.
    plain = text.encode("utf-8", "replace")
    return HttpResponse(plain, content_type="application/json", status=status)


def refused(refusal: Refused) -> HttpResponse:
    """Say no as the Hub does: without these headers clients cannot tell what was wrong."""
    response = said({"error": str(refusal), "code": refusal.code}, status=refusal.status)
    response["X-Error-Message"] = in_header(str(refusal))
    if isinstance(refusal, HubRefused) and refusal.hub_code:
        response["X-Error-Code"] = refusal.hub_code
    if isinstance(refusal, EntryNotFound) and refusal.commit_id:
        response["X-Repo-Commit"] = refusal.commit_id
    if isinstance(refusal, NotSignedIn):
        response["WWW-Authenticate"] = "Bearer"
    if isinstance(refusal, WrongRange):
        response["Content-Range"] = f"bytes */{refusal.size_bytes}"
    return response


def in_header(text: str) -> str:
    """Say it with the signs that a header can carry."""
    words = " ".join(text.translate(PLAIN).split())
    plain = "".join(sign if sign.isprintable() else "?" for sign in words)
    return plain.encode("latin-1", "replace").decode("latin-1")


def _finished(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    """Do what the way for pages does, which the hub does not take."""
    if isinstance(response, HttpResponse):
        response.headers.setdefault("Content-Length", str(len(response.content)))
        if request.method == "HEAD":
            response.content = b""
    # Clients ask for many files that may not be there: that is no event.
    response._has_been_logged = response.status_code < SERVER_ERROR  # type: ignore[attr-defined]  # noqa: SLF001
    return safe(response)


def safe(response: HttpResponseBase) -> HttpResponseBase:
    response.headers.setdefault("Content-Security-Policy", POLICY)
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    # What is told depends on who asks: no cache between us may keep it for another.
    response.headers.setdefault("Cache-Control", "private, no-cache")
    return response


def json_of(request: HttpRequest, *, limit_bytes: int = JSON_BYTES_MAX) -> dict[str, Any]:
    """Read a small JSON object. Raises: Unreadable."""
    text = stream(request).read(limit_bytes + 1)
    if len(text) > limit_bytes or sum(map(text.count, PARTING)) > PARTS_MAX:
        raise unreadable()
    try:
        found = json.loads(text or b"{}")
    except (ValueError, RecursionError) as error:
        raise unreadable() from error
    if not isinstance(found, dict):
        raise unreadable()
    return found
