"""One application to be read: its answers, progress, conditions, findings and history."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.urls import reverse

from fabriek.access import answers, rules
from fabriek.access.definitions import ModeRules, Question, Section
from fabriek.access.eligibility import CONSENTS, Check, Facts, Member, check
from fabriek.access.models import Answers, Application, Assessment
from fabriek.cases.queries import story
from fabriek.cases.states import PartnerState
from fabriek.kernel.models import Entry
from fabriek.kernel.timeline import Happening
from fabriek.people.models import Organisation, Person

Step = Assessment.Step
AID_RECEIVED = "aid_received"  # the question's key in every form that asks it


def typed_in(kept: Iterable[Answers]) -> dict[str, dict[str, str]]:
    """Bring together everything typed, section by section."""
    return {row.section: row.values for row in kept}


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """How far one section is."""

    section: Section
    url: str
    to_do: int
    saved_at: datetime | None

    @property
    def is_done(self) -> bool:
        return self.to_do == 0


def progress(application: Application, kept: list[Answers]) -> list[Progress]:
    """Go through the sections in order, each with the number of answers to mend."""
    by_section = {row.section: row for row in kept}
    typed = typed_in(kept)
    form, mode = application.form.rules, application.mode.rules
    problems = answers.problems(form, typed, mode)
    return [
        Progress(
            section=section,
            url=reverse("access:section", args=[application.code, section.key]),
            to_do=sum(problem.section.key == section.key for problem in problems),
            saved_at=by_section[section.key].saved_at if section.key in by_section else None,
        )
        for section in form.sections
    ]


def timeline(application: Application) -> list[Happening]:
    kind = Application._meta.label_lower
    return story(Entry.objects.filter(subject_kind=kind, subject_id=application.pk))


def findings_for(person: Person, application: Application) -> list[Assessment]:
    """List what this person may read: all for those at work on it, else what is public."""
    given = list(application.assessments.all())
    if rules.may_see_findings(person, application):
        return given
    names = {
        Step.ELIGIBILITY: "administrative_check",
        Step.TECHNICAL: "technical_assessment",
        Step.REVIEW: "expert_review",
    }
    mode = application.mode.rules
    return [f for f in given if mode.step(names[Step(f.step)]).visible_to_applicant]


def consortium(application: Application) -> list[Organisation]:
    """List the organisations that take part, the proposing one first."""
    partners = application.case.partners.all()
    others = [p.organisation for p in partners if p.state == PartnerState.ACCEPTED]
    return [application.case.organisation, *others]


def eligibility(application: Application, typed: answers.Answered) -> list[Check]:
    """Hold an application against the conditions of its mode."""
    form, mode = application.form.rules, application.mode.rules
    organisation = application.case.organisation
    intake = getattr(application.case, "intake", None)
    facts = Facts(
        rules=mode,
        kind=organisation.kind,
        kind_words=organisation.get_kind_display(),
        staff_count=organisation.staff_count,
        turnover_eur=organisation.turnover_eur,
        balance_eur=organisation.balance_eur,
        members=tuple(Member(name=o.name, country=o.country) for o in consortium(application)),
        gpu_hours=answers.gpu_hours(form, typed, mode),
        months=answers.months(form, typed, mode),
        civilian=answers.value_of(form, typed, "civilian_purpose"),
        contract=answers.value_of(form, typed, "contract_runs_on"),
        consents=tuple(
            said for key in CONSENTS if (said := answers.value_of(form, typed, key)) is not None
        ),
        experience=intake.experience if intake else "",
        is_eu_funded=_is_eu_funded(application, typed),
    )
    return check(facts)


def aid_declared_eur_cents(application: Application) -> int:
    """Read how much de minimis aid the undertaking says it had in the three years before."""
    typed = typed_in(application.answers.all())
    form, mode = application.form.rules, application.mode.rules
    return int(100 * answers.amount(form, typed, AID_RECEIVED, mode))


def _is_eu_funded(application: Application, typed: answers.Answered) -> bool:
    intake = getattr(application.case, "intake", None)
    named = answers.value_of(application.form.rules, typed, "eu_project")
    return bool(named) or bool(intake and intake.is_eu_funded)


@dataclass(frozen=True, kw_only=True, slots=True)
class ReadAnswer:
    """One answer as a reader sees it."""

    question: Question
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ReadSection:
    """A section to be read rather than written."""

    section: Section
    url: str
    answers: list[ReadAnswer]


def read_out(application: Application, typed: answers.Answered) -> list[ReadSection]:
    """Put questions and answers beside each other; what was not asked is left out."""
    return [
        ReadSection(
            section=section,
            url=reverse("access:section", args=[application.code, section.key]),
            answers=_read(section, typed.get(section.key, {}), application.mode.rules),
        )
        for section in application.form.rules.sections
    ]


def _read(section: Section, typed: answers.Typed, mode: ModeRules) -> list[ReadAnswer]:
    return [
        ReadAnswer(
            question=question,
            text=answers.in_words(question, typed.get(question.key, ""), mode),
        )
        for question in section.fields
        if answers.applies(question, typed)
    ]
