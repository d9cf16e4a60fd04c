"""Where each setting is searched: as somebody gave it, held to what the recipe allows."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from django.utils.translation import gettext as _

from fabriek.kernel.errors import Invalid
from fabriek.runs import offers
from fabriek.runs.words import amount
from fabriek_recipes.kinds import Recipe
from fabriek_recipes.searches import CHOICES_MAX, Range, Search, searchable

SEARCHED_MAX = 12
DIGITS = 3  # of a number that was drawn: more would tell nothing


@dataclass(frozen=True, kw_only=True, slots=True)
class Given:
    """What somebody asks of one setting; what is left out is as suggested."""

    name: str
    low: float | None = None
    high: float | None = None
    log: bool | None = None
    choices: tuple[str | int | bool, ...] = ()


def search_of(recipe: Recipe) -> Search:
    """Tell what of a recipe can be searched. Raises: Invalid, where nothing can."""
    found = searchable().get(recipe.name)
    if found is None:
        raise Invalid(
            _("“%(recipe)s” has no settings to search. Run it with settings of your own.")
            % {"recipe": _(recipe.title)},
            code="nothing_to_search",
        )
    return found


def read(recipe: Recipe, given: Iterable[Given]) -> list[Range]:
    """Check each against the recipe's own bounds; nothing given: what is suggested.

    Raises:
        Invalid: with a sentence for each setting that is wrong.
    """
    search = search_of(recipe)
    asked = list(given) or [Given(name=name) for name in search.suggested]
    wrong: dict[str, str] = {}
    found = []
    for one in asked:
        try:
            found.append(_range(recipe, search, one))
        except Invalid as refusal:
            wrong[one.name[:60]] = str(refusal)
    if len({one.name for one in found}) < len(found) or len(asked) > SEARCHED_MAX:
        raise Invalid(
            _("Search each setting once, and at most %(most)d of them.")
            % {"most": SEARCHED_MAX},
            code="bad_range",
        )
    if wrong:
        raise Invalid(" ".join(wrong.values()), fields=wrong, code="bad_range")
    return found


def stored(ranges: Iterable[Range]) -> list[dict[str, Any]]:
    return [asdict(one) for one in ranges]


def kept(rows: Iterable[Mapping[str, Any]]) -> list[Range]:
    """Read them back from our own row."""
    return [Range(**{**row, "choices": tuple(row["choices"])}) for row in rows]


def usual(recipe: Recipe, ranges: Iterable[Range], knobs: Mapping[str, Any]) -> dict[str, Any]:
    """Give the settings as they would be without a search, also outside of the ranges.

    They are the first trial: so it can be told whether searching helped.
    """
    checked = offers.checked_knobs(recipe, knobs).model_dump()
    return {one.name: checked[one.name] for one in ranges}


def holds(one: Range, value: Any) -> bool:  # noqa: ANN401  of any kind of setting
    """Tell whether a value lies where is searched."""
    if one.kind == "choice":
        return value in one.choices
    return bool(one.low <= value <= one.high)


def rounded(one: Range, value: float) -> int | float:
    """Bring a number within its range, in so few digits that people can read it."""
    if one.kind == "integer":
        return int(min(max(round(value), one.low), one.high))
    short = float(f"{value:.{DIGITS}g}")
    return min(max(short, one.low), one.high)


def said(one: Range, knob: offers.Knob) -> str:
    """Say a range as people read it."""
    if one.kind == "choice":
        return ", ".join(knob.said(choice) for choice in one.choices)
    both = {"low": amount(_plain(one, one.low)), "high": amount(_plain(one, one.high))}
    if one.log:
        return _("%(low)s to %(high)s, evenly by factors") % both
    return _("%(low)s to %(high)s") % both


def _plain(one: Range, value: float) -> int | float:
    return int(value) if one.kind == "integer" else value


def _range(recipe: Recipe, search: Search, given: Given) -> Range:
    usual_range = search.ranges.get(given.name)
    if usual_range is None:
        raise Invalid(
            _(
                "“%(name)s” is not searched: with another one, scores could not be compared, "
                "or the recipe has no such setting. Search among: %(names)s."
            )
            % {"name": given.name[:60], "names": ", ".join(search.ranges)},
            code="not_searched",
        )
    if usual_range.kind == "choice":
        return _chosen(usual_range, given)
    found = _numbers(usual_range, given)
    _check_bounds(recipe, found)
    return found


def _chosen(usual_range: Range, given: Given) -> Range:
    choices = tuple(dict.fromkeys(given.choices)) or usual_range.choices
    unknown = [one for one in choices if one not in usual_range.choices]
    if unknown or len(choices) > CHOICES_MAX:
        raise Invalid(
            _("“%(name)s” is one of: %(names)s.")
            % {"name": given.name, "names": ", ".join(map(str, usual_range.choices))}
        )
    return Range(name=given.name, kind="choice", choices=choices)


def _numbers(usual_range: Range, given: Given) -> Range:
    low = usual_range.low if given.low is None else given.low
    high = usual_range.high if given.high is None else given.high
    log = usual_range.log if given.log is None else given.log
    named = {"name": given.name}
    if given.choices or not (math.isfinite(low) and math.isfinite(high)):
        raise Invalid(_("“%(name)s” is searched from one number to another.") % named)
    if usual_range.kind == "integer" and not (low == round(low) and high == round(high)):
        raise Invalid(_("“%(name)s” is searched between whole numbers.") % named)
    if low >= high:
        raise Invalid(_("“%(name)s”: the first number must be the lower one.") % named)
    if log and low <= 0:
        raise Invalid(
            _("“%(name)s”: searched by factors, it must begin above 0. Choose evenly.") % named
        )
    return Range(name=given.name, kind=usual_range.kind, low=low, high=high, log=log)


def _check_bounds(recipe: Recipe, one: Range) -> None:
    """Let the recipe itself say what may be, at both ends."""
    for end in (one.low, one.high):
        try:
            offers.checked_knobs(recipe, {one.name: _plain(one, end)})
        except Invalid as refusal:
            if one.name in refusal.fields:
                raise Invalid(f"“{one.name}”: {refusal.fields[one.name]}") from refusal
