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
    made needs one. `name`: how programs call it, where the name that it has tells of such a
    case; else made of the title. Its code comes behind it. `about`: what it is for, in a few
    sentences. `why`: what makes it right, where it learned from personal data. `tells`:
    README.md may tell of the case.
    """

    sure: bool = False
    title: str = ""
    name: str = ""
    why: str = ""
    about: str = ""
    tells: bool = False


class OpenedOut(Schema):
    code: str
    title: str
    repo_id: str
    is_open: bool


@router.post("/{code}/open", response=OpenedOut)
def open_up(request: SignedIn, code: str, body: OpenModelIn) -> dict[str, object]:
    """Let everybody find the model and have its files; copies cannot be taken back."""
    said = opening.Said(**body.dict())
    return _told(opening.open_up(_model(request, code), said, by=request.user))


@router.post("/{code}/close", response=OpenedOut)
def close(request: SignedIn, code: str) -> dict[str, object]:
    """Take the model out of the catalogue, and let nobody new have it."""
    return _told(opening.close(_model(request, code), by=request.user))


def _told(model: Model) -> dict[str, object]:
    there = model.repository
    return {
        "code": model.code,
        "title": model.title,
        "repo_id": there.repo_id if there.name else "",
        "is_open": there.is_open,
    }


def _model(request: SignedIn, code: str) -> Model:
    return get_object_or_404(queries.shown(request.user), code=code)
