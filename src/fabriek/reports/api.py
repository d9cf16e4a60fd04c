"""The API of reports: the same figures as the pages, for programs."""

from datetime import date

from ninja import Query, Router, Schema
from pydantic import Field

from fabriek.people.http import SignedIn
from fabriek.reports import periods, queries, rules, units

router = Router(tags=["reports"])


class PeriodIn(Schema):
    """Days as 2026-12-31; left out: the twelve months up to today."""

    first: str = Field("", alias="from")
    last: str = Field("", alias="until")


class FunderOut(Schema):
    code: str
    name: str


class FigureOut(Schema):
    key: str
    label: str
    value: float | None
    unit: str
    definition: str


class UndertakingOut(Schema):
    name: str
    own_eur_cents: int
    all_eur_cents: int
    room_eur_cents: int


class ReportOut(Schema):
    funder: str
    first: date
    last: date
    figures: list[FigureOut]
    undertakings: list[UndertakingOut]


@router.get("/", response=list[FunderOut])
def list_(request: SignedIn) -> list[FunderOut]:
    rules.require_any(request.user)
    return [
        FunderOut(code=one.code, name=str(one)) for one in queries.funders_for(request.user)
    ]


@router.get("/{funder}", response=ReportOut)
def report(request: SignedIn, funder: str, asked: Query[PeriodIn]) -> ReportOut:
    payer = queries.payer(funder)
    found = payer.funder
    rules.require_read(request.user, found)
    period = periods.read(asked.first, asked.last)
    made = queries.report(payer, period)
    return ReportOut(
        funder=found.code,
        first=period.first,
        last=period.last,
        figures=[
            FigureOut(
                key=one.key,
                label=str(one.label),
                value=one.value,
                unit=units.name(one.unit),
                definition=str(one.definition),
            )
            for one in made.figures
        ],
        undertakings=[
            UndertakingOut(
                name=one.name,
                own_eur_cents=one.own_eur_cents,
                all_eur_cents=one.all_eur_cents,
                room_eur_cents=one.room_eur_cents,
            )
            for one in made.undertakings
        ],
    )
