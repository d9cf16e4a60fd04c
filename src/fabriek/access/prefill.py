"""What the platform knows already, typed into a new application."""

from collections.abc import Callable

from fabriek.access.answers import as_typed
from fabriek.access.definitions import FormRules, QuestionKind, Section
from fabriek.access.models import Answers, Mode
from fabriek.cases.models import Case
from fabriek.cases.states import PartnerState
from fabriek.people.models import Person

Source = Callable[[Case, Mode, Person], object]


def team(case: Case) -> str:
    """One organisation a line, as the form asks."""
    partners = case.partners.filter(state=PartnerState.ACCEPTED).select_related("organisation")
    taking_part = [(case.organisation, "")] + [
        (partner.organisation, partner.get_part_display()) for partner in partners
    ]
    lines = (f"{who.name}, {who.country}, {part}".rstrip(", ") for who, part in taking_part)
    return "\n".join(lines)


SOURCES: dict[str, Source] = {
    "case.title": lambda case, _mode, _person: case.title,
    "case.problem": lambda case, _mode, _person: case.problem,
    "case.data": lambda case, _mode, _person: case.data_description,
    "case.confidential": lambda case, _mode, _person: case.is_confidential,
    "case.trl_now": lambda case, _mode, _person: case.trl_now,
    "case.trl_aimed": lambda case, _mode, _person: case.trl_aimed,
    "case.team": lambda case, _mode, _person: team(case),
    "mode.min": lambda _case, mode, _person: mode.rules.min,
    "mode.first_duration": lambda _case, mode, _person: min(
        mode.rules.durations_months, default=""
    ),
    "organisation.name": lambda case, _mode, _person: case.organisation.name,
    "organisation.kind": lambda case, _mode, _person: case.organisation.kind,
    "person.name": lambda _case, _mode, person: person.name,
    "person.email": lambda _case, _mode, person: person.email,
}


def prefilled(
    form: FormRules, case: Case, *, mode: Mode, by: Person
) -> dict[str, dict[str, str]]:
    """Fill in what is known; what nobody told us yet stays open, and promises always do."""
    earlier = _earlier(case)
    return {
        section.key: filled
        for section in form.sections
        if (filled := _section(section, earlier, lambda name: _known(name, case, mode, by)))
    }


def _section(
    section: Section, earlier: dict[str, str], known: Callable[[str], str]
) -> dict[str, str]:
    filled = {}
    for question in section.fields:
        text = known(question.prefill) if question.prefill else ""
        is_open = question.kind in {QuestionKind.TEXT, QuestionKind.LONGTEXT}
        if not text and is_open:
            text = earlier.get(question.key, "")
        if text:
            filled[question.key] = text
    return filled


def _known(name: str, case: Case, mode: Mode, by: Person) -> str:
    return as_typed(SOURCES[name](case, mode, by)) if name in SOURCES else ""


def _earlier(case: Case) -> dict[str, str]:
    """Texts of earlier applications of the same case, so that nobody types them twice."""
    typed: dict[str, str] = {}
    rows = Answers.objects.filter(application__case=case).order_by("saved_at", "pk")
    for values in rows.values_list("values", flat=True):
        typed |= {key: text for key, text in values.items() if text}
    return typed
