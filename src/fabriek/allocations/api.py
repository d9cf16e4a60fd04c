"""The API of allocations: parse, call one action, show. No decisions are taken here."""

from datetime import date, datetime
from typing import Any

from django.db.models import QuerySet
from django.http import StreamingHttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from ninja import Router, Schema, Status

from fabriek.access.models import Decision
from fabriek.allocations import actions, export, outlook, queries, refusals, rules
from fabriek.allocations.models import Allocation, Grant, Line, Share
from fabriek.allocations.words import change_in_left, line_said
from fabriek.kernel.paging import PAGE_SIZE, Listing, Paged, paginate
from fabriek.kernel.sheets import csv_file, json_lines_file
from fabriek.kernel.steps import StepOut
from fabriek.people.http import SignedIn

router = Router(tags=["allocations"])


class RowOut(Schema):
    """One allocation in a list."""

    account: str
    case: str
    case_title: str
    organisation: str
    application: str
    starts_on: date
    ends_on: date
    gpu_seconds_granted: int
    gpu_seconds_held: int
    gpu_seconds_spent: int
    gpu_seconds_expired: int
    gpu_seconds_left: int


class GrantOut(Schema):
    share: str
    organisation: str
    gpu_seconds: int
    aid_eur_cents: int
    legal_basis: str
    granted_at: datetime


class AllocationOut(RowOut):
    grants: list[GrantOut]
    warnings: list[str]
    next_steps: list[StepOut]


class LineOut(Schema):
    at: datetime
    kind: str
    what: str
    share: str
    gpu_seconds: int
    change_in_left: int
    run_key: str
    note: str

    @staticmethod
    def resolve_what(line: Line) -> str:
        return line_said(line)

    @staticmethod
    def resolve_share(line: Line) -> str:
        return line.share.code if line.share else ""

    @staticmethod
    def resolve_change_in_left(line: Line) -> int:
        return change_in_left(line)


class AwardOut(Schema):
    """An accepted award that waits for its GPU-hours."""

    application: str
    case: str
    organisation: str
    gpu_hours: int
    months: int
    decided_at: datetime

    @staticmethod
    def resolve_application(decision: Decision) -> str:
        return decision.application.code

    @staticmethod
    def resolve_case(decision: Decision) -> str:
        return decision.application.case.code

    @staticmethod
    def resolve_organisation(decision: Decision) -> str:
        return decision.application.case.organisation.name


class GrantIn(Schema):
    application: str
    share: str
    starts_on: date | None = None


class ExtendIn(Schema):
    ends_on: date
    share: str = ""
    gpu_hours: int = 0


@router.get("/", response=Listing[RowOut])
def list_(
    request: SignedIn, page: int = 1, size: int = PAGE_SIZE, q: str = "", state: str = ""
) -> Listing[RowOut]:
    rows = queries.listing(request.user, q=q, state=state)
    found = paginate(rows.values(*queries.LISTED, "left_now"), page, size)
    return Listing[RowOut].of(found, map(_listed, found.items))


@router.post("/", response={201: AllocationOut})
def grant(request: SignedIn, asked: GrantIn) -> Status[AllocationOut]:
    rules.require_staff(request.user)
    decision = get_object_or_404(queries.awards(), application__code=asked.application)
    made = actions.grant(
        decision, share=_share(asked.share), starts_on=asked.starts_on, by=request.user
    )
    return Status(201, _shown(request, made))


@router.get("/awaiting", response=Listing[AwardOut])
def awaiting(request: SignedIn, page: int = 1, size: int = PAGE_SIZE) -> Paged[Decision]:
    rules.require_staff(request.user)
    return paginate(queries.awaiting_grant(), page, size)


@router.get("/export.csv")
def export_csv(request: SignedIn) -> StreamingHttpResponse:
    return csv_file("allocations", list(export.COLUMNS), export.rows(request.user))


@router.get("/export.jsonl")
def export_json_lines(request: SignedIn) -> StreamingHttpResponse:
    rows = export.rows(request.user)
    named = (dict(zip(export.COLUMNS, row, strict=True)) for row in rows)
    return json_lines_file("allocations", named)


@router.get("/{account}", response=AllocationOut)
def detail(request: SignedIn, account: str) -> AllocationOut:
    return _shown(request, _allocation(request, account))


@router.get("/{account}/lines", response=Listing[LineOut])
def lines(request: SignedIn, account: str, page: int = 1, size: int = PAGE_SIZE) -> Paged[Line]:
    return paginate(queries.lines_of(_allocation(request, account)), page, size)


@router.post("/{account}/extend", response=AllocationOut)
def extend(request: SignedIn, account: str, asked: ExtendIn) -> AllocationOut:
    longer = actions.extend(
        _allocation(request, account),
        ends_on=asked.ends_on,
        share=_share(asked.share) if asked.share else None,
        gpu_hours=asked.gpu_hours,
        by=request.user,
    )
    return _shown(request, longer)


def _seen(request: SignedIn) -> QuerySet[Allocation]:
    return queries.with_facts(Allocation.objects.visible_to(request.user))


def _allocation(request: SignedIn, account: str) -> Allocation:
    return get_object_or_404(_seen(request), account=account)


def _share(code: str) -> Share:
    share = Share.objects.filter(code=code).first()
    return share or refusals.refuse_share(code)


def _shown(request: SignedIn, allocation: Allocation) -> AllocationOut:
    notices = outlook.notices(allocation, timezone.localdate())
    grants = allocation.grants.select_related("share", "organisation").order_by("pk")
    return AllocationOut(
        **_row(allocation).dict(),
        grants=[_grant(one) for one in grants],
        warnings=[notice.sentence for notice in notices],
        next_steps=[
            StepOut.from_orm(step) for step in rules.next_steps(request.user, allocation)
        ],
    )


def _listed(row: dict[str, Any]) -> RowOut:
    return RowOut.model_construct(
        **row,
        case=row["case__code"],
        case_title=row["case__title"],
        organisation=row["case__organisation__name"],
        application=row["decision__application__code"],
        gpu_seconds_left=row["left_now"],
    )


def _row(one: Allocation) -> RowOut:
    return RowOut(
        account=one.account,
        case=one.case.code,
        case_title=one.case.title,
        organisation=one.case.organisation.name,
        application=one.decision.application.code,
        starts_on=one.starts_on,
        ends_on=one.ends_on,
        gpu_seconds_granted=one.gpu_seconds_granted,
        gpu_seconds_held=one.gpu_seconds_held,
        gpu_seconds_spent=one.gpu_seconds_spent,
        gpu_seconds_expired=one.gpu_seconds_expired,
        gpu_seconds_left=one.gpu_seconds_left,
    )


def _grant(one: Grant) -> GrantOut:
    return GrantOut(
        share=one.share.code,
        organisation=one.organisation.name,
        gpu_seconds=one.gpu_seconds,
        aid_eur_cents=one.aid_eur_cents,
        legal_basis=one.legal_basis,
        granted_at=one.granted_at,
    )
