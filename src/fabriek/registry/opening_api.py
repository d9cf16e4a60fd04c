"""The API to open a model to everybody, and to close it. Decides nothing itself."""

from django.shortcuts import get_object_or_404
from ninja import Router, Schema

from fabriek.people.http import SignedIn
from fabriek.registry import opening, queries
from fabriek.registry.models import Model

router = Router(tags=["models"])


class OpenModelIn(Schema):
    """`sure`: you know that copies already made cannot be taken back.

    `title`: what everybody reads, where it shall be another; what a run of a confidential case
    made needs one. `about`: what it is for, in a few sentences. `why`: what makes it right,
    where it learned from personal data.
    """

    sure: bool = False
    title: str = ""
    why: str = ""
    about: str = ""


class OpenedOut(Schema):
    code: str
    title: str
    is_open: bool


@router.post("/{code}/open", response=OpenedOut)
def open_up(request: SignedIn, code: str, body: OpenModelIn) -> dict[str, object]:
    """Let everybody find the model and have its files; copies cannot be taken back."""
    return _told(opening.open_up(_model(request, code), by=request.user, **body.dict()))


@router.post("/{code}/close", response=OpenedOut)
def close(request: SignedIn, code: str) -> dict[str, object]:
    """Take the model out of the catalogue, and let nobody new have it."""
    return _told(opening.close(_model(request, code), by=request.user))


def _told(model: Model) -> dict[str, object]:
    return {"code": model.code, "title": model.title, "is_open": model.repository.is_open}


def _model(request: SignedIn, code: str) -> Model:
    return get_object_or_404(queries.shown(request.user), code=code)
