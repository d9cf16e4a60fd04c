"""The forms in which programs read the catalogue: which one is asked for, and writing it."""

import hashlib
from collections.abc import Sequence
from datetime import datetime

from django.http import HttpRequest, HttpResponse
from django.utils.cache import get_conditional_response, patch_vary_headers
from django.utils.http import http_date
from django.utils.translation import gettext as _

from fabriek import VERSION
from fabriek.catalogue.told import Told
from fabriek.kernel.errors import Refused

HTML = "text/html"
# By the ending of an address: the media type, and what rdflib calls it.
RDF = {
    "ttl": ("text/turtle", "turtle"),
    "jsonld": ("application/ld+json", "json-ld"),
    "rdf": ("application/rdf+xml", "xml"),
}
ENDINGS = {media_type: ending for ending, (media_type, _name) in RDF.items()}


class NoSuchForm(Refused):
    code = "not_acceptable"
    status = 406


class WrongToken(Refused):
    code = "not_signed_in"
    status = 401


def asked(request: HttpRequest) -> str:
    """Give the ending of the form that the Accept header asks for; empty is a page.

    Raises:
        NoSuchForm: it asks for nothing that there is.
    """
    best = request.get_preferred_type([HTML, *ENDINGS])
    if best is None:
        raise NoSuchForm(
            _(
                "This is not there in the form that was asked for. Ask for one of: %(types)s; "
                "or send no Accept header and get a page."
            )
            % {"types": ", ".join([HTML, *ENDINGS])}
        )
    return ENDINGS.get(best, "")


def unless_same(
    request: HttpRequest, told: Sequence[Told], *more: object
) -> tuple[HttpResponse | None, str, datetime | None]:
    """Answer 304 where the asker has these very facts already; else how to mark the answer.

    The facts are compared, not the bytes: so nothing is written out to find that it is old.
    """
    seen = repr((VERSION, told, more)).encode()
    etag = f'"{hashlib.sha256(seen).hexdigest()[:32]}"'
    changed = max((each.modified_at for each in told), default=None)
    seconds = int(changed.timestamp()) if changed else None
    return get_conditional_response(request, etag=etag, last_modified=seconds), etag, changed


def marked(response: HttpResponse, etag: str, changed: datetime | None) -> HttpResponse:
    """Let the asker come back with a question instead of fetching all again."""
    response["ETag"] = etag
    if changed:
        response["Last-Modified"] = http_date(changed.timestamp())
    response["Access-Control-Allow-Origin"] = "*"
    return of_this_reader(response)


def of_this_reader(response: HttpResponse) -> HttpResponse:
    """Keep answers apart: who is signed in sees more, and one address has several forms."""
    patch_vary_headers(response, ["Accept", "Authorization", "Cookie"])
    response["Cache-Control"] = "private, max-age=0, must-revalidate"
    return response
