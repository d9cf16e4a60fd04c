"""The API of the catalogue: search, and the record of a dataset. Decides nothing itself."""

from datetime import date, datetime
from typing import Any

from django.shortcuts import get_object_or_404
from ninja import Query, Router, Schema, Status

from fabriek.catalogue import actions, gaps, opening, queries, rules, told, ways
from fabriek.catalogue.api_shapes import AskedIn
from fabriek.catalogue.card import PROBLEMS
from fabriek.catalogue.models import Record
from fabriek.catalogue.models_api import router as models
from fabriek.catalogue.ways import Way
from fabriek.datasets.models import Dataset
from fabriek.kernel.paging import Listing, addresses, paginate
from fabriek.kernel.steps import NextStep, StepOut
from fabriek.people.http import SignedIn
from fabriek.store.models import Revision

router = Router(tags=["catalogue"])
router.add_router("/models", models)


class WayOut(Schema):
    """What you can do with it: yours, agreed, waiting, open, ask or closed."""

    kind: str
    sentence: str
    url: str

    @classmethod
    def of(cls, way: Way) -> "WayOut":
        return cls(kind=way.kind, sentence=str(way.sentence), url=way.url)


class FoundOut(Schema):
    code: str
    title: str
    text: str
    owner: str
    theme: str
    access: str
    licence: str
    languages: list[str]
    keywords: list[str]
    has_personal_data: bool
    changed_at: datetime
    url: str
    way: WayOut


class RecordFields(Schema):
    """What can be set; what is left out stays as it is."""

    title_nl: str = ""
    title_en: str = ""
    text_nl: str = ""
    text_en: str = ""
    theme: str = ""
    keywords: list[str] = []
    languages: list[str] = []
    tasks: list[str] = []
    maker: str = ""
    contact_name: str = ""
    contact_email: str = ""
    access: str = ""
    period_from: date | None = None
    period_until: date | None = None
    place: str = ""
    how_collected: str = ""
    frequency: str = ""
    source: str = ""
    version_notes: str = ""
    landing_page: str = ""
    offer_purposes: list[str] = []
    offer_product: str = ""
    offer_place: str = ""
    offer_duties: list[str] = []


class GapOut(Schema):
    """Something that is missing: where to fill it in, how, and who asks for it."""

    field: str
    label: str
    how: str
    is_must: bool
    outputs: list[str]

    @staticmethod
    def resolve_how(gap: gaps.Gap) -> str:
        return str(gap.how)

    @staticmethod
    def resolve_label(gap: gaps.Gap) -> str:
        return str(gap.label)


class StandingOut(Schema):
    output: str
    filled: int
    asked: int
    is_valid: bool
    missing: list[str]


class RecordOut(RecordFields):
    code: str
    listed_for: str
    is_open: bool
    changed_at: datetime
    published_at: datetime | None
    readme_problem: str
    readme_licence: str
    gaps: list[GapOut]
    standings: list[StandingOut]
    next_steps: list[StepOut]


class ListedIn(Schema):
    listed_for: str


class OpenIn(Schema):
    """`sure`: you know that copies already made cannot be taken back.

    `why`: what makes it right, where there is personal data in it.
    """

    sure: bool = False
    why: str = ""


class CloseIn(Schema):
    why: str = ""


class DatasetCardOut(Schema):
    card: str


class CardSavedOut(Schema):
    number: int
    digest: str


@router.get("/", response=Listing[FoundOut])
def search(
    request: SignedIn, asked: Query[AskedIn], page: int = 1, size: int = 50
) -> Listing[FoundOut]:
    """Search what you may find; the best fit first."""
    found = paginate(queries.search(request.user, asked.wish), page, size)
    records = queries.on_page(found.items)
    there = ways.ways(request.user, records)
    address = addresses("catalogue:detail")
    items = (_found(each, there[each.pk], address(each.dataset.code)) for each in records)
    return Listing[FoundOut].of(found, items)


@router.get("/{code}/record", response=RecordOut)
def show(request: SignedIn, code: str) -> dict[str, Any]:
    """Get the record of a dataset of yours, with what is missing for each output."""
    return _record(request, _dataset(request, code))


@router.patch("/{code}/record", response=RecordOut)
def edit(request: SignedIn, code: str, body: RecordFields) -> dict[str, Any]:
    dataset = _dataset(request, code)
    actions.edit(dataset, by=request.user, changes=body.dict(exclude_unset=True))
    return _record(request, dataset)


@router.post("/{code}/listed", response=RecordOut)
def list_for(request: SignedIn, code: str, body: ListedIn) -> dict[str, Any]:
    """Decide who finds it: nobody, members or everybody."""
    dataset = _dataset(request, code)
    actions.list_for(dataset, by=request.user, listed_for=body.listed_for)
    return _record(request, dataset)


@router.post("/{code}/open", response=RecordOut)
def open_up(request: SignedIn, code: str, body: OpenIn) -> dict[str, Any]:
    """Let everybody read all its files; copies that are made then cannot be taken back."""
    dataset = _dataset(request, code)
    opening.open_up(dataset, by=request.user, sure=body.sure, why=body.why)
    return _record(request, dataset)


@router.post("/{code}/close", response=RecordOut)
def close(request: SignedIn, code: str, body: CloseIn) -> dict[str, Any]:
    """Let nobody new have it without an agreement."""
    dataset = _dataset(request, code)
    opening.close(dataset, by=request.user, why=body.why)
    return _record(request, dataset)


@router.get("/{code}/card", response=DatasetCardOut)
def card(request: SignedIn, code: str) -> dict[str, str]:
    """Get the card as README.md would be."""
    return {"card": actions.card_of(_dataset(request, code), by=request.user)}


@router.post("/{code}/card", response={201: CardSavedOut})
def write_card(request: SignedIn, code: str) -> Status[Revision]:
    """Save the card as README.md in a new revision."""
    return Status(201, actions.write_card(_dataset(request, code), by=request.user))


def _dataset(request: SignedIn, code: str) -> Dataset:
    rows = Dataset.objects.visible_to(request.user)
    rows = rows.select_related("case__organisation", "repository__organisation")
    return get_object_or_404(rows, code=code)


def _record(request: SignedIn, dataset: Dataset) -> dict[str, Any]:
    record = queries.record_of(dataset)
    repository = record.dataset.repository
    newest = told.newest_revisions([repository]).get(repository.pk)
    steps: list[NextStep] = rules.next_steps(
        request.user, dataset, is_listed=repository.listed_for != "nobody"
    )
    return {
        **{name: getattr(record, name) for name in actions.FIELDS},
        "code": dataset.code,
        "listed_for": repository.listed_for,
        "is_open": repository.is_open,
        "changed_at": record.changed_at,
        "published_at": record.published_at,
        "readme_problem": str(PROBLEMS.get(record.readme_problem, "")),
        "readme_licence": record.readme_licence,
        "gaps": gaps.gaps(record, newest),
        "standings": [
            {**_plain(each), "missing": list(each.missing)}
            for each in gaps.standings(record, newest)
        ],
        "next_steps": steps,
    }


def _plain(standing: gaps.Standing) -> dict[str, Any]:
    return {
        "output": standing.output,
        "filled": standing.filled,
        "asked": standing.asked,
        "is_valid": standing.is_valid,
    }


def _found(record: Record, way: Way, url: str) -> FoundOut:
    dataset = record.dataset
    return FoundOut.model_construct(
        code=dataset.code,
        title=record.title,
        text=record.text,
        owner=dataset.repository.organisation.name,
        theme=record.theme,
        access=record.access,
        licence=dataset.licence,
        languages=record.languages,
        keywords=record.keywords,
        has_personal_data=dataset.has_personal_data,
        changed_at=record.changed_at,
        url=url,
        way=WayOut.of(way),
    )
