"""The API for many files at once: a stream in, a stream out, a whole listing, what changed."""

from typing import Literal

from django.http import HttpResponse, StreamingHttpResponse
from ninja import Path, Router, Schema, Status

from fabriek.datasets import bundles, changes, finding, queries
from fabriek.datasets.bundles import Wanted
from fabriek.datasets.lengths import require_length
from fabriek.datasets.models import Dataset
from fabriek.kernel import text
from fabriek.kernel.body import Body
from fabriek.kernel.paging import LARGEST_PAGE
from fabriek.people.http import SignedIn
from fabriek.store.models import Revision
from fabriek.store.refusals import require_files

router = Router(tags=["datasets"])


class TakenIn(Schema):
    """{path: SHA-256} of what arrived, for the revision that follows.

    `blake3` is {BLAKE3: SHA-256} of the same: who knows the first need not make the other.
    """

    files: dict[str, str]
    blake3: dict[str, str]


class ChangeOut(Schema):
    path: str
    kind: Literal["added", "changed", "removed"]
    before_bytes: int | None
    after_bytes: int | None
    before_sha256: str
    after_sha256: str


class DifferenceOut(Schema):
    """`since` is null where there was nothing before; `changes` is a page of them."""

    revision: int
    since: int | None
    added: int
    changed: int
    removed: int
    bytes_added: int
    bytes_removed: int
    changes: list[ChangeOut]
    count: int
    page: int
    size: int


@router.post("/bundle", response={201: TakenIn})
def take_in(request: SignedIn, code: Path[str]) -> Status[TakenIn]:
    """Send many files as one uncompressed tar: the way for thousands of small ones.

    A revision that names them makes them part of the dataset; unnamed they go after a day.
    Only plain files are taken, and none is followed out of the folder.
    """
    dataset = finding.to_fill(code, request.user)
    require_length(request)
    blobs = bundles.take_in(dataset, Body(request), by=request.user)
    files = {path: blob.sha256 for path, blob in blobs.items()}
    proofs = {blob.blake3: blob.sha256 for blob in blobs.values() if blob.blake3}
    return Status(201, TakenIn.model_construct(files=files, blake3=proofs))


@router.get("/bundle")
def give_out(
    request: SignedIn,
    code: Path[str],
    revision: int | None = None,
    under: str = "",
    below: int | None = None,
    after: str = "",
) -> StreamingHttpResponse:
    """Get the files of a revision as one tar, by name: `under` a folder, `below` a size.

    A stream that broke off is gone on with by naming the last whole file in `after`.
    """
    dataset = finding.dataset(code, request.user)
    wanted = Wanted(under=text.storable(under), below_bytes=below, after=text.storable(after))
    chosen = finding.readable(dataset, revision, by=request.user)
    pieces = bundles.give_out(dataset, chosen, wanted, by=request.user)
    response = StreamingHttpResponse(pieces, content_type="application/x-tar")
    response["Content-Disposition"] = f'attachment; filename="{code}-{chosen.number}.tar"'
    response["Cache-Control"] = "private, no-store"
    return response


@router.get("/listing")
def listing(request: SignedIn, code: Path[str], revision: int | None = None) -> HttpResponse:
    """Get every file of a revision as a line `sha256 size path`, by name.

    The SHA-256 of these very lines is the revision's `digest`, so they prove themselves. The
    headers tell its branch too, and the number of the revision that it was built on.
    """
    dataset = finding.dataset(code, request.user)
    chosen = finding.readable(dataset, revision, by=request.user)
    response = HttpResponse(queries.lines_of(chosen), content_type="text/plain; charset=utf-8")
    response["Fabriek-Revision"] = str(chosen.number)
    response["Fabriek-Digest"] = chosen.digest
    response["Fabriek-Branch"] = chosen.branch
    response["Fabriek-Parent"] = str(chosen.parent.number if chosen.parent else "")
    response["Cache-Control"] = "private, no-store"
    return response


@router.get("/changes", response=DifferenceOut)
def difference(
    request: SignedIn,
    code: Path[str],
    revision: int | None = None,
    since: int | None = None,
    page: int = 1,
    size: int = LARGEST_PAGE,
) -> DifferenceOut:
    """See what a revision changed since another: the one it was built on, unless told."""
    dataset = finding.dataset(code, request.user)
    after = finding.readable(dataset, revision, by=request.user)
    before = _before(dataset, after, since)
    found = changes.between(before, after)
    size = min(max(1, size), LARGEST_PAGE)
    shown = found.changes[(max(1, page) - 1) * size :][:size]
    return DifferenceOut.model_construct(
        revision=after.number,
        since=before.number if before else None,
        added=found.added,
        changed=found.changed,
        removed=found.removed,
        bytes_added=found.bytes_added,
        bytes_removed=found.bytes_removed,
        changes=[ChangeOut.from_orm(each) for each in shown],
        count=len(found.changes),
        page=max(1, page),
        size=size,
    )


def _before(dataset: Dataset, after: Revision, since: int | None) -> Revision | None:
    """Find what to compare with. Raises: Http404, Refused (its files were dropped)."""
    return after.parent if since is None else require_files(finding.revision(dataset, since))
