"""The API of runs: parse, call one action, show. No decisions are taken here."""

from typing import Any
from uuid import uuid4

from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from ninja import Router, Status

from fabriek.allocations.models import Allocation
from fabriek.cases.models import Case
from fabriek.kernel.errors import NotEnough
from fabriek.kernel.paging import PAGE_SIZE, Listing, paginate
from fabriek.kernel.steps import StepOut
from fabriek.people.http import SignedIn
from fabriek.runs import (
    actions,
    expected_start,
    folders,
    look,
    named_inputs,
    offers,
    price_words,
    queries,
    rules,
    saved_in,
    seen_words,
    show,
    told,
)
from fabriek.runs.made_api import router as made
from fabriek.runs.models import Run
from fabriek.runs.shapes import (
    InputOut,
    LogOut,
    MetricsOut,
    PointOut,
    PriceOut,
    RecipeOut,
    RecipesOut,
    RunDetailOut,
    RunOut,
    SaveIn,
    SeenRowsOut,
    WishIn,
)
from fabriek_recipes.recipe import Recipe

router = Router(tags=["runs"])
router.add_router("/{code}/made", made)

# Read as plain values: a run has twenty more columns, and its settings take long to decode.
LISTED = (
    "code",
    "case__code",
    "recipe",
    "allocation__account",
    "state",
    "gpus",
    "nodes",
    "timeout_s",
    "asked_at",
    "starts_expected_at",
    "started_at",
    "ended_at",
    "elapsed_s",
    "starts",
    "is_dry",
    "is_secure",
    "gpu_seconds_estimated",
    "gpu_seconds_used",
)
OFFSET_MAX = 2**53  # what a JSON number can hold exactly


@router.get("/recipes", response=RecipesOut)
def recipes(request: HttpRequest) -> dict[str, list[RecipeOut]]:  # noqa: ARG001  ninja gives it
    return {"items": [_recipe(recipe) for recipe in offers.recipes()]}


@router.post("/price", response=PriceOut)
def price(request: SignedIn, given: WishIn) -> PriceOut:
    case = _case(request, given.case)
    rules.require_ask(request.user, case)
    cost = actions.price_for(_wish(request, case, given), case=case, by=request.user)
    usable = _usable(case, given.allocation)
    return price_words.priced(cost, left=usable.gpu_seconds_left if usable else None)


@router.post("/rows", response=SeenRowsOut)
def rows(request: SignedIn, given: WishIn) -> SeenRowsOut:
    """Show a few rows as the model will read them, and count the tokens of all."""
    case = _case(request, given.case)
    rules.require_ask(request.user, case)
    looked = look.look(_wish(request, case, given), case=case, by=request.user)
    return seen_words.told_to_programs(looked)


@router.post("/", response={201: RunDetailOut})
def ask(request: SignedIn, given: WishIn) -> Status[dict[str, Any]]:
    case = _case(request, given.case)
    rules.require_ask(request.user, case)
    allocation = _usable(case, given.allocation)
    if allocation is None:
        raise NotEnough(
            _("%(case)s has no GPU-hours that can be used today. Ask for GPU-hours first.")
            % {"case": case.code},
            code="no_allocation",
        )
    run = actions.ask(_wish(request, case, given), allocation=allocation, by=request.user)
    return Status(201, _shown(request, run))


@router.get("/", response=Listing[RunOut])
def index(
    request: SignedIn,
    case: str = "",
    state: str = "",
    page: int = 1,
    size: int = PAGE_SIZE,
) -> Listing[RunOut]:
    rows = queries.listing(request.user, case=case, state=state)
    found = paginate(rows.values(*LISTED), page, size)
    return Listing[RunOut].of(found, map(_row, found.items))


@router.get("/{code}", response=RunDetailOut)
def detail(request: SignedIn, code: str) -> dict[str, Any]:
    return _shown(request, _run(request, code))


@router.get("/{code}/metrics", response=MetricsOut)
def metrics(request: SignedIn, code: str, name: str = "loss") -> MetricsOut:
    run = _inside(request, code)
    points = queries.curves(run, name).get(name, [])
    return MetricsOut(
        names=queries.metric_names(run),
        name=name,
        points=[PointOut(step=step, value=value) for step, value in points],
    )


@router.get("/{code}/log", response=LogOut)
def log(request: SignedIn, code: str, offset: int = 0) -> LogOut:
    offset = min(max(0, offset), OFFSET_MAX)
    run = _inside(request, code)
    rules.require_log(run)
    text, next_offset = folders.log_piece(run, offset)
    is_over = not run.is_unfinished
    return LogOut(text=text, offset=offset, next_offset=next_offset, is_over=is_over)


@router.post("/{code}/cancel", response=RunDetailOut)
def cancel(request: SignedIn, code: str) -> dict[str, Any]:
    run = actions.cancel(_run(request, code), by=request.user)
    return _shown(request, run)


@router.post("/{code}/pause", response=RunDetailOut)
def pause(request: SignedIn, code: str) -> dict[str, Any]:
    run = actions.pause(_run(request, code), by=request.user)
    return _shown(request, run)


@router.post("/{code}/continue", response={201: RunDetailOut})
def go_on(request: SignedIn, code: str, step: int | None = None) -> Status[dict[str, Any]]:
    """Go on from the last checkpoint, or from that of a step in `checkpoints`."""
    run = actions.go_on(_run(request, code), by=request.user, from_step=step)
    return Status(201, _shown(request, run))


@router.post("/{code}/mend", response={201: RunDetailOut})
def mend(request: SignedIn, code: str) -> Status[dict[str, Any]]:
    """Start a run that failed again, with the change in `mending`."""
    run = actions.mend(_run(request, code), by=request.user)
    return Status(201, _shown(request, run))


@router.post("/{code}/answers", response=RunDetailOut)
def keep_answers(request: SignedIn, code: str, given: SaveIn) -> dict[str, Any]:
    """Let the answers of a run that is over be saved in a dataset after all."""
    run = _inside(request, code)
    chosen = saved_in.chosen(run.case, given.answers_to, given.answers_title)
    saved_in.keep(run, chosen, by=request.user)
    return _shown(request, _run(request, code))


def _row(row: dict[str, Any]) -> RunOut:
    return RunOut.model_construct(
        **row,
        case=row["case__code"],
        allocation=row["allocation__account"],
        gpu_seconds_held=row["gpus"] * row["timeout_s"],
    )


def _recipe(recipe: Recipe) -> RecipeOut:
    return RecipeOut(
        name=recipe.name,
        title=_(recipe.title),
        summary=_(recipe.summary),
        when_to_use=_(recipe.when_to_use),
        leaves_rows=recipe.leaves_rows,
        knobs=offers.knob_schema(recipe),
        inputs=[
            InputOut(
                name=need.name,
                kind=need.kind,
                title=_(need.title),
                help=_(need.help),
                required=need.required,
            )
            for need in recipe.inputs
        ],
    )


def _case(request: SignedIn, code: str) -> Case:
    return get_object_or_404(Case.objects.visible_to(request.user), code=code)


def _usable(case: Case, account: str) -> Allocation | None:
    """Find the allocation that was named, or else the one with time left that ends first.

    One that was named is taken as it is: booking says why it cannot be used.
    """
    if account:
        rows = Allocation.objects.filter(case=case).select_related("case__organisation")
        return get_object_or_404(rows, account=account)
    return queries.allocations_of(case).first()


def _wish(request: SignedIn, case: Case, given: WishIn) -> actions.Wish:
    recipe = offers.recipe(given.recipe)
    return actions.Wish(
        recipe=recipe.name,
        knobs=given.knobs,
        inputs=named_inputs.revisions(given.inputs, recipe, request.user),
        saved_in=saved_in.read(case, given.answers_to, given.answers_title),
        gpus=given.gpus,
        nodes=given.nodes,
        seed=given.seed,
        timeout_s=given.timeout_s,
        is_dry=given.dry_run,
        wish_id=given.wish_id or uuid4(),
    )


def _run(request: SignedIn, code: str) -> Run:
    rows = queries.with_facts(Run.objects.visible_to(request.user))
    return get_object_or_404(rows, code=code)


def _inside(request: SignedIn, code: str) -> Run:
    """Find a run that one may look into: to others its log and figures do not exist."""
    return get_object_or_404(Run.objects.seen_inside_by(request.user), code=code)


def _shown(request: SignedIn, run: Run) -> dict[str, Any]:
    inside = rules.may_see_inside(request.user, run)
    steps = rules.next_steps(request.user, run)
    everybody = RunOut.from_orm(run).dict() | {
        "continues": run.continues.code if run.continues else None,
        "asked_by": str(run.asked_by),
        "cancel_asked_at": run.cancel_asked_at,
        "queue_position": run.queue_position,
        "waiting_reason": run.waiting_reason,
        "waiting": show.waiting(run),
        "expected_start": expected_start.sentence(run),
        "exit_code": run.exit_code,
        "reason": run.reason,
        "reason_sentence": show.failure(run, request.user, inside=inside),
        "next_steps": [StepOut.from_orm(step) for step in steps],
    }
    return everybody | (told.figures(run, request.user) if inside else {})
