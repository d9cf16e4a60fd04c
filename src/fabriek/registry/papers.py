"""Write the papers of a model for one reader, as answers to a request."""

import json

from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _

from fabriek.catalogue import formats
from fabriek.kernel.errors import NotAllowed
from fabriek.people.models import Person
from fabriek.registry import bom, composition, mldcat, queries, rules
from fabriek.registry.models import Model, Signature


def signature(code: str, person: Person) -> HttpResponse:
    """Give the signature, to who may know which files there are: it names them.

    Raises: NotAllowed.
    """
    model = _model(code, person)
    if not model.is_ours:  # type: ignore[attr-defined]
        rules.require_download(person, model, revision=model.revision.number)
    found = get_object_or_404(Signature, revision=model.revision_id)
    kind = "application/vnd.dev.sigstore.bundle.v0.3+json"
    return _named(HttpResponse(found.bundle, content_type=kind), f"{model.code}.sig")


def bill(code: str, person: Person) -> HttpResponse:
    made = composition.of(_told(code, person), person)
    body = json.dumps(bom.written(made), ensure_ascii=False, indent=1)
    response = HttpResponse(body, content_type=bom.MEDIA_TYPE)
    return _named(response, f"{made.model.code}.cdx.json")


def record(code: str, ending: str, person: Person) -> HttpResponse:
    if ending not in formats.RDF:
        raise Http404
    media_type, name = formats.RDF[ending]
    model = _told(code, person)
    part = bool(model.is_ours)  # type: ignore[attr-defined]
    files = model.revision.files.select_related("blob")
    known = rules.may_know_files(person, model, part=part)
    graph = mldcat.graph(composition.of(model, person), list(files) if known else None)
    body = graph.serialize(format=name, encoding="utf-8")
    response = HttpResponse(body, content_type=f"{media_type}; charset=utf-8")
    return formats.of_this_reader(response)


def _told(code: str, person: Person) -> Model:
    """Find a model whose scores and settings this person may read. Raises: NotAllowed."""
    model = _model(code, person)
    if not rules.tells_figures(person, model):
        raise NotAllowed(
            _(
                "%(model)s was made of data that is meant for other organisations of this "
                "case, so its papers are for these."
            )
            % {"model": model.code},
            code="not_meant",
        )
    return model


def _model(code: str, person: Person) -> Model:
    return get_object_or_404(queries.shown(person), code=code)


def _named(response: HttpResponse, name: str) -> HttpResponse:
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return formats.of_this_reader(response)
