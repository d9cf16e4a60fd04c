"""The API on the use of data: parse, call one action, show. No decisions are taken here."""

from datetime import datetime
from typing import Any

from django.shortcuts import get_object_or_404
from ninja import Router, Schema

from fabriek.agreements import reasons, reviews, statements, use_queries
from fabriek.agreements.traces import Decided, Inherited
from fabriek.kernel.paging import Listing, paginate
from fabriek.people.http import SignedIn

router = Router(tags=["use of data"])


class DataUseOut(Schema):
    """`moment`: see, read, run or release. `code` is for programs, `reason` says it in words.

    The same question within the hour is one line, which stands until `stands_until` unless the
    answer changes. `digest` is over the line and the `digest` of the one before, of the same
    dataset: `number` has no gaps.
    """

    at: datetime
    stands_until: datetime
    number: int
    dataset: str
    moment: str
    allowed: bool
    code: str
    reason: str
    person: str
    case: str | None
    agreement: str | None
    text_sha256: str
    revision: int | None
    run: str
    digest: str


class ReviewOut(Schema):
    """`verdict` is empty while it waits; it stands for revisions up to `judged_revision`."""

    id: int
    result: str
    title: str
    agreement: str
    dataset: str
    case: str
    recorded_at: datetime
    verdict: str
    note: str
    judged_at: datetime | None
    judged_revision: int


class VerdictIn(Schema):
    """`verdict`: released or held_back. `revision`: the one that was looked at."""

    verdict: str
    note: str = ""
    revision: int | None = None


class StatementOut(Schema):
    """`sha256` is over `facts` as JSON with sorted names and no spaces; `seal` is of it.

    `is_genuine`: this factory made it, and nothing changed since.
    """

    agreement: str
    made_at: datetime
    facts: dict[str, Any]
    sha256: str
    seal: str
    is_genuine: bool


@router.get("/decisions", response=Listing[DataUseOut])
def decisions(
    request: SignedIn,
    dataset: str = "",
    *,
    refused: bool = False,
    page: int = 1,
    size: int = 50,
) -> Listing[DataUseOut]:
    """List who used data and what was refused: of your own datasets everybody's, else yours."""
    if dataset:
        repository = use_queries.repository_seen(dataset, request.user)
        is_owned = use_queries.is_owner(request.user, repository)
        rows = use_queries.on(repository, request.user, is_owned=is_owned, refused=refused)
    else:
        rows = use_queries.of(request.user, refused=refused)
    found = paginate(rows.defer(None), page, size)
    return Listing[DataUseOut].of(found, map(_decision, found.items))


@router.get("/reviews", response=Listing[ReviewOut])
def list_reviews(request: SignedIn, page: int = 1, size: int = 50) -> Listing[ReviewOut]:
    """List results that were made of your data and that you look at; what waits comes first."""
    found = paginate(reviews.shown_to(request.user), page, size)
    return Listing[ReviewOut].of(found, map(_review, found.items))


@router.post("/reviews/{number}", response=ReviewOut)
def judge(request: SignedIn, number: int, given: VerdictIn) -> ReviewOut:
    """Let a result go out, or hold it back."""
    result = get_object_or_404(reviews.shown_to(request.user), pk=number)
    return _review(reviews.judge(result, by=request.user, **given.dict()))


@router.get("/statements/{code}", response=StatementOut)
def statement(request: SignedIn, code: str) -> StatementOut:
    """Get what the factory stated when the agreement with this code was over."""
    made = use_queries.statement_of(code, request.user)
    return StatementOut(
        agreement=made.agreement.code,
        made_at=made.made_at,
        facts=made.facts,
        sha256=made.sha256,
        seal=made.seal,
        is_genuine=statements.is_genuine(made),
    )


def _decision(row: Decided) -> DataUseOut:
    person = row.person
    return DataUseOut(
        at=row.at,
        stands_until=row.stands_until,
        number=row.number,
        dataset=row.repository.code or "",
        moment=row.moment,
        allowed=row.allowed,
        code=row.code,
        reason=reasons.said(row.code, row.facts),
        person=(person.name or person.email) if person else "",
        case=row.case.code if row.case else None,
        agreement=row.agreement.code if row.agreement else None,
        text_sha256=row.text_sha256,
        revision=row.revision,
        run=row.run,
        digest=row.digest,
    )


def _review(result: Inherited) -> ReviewOut:
    return ReviewOut(
        id=result.pk,
        result=result.repository.code or "",
        title=result.repository.title,
        agreement=result.agreement.code,
        dataset=result.agreement.repository.code or "",
        case=result.agreement.case.code,
        recorded_at=result.recorded_at,
        verdict=result.verdict,
        note=result.note,
        judged_at=result.judged_at,
        judged_revision=result.judged_revision,
    )
