"""What lines of the ledger and the room under an aid ceiling mean, in words."""

from collections.abc import Iterable

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop

from fabriek.allocations import queries
from fabriek.allocations.aid import Aid
from fabriek.allocations.lines import LineKind
from fabriek.allocations.models import Line, Share
from fabriek.kernel import words
from fabriek.kernel.errors import Text

LINE_WORDS: dict[str, Text] = {
    LineKind.GRANT: gettext_lazy("GPU-hours granted"),
    LineKind.HOLD: gettext_lazy("Set aside for a run"),
    LineKind.RELEASE: gettext_lazy("Set aside no longer: the run is over"),
    LineKind.SPEND: gettext_lazy("Used by a run"),
    LineKind.COUNTER: gettext_lazy("Bill of a run corrected"),
    LineKind.EXPIRE: gettext_lazy("Ended: not used before the last day"),
    LineKind.EXTEND: gettext_lazy("Given back: more time to use it"),
    LineKind.OVERRUN: gettext_lazy("Used beyond what was left: the factory pays this"),
}
# What is written into the notes of lines, in English; said in the reader's language.
NOTES = (
    gettext_noop("The run turned up after it was lost."),
    gettext_noop("The machine's accounting counted otherwise."),
)
# What a line does to what is left: a grant adds, a hold takes away, an overrun does neither.
SIGNS: dict[str, int] = {
    LineKind.GRANT: 1,
    LineKind.HOLD: -1,
    LineKind.RELEASE: 1,
    LineKind.SPEND: -1,
    LineKind.COUNTER: -1,
    LineKind.EXPIRE: -1,
    LineKind.EXTEND: 1,
    LineKind.OVERRUN: 0,
}


def line_said(line: Line) -> str:
    """Say what the line is, and whose job it was when that went around the portal."""
    if line.is_around and line.kind == LineKind.SPEND:
        return _("Used by a job that %(user)s submitted around the portal") % {
            "user": line.note or _("somebody")
        }
    if line.is_around and line.kind == LineKind.OVERRUN:
        return _(
            "A job that %(user)s submitted around the portal used more than was left: the "
            "factory pays this"
        ) % {"user": line.note or _("somebody")}
    return _kind_said(line.kind)


def note_said(line: Line) -> str:
    """Give the note in the reader's language, unless it is a name that `line_said` told."""
    if not line.note or (line.is_around and line.kind in {LineKind.SPEND, LineKind.OVERRUN}):
        return ""
    return _(line.note)


@words.kept
def _kind_said(kind: str) -> str:
    return str(LINE_WORDS[kind])


def change_in_left(line: Line) -> int:
    """Say by how many GPU-seconds this line changed what is left."""
    return SIGNS[line.kind] * line.gpu_seconds


def signed_hours(gpu_seconds: int) -> str:
    """Write a change with its sign, as hours: +10 or −2.5."""
    if not gpu_seconds:
        return words.gpu_hours_number(0)
    sign = "+" if gpu_seconds > 0 else "\N{MINUS SIGN}"
    return sign + words.gpu_hours_number(abs(gpu_seconds))


def room(share: Share, gpu_seconds: int, given: Iterable[Aid]) -> str:
    """Say how much state aid a grant is, beside what the undertaking was given before."""
    worth = queries.aid_worth(share, gpu_seconds)
    left = queries.headroom(share, given)
    if not share.is_state_aid:
        return _("This is no state aid.")
    if left is None:
        return _("This is state aid of %(worth)s, without a ceiling.") % {
            "worth": words.euro(worth)
        }
    if worth > left:
        sentence = _(
            "This cannot be chosen: it is state aid of %(worth)s, and this undertaking may get "
            "only %(room)s more."
        )
    else:
        sentence = _(
            "This is state aid of %(worth)s; this undertaking may get %(room)s in these three "
            "years."
        )
    return sentence % {"worth": words.euro(worth), "room": words.euro(left)}
