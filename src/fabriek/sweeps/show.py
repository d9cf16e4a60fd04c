"""What the page of a search shows: how far it is, the trials in order, drawings."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from fabriek.kernel import words as amounts
from fabriek.kernel.charts import LineChart
from fabriek.kernel.facts import Fact
from fabriek.runs import offers, words
from fabriek.sweeps import drawings, halving, ranges, reasons
from fabriek.sweeps.models import Part, Sweep
from fabriek.sweeps.queries import Board
from fabriek.sweeps.states import SweepState
from fabriek_recipes.searches import Range, is_lower_better

TONES: dict[str, str] = {SweepState.DONE: "good", SweepState.PAUSED: "attention"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One trial in the table; `score` is that of the round it came to."""

    number: int
    settings_headed: tuple[tuple[str, str], ...]
    state: str
    said: str
    score: str
    far: str
    run: str
    run_url: str
    trouble: str
    is_best: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Shown:
    """All of a search that its page shows to the consortium."""

    doing: str
    percent: float
    detail: str
    spent: int
    held: int
    headings: tuple[str, ...]
    columns: int  # of the table, besides the first
    score_name: str
    lines: tuple[Line, ...]
    scored: int
    best: tuple[Fact, ...]
    rounds: LineChart | None
    clouds: tuple[LineChart, ...]
    seen: str


def shown(board: Board) -> Shown:
    searched = ranges.kept(board.sweep.ranges)
    knobs = knobs_by_name(board.sweep)
    standing = board.standing
    spent = board.spent
    return Shown(
        doing=_doing(board, standing),
        percent=_percent(board, standing),
        detail=_detail(board),
        spent=min(spent, board.sweep.gpu_seconds_budget),
        held=max(0, board.committed - spent),
        headings=tuple(knobs[one.name].title for one in searched),
        columns=len(searched) + 1,
        score_name=words.score_name(board.sweep.score) if board.sweep.score else _("Score"),
        lines=tuple(_lines(board, searched, knobs)),
        scored=len(_scored(board)),
        best=tuple(_best(board, searched, knobs)),
        rounds=drawings.rounds(board),
        clouds=tuple(drawings.clouds(board, searched, knobs)),
        seen=seen(board),
    )


def knobs_by_name(sweep: Sweep) -> dict[str, offers.Knob]:
    return {knob.name: knob for knob in offers.knobs_of(offers.known(sweep.recipe))}


def seen(board: Board) -> str:
    """Name what a page shows now, so that a page that asks again is told “nothing new”."""
    states = [part.run.state if part.run else "-" for part in board.parts.values()]
    done = sum(part.ended_at is not None for part in board.parts.values())
    return f"{board.sweep.state}-{len(board.parts)}-{done}-{states.count('running')}"


def state_said(sweep: Sweep) -> str:
    return str(SweepState(sweep.state).label)


def tone(sweep: Sweep) -> str:
    """Give the tone of its state, where the word alone does not tell."""
    return TONES.get(sweep.state, "")


def facts(sweep: Sweep) -> list[Fact]:
    """Tell what everybody who may see the search sees of it."""
    rows = [
        Fact(label=_("Case"), value=sweep.case, url=sweep.case.get_absolute_url()),
        Fact(label=_("Recipe"), value=_(offers.known(sweep.recipe).title)),
        Fact(label=_("Asked by"), value=sweep.asked_by, help=amounts.moment(sweep.asked_at)),
    ]
    if sweep.runs_as_id != sweep.asked_by_id:
        rows.append(Fact(label=_("Goes on in the name of"), value=sweep.runs_as))
    if sweep.ended_at:
        rows.append(Fact(label=_("Ended"), value=amounts.moment(sweep.ended_at)))
    if sweep.stopped_by:
        rows.append(Fact(label=_("Stopped by"), value=sweep.stopped_by))
    paid = Fact(
        label=_("Paid from"),
        value=sweep.allocation.account,
        url=sweep.allocation.get_absolute_url(),
    )
    return [*rows, paid]


def settings(sweep: Sweep) -> list[Fact]:
    """Tell how is searched, and what is the same in every trial."""
    knobs = knobs_by_name(sweep)
    sought = {one.name for one in ranges.kept(sweep.ranges)}
    searched = [
        Fact(label=knobs[one.name].title, value=ranges.said(one, knobs[one.name]))
        for one in ranges.kept(sweep.ranges)
    ]
    same = [
        Fact(label=knobs[name].title, value=knobs[name].said_with_unit(value))
        for name, value in sweep.knobs.items()
        if name in knobs and value != knobs[name].default and name not in sought
    ]
    seed = Fact(label=_("Seed"), value=str(sweep.seed))
    return [*searched, *plan(sweep.trials_wanted, sweep.halving), *same, seed]


def plan(trials: int, one_of: int) -> list[Fact]:
    """Say the rounds in words."""
    rows = []
    for place, planned in enumerate(halving.rounds(trials, one_of), start=1):
        said = {"trials": _n(planned.trials), "share": share_said(planned.until_share)}
        text = ngettext(
            "%(trials)s trial, up to %(share)s of its steps",
            "%(trials)s trials, up to %(share)s of their steps",
            planned.trials,
        )
        whole = ngettext(
            "%(trials)s trial, in full", "%(trials)s trials, in full", planned.trials
        )
        label = _("Round %(number)s") % {"number": place}
        rows.append(Fact(label=label, value=(text if one_of else whole) % said))
    return rows


def share_said(share: float) -> str:
    return f"{amounts.number(100 * share, 0 if share >= 0.1 else 1)}{amounts.percent_sign()}"  # noqa: PLR2004


# --- how far ----------------------------------------------------------------------------
def _doing(board: Board, standing: halving.Standing) -> str:
    place = max((at for _number, at in board.parts), default=0)
    said = {"round": _n(place + 1), "rounds": _n(len(standing.rounds))}
    return _("Round %(round)s of %(rounds)s") % said


def _percent(board: Board, standing: halving.Standing) -> float:
    wanted = sum(one.trials for one in standing.rounds)
    done = sum(part.ended_at is not None for part in board.parts.values())
    return min(100.0, 100 * done / max(1, wanted))


def _detail(board: Board) -> str:
    said = {"scored": _n(len(_scored(board))), "trials": _n(board.sweep.trials_wanted)}
    return _("%(scored)s of %(trials)s trials have a score") % said


def _scored(board: Board) -> set[int]:
    return {number for (number, _at), part in board.parts.items() if part.score is not None}


# --- the trials -------------------------------------------------------------------------
def _lines(
    board: Board, searched: Sequence[Range], knobs: dict[str, offers.Knob]
) -> list[Line]:
    best = board.best
    found = []
    for number, trial in board.trials.items():
        parts = [part for (one, _at), part in board.parts.items() if one == number]
        if not parts:
            continue
        latest = max(parts, key=lambda part: part.round)
        scored = [part for part in parts if part.score is not None]
        told = max(scored, key=lambda part: part.round, default=None)
        is_best = best is not None and best.trial.number == number
        settings_said = tuple(
            (_cell(one, knobs[one.name], trial.knobs), knobs[one.name].title)
            for one in searched
        )
        found.append((_order(board, told, number), _line(latest, told, settings_said, is_best)))
    return [line for _place, line in sorted(found, key=lambda pair: pair[0])]


def _order(board: Board, told: Part | None, number: int) -> tuple[int, float, int]:
    """Put who came furthest first, and of those the best."""
    if told is None or told.score is None:
        return (1, 0.0, number)
    sign = 1 if is_lower_better(board.sweep.score) else -1
    return (-told.round, sign * told.score, number)


def _line(
    latest: Part, told: Part | None, settings_said: tuple[tuple[str, str], ...], is_best: bool
) -> Line:
    state, said = _state(latest)
    run = latest.run
    score_name = latest.trial.sweep.score
    return Line(
        number=latest.trial.number,
        settings_headed=settings_said,
        state=state,
        said=said,
        score=amounts.score(score_name, told.score) if told else "–",
        far=share_said(told.until_share) if told else "",
        run=run.code if run else "",
        run_url=run.get_absolute_url() if run else "",
        trouble=reasons.trouble(latest),
        is_best=is_best,
    )


def _state(part: Part) -> tuple[str, str]:
    if part.trouble:
        return "failed", _("no score")
    if part.score is not None:
        return "succeeded", _("scored")
    if part.run:
        return part.run.state, part.run.get_state_display()
    return "waiting", _("waiting")


def _cell(one: Range, knob: offers.Knob, values: dict[str, Any]) -> str:
    value = values[one.name]
    return drawings.short(knob.said(value), str(value)) if knob.choices else knob.said(value)


def _said(one: Range, knobs: dict[str, offers.Knob], values: dict[str, Any]) -> str:
    return knobs[one.name].said(values[one.name]) if one.name in values else ""


def _best(board: Board, searched: Sequence[Range], knobs: dict[str, offers.Knob]) -> list[Fact]:
    """Name the winner's settings and score, and what searching brought."""
    best = board.best
    if best is None:
        return []
    name = board.sweep.score
    rows = [
        Fact(label=knobs[one.name].title, value=_said(one, knobs, best.trial.knobs))
        for one in searched
    ]
    far = _("after %(share)s of its steps") % {"share": share_said(best.until_share)}
    score = Fact(
        label=words.score_name(name),
        value=amounts.score(name, best.score),
        help=far if best.until_share < 1 else "",
    )
    return [score, *_gained(board, best), *rows]


def _gained(board: Board, best: Part) -> list[Fact]:
    """Compare with the first trial, which has the settings that nobody searched."""
    usual = board.parts.get((1, 0))
    first = board.parts.get((best.trial.number, 0))
    if usual is None or usual.score is None or first is None or first is usual:
        return []
    said = {"score": amounts.score(board.sweep.score, first.score)}
    return [
        Fact(
            label=_("With the usual settings"),
            value=amounts.score(board.sweep.score, usual.score),
            help=_("After as many steps the winner had %(score)s.") % said,
        )
    ]


def _n(value: int) -> str:
    return amounts.number(value)
