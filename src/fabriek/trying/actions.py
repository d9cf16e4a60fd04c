"""Begin a session with a model, ask in it, stop an answer, end it."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID, uuid4

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from fabriek.allocations.models import Allocation
from fabriek.cases.models import Case
from fabriek.kernel import text, words
from fabriek.kernel.errors import Invalid, NotAllowed, Refused, Text, WrongState
from fabriek.kernel.text import PLAIN
from fabriek.people.models import Person
from fabriek.registry.models import Model
from fabriek.runs import actions as runs
from fabriek.runs import ending, longest, memory, use
from fabriek.runs.models import Run
from fabriek.runs.prices import Price
from fabriek.store.models import Revision
from fabriek.trying import exchange, queries, rules
from fabriek_recipes.try_model import lines
from fabriek_recipes.try_model.knobs import RECIPE
from fabriek_recipes.try_model.lines import Question

MINUTE_S = 60
MINUTES_LEAST = longest.ANSWERS_LEAST_S // MINUTE_S
MINUTES, MINUTES_MAX = 15, 60
IDLE_MINUTES = 5
SESSIONS_MAX = 3  # of one person at once
A_MINUTE_MAX = 12  # questions; nobody reads more answers than that
ADAPTER_CONFIG = "adapter/adapter_config.json"


@dataclass(frozen=True, kw_only=True, slots=True)
class Wish:
    """For how long to try a model, at most."""

    minutes: int = MINUTES
    wish_id: UUID = field(default_factory=uuid4)


@dataclass(frozen=True, kw_only=True, slots=True)
class Given:
    """What somebody asks, and how it is to be answered. `temperature` 0: the likeliest.

    `goes_on`: each side is shown its own earlier answers of the conversation.
    """

    prompt: str
    system: str = ""
    temperature: float = 0.0
    tokens_max: int = 256
    seed: int = 1
    goes_on: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Inputs:
    """What lies in a session. `without_base`: why the base does not stand beside the model."""

    revisions: Mapping[str, Revision]
    without_base: Text = ""


def price(model: Model, wish: Wish, *, case: Case, by: Person) -> Price:
    """Say what a session costs, after every check that a start would make.

    Raises:
        Invalid: it is no language model, too large, or cannot be loaded.
        NotAllowed: an agreement does not allow this person to ask it.
    """
    return runs.price_for(_run_wish(model, wish, case=case, by=by), case=case, by=by)


def start(model: Model, wish: Wish, *, allocation: Allocation, by: Person) -> Run:
    """Hold the GPU time and queue the session; one with this model that is open is given.

    Raises:
        NotAllowed, WrongState: `by` may not run for this case, or an agreement does not allow
            them to ask this model.
        Invalid: the time will not do, it is no language model, too large or cannot be loaded.
        NotEnough: the allocation cannot pay for it.
    """
    going_on = queries.unfinished(by)
    if earlier := queries.of_model(going_on, model).first():
        return earlier
    if going_on.count() >= SESSIONS_MAX:
        raise WrongState(
            _("You try %(most)d models already. End one of these sessions first.")
            % {"most": SESSIONS_MAX},
            code="too_many_sessions",
        )
    asked = _run_wish(model, wish, case=allocation.case, by=by)
    return runs.ask(asked, allocation=allocation, by=by)


def inputs_for(model: Model, *, case: Case, by: Person) -> Inputs:
    """Choose what to load: the model, and its base where that may be used and fits.

    Raises: Invalid, when one GPU has too little memory for the model alone.
    """
    found = {"model": model.revision}
    base = queries.base_of(model)
    has_addition = model.revision.files.filter(path=ADAPTER_CONFIG).exists()
    there = memory.there_bytes()
    if there and model.revision.size_bytes > there:
        said = {"needed": words.size(model.revision.size_bytes), "there": words.size(there)}
        raise Invalid(
            _(
                "This model takes %(needed)s of memory and one GPU here has %(there)s, so it "
                "cannot be tried in the page. Choose a smaller one."
            )
            % said,
            code="too_large_to_try",
        )
    if base is None:
        return Inputs(revisions=found)
    decision = use.would(use.Use(recipe=RECIPE.name, case=case, by=by), base)
    if not decision.allowed:
        return Inputs(revisions=found, without_base=decision.sentence)
    size = base.size_bytes + (0 if has_addition else model.revision.size_bytes)
    if there and size > there:
        said_ = _("The two together do not fit in the memory of one GPU.")
        return Inputs(revisions=found, without_base=said_)
    return Inputs(revisions=found | {"base": base})


def ask(run: Run, given: Given, *, by: Person) -> int:
    """Ask one question in one's own session; give its number.

    What is asked is written nowhere but in the folder of the run, and goes with the session.

    Raises:
        NotAllowed: an agreement does not allow it any more; then the session is stopped too.
        WrongState: it is not ready or over, or the answer before is not whole yet.
        Invalid: it is empty or too long, or a setting will not do.
    """
    _require(run, by=by)
    question = checked(given)
    sides = queries.sides(run)
    with exchange.turn(run) as turn:
        _require_turn(turn.talk, sides)
        number = len(turn.talk.questions) + 1
        begun_with = turn.talk.questions[-1].begun_with if turn.talk.questions else number
        asked = Question(
            number=number,
            since=begun_with if question.goes_on else 0,
            prompt=question.prompt,
            system=question.system,
            temperature=question.temperature,
            tokens_max=question.tokens_max,
            seed=question.seed,
        )
        turn.ask(asked)
    return asked.number


def stop(run: Run, *, by: Person) -> None:
    """Let the answer that is being written end where it is; nothing when there is none.

    Raises: NotAllowed, WrongState.
    """
    _require(run, by=by)
    sides = queries.sides(run)
    with exchange.turn(run) as turn:
        asked = turn.talk.unanswered(sides)
        if asked and asked.number not in turn.talk.stopped:
            turn.stop(asked.number)


def end(run: Run, *, by: Person) -> Run:
    """End the session; what is left of its time comes back. Raises: WrongState."""
    return runs.cancel(run, by=by)


def checked(given: Given) -> Given:
    """Hold a question against what a model may be asked.

    Raises: Invalid, with a sentence for each field that will not do.
    """
    prompt, system = text.prose(given.prompt), text.prose(given.system)
    problems = {
        "prompt": _text_problem(prompt, most=lines.PROMPT_CHARACTERS_MAX, is_needed=True),
        "system": _text_problem(system, most=lines.SYSTEM_CHARACTERS_MAX, is_needed=False),
        "temperature": _bounds_problem(given.temperature, 0, lines.TEMPERATURE_MAX),
        "tokens_max": _bounds_problem(given.tokens_max, 1, lines.TOKENS_MAX),
        "seed": _bounds_problem(given.seed, 0, lines.SEED_MAX),
    }
    if wrong := {name: said for name, said in problems.items() if said}:
        raise Invalid(_("This question cannot be asked so; see the fields."), fields=wrong)
    return Given(
        prompt=prompt,
        system=system,
        temperature=given.temperature,
        tokens_max=given.tokens_max,
        seed=given.seed,
        goes_on=given.goes_on,
    )


def _run_wish(model: Model, wish: Wish, *, case: Case, by: Person) -> runs.Wish:
    rules.require_language(model)
    if not MINUTES_LEAST <= wish.minutes <= MINUTES_MAX:
        said = {"least": MINUTES_LEAST, "most": MINUTES_MAX}
        raise Invalid(
            _("Choose %(least)d to %(most)d minutes.") % said,
            fields={"minutes": _("This is too few or too many.")},
        )
    return runs.Wish(
        recipe=RECIPE.name,
        knobs={"idle_minutes": IDLE_MINUTES},
        inputs=inputs_for(model, case=case, by=by).revisions,
        timeout_s=wish.minutes * MINUTE_S,
        wish_id=wish.wish_id,
    )


def _require(run: Run, *, by: Person) -> None:
    """Let `by` ask, and stop what may not be asked any more. Raises: NotAllowed, WrongState."""
    try:
        rules.require_ask(by, run)
    except NotAllowed:
        if denied := rules.denial(by, run):
            ending.stop_for_data(run, denied)
        raise


def _require_turn(talk: exchange.Talk, sides: set[str]) -> None:
    if talk.unanswered(sides):
        raise WrongState(
            _("Your last question is still being answered. Wait for it, or stop the answer."),
            code="answering",
        )
    if len(talk.questions) >= lines.QUESTIONS_MAX:
        raise WrongState(
            _("You asked %(most)d questions in this session. End it and begin a new one.")
            % {"most": lines.QUESTIONS_MAX},
            code="too_many_questions",
        )
    since = time.time() - MINUTE_S
    if sum(1 for at in talk.asked_at if at > since) >= A_MINUTE_MAX:
        raise Refused(
            _("That is more than %(most)d questions in a minute. Wait a moment and ask again.")
            % {"most": A_MINUTE_MAX},
            code="too_fast",
        )


def _text_problem(said: str, *, most: int, is_needed: bool) -> Text:
    if is_needed and not said:
        return _("Type a question.")
    if len(said) > most:
        return _("This has %(found)s characters; the most is %(most)s. Make it shorter.") % {
            "found": words.number(len(said)),
            "most": words.number(most),
        }
    try:
        PLAIN(said)
    except ValidationError as error:
        return str(error.message)
    return ""


def _bounds_problem(value: float, least: float, most: float) -> Text:
    if least <= value <= most:
        return ""
    return _("Choose %(least)s to %(most)s.") % {
        "least": words.number(least),
        "most": words.number(most),
    }
