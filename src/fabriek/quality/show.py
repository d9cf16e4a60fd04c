"""A look as a page shows it: in words, drawn, and compared with the one before."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from django.utils.translation import get_language_info, ngettext, pgettext
from django.utils.translation import gettext as _

from fabriek.kernel import bars, words
from fabriek.kernel.facts import Fact
from fabriek.quality import said
from fabriek.quality.models import Look

MOST_PROBLEMS = 60
MOST_FILES = 12
MOST_COLUMNS = 60
NO_LANGUAGE = "zxx"  # ISO 639-2: no linguistic content
Json = dict[str, Any]
TONES = {"wrong": "wrong", "attention": "attention", "note": "neutral"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    tone: str
    severity: str
    what: str
    mend: str
    where: str
    rows: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    name: str
    kind: str
    missing: str
    distinct: str
    told: str
    drawn: bars.Bars | None
    is_hidden: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class File:
    path: str
    facts: str
    columns: list[Column]
    more: int
    is_broken: bool
    is_open: bool = False


def facts(look: Look, before: Look | None) -> list[Fact]:
    """Give what the whole revision holds, beside the earlier one where there is one."""
    now, then = look.result, before.result if before else {}
    since = before.revision.number if before else 0
    told = []
    if "rows" in now:
        told.append(
            Fact(
                label=_("Rows"), value=words.number(now["rows"]), help=_grown(now, then, since)
            )
        )
    if tokens := now.get("tokens"):
        told.append(
            Fact(
                label=_("Tokens"), value=words.number(tokens["count"]), help=_counted_by(tokens)
            )
        )
    if splits := now.get("splits"):
        listed = ", ".join(f"{name} {words.number(rows)}" for name, rows in splits.items())
        by = _("By the names of files, or by a column that holds nothing else.")
        told.append(Fact(label=_("Kept apart"), value=listed, help=by))
    if (languages := now.get("languages")) and languages["rows"]:
        told.append(
            Fact(label=_("Languages"), value=_shares(languages), help=_sampled(languages))
        )
    return [*told, *_pictures(now), *_sounds(now)]


def _grown(now: Json, then: Json, since: int) -> str:
    if "rows" not in then:
        return ""
    more = now["rows"] - then["rows"]
    if not more:
        return _("As many as in revision %(number)d") % {"number": since}
    sign = "+" if more >= 0 else "−"
    return _("%(more)s beside revision %(number)d") % {
        "more": f"{sign}{words.number(abs(more))}",
        "number": since,
    }


def _counted_by(tokens: Json) -> str:
    if tokens["by"] == "characters":
        return _("An estimate: one token for each four characters.")
    return ngettext(
        "By the tokenizer of the open model, measured on %(rows)s row.",
        "By the tokenizer of the open model, measured on %(rows)s rows.",
        tokens["rows"],
    ) % {"rows": words.number(tokens["rows"])}


def _shares(languages: Json) -> str:
    total = languages["rows"]
    named = [
        f"{_language(code)} {words.number(100 * count / total)}{words.percent_sign()}"
        for code, count in languages["counts"].items()
    ]
    return ", ".join(named)


def _language(code: str) -> str:
    """Name a language in the reader's own; a code that has no name here stays as it is."""
    if code == "unsure":
        return _("not sure")
    if code == NO_LANGUAGE:
        return _("no language: codes or numbers")
    try:
        return str(get_language_info(code)["name_translated"])
    except KeyError:
        return code


def _sampled(languages: Json) -> str:
    return ngettext(
        "Measured on %(rows)s row.", "Measured on %(rows)s rows.", languages["rows"]
    ) % {"rows": words.number(languages["rows"])}


def _pictures(now: Json) -> list[Fact]:
    if not (told := now.get("image")):
        return []
    formats = ", ".join(f"{name} {words.number(n)}" for name, n in told["formats"].items())
    sizes = ""
    if "widths" in told:
        wide, high = told["widths"], told["heights"]
        all_alike = (wide["min"], high["min"]) == (wide["max"], high["max"])
        sizes = _("All %(low)s by %(short)s pixels.")
        if not all_alike:
            sizes = _("From %(low)s by %(short)s to %(high)s by %(tall)s pixels.")
        sizes %= {
            "low": wide["min"],
            "short": high["min"],
            "high": wide["max"],
            "tall": high["max"],
        }
    value = f"{words.number(told['count'])} ({formats})" if formats else str(told["count"])
    return [Fact(label=pgettext("files in a dataset", "Pictures"), value=value, help=sizes)]


def _sounds(now: Json) -> list[Fact]:
    if not (told := now.get("audio")):
        return []
    help_text = ""
    if "seconds" in told:
        rates = ", ".join(f"{words.number(int(rate))} Hz" for rate in told["rates"])
        help_text = _("%(minutes)s minutes in all, at %(rates)s.") % {
            "minutes": words.number(told["seconds"] / 60, 1),
            "rates": rates,
        }
    if told["not_read"]:
        measured = _("Only WAV and FLAC are measured.")
        help_text = f"{help_text} {measured}".strip()
    return [Fact(label=_("Sounds"), value=words.number(told["count"]), help=help_text)]


def problems(look: Look) -> list[Problem]:
    return [_problem(told) for told in look.result.get("problems", [])[:MOST_PROBLEMS]]


def _problem(told: Json) -> Problem:
    what, mend = said.problem(told)
    where = told["path"] or ", ".join(told.get("paths", [])[:5])
    if told["column"]:
        column = _("column %(column)s") % {"column": told["column"]}
        where = f"{where}, {column}" if where else column
    return Problem(
        tone=TONES[told["severity"]],
        severity=str(said.SEVERITIES[told["severity"]]),
        what=what,
        mend=mend,
        where=where,
        rows=_rows(told),
    )


def _rows(told: Json) -> str:
    """Name the rows; of doubles also what each is the double of."""
    pairs: Sequence[Sequence[Any]] = told.get("pairs") or []
    if not pairs:
        return said.rows(told["rows"], told["count"])
    named = [
        _("row %(row)s is row %(first)s of %(path)s")
        % {"row": words.number(row), "first": words.number(first), "path": path}
        for row, path, first in pairs[:3]
    ]
    return "; ".join([*named, "…"] if told["count"] > len(named) else named)


def files(look: Look) -> list[File]:
    """Give the files by name; the one with most rows and columns is shown open."""
    told = look.result.get("files", [])[:MOST_FILES]
    cells = [one.get("rows", 0) * one.get("column_count", 0) for one in told]
    widest = cells.index(max(cells)) if cells else 0
    return [replace(_file(one), is_open=at == widest) for at, one in enumerate(told)]


def _file(told: Json) -> File:
    if "broken" in told:
        return File(path=told["path"], facts=_("could not be read"), columns=[], more=0,
                    is_broken=True)  # fmt: skip
    parts = [
        ngettext("%(rows)s row", "%(rows)s rows", told["rows"])
        % {"rows": words.number(told["rows"])},
        ngettext("%(count)d column", "%(count)d columns", told["column_count"])
        % {"count": told["column_count"]},
    ]
    if told["encoding"] != "utf-8":
        parts.append(told["encoding"])
    shown = [_column(one, told["rows"]) for one in told["columns"][:MOST_COLUMNS]]
    more = told["column_count"] - len(shown)
    return File(path=told["path"], facts=", ".join(parts), columns=shown, more=more,
                is_broken=False)  # fmt: skip


def _column(told: Json, rows: int) -> Column:
    hidden = bool(told.get("hidden"))
    missing = told["missing"]
    share = 100 * missing / rows if rows else 0
    return Column(
        name=told["name"],
        kind=_kind(told["kind"]),
        missing=f"{words.number(share, 0 if share in {0, 100} else 1)}{words.percent_sign()}",
        distinct=words.number(told["distinct"]),
        told=_("not shown: personal data was found here") if hidden else _told(told),
        drawn=None if hidden else _drawn(told),
        is_hidden=hidden,
    )


def _kind(kind: str) -> str:
    return {
        "number": _("number"),
        "time": _("day or time"),
        "text": _("text"),
        "yes_no": _("yes or no"),
    }.get(kind, _("other"))


def _told(told: Json) -> str:
    """Say in words how the values are: ends, middle, the most common."""
    if values := told.get("values"):
        listed = ", ".join(f"{value} ({words.number(count)})" for value, count in values[:5])
        return _("most common: %(values)s") % {"values": listed}
    quantiles = told.get("quantiles") or []
    if told["kind"] == "number" and len(quantiles) > 2 and told.get("min") is not None:  # noqa: PLR2004
        return _("from %(low)s to %(high)s, half below %(middle)s") % {
            "low": _figure(told["min"]),
            "high": _figure(told["max"]),
            "middle": _figure(quantiles[2]),
        }
    if told["kind"] == "time" and told.get("first"):
        return _("from %(first)s to %(last)s") % {"first": told["first"], "last": told["last"]}
    if told["kind"] == "yes_no" and "yes" in told:
        counted = ngettext("%(count)s time yes", "%(count)s times yes", told["yes"])
        return counted % {"count": words.number(told["yes"])}
    if told["kind"] == "text" and "mean_length" in told:
        return _("%(mean)s characters on average, %(longest)s at most") % {
            "mean": words.number(told["mean_length"]),
            "longest": words.number(told["longest"]),
        }
    return ""


def _drawn(told: Json) -> bars.Bars | None:
    shape = told.get("bars")
    if not shape:
        return None
    low, high = shape["low"], shape["high"]
    if told["kind"] == "time":
        ends = [f"{datetime.fromtimestamp(one, UTC):%Y-%m-%d}" for one in (low, high)]
    else:
        ends = [_figure(low), _figure(high)]
    most = max(range(len(shape["shares"])), key=lambda at: shape["shares"][at])
    share = words.number(100 * shape["shares"][most])
    spoken = _("From %(low)s to %(high)s in %(bars)d bars; the highest is bar %(bar)d, with "
               "%(share)s%% of the rows.")  # fmt: skip
    told_in_words = spoken % {
        "low": ends[0],
        "high": ends[1],
        "bars": len(shape["shares"]),
        "bar": most + 1,
        "share": share,
    }
    return bars.bars(shape["shares"], said=told_in_words, low=ends[0], high=ends[1])


def _figure(value: float | None) -> str:
    """Write four figures: what a reader compares."""
    if value is None:
        return ""
    if value == round(value) and abs(value) < 1e15:  # noqa: PLR2004
        return words.number(value)
    return words.number(value, 2 if abs(value) >= 1 else 4)
