"""The API of datasets: parse, call one action, show. No decisions are taken here."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.http import FileResponse
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from ninja import Router, Schema, Status
from pydantic import Field

from fabriek.cases.models import Case
from fabriek.datasets import actions, queries, rules
from fabriek.datasets.attachment import attachment
from fabriek.datasets.models import Dataset, Licence
from fabriek.kernel.errors import Invalid
from fabriek.kernel.paging import Listing, Paged, addresses, paginate
from fabriek.kernel.steps import NextStep, StepOut
from fabriek.people.http import SignedIn
from fabriek.store import paths
from fabriek.store import queries as store
from fabriek.store.models import Blob, File, Revision
from fabriek.store.shapes import FileOut

router = Router(tags=["datasets"])

# What a list tells, read as plain values.
LISTED = (
    "code",
    "title",
    "description",
    "licence",
    "has_personal_data",
    "case__code",
    "created_at",
    "revision",
    "file_count",
    "size_bytes",
)


class DatasetOut(Schema):
    """`revision` is the number of the newest one; nothing was saved yet when it is null."""

    code: str
    title: str
    description: str
    licence: str
    has_personal_data: bool
    case: str = Field(alias="case.code")
    created_at: datetime
    revision: int | None
    file_count: int | None
    size_bytes: int | None
    url: str = Field(alias="get_absolute_url")


class DatasetDetailOut(DatasetOut):
    next_steps: list[StepOut]

    @staticmethod
    def resolve_next_steps(dataset: Dataset, context: dict[str, Any]) -> list[NextStep]:
        return rules.next_steps(context["request"].user, dataset)


class DatasetIn(Schema):
    case: str
    title: str
    description: str = ""
    licence: Licence = Licence.CONSORTIUM
    has_personal_data: bool


class BlobOut(Schema):
    sha256: str
    size_bytes: int


class FileIn(Schema):
    path: str
    sha256: str


class RevisionOut(Schema):
    number: int
    digest: str
    message: str
    author: str
    created_at: datetime
    file_count: int
    size_bytes: int

    @staticmethod
    def resolve_author(revision: Revision) -> str:
        return str(revision.author or "")


class SavedOut(RevisionOut):
    """`is_new` is false when nothing changed: this revision stood already."""

    is_new: bool = True


class RevisionIn(Schema):
    """`parent` is the number this builds on: when somebody saved a newer one, it is refused."""

    files: list[FileIn] = []
    delete: list[str] = []
    message: str = ""
    parent: int | None = None


class MissingIn(Schema):
    sha256: list[str] = Field(max_length=10_000)


class MissingOut(Schema):
    sha256: list[str]


@router.get("/", response=Listing[DatasetOut])
def list_all(
    request: SignedIn, q: str = "", page: int = 1, size: int = 50
) -> Listing[DatasetOut]:
    found = paginate(queries.search(request.user, q).values(*LISTED), page, size)
    address = addresses("datasets:detail")
    return Listing[DatasetOut].of(found, (_row(row, address) for row in found.items))


@router.post("/", response={201: DatasetDetailOut})
def create(request: SignedIn, body: DatasetIn) -> Status[Dataset]:
    cases = Case.objects.taken_part_in_by(request.user)
    case = get_object_or_404(cases.select_related("organisation"), code=body.case)
    facts = body.dict(exclude={"case"})
    made = actions.create(case, by=request.user, **facts)
    return Status(201, _dataset(request, made.code))


@router.get("/{code}", response=DatasetDetailOut)
def show(request: SignedIn, code: str) -> Dataset:
    return _dataset(request, code)


@router.put("/{code}/files", response={201: BlobOut})
def send_file(request: SignedIn, code: str, path: str, sha256: str) -> Status[Blob]:
    """Send the bytes of one file as the body, with a Content-Length.

    A revision that names the file makes it part of the dataset; unnamed it goes after a day.
    """
    dataset = _dataset(request, code)
    _require_length(request)
    blob = actions.add_file(dataset, path, request, by=request.user, expected_sha256=sha256)
    return Status(201, blob)


@router.post("/{code}/missing", response=MissingOut)
def missing(request: SignedIn, code: str, body: MissingIn) -> dict[str, list[str]]:
    """Ask which files must still be sent before a revision can name them."""
    dataset = _dataset(request, code)
    return {"sha256": actions.missing(dataset, body.sha256, by=request.user)}


@router.post("/{code}/revisions", response={201: SavedOut})
def commit(request: SignedIn, code: str, body: RevisionIn) -> Status[SavedOut]:
    """Save a revision: the newest one with `files` put in and `delete` left out."""
    dataset = _dataset(request, code)
    before = store.latest(dataset.repository)
    paths.clean_all(file.path for file in body.files)
    saved = actions.commit(
        dataset,
        {file.path: file.sha256 for file in body.files},
        message=body.message,
        by=request.user,
        parent=_revision(dataset, body.parent) if body.parent is not None else None,
        delete=body.delete,
    )
    return Status(201, SavedOut.from_orm(saved).model_copy(update={"is_new": saved != before}))


@router.get("/{code}/revisions", response=Listing[RevisionOut])
def revisions(request: SignedIn, code: str, page: int = 1, size: int = 50) -> Paged[Revision]:
    rows = _dataset(request, code).repository.revisions.select_related("author")
    return paginate(rows, page, size)


@router.get("/{code}/files", response=Listing[FileOut])
def files(
    request: SignedIn, code: str, revision: int | None = None, page: int = 1, size: int = 50
) -> Paged[File]:
    """List the files of a revision, the newest one unless its number is given."""
    chosen = _revision(_dataset(request, code), revision)
    return paginate(chosen.files.select_related("blob"), page, size)


@router.get("/{code}/files/{path:path}")
def download(
    request: SignedIn, code: str, path: str, revision: int | None = None
) -> FileResponse:
    """Get one file of a revision, the newest one unless its number is given."""
    dataset = _dataset(request, code)
    chosen = _revision(dataset, revision)
    file = get_object_or_404(chosen.files.select_related("blob", "revision"), path=path)
    return attachment(actions.download(dataset, file, by=request.user))


def _row(row: dict[str, Any], address: Callable[[str], str]) -> DatasetOut:
    return DatasetOut.model_construct(
        **row,
        case=row["case__code"],
        url=address(row["code"]),
    )


def _require_length(request: SignedIn) -> None:
    """Refuse a body in chunks: the web server's interface would hand us nothing of it."""
    if "chunked" in request.headers.get("Transfer-Encoding", ""):
        raise Invalid(
            _("Say how long the file is: send it with a Content-Length, not in chunks."),
            code="length_required",
        )


def _dataset(request: SignedIn, code: str) -> Dataset:
    return get_object_or_404(queries.shown(request.user), code=code)


def _revision(dataset: Dataset, number: int | None) -> Revision:
    """Find a revision by its number, or the newest."""
    rows = dataset.repository.revisions.all()
    if number is None:
        number = dataset.revision or 0  # type: ignore[attr-defined]
    return get_object_or_404(rows, number=number)
