"""Names where a row stands, and how long it is, in the reader's language."""

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from fabriek.kernel.words import number
from fabriek.runs.look import Looked
from fabriek.runs.seen_shapes import PairsIn

PLACES_NAMED = 5


def place(looked: Looked, at: int, line: int) -> str:
    said = {"line": number(line), "file": file_of(looked, at)}
    return _("line %(line)s of %(file)s") % said


def file_of(looked: Looked, at: object) -> str:
    known = isinstance(at, int) and at < len(looked.files)
    return looked.files[at] if known and isinstance(at, int) else "?"


def tokens(count: int) -> str:
    return ngettext("%(n)s token", "%(n)s tokens", count) % {"n": number(count)}


def pairs(looked: Looked, found: PairsIn) -> dict[str, str]:
    """Say how many rows are the same as another, and where the first of them stand."""
    named = [
        _("%(place)s as %(other)s")
        % {"place": place(looked, at, line), "other": place(looked, other, other_line)}
        for at, line, other, other_line in found.places[:PLACES_NAMED]
    ]
    places = listed(named, more=found.count > PLACES_NAMED)
    return {"count": number(found.count), "places": places}


def listed(named: list[str], *, more: bool) -> str:
    return "; ".join(named) + ("; …" if more else "")
