"""The API of interactive work: parse, call one action, show. No decisions are taken here."""

from typing import Literal
from uuid import UUID, uuid4

from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from ninja import Router, Schema, Status

from fabriek.agreements import policy
from fabriek.allocations.models import Allocation
from fabriek.cases.models import Case
from fabriek.kernel.errors import NotEnough
from fabriek.lab import actions, addresses, queries, rules
from fabriek.people import tokens
from fabriek.people.http import SignedIn
from fabriek.runs import queries as run_queries
from fabriek.runs import rules as run_rules
from fabriek.runs.models import Run
from fabriek.store.models import Revision
from fabriek.store.references import revision_of
from fabriek_recipes.lab.knobs import RECIPE

router = Router(tags=["lab"])


class LabIn(Schema):
    """`inputs`: dataset or model, and which: `D26-0001`. `earlier`: a run whose files to have.

    `wish_id`: a UUID of your own; the same one sent twice is one session.
    """

    case: str
    allocation: str = ""
    gpus: int = 1
    hours: int = 1
    idle_minutes: int = 30
    inputs: dict[Literal["dataset", "model"], str] = {}
    earlier: str = ""
    wish_id: UUID | None = None


class LabOut(Schema):
    """`is_open`: whether one can go in now. The run itself stands below `/api/runs`."""

    code: str
    state: str
    is_open: bool
    gpu_seconds_held: int
    idle_minutes: int


class DoorOut(Schema):
    """`url` is good once, for half a minute; `origin` is where all else of the run lies."""

    url: str
    origin: str


@router.post("/", response={201: LabOut})
def start(request: SignedIn, given: LabIn) -> Status[LabOut]:
    case = get_object_or_404(Case.objects.visible_to(request.user), code=given.case)
    run_rules.require_ask(request.user, case)
    wish = actions.Wish(
        hours=given.hours,
        gpus=given.gpus,
        idle_minutes=given.idle_minutes,
        inputs=_inputs(request, given),
        earlier=_earlier(request, given.earlier),
        wish_id=given.wish_id or uuid4(),
    )
    run = actions.start(wish, allocation=_usable(case, given.allocation), by=request.user)
    return Status(201, _shown(run))


@router.get("/{code}", response=LabOut)
def detail(request: SignedIn, code: str) -> LabOut:
    return _shown(get_object_or_404(queries.labs(request.user), code=code))


@router.post("/{code}/enter", response=DoorOut)
def enter(request: SignedIn, code: str) -> DoorOut:
    run = get_object_or_404(queries.labs(request.user).select_related("case"), code=code)
    address = actions.enter(run, by=request.user, right=_right(request))
    return DoorOut(url=address, origin=addresses.origin(run.code))


def _right(request: SignedIn) -> actions.Right:
    """Tell what this call was made with: a token, or else the session of a browser."""
    kind, _space, key = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() == "bearer":
        return actions.Right(token=tokens.find(key.strip()))
    return actions.Right(session_key=request.session.session_key or "")


def _usable(case: Case, account: str) -> Allocation:
    if account:
        rows = Allocation.objects.filter(case=case).select_related("case__organisation")
        return get_object_or_404(rows, account=account)
    found = run_queries.allocations_of(case).first()
    if found is None:
        raise NotEnough(
            _("%(case)s has no GPU-hours that can be used today. Ask for GPU-hours first.")
            % {"case": case.code},
            code="no_allocation",
        )
    return found


def _earlier(request: SignedIn, code: str) -> Run | None:
    """Find a session that this person could go into; which case it is of is looked at later."""
    if not code:
        return None
    ours = Case.objects.taken_part_in_by(request.user)
    return get_object_or_404(queries.labs(request.user).filter(case__in=ours), code=code)


def _inputs(request: SignedIn, given: LabIn) -> dict[str, Revision]:
    kinds = {need.name: need.kind for need in RECIPE.inputs}
    return {
        name: revision_of(reference, among=policy.visible_to(request.user), kind=kinds[name])
        for name, reference in given.inputs.items()
        if reference
    }


def _shown(run: Run) -> LabOut:
    return LabOut(
        code=run.code,
        state=run.state,
        is_open=rules.is_open(run),
        gpu_seconds_held=run.gpu_seconds_held,
        idle_minutes=int(run.knobs.get("idle_minutes", 0)),
    )
