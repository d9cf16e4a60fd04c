"""Filters and tags every page uses: amounts, times, states, tables and meters in words."""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from html import escape
from typing import Any
from urllib.parse import urlencode

from django import template
from django.template import Context
from django.template.loader import render_to_string
from django.utils.safestring import SafeString, mark_safe

from fabriek.kernel import words
from fabriek.kernel.charts import Row
from fabriek.kernel.paging import Paged
from fabriek.kernel.steps import NextStep
from fabriek.kernel.timeline import Happening
from fabriek.kernel.tones import tone_of

register = template.Library()

SHORTEST_VISIBLE_PERCENT = 0.6


# --- amounts and times -------------------------------------------------------------------
@register.filter
def gpu_hours(gpu_seconds: int | None, form: str | int = "words") -> str:
    """`{{ s|gpu_hours }}` with unit, `|gpu_hours:"number"` without, `|gpu_hours:1` fixed."""
    if gpu_seconds is None:
        return ""
    if form == "words":
        return words.gpu_hours(gpu_seconds)
    decimals = form if isinstance(form, int) else None
    return words.gpu_hours_number(gpu_seconds, decimals)


@register.filter
def number(value: float | None, decimals: int = 0) -> str:
    return "" if value is None else words.number(value, decimals)


@register.filter
def size(size_bytes: int | None) -> str:
    return "" if size_bytes is None else words.size(size_bytes)


@register.filter
def euro(eur_cents: int | None) -> str:
    return "" if eur_cents is None else words.euro(eur_cents)


@register.filter
def when(value: date | datetime | None) -> SafeString | str:
    """Say how far away and when, as a `<time>` element."""
    return "" if not value else _time_element(value, words.when(value))


@register.filter
def day(value: date | datetime | None) -> SafeString | str:
    return "" if not value else _time_element(value, words.day(value))


@register.filter
def moment(value: datetime | None) -> SafeString | str:
    return "" if not value else _time_element(value, words.moment(value))


@register.filter
def moment_there(value: datetime | None) -> SafeString | str:
    """Name the clock too: for what is read as a proof, or far from here."""
    return "" if not value else _time_element(value, words.moment_there(value))


def _time_element(value: date | datetime, text: str) -> SafeString:
    # Not by `format_html`, which takes four times as long: a page tells dozens of times.
    return mark_safe(f'<time datetime="{value.isoformat()}">{escape(text)}</time>')  # noqa: S308


# --- what happened -----------------------------------------------------------------------
@register.filter
def happened(entries: Iterable[Happening]) -> SafeString:
    """Draw these lines; here, because a long story has a hundred, most of them folded away.

    In a template each would cost ten times as much.
    """
    # All that people wrote is escaped.
    return mark_safe("\n".join(map(_line, entries)))  # noqa: S308


def _line(entry: Happening) -> str:
    tone = f' class="tone-{escape(entry.tone)}"' if entry.tone else ""
    note = f'<p class="timeline__note">{escape(entry.note)}</p>' if entry.note else ""
    by = f" · {escape(entry.by)}" if entry.by else ""
    return (
        f'<li{tone}><p class="timeline__sentence">{escape(entry.sentence)}</p>{note}'
        f'<p class="timeline__at">{moment(entry.at)}{by}</p></li>'
    )


# --- states ------------------------------------------------------------------------------
@register.simple_tag
def state(value: str, label: str = "", tone: str = "") -> SafeString:
    """Show a state's word with its sign; a TextChoices member brings its own label."""
    word = str(value)
    said = str(label) or str(getattr(value, "label", word.replace("_", " ")))
    return _state(word, said, tone or tone_of(word))


@lru_cache(maxsize=512)
def _state(word: str, label: str, tone: str) -> SafeString:
    """Draw each state once: a list shows the same few on every row."""
    shown = {"state": word, "label": label, "tone": tone}
    return render_to_string("parts/_state.html", shown)


# --- addresses ---------------------------------------------------------------------------
@register.simple_tag(takes_context=True)
def query(context: Context, **changes: str | int | None) -> str:
    """Give the address's query string with changes; `None` or "" drops a key.

    A change of anything but the page starts at the first page again.
    """
    request = context.get("request")
    asked = request.GET.lists() if request else ()
    replaced = changes.keys() | {"page"}
    pairs = [(key, value) for key, values in asked if key not in replaced for value in values]
    pairs += [(key, str(value)) for key, value in changes.items() if value not in (None, "")]
    return f"?{urlencode(pairs)}"


@register.simple_tag(takes_context=True)
def sort_heading(context: Context, key: str, label: str, kind: str = "") -> SafeString:
    """Head a column that sorts by `?sort=key`, and back by `?sort=-key`."""
    request = context.get("request")
    now = request.GET.get("sort", "") if request else ""
    direction = {key: "ascending", f"-{key}": "descending"}.get(now, "")
    wanted = f"-{key}" if direction == "ascending" else key
    return _heading(str(label), kind, direction, query(context, sort=wanted))


@lru_cache(maxsize=512)
def _heading(label: str, kind: str, direction: str, href: str) -> SafeString:
    """Draw each heading once: nearly always the list is looked at as it is."""
    shown = {"label": label, "kind": kind, "direction": direction, "href": href}
    return render_to_string("parts/_sort_heading.html", shown)


@register.inclusion_tag("parts/_pages.html", takes_context=True)
def pages(context: Context, page: Paged[Any]) -> dict[str, object]:
    """Link to the other pages of a list, by address; nothing when there is but one page."""
    return {
        "page": page,
        "first": (page.page - 1) * page.size + 1,
        "last": min(page.page * page.size, page.count),
        "links": [
            {"number": number, "href": query(context, page=number) if number else ""}
            for number in _page_numbers(page.page, page.pages)
        ],
        "previous": query(context, page=page.page - 1) if page.has_previous else "",
        "next": query(context, page=page.page + 1) if page.has_next else "",
    }


def _page_numbers(here: int, last: int) -> list[int]:
    """First, last and the neighbours; 0 stands for what is skipped."""
    shown = sorted({n for n in (1, here - 1, here, here + 1, last) if 1 <= n <= last})
    numbers: list[int] = []
    for number in shown:
        gap = number - (numbers[-1] if numbers else 0)
        if gap == 2:  # noqa: PLR2004  one skipped page is shown: dots would be no shorter
            numbers.append(number - 1)
        elif gap > 1:
            numbers.append(0)
        numbers.append(number)
    return numbers


# --- the menu ----------------------------------------------------------------------------
@register.simple_tag
def menu_items(menu: Sequence[Hashable], kind: str) -> SafeString:
    """Draw the entries of the menu; `kind`: main, for the bar, or all, for a person's own."""
    return _menu_items(tuple(menu), kind)


@lru_cache(maxsize=512)
def _menu_items(menu: tuple[Hashable, ...], kind: str) -> SafeString:
    """Draw each menu once: it stands twice on every page, and there are few."""
    return render_to_string(f"parts/_menu_{kind}.html", {"menu": menu})


# --- the table beside a chart ------------------------------------------------------------
@register.filter
def figures(rows: Iterable[Row]) -> SafeString:
    """Draw its rows; in a template forty of them would cost more than the page around them."""
    return mark_safe("".join(map(_row, rows)))  # noqa: S308  escaped, and made of figures


def _row(row: Row) -> str:
    cells = "".join(f'<td class="num">{escape(value)}</td>' for value in row.values)
    return f'<tr><th scope="row" class="num">{escape(row.at)}</th>{cells}</tr>'


# --- next steps --------------------------------------------------------------------------
@register.inclusion_tag("parts/_next_step.html", takes_context=True)
def next_steps(
    context: Context, steps: Sequence[NextStep], waiting: str = "", note: str = ""
) -> dict[str, object]:
    """Show the first step as sentence and button, the others beside it.

    `waiting` is the sentence when nothing is to be done by this person. What only takes
    something back is no next step: it stands beside that sentence.
    """
    csrf_token = context.get("csrf_token")
    if not steps or (waiting and all(step.tone == "danger" for step in steps)):
        return {
            "sentence": waiting,
            "done": True,
            "note": note,
            "others": steps,
            "csrf_token": csrf_token,
        }
    first, *others = steps
    return {
        "sentence": first.sentence,
        "label": first.label,
        "url": first.url,
        "method": first.method,
        "note": note,
        "others": others,
        "csrf_token": csrf_token,
    }


# --- pictures ----------------------------------------------------------------------------
@dataclass(frozen=True, kw_only=True, slots=True)
class Share:
    """One piece of the bar; texts, because a localised `12,5` is no SVG coordinate."""

    kind: str
    start: str
    width: str


@register.inclusion_tag("parts/_meter.html")
def meter(granted: int, spent: int, held: int = 0, label: str = "") -> dict[str, object]:
    """Draw a budget in GPU-seconds as one bar: spent, held for running work, left."""
    left = max(granted - spent - held, 0)
    return {
        "label": label,
        "granted": granted,
        "spent": spent,
        "held": held,
        "left": left,
        "shares": list(_shares((("spent", spent), ("held", held)), max(granted, 1))),
        "used_percent": round(100 * (granted - left) / granted) if granted else 0,
    }


def _shares(parts: Iterable[tuple[str, int]], whole: int) -> Iterable[Share]:
    start = 0.0
    for kind, amount in parts:
        if amount <= 0:
            continue
        width = min(max(100 * amount / whole, SHORTEST_VISIBLE_PERCENT), 100 - start)
        yield Share(kind=kind, start=f"{start:.2f}%", width=f"{width:.2f}%")
        start += width
