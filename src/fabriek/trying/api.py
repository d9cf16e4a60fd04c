"""The API of trying a model: parse, call one action, show. No decisions are taken here."""

from uuid import UUID, uuid4

from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from ninja import Router, Schema, Status

from fabriek.allocations.models import Allocation
from fabriek.kernel.errors import NotEnough
from fabriek.people.http import SignedIn
from fabriek.registry import queries as registry
from fabriek.registry.models import Model
from fabriek.runs.models import Run
from fabriek.trying import actions, queries, show

router = Router(tags=["try"])


class TryIn(Schema):
    """`allocation`: who pays; without it the first that can.

    `wish_id`: a UUID of your own; the same one sent twice is one session.
    """

    model: str
    allocation: str = ""
    minutes: int = actions.MINUTES
    wish_id: UUID | None = None


class AskIn(Schema):
    """`temperature` 0: the likeliest word each time. Both sides draw with the same `seed`.

    `goes_on`: with the conversation of the question before; each side is shown what it said.
    """

    prompt: str
    system: str = ""
    temperature: float = 0.0
    tokens_max: int = 256
    seed: int = 1
    goes_on: bool = False


class AskedOut(Schema):
    number: int


class AnswerOut(Schema):
    """`side`: `model`, or `base`: what it was made from. `refusal`: why it says nothing."""

    side: str
    text: str
    tokens: int
    seconds: float
    is_over: bool
    refusal: str


class TurnOut(Schema):
    """`since`: the number of the question with which its conversation began."""

    number: int
    since: int
    prompt: str
    system: str
    is_over: bool
    answers: list[AnswerOut]


class TryOut(Schema):
    """Yours alone. `phase`: waiting, loading, open (ask now), ending, ended."""

    code: str
    phase: str
    waiting: str
    gpu_seconds_held: int
    idle_minutes: int
    why_ended: str
    turns: list[TurnOut]


@router.post("/", response={201: TryOut})
def start(request: SignedIn, given: TryIn) -> Status[TryOut]:
    """Begin a session; one with this model that you have open already is given again."""
    rows = registry.shown(request.user)
    model = get_object_or_404(rows, code=given.model)
    paid = _usable(model, given.allocation, request)
    wish = actions.Wish(minutes=given.minutes, wish_id=given.wish_id or uuid4())
    run = actions.start(model, wish, allocation=paid, by=request.user)
    return Status(201, _shown(run, request))


@router.get("/{code}", response=TryOut)
def detail(request: SignedIn, code: str, response: HttpResponse) -> TryOut:
    """Get how it stands, with the last questions and what was said to them so far."""
    response["Cache-Control"] = "no-store, private"
    return _shown(_mine(request, code), request)


@router.post("/{code}/ask", response={202: AskedOut})
def ask(request: SignedIn, code: str, given: AskIn) -> Status[AskedOut]:
    """Ask a question; its answers grow in what the session tells."""
    asked = actions.Given(**given.dict())
    return Status(
        202, AskedOut(number=actions.ask(_mine(request, code), asked, by=request.user))
    )


@router.post("/{code}/stop", response={204: None})
def stop(request: SignedIn, code: str) -> Status[None]:
    """Stop the answer that is being written."""
    actions.stop(_mine(request, code), by=request.user)
    return Status(204, None)


@router.post("/{code}/end", response=TryOut)
def end(request: SignedIn, code: str) -> TryOut:
    """End the session; what is left of its time comes back."""
    return _shown(actions.end(_mine(request, code), by=request.user), request)


def _usable(model: Model, account: str, request: SignedIn) -> Allocation:
    found = queries.allocations_for(model, request.user)
    if not found:
        raise NotEnough(
            _("None of your cases has GPU-hours to try %(model)s with. Ask for some first.")
            % {"model": model.code},
            code="no_allocation",
        )
    if not account:
        return found[0]
    keys = [one.pk for one in found]
    rows = Allocation.objects.filter(pk__in=keys).select_related("case__organisation")
    return get_object_or_404(rows, account=account)


def _mine(request: SignedIn, code: str) -> Run:
    return get_object_or_404(queries.mine(request.user), code=code)


def _shown(run: Run, request: SignedIn) -> TryOut:
    found = show.session(run, request.user)
    return TryOut(
        code=run.code,
        phase=found.phase,
        waiting=found.attention or found.remaining or found.doing,
        gpu_seconds_held=run.gpu_seconds_held,
        idle_minutes=found.idle_minutes,
        why_ended=str(found.denied) or " ".join(found.why_ended),
        turns=[_turn(one) for one in found.turns],
    )


def _turn(shown: show.Shown) -> TurnOut:
    return TurnOut(
        number=shown.number,
        since=shown.since,
        prompt=shown.prompt,
        system=shown.system,
        is_over=shown.is_over,
        answers=[
            AnswerOut(
                side=one.name,
                text=one.text,
                tokens=one.tokens,
                seconds=one.seconds,
                is_over=one.is_over,
                refusal=one.refusal,
            )
            for one in shown.answers
        ],
    )
