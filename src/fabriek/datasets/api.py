"""The API of datasets: parse, call one action, show. No decisions are taken here."""

from collections.abc import Callable
from typing import Any

from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from ninja import Query, Router, Status

from fabriek.agreements import blind
from fabriek.cases.models import Case
from fabriek.datasets import actions, branches, finding, queries, rules
from fabriek.datasets.api_shapes import (
    BlobOut,
    BranchIn,
    CountsOut,
    DatasetDetailOut,
    DatasetIn,
    DatasetOut,
    LoggedOut,
    MissingIn,
    MissingOut,
    RevisionIn,
    SavedOut,
)
from fabriek.datasets.attachment import attachment
from fabriek.datasets.bulk_api import router as bulk
from fabriek.datasets.changes import Counts, counted
from fabriek.datasets.lengths import require_length
from fabriek.datasets.models import Dataset
from fabriek.datasets.retention_api import router as retention
from fabriek.datasets.uploads_api import router as uploads
from fabriek.datasets.whole_body import described, read_as
from fabriek.kernel.body import Body
from fabriek.kernel.paging import Listing, Paged, addresses, paginate
from fabriek.people.http import SignedIn
from fabriek.store import paths
from fabriek.store import queries as store
from fabriek.store.models import Blob, File
from fabriek.store.shapes import FileOut

router = Router(tags=["datasets"])
# Counting what changed reads all names of a revision and of the one before it.
COUNTED_AT_ONCE = 20
router.add_router("/{code}/uploads", uploads)
router.add_router("/{code}/retention", retention)
router.add_router("/{code}", bulk)

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
    return Status(201, finding.dataset(made.code, request.user))


@router.get("/{code}", response=DatasetDetailOut)
def show(request: SignedIn, code: str) -> Dataset:
    return finding.dataset(code, request.user)


@router.put("/{code}/files", response={201: BlobOut})
def send_file(request: SignedIn, code: str, path: str, sha256: str) -> Status[Blob]:
    """Send the bytes of one file as the body, with a Content-Length.

    A revision that names the file makes it part of the dataset; unnamed it goes after a day.
    """
    dataset = finding.dataset(code, request.user)
    require_length(request)
    body = Body(request)
    blob = actions.add_file(dataset, path, body, by=request.user, expected_sha256=sha256)
    return Status(201, blob)


@router.post("/{code}/missing", response=MissingOut)
def missing(request: SignedIn, code: str, body: MissingIn) -> MissingOut:
    """Ask which files must still be sent before a revision can name them."""
    dataset = finding.to_fill(code, request.user)
    here = actions.sizes_here(dataset, body.size, by=request.user) if body.size else set()
    return MissingOut.model_construct(
        sha256=actions.missing(dataset, body.sha256, by=request.user),
        size=[size for size in body.size if size not in here],
    )


@router.post("/{code}/revisions", response={201: SavedOut}, openapi_extra=described(RevisionIn))
def commit(request: SignedIn, code: str) -> Status[SavedOut]:
    """Save a revision: the newest one with `files` put in and `delete` left out."""
    dataset = finding.to_fill(code, request.user)
    rules.require_part(request.user, dataset.case)
    body = read_as(RevisionIn, request)
    before = store.latest(dataset.repository)
    files = {file.path: file.sha256 for file in body.files}
    if len(files) != len(body.files):
        paths.clean_all(file.path for file in body.files)  # says which is named twice
    saved = actions.commit(
        dataset,
        files,
        message=body.message,
        by=request.user,
        parent=None if body.parent is None else finding.revision(dataset, body.parent),
        delete=body.delete,
    )
    told: dict[str, object] = {"is_new": saved != before}
    if blind.is_blind(request.user, dataset.repository):
        told |= blind.counts_of(dataset.repository, files) | {"digest": ""}
    return Status(201, SavedOut.from_orm(saved).model_copy(update=told))


@router.get("/{code}/revisions", response=Listing[LoggedOut])
def revisions(
    request: SignedIn,
    code: str,
    which: Query[BranchIn],
    *,
    changes: bool = False,
    page: int = 1,
    size: int = 50,
) -> Listing[LoggedOut]:
    """List the revisions, the newest first; with `changes`, how many files each changed.

    Those that led to `main`, or to the branch or tag that `at` names; with `every`, all, also
    those of branches that were removed.
    """
    dataset = finding.dataset(code, request.user)
    rules.require_read(request.user, dataset)
    repository = dataset.repository
    line = branches.leading_to(repository, which.at)
    rows = repository.revisions.all() if which.every else line
    rows = rows.select_related("author", "parent")
    found = paginate(rows, page, min(size, COUNTED_AT_ONCE) if changes else size)
    counts = counted(found.items) if changes else {}
    damaged = store.damaged_in(dataset.repository, found.items)
    items = (
        LoggedOut.from_orm(each).model_copy(
            update={
                "changes": _counts(counts.get(each.pk)),
                "damaged": damaged.get(each.pk, 0),
            }
        )
        for each in found.items
    )
    return Listing[LoggedOut].of(found, items)


@router.get("/{code}/files", response=Listing[FileOut])
def files(
    request: SignedIn, code: str, revision: int | None = None, page: int = 1, size: int = 50
) -> Paged[File]:
    """List the files of a revision, the newest one unless its number is given."""
    dataset = finding.dataset(code, request.user)
    chosen = finding.readable(dataset, revision, by=request.user)
    return paginate(chosen.files.select_related("blob"), page, size)


@router.get("/{code}/files/{path:path}")
def download(
    request: SignedIn, code: str, path: str, revision: int | None = None
) -> HttpResponseBase:
    """Get one file of a revision, the newest one unless its number is given.

    With `Range: bytes=1000-` it goes on from there.
    """
    dataset = finding.dataset(code, request.user)
    chosen = finding.readable(dataset, revision, by=request.user)
    taken = actions.download(dataset, finding.file(chosen, path), by=request.user)
    return attachment(taken, asked=request.headers.get("Range", ""))


def _row(row: dict[str, Any], address: Callable[[str], str]) -> DatasetOut:
    return DatasetOut.model_construct(
        **row,
        case=row["case__code"],
        url=address(row["code"]),
    )


def _counts(counts: Counts | None) -> CountsOut | None:
    return CountsOut.from_orm(counts) if counts else None
