"""Which access mode fits a case, and why not the others: from a few answers, in words."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.translation import gettext_lazy as _

from fabriek.access import promises
from fabriek.access.definitions import ModeRules
from fabriek.access.eligibility import kinds_in_words
from fabriek.access.models import Mode
from fabriek.cases.models import Case, Intake
from fabriek.kernel import words
from fabriek.kernel.errors import Text


@dataclass(frozen=True, kw_only=True, slots=True)
class Wishes:
    """What somebody wants, as far as it decides on the mode."""

    kind: str
    purpose: str
    experience: str
    gpu_hours: int | None
    months: int
    is_eu_funded: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Advice:
    mode: Mode
    fits: bool
    reasons: tuple[Text, ...]


def advise(case: Case) -> list[Advice]:
    """Weigh all open modes for a case; an unanswered intake gives no advice."""
    intake = Intake.objects.filter(case=case).first()
    if intake is None:
        return []
    wishes = Wishes(
        kind=case.organisation.kind,
        purpose=intake.purpose,
        experience=intake.experience,
        gpu_hours=intake.gpu_hours_guess,
        months=intake.months,
        is_eu_funded=intake.is_eu_funded,
    )
    return weigh(wishes, list(Mode.objects.filter(is_open=True)))


def weigh(wishes: Wishes, modes: Sequence[Mode]) -> list[Advice]:
    """Order the modes: those that fit first, then those with the fewest objections."""
    weighed = []
    for mode in modes:
        against = objections(wishes, mode.rules)
        reasons = against or _in_favour(wishes, mode.rules)
        weighed.append(Advice(mode=mode, fits=not against, reasons=reasons))
    return sorted(
        weighed,
        key=lambda each: (
            not each.fits,
            len(each.reasons) if not each.fits else 0,
            each.mode.rules.max_gpu_hours if each.fits else each.mode.position,
        ),
    )


def objections(wishes: Wishes, rules: ModeRules) -> tuple[Text, ...]:
    found = (
        _against_purpose(wishes, rules),
        _against_kind(wishes, rules),
        _against_experience(wishes, rules),
        _against_amount(wishes, rules),
        _against_months(wishes, rules),
    )
    return tuple(objection for objection in found if objection is not None)


def _against_purpose(wishes: Wishes, rules: ModeRules) -> Text | None:
    if not rules.purposes or wishes.purpose in rules.purposes:
        return None
    labels = dict(Intake.Purpose.choices)
    meant = "; ".join(str(labels.get(purpose, purpose)) for purpose in rules.purposes)
    return _("It is meant for another purpose: %(meant)s.") % {"meant": meant}


def _against_kind(wishes: Wishes, rules: ModeRules) -> Text | None:
    if rules.kinds and wishes.kind not in rules.kinds:
        return _("It is for: %(kinds)s.") % {"kinds": kinds_in_words(rules.kinds)}
    if wishes.kind in rules.only_in_eu_project and not wishes.is_eu_funded:
        return _("Companies may use it only within a European research project.")
    if wishes.kind in rules.entry_level_only and wishes.experience != Intake.Experience.NONE:
        return _("Your kind of organisation may use it only to make a start with AI.")
    return None


def _against_experience(wishes: Wishes, rules: ModeRules) -> Text | None:
    if rules.needs_experience and wishes.experience == Intake.Experience.NONE:
        return _("It asks for experience with a supercomputer, which you do not have yet.")
    return None


def _against_amount(wishes: Wishes, rules: ModeRules) -> Text | None:
    wanted = wishes.gpu_hours
    if wanted is None:
        return None
    values = {
        "wanted": words.number(wanted),
        "min": words.number(rules.min_gpu_hours),
        "max": words.number(rules.max_gpu_hours),
    }
    if wanted > rules.max_gpu_hours:
        return _("You need about %(wanted)s GPU-hours; it gives at most %(max)s.") % values
    # A fixed amount that is more than enough is no objection.
    if wanted < rules.min_gpu_hours and not rules.fixed:
        return _("You need about %(wanted)s GPU-hours; it begins at %(min)s.") % values
    return None


def _against_months(wishes: Wishes, rules: ModeRules) -> Text | None:
    longest = rules.longest_months
    if wishes.months <= longest:
        return None
    values = {"wanted": wishes.months, "longest": longest}
    return _("You need %(wanted)s months; it lasts at most %(longest)s.") % values


def _in_favour(wishes: Wishes, rules: ModeRules) -> tuple[Text, ...]:
    reasons: list[Text] = [_("Your kind of organisation may use it.")]
    if wishes.gpu_hours is not None:
        values = {"wanted": words.number(wishes.gpu_hours)}
        reasons.append(_("It is large enough for about %(wanted)s GPU-hours.") % values)
    if rules.needs_experience:
        reasons.append(_("You have the experience it asks for."))
    if rules.is_reviewed:
        reasons.append(_("Experts review the plan, so the form is longer."))
    promise = promises.in_words(rules)
    reasons.append(_("The factory promises: %(promise)s.") % {"promise": promise})
    return tuple(reasons)
