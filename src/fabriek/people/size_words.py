"""An organisation's size class in words, with the reasons."""

from dataclasses import dataclass

from django.utils.translation import gettext_lazy as _

from fabriek.kernel import words
from fabriek.kernel.errors import Text
from fabriek.people.models import Organisation
from fabriek.people.size_class import Reason, ReasonCode, SizeClass, size_class

NO_ENTERPRISE = frozenset({Organisation.Kind.PUBLIC, Organisation.Kind.KNOWLEDGE})

LABELS: dict[SizeClass, Text] = {
    SizeClass.MICRO: _("micro enterprise"),
    SizeClass.SMALL: _("small enterprise"),
    SizeClass.MEDIUM: _("medium-sized enterprise"),
    SizeClass.SMALL_MID_CAP: _("small mid-cap"),
    SizeClass.LARGE: _("large enterprise"),
    SizeClass.UNKNOWN: _("not known yet"),
}
REASONS: dict[ReasonCode, Text] = {
    ReasonCode.STAFF_BELOW: _("Staff: %(value)s, which is fewer than %(limit)s."),
    ReasonCode.STAFF_AT_LEAST: _("Staff: %(value)s, so not fewer than %(limit)s."),
    ReasonCode.TURNOVER_AT_MOST: _("Turnover: %(value)s, at most %(limit)s."),
    ReasonCode.TURNOVER_ABOVE: _("Turnover: %(value)s, more than %(limit)s."),
    ReasonCode.BALANCE_AT_MOST: _("Balance sheet total: %(value)s, at most %(limit)s."),
    ReasonCode.BALANCE_ABOVE: _("Balance sheet total: %(value)s, more than %(limit)s."),
    ReasonCode.STAFF_MISSING: _("Fill in the number of staff."),
    ReasonCode.TURNOVER_MISSING: _("Fill in the turnover."),
    ReasonCode.BALANCE_MISSING: _("Fill in the balance sheet total."),
}
IN_STAFF = frozenset({ReasonCode.STAFF_BELOW, ReasonCode.STAFF_AT_LEAST})


@dataclass(frozen=True, kw_only=True, slots=True)
class SizeInWords:
    """`is_sme` is None while the figures do not tell; `warning`: they contradict the kind."""

    code: SizeClass
    label: Text
    is_sme: bool | None
    reasons: tuple[str, ...]
    warning: Text = ""


def size_of(organisation: Organisation) -> SizeInWords | None:
    """Compute the size class; public bodies and knowledge institutes have none."""
    if organisation.kind in NO_ENTERPRISE:
        return None
    size = size_class(
        staff=organisation.staff_count,
        turnover_eur=organisation.turnover_eur,
        balance_eur=organisation.balance_eur,
    )
    return SizeInWords(
        code=size.size,
        label=LABELS[size.size],
        is_sme=size.is_sme,
        reasons=tuple(_in_words(reason) for reason in size.why),
        warning=_contradiction(organisation.kind, size.is_sme),
    )


def _in_words(reason: Reason) -> str:
    sentence = str(REASONS[reason.code])
    if reason.value is None or reason.limit is None:
        return sentence
    if reason.code in IN_STAFF:
        return sentence % {
            "value": words.number(reason.value),
            "limit": words.number(reason.limit),
        }
    return sentence % {"value": _euros(reason.value), "limit": _euros(reason.limit)}


def _euros(amount: int) -> str:
    return f"€ {words.number(amount)}"


def _contradiction(kind: str, is_sme: bool | None) -> Text:
    if kind == Organisation.Kind.SME and is_sme is False:
        return _(
            "You said that this is a small or medium-sized enterprise, but by these figures it "
            "is larger. Check the figures, or change the kind."
        )
    if kind == Organisation.Kind.LARGE and is_sme:
        return _(
            "You said that this is a large company, but by these figures it is a small or "
            "medium-sized enterprise. Check the figures, or change the kind."
        )
    return ""
