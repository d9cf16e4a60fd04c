"""The API of own code: parse, call one action, show. No decisions are taken here."""

import tempfile
from collections.abc import Iterable

from django.conf import settings
from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Path, Query, Router, Schema, Status

from fabriek.cases.models import Case
from fabriek.datasets.lengths import require_length
from fabriek.datasets.retention_shapes import DropIn, PlanOut, WhichIn, told
from fabriek.kernel.body import Body
from fabriek.kernel.paging import PAGE_SIZE, Listing, paginate
from fabriek.people.http import SignedIn
from fabriek.programs import actions, archive, dropping, queries
from fabriek.store.models import Revision
from fabriek.store.references import written

router = Router(tags=["own code"])

PIECE_BYTES = 2**20
IN_MEMORY_BYTES = 2**20


class CodeIn(Schema):
    """`name`: the same name again makes the next revision. `is_plain`: keep one folder around.

    `commit` and `has_changes`: from which commit of git it comes, and whether with more.
    """

    case: str
    name: str
    commit: str = ""
    has_changes: bool = False
    is_plain: bool = False


class CodeOut(Schema):
    """`reference` is what a run is asked with, as its input `code`."""

    code: str
    title: str
    reference: str
    files: int
    size_bytes: int
    commit: str
    has_changes: bool


@router.post("/", response={201: CodeOut})
def send(request: SignedIn, given: Query[CodeIn]) -> Status[CodeOut]:
    """Send a .zip or .tar.gz as the body; its files become the newest revision of this name."""
    case = _case(request, given.case)
    actions.require_send(case, request.user)
    require_length(request)
    with tempfile.SpooledTemporaryFile(max_size=IN_MEMORY_BYTES) as file:
        _receive(request, file)
        sending = actions.Sending(
            case=case,
            name=given.name,
            archive=file,  # type: ignore[arg-type]  # it reads and seeks as any other
            commit=given.commit,
            has_changes=given.has_changes,
            is_plain=given.is_plain,
        )
        revision = actions.send(sending, by=request.user)
    return Status(201, _shown([revision])[0])


@router.get("/", response=Listing[CodeOut])
def index(
    request: SignedIn, case: str, page: int = 1, size: int = PAGE_SIZE
) -> Listing[CodeOut]:
    """List what was sent for a case, the newest revision of each name."""
    found = get_object_or_404(Case.objects.taken_part_in_by(request.user), code=case)
    shown = paginate(queries.newest_of(found), page, size)
    return Listing[CodeOut].of(shown, _shown(shown.items))


@router.get("/{code}/retention", response=PlanOut)
def plan(request: SignedIn, code: Path[str], asked: Query[WhichIn]) -> PlanOut:
    """See which revisions could go, and why the others stay. Changes nothing."""
    found = queries.found(code, request.user)
    return told(dropping.plan(found, asked.wish, by=request.user))


@router.post("/{code}/retention", response=PlanOut)
def drop(request: SignedIn, code: Path[str], body: DropIn) -> PlanOut:
    """Remove what no run needs, saying `why`. Each revision keeps its line in the list."""
    found = queries.found(code, request.user)
    return told(dropping.drop(found, body.named, by=request.user, why=body.why))


def _case(request: SignedIn, code: str) -> Case:
    return get_object_or_404(Case.objects.visible_to(request.user), code=code)


def _receive(request: HttpRequest, file: "tempfile.SpooledTemporaryFile[bytes]") -> None:
    """Read the body, no further than its bound. Raises: TooLarge."""
    body = Body(request)
    if body.size_bytes > settings.CODE_LIMIT_BYTES:
        raise archive.too_large(settings.CODE_LIMIT_BYTES)
    while piece := body.read(PIECE_BYTES):
        file.write(piece)
    file.seek(0)


def _shown(revisions: Iterable[Revision]) -> list[CodeOut]:
    found = list(revisions)
    sent = queries.sent_of(found)
    return [
        CodeOut(
            code=str(one.repository.code),
            title=one.repository.title,
            reference=written(one),
            files=one.file_count,
            size_bytes=one.size_bytes,
            commit=sent[one.pk].commit if one.pk in sent else "",
            has_changes=sent[one.pk].has_changes if one.pk in sent else False,
        )
        for one in found
    ]
