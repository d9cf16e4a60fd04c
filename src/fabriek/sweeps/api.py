"""The API of searches for good settings: parse, call one action, show."""

from typing import Any
from uuid import UUID, uuid4

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
from fabriek.runs import named_inputs, offers
from fabriek.runs import queries as runs
from fabriek.sweeps import actions, queries, ranges, reasons, rules
from fabriek.sweeps.models import Sweep
from fabriek.sweeps.shapes import (
    KeptOut,
    RangeOut,
    RoundOut,
    SearchableOut,
    SearchablesOut,
    SweepDetailOut,
    SweepIn,
    SweepOut,
    SweepPriceOut,
    TrialOut,
)
from fabriek_recipes.searches import is_lower_better, searchable

router = Router(tags=["sweeps"])


@router.get("/recipes", response=SearchablesOut)
def recipes(request: HttpRequest) -> dict[str, list[SearchableOut]]:  # noqa: ARG001  ninja gives it
    """Tell what of each recipe can be searched, and where it is when you do not say."""
    return {
        "items": [
            SearchableOut(
                recipe=name,
                ranges=[RangeOut(**row) for row in ranges.stored(found.ranges.values())],
                suggested=list(found.suggested),
                scores=list(found.scores),
                goes_on=found.goes_on,
            )
            for name, found in searchable().items()
        ]
    }


@router.post("/price", response=SweepPriceOut)
def price(request: SignedIn, given: SweepIn) -> SweepPriceOut:
    case = _case(request, given.case)
    quoted = actions.price(_wish(request, given), case=case, by=request.user)
    usable = _usable(case, given.allocation)
    return _priced(quoted, usable.gpu_seconds_left if usable else None)


@router.post("/", response={201: SweepDetailOut})
def start(request: SignedIn, given: SweepIn) -> Status[SweepDetailOut]:
    case = _case(request, given.case)
    rules.require_start(request.user, case)
    allocation = _usable(case, given.allocation)
    if allocation is None:
        raise NotEnough(
            _("%(case)s has no GPU-hours that can be used today. Ask for GPU-hours first.")
            % {"case": case.code},
            code="no_allocation",
        )
    sweep = actions.start(_wish(request, given), allocation=allocation, by=request.user)
    return Status(201, _shown(request, sweep))


@router.get("/", response=Listing[SweepOut])
def index(
    request: SignedIn, case: str = "", page: int = 1, size: int = PAGE_SIZE
) -> Listing[SweepOut]:
    found = paginate(queries.listing(request.user, case=case), page, size)
    return Listing[SweepOut].of(found, map(_row, found.items))


@router.get("/{code}", response=SweepDetailOut)
def detail(request: SignedIn, code: str) -> SweepDetailOut:
    return _shown(request, _sweep(request, code))


@router.post("/{code}/stop", response=SweepDetailOut)
def stop(request: SignedIn, code: str) -> SweepDetailOut:
    return _shown(request, actions.stop(_sweep(request, code), by=request.user))


@router.post("/{code}/go-on", response=SweepDetailOut)
def go_on(request: SignedIn, code: str) -> SweepDetailOut:
    return _shown(request, actions.go_on(_sweep(request, code), by=request.user))


@router.post("/{code}/keep", response={201: KeptOut})
def keep(request: SignedIn, code: str) -> Status[KeptOut]:
    """Train the winner at full length; gives the code of that run."""
    run = actions.keep(_sweep(request, code), by=request.user)
    return Status(201, KeptOut(run=run.code))


def _wish(request: SignedIn, given: SweepIn) -> actions.Wish:
    recipe = offers.recipe(given.recipe)
    return actions.Wish(
        recipe=recipe.name,
        gpu_seconds_budget=given.gpu_seconds_budget,
        knobs=given.knobs,
        inputs=named_inputs.revisions(given.inputs, recipe, request.user),
        ranges=[
            ranges.Given(
                name=one.name,
                low=one.low,
                high=one.high,
                log=one.log,
                choices=tuple(one.choices),
            )
            for one in given.ranges
        ],
        score=given.score,
        trials=given.trials,
        halving=given.halving,
        at_once=given.at_once,
        gpus=given.gpus,
        nodes=given.nodes,
        seed=given.seed,
        wish_id=_wish_id(given.wish_id),
    )


def _wish_id(given: UUID | None) -> UUID:
    return given or uuid4()


def _case(request: SignedIn, code: str) -> Case:
    return get_object_or_404(Case.objects.visible_to(request.user), code=code)


def _usable(case: Case, account: str) -> Allocation | None:
    """Find the allocation that was named, or else the one with time left that ends first."""
    if account:
        rows = Allocation.objects.filter(case=case).select_related("case__organisation")
        return get_object_or_404(rows, account=account)
    return runs.allocations_of(case).first()


def _sweep(request: SignedIn, code: str) -> Sweep:
    rows = queries.with_facts(Sweep.objects.visible_to(request.user))
    return get_object_or_404(rows, code=code)


def _priced(quoted: actions.Quote, left: int | None) -> SweepPriceOut:
    return SweepPriceOut(
        trials=quoted.trials,
        rounds=[
            RoundOut(
                trials=one.planned.trials,
                until_share=one.planned.until_share,
                gpu_seconds_each=one.gpu_seconds_each,
            )
            for one in quoted.rounds
        ],
        gpu_seconds=quoted.gpu_seconds,
        gpu_seconds_budget=quoted.gpu_seconds_budget,
        is_enough=quoted.is_enough,
        gpu_seconds_left=left,
        gpu_seconds_left_least=None if left is None else left - quoted.gpu_seconds_budget,
        winner_gpu_seconds=quoted.winner_gpu_seconds,
        energy_wh=quoted.energy.watt_hours,
        energy_wh_most=quoted.energy_most.watt_hours,
        energy_method=quoted.energy.method,
        warnings=list(quoted.price.warnings),
        memory_note=quoted.price.memory_note,
        is_secure=quoted.price.is_secure,
    )


def _row(sweep: Sweep) -> SweepOut:
    return SweepOut(
        code=sweep.code,
        case=sweep.case.code,
        recipe=sweep.recipe,
        state=sweep.state,
        trials=sweep.trials_wanted,
        halving=sweep.halving,
        gpu_seconds_budget=sweep.gpu_seconds_budget,
        gpu_seconds_estimated=sweep.gpu_seconds_estimated,
        asked_at=sweep.asked_at,
        ended_at=sweep.ended_at,
    )


def _shown(request: SignedIn, sweep: Sweep) -> SweepDetailOut:
    inside = rules.may_see_inside(request.user, sweep)
    board = queries.board(sweep)
    steps = rules.next_steps(
        request.user, sweep, has_best=inside and board.best is not None, inside=inside
    )
    everybody = _row(sweep).dict() | {
        "asked_by": str(sweep.asked_by),
        "next_steps": [StepOut.from_orm(step) for step in steps],
    }
    return SweepDetailOut(**everybody, **(_inside(sweep, board) if inside else {}))


def _inside(sweep: Sweep, board: queries.Board) -> dict[str, Any]:
    best = board.best
    return {
        "reason": sweep.reason,
        "reason_sentence": reasons.why(sweep),
        "knobs": sweep.knobs,
        "ranges": [RangeOut(**row) for row in sweep.ranges],
        "score": sweep.score,
        "is_lower_better": is_lower_better(sweep.score) if sweep.score else None,
        "gpu_seconds_spent": board.spent,
        "gpu_seconds_committed": board.committed,
        "winner": best.trial.number if best else None,
        "winner_run": sweep.winner_run.code if sweep.winner_run else None,
        "trials_tried": [
            TrialOut(
                number=number,
                round=place + 1,
                knobs=board.trials[number].knobs,
                until_share=part.until_share,
                run=part.run.code if part.run else None,
                state=part.run.state if part.run else "promised",
                score=part.score,
                trouble=part.trouble,
                trouble_sentence=reasons.trouble(part),
            )
            for (number, place), part in sorted(board.parts.items())
        ],
    }
