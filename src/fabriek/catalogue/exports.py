"""The catalogue for programs: DCAT-AP-NL of one dataset or of all, and Croissant."""

import json
import logging
from collections.abc import Sequence

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe
from rdflib import Graph

from fabriek.catalogue import croissant, dcat, formats, queries, tables
from fabriek.catalogue import told as facts
from fabriek.catalogue.models import Record
from fabriek.kernel.paging import paginate
from fabriek.people import tokens
from fabriek.people.models import Person

log = logging.getLogger(__name__)

# One page takes about a third of a second to write; see docs/operate.
PAGE_SIZE = 100


@require_safe
def dataset(request: HttpRequest, code: str, ending: str) -> HttpResponseBase:
    """Give one dataset as DCAT-AP-NL, to whoever may find it."""
    told = facts.of(record_shown(request, code), reader(request))
    same, etag, changed = formats.unless_same(request, [told], ending)
    if same:
        return formats.of_this_reader(same)
    return formats.marked(_rdf(dcat.one(told), ending), etag, changed)


@require_safe
def catalogue(request: HttpRequest, ending: str) -> HttpResponseBase:
    """Give a page of all that others may take over, with the way to the next one."""
    records = queries.harvested()
    page = paginate(records, request.GET.get("page", "1"), PAGE_SIZE)
    told = facts.of_all(page.items, None)
    part = dcat.Part(
        number=page.page, pages=page.pages, size=PAGE_SIZE, count=page.count, suffix=ending
    )
    same, etag, changed = formats.unless_same(request, told, part)
    if same:
        return formats.of_this_reader(same)
    return formats.marked(_page(told, part, ending), etag, changed)


@require_safe
def as_croissant(request: HttpRequest, code: str) -> HttpResponseBase:
    """Give one dataset as Croissant, with its files and columns where the reader may know."""
    told = facts.of(record_shown(request, code), reader(request))
    same, etag, changed = formats.unless_same(request, [told], "croissant")
    if same:
        return formats.of_this_reader(same)
    written = croissant.written(told, tables.read(told, croissant.tables(told)))
    body = json.dumps(written, ensure_ascii=False, indent=1)
    response = HttpResponse(body, content_type="application/ld+json; charset=utf-8")
    return formats.marked(response, etag, changed)


def reader(request: HttpRequest) -> Person | None:
    """Tell who reads: by a session, or by the token that a program sends.

    Raises: WrongToken.
    """
    scheme, _space, key = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        if found := tokens.find(key.strip()):
            return found.person
        raise formats.WrongToken(
            _("This token is unknown, expired or revoked. Make a new one, or send none.")
        )
    person = request.user
    return person if isinstance(person, Person) else None


def record_shown(request: HttpRequest, code: str) -> Record:
    """Find a record; what is not this reader's to find does not exist."""
    person = reader(request)
    found = queries.shown(person).filter(dataset__code=code).first()
    if found is None:
        # It may be so new that the loop has made no record of it yet.
        return Record(dataset=get_object_or_404(queries.without_record(person), code=code))
    return found


def _page(datasets: Sequence[facts.Told], part: dcat.Part, ending: str) -> HttpResponse:
    """Write the page; a dataset that no format can hold is left out, not the page with it."""
    try:
        return _rdf(dcat.page(datasets, part), ending)
    except Exception:
        log.exception("A page of the catalogue could not be written as it is.")
    sound = [told for told in datasets if _is_writable(told, ending)]
    return _rdf(dcat.page(sound, part), ending)


def _is_writable(told: facts.Told, ending: str) -> bool:
    try:
        _rdf(dcat.one(told), ending)
    except Exception:
        log.exception("Dataset %s is left out: it could not be written.", told.code)
        return False
    return True


def _rdf(graph: Graph, ending: str) -> HttpResponse:
    media_type, name = formats.RDF[ending]
    body = graph.serialize(format=name, encoding="utf-8")
    return HttpResponse(body, content_type=f"{media_type}; charset=utf-8")
