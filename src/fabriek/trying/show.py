"""What the page of a session shows, worked out once for the page and for its live part."""

from dataclasses import dataclass
from datetime import datetime
from zlib import crc32

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from fabriek.kernel import words
from fabriek.kernel.errors import Text
from fabriek.people.models import Person
from fabriek.registry.models import Model
from fabriek.runs import expected_start
from fabriek.runs import show as runs
from fabriek.runs.models import Run
from fabriek.runs.states import UNFINISHED, RunState
from fabriek.runs.words import told
from fabriek.trying import exchange, queries, rules
from fabriek_recipes.try_model.lines import CUT, FULL, STOPPED, Question, Said, Side

# In this order, left to right and top to bottom.
SIDES: tuple[Side, ...] = ("model", "base")
SHOWN_MAX = 30  # turns on the page, the newest first
WAITING, LOADING, OPEN = "waiting", "loading", "open"
ENDING, ENDED = "ending", "ended"


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What one side says. `note`: how much, and how fast; `refusal`: why it says nothing."""

    name: str
    title: Text
    text: str
    note: str
    refusal: str
    is_over: bool
    tokens: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Shown:
    """One question with its answers; `manner`: how it was to be answered, where not as ever.

    `begun_with`: what was asked first in its conversation; empty where it stands alone.
    """

    number: int
    since: int
    begun_with: str
    prompt: str
    system: str
    manner: str
    answers: tuple[Answer, ...]
    is_over: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Session:
    """A session as it is now. `phase`: waiting, loading, open, ending or ended.

    `denied`: why its person may not have its answers any more. `seen` stands for all of it, so
    that a page that asks again is told “nothing new”.
    """

    code: str
    phase: str
    seen: str
    sides: int
    doing: str = ""
    percent: float | None = None
    remaining: str = ""
    attention: str = ""
    why_ended: tuple[str, ...] = ()
    denied: Text = ""
    turns: tuple[Shown, ...] = ()
    last: Question | None = None
    is_answering: bool = False
    stops_at: datetime | None = None
    idle_minutes: int = 0


def session(run: Run, person: Person) -> Session:
    """Tell how one's own session stands."""
    denied = rules.denial(person, run) if run.is_unfinished else None
    sides = queries.sides(run)
    talk = exchange.read(run) if _phase(run) == OPEN and not denied else exchange.Talk()
    # Not asked while it is open: a page looks more than once a second.
    on_its_way = _phase(run) in {WAITING, LOADING, ENDING}
    live = runs.live(run, person, inside=True) if on_its_way else None
    turns = [_turn(talk, one, sides) for one in talk.questions]
    return Session(
        code=run.code,
        phase=_phase(run),
        seen=_seen(run, talk),
        sides=len(sides),
        doing=live.doing if live else "",
        percent=live.percent if live and _phase(run) == LOADING else None,
        remaining=expected_start.sentence(run),
        attention=live.attention if live else "",
        why_ended=() if run.is_unfinished else _why_ended(run, person),
        denied=denied.sentence if denied else "",
        turns=tuple(reversed(turns[-SHOWN_MAX:])),
        last=talk.questions[-1] if talk.questions else None,
        is_answering=talk.unanswered(sides) is not None,
        stops_at=queries.stops_at(run),
        idle_minutes=int(run.knobs.get("idle_minutes", 0)),
    )


def again(model: Model) -> str:
    return f"{reverse('trying:new')}?model={model.code}"


def evaluate(model: Model, run: Run) -> str:
    """Give the form that scores this model, for the case that paid for trying it."""
    return f"{reverse('runs:new')}?case={run.case.code}&recipe=evaluate&model={model.code}"


def train_on(model: Model, run: Run) -> str:
    """Give the form of the run that made it, to learn from more data; else of one after it."""
    if model.run and model.case_id == run.case_id:
        return f"{reverse('runs:new')}?like={model.run.code}"
    return f"{reverse('runs:new')}?case={run.case.code}&recipe=finetune_lm&model={model.code}"


def _phase(run: Run) -> str:
    if run.state not in UNFINISHED:
        return ENDED
    if run.cancel_asked_at:
        return ENDING
    if rules.is_open(run):
        return OPEN
    return LOADING if run.state == RunState.RUNNING else WAITING


def _turn(talk: exchange.Talk, question: Question, sides: set[str]) -> Shown:
    said = talk.said.get(question.number, {})
    alone = len(sides) == 1
    return Shown(
        number=question.number,
        since=question.begun_with,
        begun_with=_first(talk, question).prompt if question.goes_on else "",
        prompt=question.prompt,
        system=question.system,
        manner=_manner(question),
        answers=tuple(
            _answer(side, said.get(side, Said()), alone=alone, goes_on=question.goes_on)
            for side in SIDES
            if side in sides
        ),
        is_over=talk.is_over(question.number, sides),
    )


def _first(talk: exchange.Talk, question: Question) -> Question:
    """Give the question with which a conversation began."""
    known = (one for one in talk.questions if one.number == question.begun_with)
    return next(known, question)


def _answer(side: Side, said: Said, *, alone: bool, goes_on: bool) -> Answer:
    titles = {
        "model": _("The model") if alone else _("This model"),
        "base": _("Its base model"),
    }
    return Answer(
        name=side,
        title=titles[side],
        text=said.text,
        note=_note(said, goes_on=goes_on) if said.tokens or said.is_over else "",
        refusal=told(said.refusal) if said.refusal else "",
        is_over=said.is_over,
        tokens=said.tokens,
        seconds=said.seconds,
    )


def _note(said: Said, *, goes_on: bool) -> str:
    """Say how much was written and how fast: `12 tokens in 0.8 s (15 a second)`."""
    if said.refusal:
        return ""
    facts = {
        "tokens": words.number(said.tokens),
        "seconds": words.number(said.seconds, 1),
        "pace": words.number(said.tokens / max(said.seconds, 0.001)),
    }
    text = ngettext(
        "%(tokens)s token in %(seconds)s s (%(pace)s a second).",
        "%(tokens)s tokens in %(seconds)s s (%(pace)s a second).",
        said.tokens,
    )
    text %= facts
    return f"{text} {_ending(said, goes_on=goes_on)}".strip()


def _ending(said: Said, *, goes_on: bool) -> str:
    if said.why == STOPPED:
        return _("You stopped it here.")
    if said.why == CUT:
        return _("It was cut off here: let it be longer to read on.")
    if said.why == FULL and goes_on:
        return _(
            "With all that was said before it fills what this model can look at. Begin a new "
            "conversation to go on."
        )
    if said.why == FULL:
        return _("With the question it fills all that this model can look at.")
    return _("It ended without a word.") if said.why and not said.text else ""


def _manner(question: Question) -> str:
    if not question.temperature:
        return ""
    facts = {
        "temperature": words.number(question.temperature, 1),
        "seed": str(question.seed),
    }
    return _("drawn by lot, temperature %(temperature)s, seed %(seed)s") % facts


def _why_ended(run: Run, person: Person) -> tuple[str, ...]:
    if run.state in {RunState.FAILED, RunState.LOST}:
        return (runs.failure(run, person, inside=True),)
    if run.stop_reason:
        return (runs.failure(run, person, inside=True),)
    if run.state == RunState.CANCELLED:
        return (_("You ended the session, or a colleague did."),)
    return runs.warnings(run, person)[-1:] or (_("It stopped by itself."),)


def _seen(run: Run, talk: exchange.Talk) -> str:
    said = [
        (number, side, len(one.text), one.tokens, one.why, one.refusal)
        for number, sides in talk.said.items()
        for side, one in sides.items()
    ]
    mark = crc32(repr((said, len(talk.questions), sorted(talk.stopped))).encode())
    ending = "x" if run.cancel_asked_at else ""
    return f"{_phase(run)}{ending}-{mark:x}-{runs.seen(run) if _phase(run) != OPEN else ''}"
