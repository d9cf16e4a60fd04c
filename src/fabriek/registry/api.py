"""The API of registry: parse, call one action, show. No decisions are taken here."""

from collections.abc import Callable, Container
from datetime import datetime
from typing import Any

from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from ninja import Router, Schema
from pydantic import Field

from fabriek.datasets.attachment import attachment
from fabriek.kernel.paging import Listing, addresses, paginate
from fabriek.kernel.steps import NextStep, StepOut
from fabriek.people.http import SignedIn
from fabriek.people.models import Person
from fabriek.registry import actions, bound, origin, queries, rules, unfinished
from fabriek.registry.models import Model, Signature
from fabriek.registry.opening_api import router as opening
from fabriek.registry.paper_api import router as papers
from fabriek.runs.meant import is_meant
from fabriek.store.models import File, Repository
from fabriek.store.references import written
from fabriek.store.shapes import FileOut

router = Router(tags=["models"])
router.add_router("", papers)
router.add_router("", opening)

# What a list tells, read as plain values: a card is long, and so are the settings of a run.
LISTED = (
    "code",
    "title",
    "case__code",
    "licence",
    "repository__is_open",
    "base__code",
    "base__repository",
    "base__repository__is_open",
    "run__code",
    "run__meant_for",
    "scores",
    "revision__size_bytes",
    "registered_at",
    "is_ours",
)


class ModelOut(Schema):
    """`case` is null for open base models, which belong to none.

    So are `case` and `run` where the case is not yours: of that an open model tells nothing.
    """

    code: str
    title: str
    case: str | None
    licence: str
    is_open: bool = Field(alias="repository.is_open")
    base: str | None
    run: str | None
    scores: dict[str, float | int | None]
    size_bytes: int = Field(alias="revision.size_bytes")
    registered_at: datetime
    url: str = Field(alias="get_absolute_url")

    @staticmethod
    def resolve_case(model: Model) -> str | None:
        return model.case.code if model.case and _is_ours(model) else None

    @staticmethod
    def resolve_base(model: Model, context: dict[str, Any]) -> str | None:
        """Name it to who may see it: a base may be lent to some of a case only."""
        base = queries.base_told(model, context["request"].user)
        return base.code if base else None

    @staticmethod
    def resolve_run(model: Model) -> str | None:
        return model.run.code if model.run and _is_ours(model) else None


class LearnedFromOut(Schema):
    reference: str
    title: str
    digest: str


class ModelDetailOut(ModelOut):
    """`digest` is the SHA-256 of the sorted listing of the files."""

    digest: str = Field(alias="revision.digest")
    facts: dict[str, str | int | float | bool | None]

    @staticmethod
    def resolve_scores(model: Model, context: dict[str, Any]) -> dict[str, Any]:
        return model.scores if rules.tells_figures(context["request"].user, model) else {}

    @staticmethod
    def resolve_facts(model: Model, context: dict[str, Any]) -> dict[str, Any]:
        return model.facts if rules.tells_figures(context["request"].user, model) else {}

    datasets: list[LearnedFromOut]
    next_steps: list[StepOut]

    @staticmethod
    def resolve_datasets(model: Model, context: dict[str, Any]) -> list[dict[str, str]]:
        # What a case of others learned from is not told, also when its model is open.
        told = [model] if model.is_ours else []  # type: ignore[attr-defined]
        found = origin.inputs_told(told, context["request"].user)
        return [
            _learned_from(used)
            for used in found.get(model.run_id or 0, ())
            if used.row.revision.repository.kind == Repository.Kind.DATASET
        ]

    @staticmethod
    def resolve_next_steps(model: Model, context: dict[str, Any]) -> list[NextStep]:
        part = model.is_ours  # type: ignore[attr-defined]
        return rules.next_steps(context["request"].user, model, part=part)


class CardOut(Schema):
    card: str


class ItemOut(Schema):
    label: str
    url: str
    note: str


class OriginStepOut(Schema):
    name: str
    kind: str
    items: list[ItemOut]


class ChainOut(Schema):
    """From a model back to its case; the next chain is that of its base model."""

    model: str = Field(alias="model.code")
    steps: list[OriginStepOut]


class UnfinishedOut(Schema):
    """What was pushed and is no model yet. `reasons` say what stands in the way."""

    name: str
    case: str
    reasons: list[str]
    at: datetime


class FilesOut(Schema):
    """All files at once: a model has tens of them, and is whole or not there."""

    items: list[FileOut]
    count: int
    is_signed: bool


@router.get("/", response=Listing[ModelOut])
def index(request: SignedIn, q: str = "", page: int = 1, size: int = 50) -> Listing[ModelOut]:
    found = paginate(queries.listing(request.user, q).values(*LISTED), page, size)
    address = addresses("registry:detail")
    bases = queries.bases_told(found.items, request.user)
    return Listing[ModelOut].of(
        found, (_row(row, address, bases, request.user) for row in found.items)
    )


@router.get("/unfinished", response=list[UnfinishedOut])
def unfinished_of(request: SignedIn, q: str = "") -> list[unfinished.Unfinished]:
    """List what was pushed in your cases and is no model yet, and why: the newest ten."""
    return unfinished.of(request.user, q)


@router.get("/{code}", response=ModelDetailOut)
def show(request: SignedIn, code: str) -> Model:
    return _model(request, code)


@router.get("/{code}/card", response=CardOut)
def card(request: SignedIn, code: str) -> dict[str, str]:
    """Get the model card: Markdown with the front matter that Hugging Face reads.

    Empty where it may tell of data that was lent to others of your case.
    """
    model = _model(request, code)
    tells = rules.tells_figures(request.user, model) and bound.tells(model, request.user)
    return {"card": model.card if tells else ""}


@router.get("/{code}/origin", response=list[ChainOut])
def origin_of(request: SignedIn, code: str) -> list[origin.Chain]:
    """Get the chain from the model back to its case, then that of its base model."""
    return origin.chains(_model(request, code), request.user)


@router.get("/{code}/files", response=FilesOut)
def files(request: SignedIn, code: str) -> dict[str, object]:
    model = _model(request, code)
    if not model.is_ours:  # type: ignore[attr-defined]
        rules.require_download(request.user, model, revision=model.revision.number)
    found: list[File] = list(model.revision.files.select_related("blob"))
    signed = Signature.objects.filter(revision=model.revision_id).exists()
    return {"items": found, "count": len(found), "is_signed": signed}


@router.get("/{code}/files/{path:path}")
def download(request: SignedIn, code: str, path: str) -> HttpResponseBase:
    """Get one file."""
    model = _model(request, code)
    # Before the file is looked for: who may not have it is not told which names there are.
    rules.require_download(request.user, model, revision=model.revision.number)
    file = get_object_or_404(model.revision.files.select_related("blob"), path=path)
    return attachment(actions.download(model, file, by=request.user))


def _learned_from(used: origin.Input) -> dict[str, str]:
    if not used.is_known:
        return {"reference": "", "title": str(origin.HIDDEN), "digest": ""}
    revision = used.row.revision
    return {
        "reference": written(revision),
        "title": revision.repository.title,
        "digest": revision.digest,
    }


def _is_ours(model: Model) -> bool:
    return bool(model.is_ours)  # type: ignore[attr-defined]


def _row(
    row: dict[str, Any], address: Callable[[str], str], bases: Container[str], person: Person
) -> ModelOut:
    tells = row["repository__is_open"] or is_meant(row["run__meant_for"] or "", person)
    is_ours = row["is_ours"]
    return ModelOut.model_construct(
        **row | {"scores": row["scores"] if tells else {}},
        case=row["case__code"] if is_ours else None,
        is_open=row["repository__is_open"],
        base=row["base__code"] if row["base__code"] in bases else None,
        run=row["run__code"] if is_ours else None,
        size_bytes=row["revision__size_bytes"],
        url=address(row["code"]),
    )


def _model(request: SignedIn, code: str) -> Model:
    return get_object_or_404(queries.shown(request.user), code=code)
