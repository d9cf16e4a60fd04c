"""Whether an application meets the conditions of its mode, each said in words. Pure.

The same checks are shown to the applicant before submitting and to staff at the eligibility
step. They refuse nothing by themselves: facts on file can be wrong, and people decide.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from fabriek.access.definitions import ModeRules
from fabriek.access.readers import NO, YES
from fabriek.kernel import words
from fabriek.kernel.errors import Text
from fabriek.people.models import Organisation
from fabriek.people.size_class import SizeClass, size_class

SMALL_KINDS = frozenset({Organisation.Kind.SME, Organisation.Kind.STARTUP})
CONSENTS = ("no_double_funding", "ai_act", "accepts_terms")


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """One condition. `sentence` says what was found, and what to do when it is not met."""

    code: str
    passed: bool
    sentence: Text


@dataclass(frozen=True, kw_only=True, slots=True)
class Member:
    """An organisation in the consortium, as far as the conditions ask."""

    name: str
    country: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """All the checks look at. An answer is None when the form does not ask it."""

    rules: ModeRules
    kind: str
    kind_words: Text
    staff_count: int | None
    turnover_eur: int | None
    balance_eur: int | None
    members: tuple[Member, ...]
    gpu_hours: int | None
    months: int | None
    civilian: str | None
    contract: str | None
    consents: tuple[str, ...]
    experience: str
    is_eu_funded: bool | None


def check(facts: Facts) -> list[Check]:
    """Hold the facts against every condition; what the form does not ask is left out."""
    found: Sequence[Check | None] = (
        _kind(facts),
        _entry_level(facts),
        _eu_project(facts),
        _experience(facts),
        _size_class(facts),
        _country(facts.members),
        _civilian(facts),
        _contract(facts),
        _consents(facts),
        _amount(facts),
        _months(facts),
    )
    return [each for each in found if each is not None]


def countries() -> frozenset[str]:
    """Codes of the countries in which those who take part may be established."""
    return _listed(settings.COUNTRIES)


@cache
def _listed(path: Path) -> frozenset[str]:
    listed: dict[str, list[str]] = json.loads(path.read_text(encoding="utf-8"))
    lists = ("eu", "horizon_europe", "digital_europe")
    return frozenset(code for name in lists for code in listed[name])


def kinds_in_words(kinds: Iterable[str]) -> str:
    labels = dict(Organisation.Kind.choices)
    return ", ".join(str(labels.get(kind, kind)) for kind in kinds)


def _kind(facts: Facts) -> Check:
    allowed = facts.rules.kinds
    if not allowed or facts.kind in allowed:
        sentence = _("This kind of organisation (%(kind)s) may use this access mode.")
        return Check(code="kind", passed=True, sentence=sentence % {"kind": facts.kind_words})
    sentence = _(
        "This access mode is for: %(allowed)s. The organisation is registered as: %(kind)s. "
        "Choose another access mode, or mend the kind if it is wrong."
    )
    values = {"allowed": kinds_in_words(allowed), "kind": facts.kind_words}
    return Check(code="kind", passed=False, sentence=sentence % values)


def _entry_level(facts: Facts) -> Check | None:
    if facts.kind not in facts.rules.entry_level_only:
        return None
    if facts.experience in ("", "none"):
        sentence = _("This kind of organisation may use this mode to make a start with AI.")
        return Check(code="entry_level", passed=True, sentence=sentence)
    sentence = _(
        "This kind of organisation may use this access mode only to make a start, and the case "
        "says that there is experience. Choose a larger access mode."
    )
    return Check(code="entry_level", passed=False, sentence=sentence)


def _eu_project(facts: Facts) -> Check | None:
    if facts.kind not in facts.rules.only_in_eu_project:
        return None
    if facts.is_eu_funded:
        sentence = _("The work is part of a European research project, as this mode asks.")
        return Check(code="eu_project", passed=True, sentence=sentence)
    sentence = _(
        "Companies may use this access mode only within a European research project. Say in "
        "the questions of your case which project it is, or choose another access mode."
    )
    return Check(code="eu_project", passed=False, sentence=sentence)


def _experience(facts: Facts) -> Check | None:
    if not facts.rules.needs_experience:
        return None
    if facts.experience == "none":
        sentence = _(
            "This access mode is for those who have worked on a supercomputer before, and the "
            "case says that they have not. Begin smaller, or ask the factory for help."
        )
        return Check(code="experience", passed=False, sentence=sentence)
    sentence = _("This access mode asks for experience. The technical assessor looks at it.")
    return Check(code="experience", passed=True, sentence=sentence)


def _size_class(facts: Facts) -> Check | None:
    if facts.kind not in SMALL_KINDS:
        return None
    size = size_class(
        staff=facts.staff_count,
        turnover_eur=facts.turnover_eur,
        balance_eur=facts.balance_eur,
    )
    if size.is_sme:
        sentence = _("By staff, turnover and balance the organisation is an SME.")
        return Check(code="size_class", passed=True, sentence=sentence)
    if size.size == SizeClass.UNKNOWN:
        sentence = _(
            "It cannot be seen yet whether the organisation is an SME: staff, turnover or "
            "balance is missing. Fill them in on the page of the organisation."
        )
        return Check(code="size_class", passed=False, sentence=sentence)
    sentence = _(
        "The organisation is registered as %(kind)s, but by staff, turnover and balance it is "
        "larger than an SME. Mend the figures or the kind on the page of the organisation."
    )
    values = {"kind": facts.kind_words}
    return Check(code="size_class", passed=False, sentence=sentence % values)


def _country(members: Sequence[Member]) -> Check:
    outside = [m for m in members if m.country.upper() not in countries()]
    if not outside:
        sentence = _("All who take part are in the European Union or an associated country.")
        return Check(code="country", passed=True, sentence=sentence)
    named = ", ".join(f"{member.name} ({member.country})" for member in outside)
    sentence = _(
        "Not in the European Union or an associated country: %(named)s. The funders require "
        "this of everybody who takes part. Go on without them, or mend their country."
    )
    return Check(code="country", passed=False, sentence=sentence % {"named": named})


def _civilian(facts: Facts) -> Check | None:
    if facts.civilian is None:
        return None
    if facts.civilian == YES:
        return Check(code="civilian", passed=True, sentence=_("The purpose is civilian."))
    if facts.civilian == NO:
        sentence = _(
            "The answers say that the purpose is not civilian. The funders pay for civilian "
            "purposes only, so the factory cannot help."
        )
    else:
        sentence = _("Say whether the purpose is civilian: the funders pay for nothing else.")
    return Check(code="civilian", passed=False, sentence=sentence)


def _contract(facts: Facts) -> Check | None:
    if facts.contract is None:
        return None
    if facts.contract == YES:
        sentence = _("The applicant's contract runs on for three months after the end.")
        return Check(code="contract", passed=True, sentence=sentence)
    sentence = _(
        "The applicant's contract must run on for more than three months after the end, so "
        "that somebody writes the final report. Let a colleague apply, or take a shorter time."
    )
    return Check(code="contract", passed=False, sentence=sentence)


def _consents(facts: Facts) -> Check:
    if all(consent == YES for consent in facts.consents):
        sentence = _("The statements that the funders ask for are agreed to.")
        return Check(code="consents", passed=True, sentence=sentence)
    sentence = _(
        "Not all statements are agreed to yet. The funders require them: see the section with "
        "the statements."
    )
    return Check(code="consents", passed=False, sentence=sentence)


def _amount(facts: Facts) -> Check:
    lowest, highest = facts.rules.min_gpu_hours, facts.rules.max_gpu_hours
    values = {"min": words.number(lowest), "max": words.number(highest)}
    if facts.gpu_hours is not None and lowest <= facts.gpu_hours <= highest:
        asked = {"asked": words.number(facts.gpu_hours)}
        sentence = _("What is asked (%(asked)s GPU-hours) fits this access mode.")
        return Check(code="amount", passed=True, sentence=sentence % asked)
    sentence = _(
        "This access mode is for %(min)s to %(max)s GPU-hours. Ask for another amount, or "
        "choose another access mode."
    )
    return Check(code="amount", passed=False, sentence=sentence % values)


def _months(facts: Facts) -> Check:
    durations = facts.rules.durations_months
    if facts.months in durations:
        sentence = _("The number of months fits this access mode.")
        return Check(code="months", passed=True, sentence=sentence)
    values = {"choices": ", ".join(str(n) for n in durations)}
    sentence = _("This access mode lasts %(choices)s months. Choose one of these.")
    return Check(code="months", passed=False, sentence=sentence % values)
