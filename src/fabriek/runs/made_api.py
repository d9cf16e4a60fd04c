"""What a run wrote, for programs."""

from django.http import FileResponse
from ninja import Path, Query, Router, Schema

from fabriek.people.http import SignedIn
from fabriek.runs import made, made_views

router = Router(tags=["runs"])


class MadeFileOut(Schema):
    name: str
    size_bytes: int


class MadeOut(Schema):
    """`later`: the number of the next page; 0 where this is the last.

    `are_too_many`: own code left so many that none is listed.
    """

    items: list[MadeFileOut]
    later: int
    are_too_many: bool


@router.get("", response=MadeOut)
def index(request: SignedIn, code: Path[str], page: Query[int] = 1) -> made.MadeFiles:
    """Name the files that a run wrote for people to read, 100 a page."""
    return made.files(made_views.run_of(request.user, code), page=page)


@router.get("/{path:name}")
def one(request: SignedIn, code: Path[str], name: str) -> FileResponse:
    return made_views.sent(request.user, made_views.run_of(request.user, code), name)
