"""How calls are read and answers look: small JSON objects, refusals as MLflow says them."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils import translation

from fabriek.kernel.body import stream
from fabriek.kernel.errors import Refused
from fabriek.people.tokens import Remembered
from fabriek.tracking import doors, refusals
from fabriek.tracking.doors import Caller

JSON_BYTES_MAX = 2 * 2**20  # MLflow's own server takes one megabyte
# Each of these may become an object in memory, sixty times as large as the sign.
PARTING, PARTS_MAX = (b"[", b"{", b","), 20_000
SERVER_ERROR = 500
# Bytes of others are never a page of ours, whatever a browser makes of them.
POLICY = "default-src 'none'; sandbox; frame-ancestors 'none'"

Words = Mapping[str, Any]
View = Callable[[Caller, Words], "Words | HttpResponseBase"]
IfStill = Callable[[Remembered, Words], bool]  # True: it is done


def answered(
    view: View, request: HttpRequest, *, reads: bool = True, if_still: IfStill | None = None
) -> HttpResponseBase:
    """Let `view` answer what was asked, in the reader's language; refusals become JSON.

    `reads`: the body is JSON; else it is a file, which `view` takes in itself. `if_still`: does
    the same for a token that is remembered, where the database finds that it is still good.
    """
    with translation.override(translation.get_language_from_request(request)):
        try:
            who = doors.remembered(request) if if_still else None
            if who and if_still:
                found = _tried(if_still, who, view, request)
            else:
                found = view(doors.caller(request), words_of(request) if reads else {})
        except Refused as refusal:
            return safe(refused(refusal))
    return safe(found if isinstance(found, HttpResponseBase) else said(found))


def _tried(
    if_still: IfStill, who: Remembered, view: View, request: HttpRequest
) -> "Words | HttpResponseBase":
    try:
        words = words_of(request)
        if if_still(who, words):
            return {}
    except Refused:
        doors.caller(request)  # a token that is no longer good is told before what is wrong
        raise
    return view(doors.caller(request), words)


def said(body: object, *, status: int = 200) -> HttpResponse:
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    # Half of a sign, which a program sent and we repeat, is no text.
    plain = text.encode("utf-8", "replace")
    return HttpResponse(plain, content_type="application/json", status=status)


def refused(refusal: Refused) -> HttpResponse:
    fields = " ".join(str(sentence) for sentence in refusal.fields.values())
    message = f"{refusal} {fields}".strip() if fields else str(refusal)
    body = {"error_code": refusals.error_code(refusal), "message": message}
    return said(body, status=400 if refusal.status in {409, 413, 422} else refusal.status)


def safe(response: HttpResponseBase) -> HttpResponseBase:
    response.headers.setdefault("Content-Security-Policy", POLICY)
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    # What is told depends on who asks: no cache between us may keep it for another.
    response.headers.setdefault("Cache-Control", "private, no-cache")
    if isinstance(response, HttpResponse):
        response.headers.setdefault("Content-Length", str(len(response.content)))
    # Clients ask for experiments that may not be there: that is no event.
    response._has_been_logged = response.status_code < SERVER_ERROR  # type: ignore[attr-defined]  # noqa: SLF001
    return response


def words_of(request: HttpRequest) -> Words:
    """Read what was asked: of a GET the address, else a JSON object. Raises: Wrong."""
    if request.method == "GET":
        lists = request.GET.lists()
        return {name: values[0] if len(values) == 1 else values for name, values in lists}
    text = stream(request).read(JSON_BYTES_MAX + 1)
    if len(text) > JSON_BYTES_MAX or sum(map(text.count, PARTING)) > PARTS_MAX:
        raise refusals.unreadable(refusals.too_large())
    try:
        found = json.loads(text or b"{}")
    except (ValueError, RecursionError) as error:
        raise refusals.unreadable() from error
    if not isinstance(found, dict):
        raise refusals.unreadable()
    return found


def text(words: Words, name: str) -> str:
    """Give a text that must be there. Raises: Wrong."""
    value = words.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not value:
        raise refusals.missing(name)
    return refusals.storable(value)


def listed(words: Words, name: str) -> list[str]:
    value = words.get(name) or []
    found = value if isinstance(value, list) else [value]
    return [refusals.storable(str(one)) for one in found]


def number(words: Words, name: str, *, otherwise: int, most: int) -> int:
    """Read a whole number from 0 to `most`; what is none is `otherwise`."""
    value = str(words.get(name, ""))[:18]
    return min(int(value), most) if value.isdecimal() else otherwise
