"""Everything that can be done to a case and to the partners in it."""

from typing import TypedDict, Unpack

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from fabriek.cases import ending, rules
from fabriek.cases.models import Case, Intake, Partner, Sector
from fabriek.cases.states import CASE, PARTNER
from fabriek.kernel import journal, text
from fabriek.kernel.codes import give_code
from fabriek.kernel.errors import Invalid, Refused, WrongState
from fabriek.people.models import Organisation, Person

journal.describe(
    {
        "cases.draft": _("drafted the case"),
        "cases.edit": _("changed the case"),
        "cases.propose": _("proposed the case"),
        "cases.close": _("closed the case"),
        "cases.withdraw": _("withdrew the case"),
        "cases.invite": _("invited an organisation to take part"),
        "cases.invite_again": _("invited an organisation once more"),
        "cases.accept": _("agreed to take part for an organisation"),
        "cases.decline": _("declined to take part for an organisation"),
        "cases.leave": _("left the consortium with an organisation"),
        "cases.intake": _("answered the intake questions"),
    }
)


class CaseChanges(TypedDict, total=False):
    title: str
    problem: str
    sector: Sector
    data_description: str
    trl_now: int
    trl_aimed: int
    is_confidential: bool


class IntakeAnswers(TypedDict):
    purpose: str
    experience: str
    gpu_hours_guess: int | None
    months: int
    is_eu_funded: bool


FACTS = ("title", "problem", "data_description", "trl_now", "trl_aimed", "is_confidential")


def draft(organisation: Organisation, *, by: Person, **facts: Unpack[CaseChanges]) -> Case:
    """Start a case; partners see it only when they were invited and accepted.

    Raises:
        NotAllowed: `by` does not belong to the organisation.
        Invalid: a value is missing or will not do.
    """
    rules.require_draft(by, organisation)
    case = Case(organisation=organisation, created_by=by, **facts)
    _check(case)
    with transaction.atomic():
        case.save()
        give_code(case, "C")
        journal.record("cases.draft", case, by=by)
    return case


def edit(case: Case, *, by: Person, **changes: Unpack[CaseChanges]) -> Case:
    rules.require("edit", by, case)
    rules.require_live(case)
    before = {name: getattr(case, name) for name in changes}
    for name, value in changes.items():
        setattr(case, name, value)
    _check(case)
    changed = {n: getattr(case, n) for n in changes if getattr(case, n) != before[n]}
    if changed:
        with transaction.atomic():
            # Guarded by the state the permission was given for.
            if not Case.objects.filter(pk=case.pk, state=case.state).update(**changed):
                raise WrongState(
                    _("Somebody else moved this case on a moment ago. Open its page again.")
                )
            # What it was called stands in what was made of it then.
            was = {"was": before["title"]} if "title" in changed else {}
            journal.record("cases.edit", case, by=by, changed=sorted(changed), **was)
    return case


def propose(case: Case, *, by: Person) -> Case:
    """Put the case before the factory, in the name of the organisation."""
    rules.require("propose", by, case)
    CASE.take("propose", case, by=by, proposed_at=timezone.now())
    return case


@transaction.atomic
def close(case: Case, *, by: Person) -> Case:
    """End the case, once nothing of it goes on any more. Raises: WrongState."""
    rules.require("close", by, case)
    _require_over(case)
    CASE.take("close", case, by=by)
    return case


@transaction.atomic
def withdraw(case: Case, *, by: Person) -> Case:
    """Stop with the case, as `close`."""
    rules.require("withdraw", by, case)
    _require_over(case)
    CASE.take("withdraw", case, by=by)
    return case


def invite(
    case: Case, organisation: Organisation, *, part: str, message: str = "", by: Person
) -> Partner:
    """Ask an organisation to take part; one of its own leads answers.

    Raises:
        Refused: it is the own organisation, or it was invited before.
    """
    rules.require("invite", by, case)
    if organisation.pk == case.organisation_id:
        raise Refused(
            _("This organisation proposes the case itself. Invite another one."),
            code="own_organisation",
        )
    partner = Partner(
        case=case,
        organisation=organisation,
        part=part,
        message=text.prose(message),
        invited_by=by,
    )
    text.check(partner, ["part", "message"])
    try:
        with transaction.atomic():
            _hold_live(case)
            partner.save()
            journal.record("cases.invite", partner, by=by, note=organisation.name)
    except IntegrityError as race:
        raise Refused(
            _("This organisation was invited to this case before. See the consortium."),
            code="already_invited",
        ) from race
    return partner


def accept(partner: Partner, *, by: Person) -> Partner:
    """Take part, in the name of the invited organisation."""
    return _move("accept", partner, by=by)


def decline(partner: Partner, *, by: Person) -> Partner:
    return _move("decline", partner, by=by)


def leave(partner: Partner, *, by: Person) -> Partner:
    return _move("leave", partner, by=by)


def invite_again(partner: Partner, *, by: Person) -> Partner:
    return _move("invite_again", partner, by=by)


def answer_intake(case: Case, *, by: Person, **answers: Unpack[IntakeAnswers]) -> Intake:
    """Keep the answers from which the access mode is advised; the latest count."""
    rules.require("intake", by, case)
    rules.require_live(case)
    intake = Intake(case=case, answered_at=timezone.now(), **answers)
    text.check(intake, answers)
    with transaction.atomic():
        _hold_live(case)
        kept = Intake.objects.update_or_create(
            case=case, defaults={**answers, "answered_at": intake.answered_at}
        )[0]
        journal.record("cases.intake", kept, by=by)
    return kept


def _move(step: str, partner: Partner, *, by: Person) -> Partner:
    rules.require_of_partner(step, by, partner)
    answered_at = None if step == "invite_again" else timezone.now()
    with transaction.atomic():
        _hold_live(partner.case)
        note: dict[str, object] = {"note": partner.organisation.name}
        PARTNER.take(step, partner, by=by, details=note, answered_at=answered_at)
    return partner


def _require_over(case: Case) -> None:
    """Hold the case first, so that what is begun meanwhile waits and finds it ended."""
    Case.objects.select_for_update().get(pk=case.pk)
    ending.require_over(case)


def _hold_live(case: Case) -> None:
    """Keep the case from ending while something is added to it."""
    rules.require_live(Case.objects.select_for_update().get(pk=case.pk))


def _check(case: Case) -> None:
    case.title = text.line(case.title)
    case.problem = text.prose(case.problem)
    case.data_description = text.prose(case.data_description)
    text.check(case, FACTS)
    if case.trl_aimed < case.trl_now:
        sentence = _(
            "The TRL you aim at cannot be lower than the TRL now. Change one of the two."
        )
        raise Invalid(sentence, fields={"trl_aimed": sentence})
