"""The scores of a run or a model as one table: without looking, a yardstick, and the model."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.utils.translation import gettext as _

from fabriek import figures
from fabriek.kernel import words as amounts
from fabriek.runs import words
from fabriek_recipes.evaluation import Evaluation

Figure = float | int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Score:
    """One figure by when it was measured, each of which may be unknown."""

    name: str
    before: Figure
    yardstick: Figure
    after: Figure


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    label: str
    cells: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """What a page shows: the headings of its figures, and a row for each score."""

    headings: tuple[str, ...]
    rows: tuple[Row, ...]


def pairs(scores: Mapping[str, Figure]) -> list[Score]:
    """Bring `loss_before` and `loss_after` together, in the order they were given."""
    return [
        Score(
            name=name,
            before=scores.get(f"{name}_before"),
            yardstick=scores.get(f"{name}_yardstick"),
            after=scores.get(f"{name}_after", scores.get(name)),
        )
        for name in dict.fromkeys(figures.bare(name) for name in scores)
    ]


def table(scores: Mapping[str, Figure], found: Evaluation | None = None) -> Table:
    """Lay the scores out; columns in which nothing was measured are left out."""
    ordered = sorted(pairs(scores), key=lambda one: _place(one.name))
    columns = _columns(scores)
    bounds = {one.name: (one.low, one.high) for one in found.scores} if found else {}
    rows = []
    for one in ordered:
        cells = [amounts.score(one.name, getattr(one, field)) for field, _heading in columns]
        cells += [_between(one.name, bounds.get(one.name))] if bounds else []
        rows.append(Row(label=words.score_name(one.name), cells=tuple(cells)))
    headings = [heading for _field, heading in columns]
    headings += [_("95% sure between")] if bounds else []
    return Table(headings=tuple(headings), rows=tuple(rows))


def _columns(scores: Mapping[str, Figure]) -> list[tuple[str, str]]:
    """Give what there is of each score, and how that is called beside the others."""
    is_compared = any(name.endswith("_yardstick") for name in scores)
    has_before = any(name.endswith("_before") for name in scores)
    if is_compared:
        known = [("yardstick", _("Plain model")), ("after", _("This model"))]
        return [("before", _("Without looking")), *known] if has_before else known
    if has_before:
        return [("before", _("Before")), ("after", _("After"))]
    return [("after", _("Score"))]


def _place(name: str) -> int:
    known = list(words.SCORES)
    return known.index(name) if name in known else len(known)


def _between(name: str, bounds: tuple[float, float] | None) -> str:
    if bounds is None:
        return "–"
    said = {"low": amounts.score(name, bounds[0]), "high": amounts.score(name, bounds[1])}
    return _("%(low)s and %(high)s") % said
