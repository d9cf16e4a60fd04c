"""Everything an applicant does to an application: start, write, submit, answer the award."""

from collections.abc import Mapping

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from fabriek.access import answers, prefill, promises, queries, rules, timing
from fabriek.access.models import Answers, Application, Form, Mode, Submission
from fabriek.access.refusals import Stale
from fabriek.access.states import APPLICATION, UNDER_ASSESSMENT, ApplicationState
from fabriek.access.verdicts import (
    assess,
    award,
    find_eligible,
    find_ineligible,
    finish_review,
    refuse,
    send_back,
)
from fabriek.cases.models import Case
from fabriek.kernel import journal
from fabriek.kernel.codes import give_code
from fabriek.kernel.errors import Invalid, Refused
from fabriek.people.models import Person

__all__ = [
    "accept",
    "assess",
    "award",
    "decline",
    "find_eligible",
    "find_ineligible",
    "finish_review",
    "refuse",
    "save_section",
    "send_back",
    "start",
    "submit",
    "withdraw",
]
journal.describe(
    {
        "access.start": _("started an application"),
        "access.submit": _("submitted the application"),
        "access.withdraw": _("withdrew the application"),
        "access.accept": _("accepted the award"),
        "access.decline": _("declined the award"),
    }
)


def start(case: Case, *, mode: Mode, by: Person) -> Application:
    """Begin an application with everything known filled in.

    Starting twice returns the draft there is.

    Raises:
        NotAllowed: `by` does not belong to the organisation of the case.
        WrongState: the mode is closed, or the case is not open.
        Refused: one through this mode is being assessed.
    """
    rules.require_start(by, case)
    timing.require_mode(mode, case)
    with transaction.atomic():
        # Two who press the button at once stand in a line here.
        Case.objects.select_for_update().get(pk=case.pk)
        same = Application.objects.filter(case=case, mode=mode)
        if draft := same.filter(state=ApplicationState.DRAFT).first():
            return draft
        if busy := same.filter(state__in=UNDER_ASSESSMENT).first():
            raise Refused(
                _(
                    "%(code)s asks for the same and is being assessed. Wait for its decision, "
                    "or withdraw it first."
                )
                % {"code": busy.code},
                code="already_asked",
            )
        application = Application.objects.create(
            case=case, mode=mode, form=_form_of(mode), created_by=by
        )
        give_code(application, "A")
        _fill(application, by=by)
        journal.record("access.start", application, by=by, mode=mode.code)
    return application


def save_section(
    application: Application,
    section: str,
    values: Mapping[str, object],
    *,
    version: int,
    by: Person,
) -> Answers:
    """Keep what was typed in one section, whatever it is; questions not in `values` stay.

    Nothing is judged here: too long and unfinished is kept too. `version` is the one that was
    read; repeating a save that was made changes nothing. Saving happens while typing, so it
    leaves no line in the journal: the answers themselves say who saved them last, and when.

    Raises:
        NotAllowed: `by` does not belong to the organisation.
        WrongState: the application is no draft any more.
        Invalid: there is no such section or question.
        Stale: somebody else saved this section since; the refusal holds both texts.
    """
    rules.require("edit", by, application)
    timing.require_open("edit", application)
    typed = _typed(application, section, values)
    with transaction.atomic():
        held = Application.objects.select_for_update().get(pk=application.pk)
        timing.require_open("edit", held)
        kept = Answers.objects.select_related("saved_by").get_or_create(
            application=application, section=section, defaults={"saved_by": by}
        )[0]
        merged = kept.values | typed
        if merged == kept.values:
            return kept
        if kept.version != version:
            raise Stale(kept, typed, application.form.rules)
        kept.values, kept.version = merged, version + 1
        kept.saved_by, kept.saved_at = by, timezone.now()
        kept.save()
    return kept


def submit(application: Application, *, by: Person) -> Application:
    """Hand the application in, in the name of the organisation; the promise starts running.

    Raises:
        NotAllowed: `by` does not lead the organisation.
        WrongState: it is no draft, or its case is not open.
        Invalid: `fields` names each answer to mend as `section.question`.
    """
    rules.require("submit", by, application)
    timing.require_open("submit", application)
    now = timezone.now()
    mode, form = application.mode.rules, application.form.rules
    with transaction.atomic():
        Application.objects.select_for_update().get(pk=application.pk)
        answered = dict(application.answers.values_list("section", "values"))
        _require_complete(answers.problems(form, answered, mode))
        asked = answers.asked(form, answered, mode)
        APPLICATION.take(
            "submit",
            application,
            by=by,
            submitted_at=now,
            due_at=promises.due_at(mode, now),
            gpu_hours_asked=asked.gpu_hours,
            months=asked.months,
        )
        Submission.objects.create(
            application=application,
            number=application.submissions.count() + 1,
            form_definition=application.form.definition,
            mode_definition=application.mode.definition,
            answers=answered,
            submitted_by=by,
            submitted_at=now,
        )
    return application


def withdraw(application: Application, *, by: Person) -> Application:
    rules.require("withdraw", by, application)
    APPLICATION.take("withdraw", application, by=by)
    return application


def accept(application: Application, *, by: Person) -> Application:
    """Agree to the award, in the name of the organisation."""
    rules.require("accept", by, application)
    APPLICATION.take("accept", application, by=by)
    return application


def decline(application: Application, *, by: Person) -> Application:
    rules.require("decline", by, application)
    APPLICATION.take("decline", application, by=by)
    return application


def _typed(
    application: Application, section: str, values: Mapping[str, object]
) -> dict[str, str]:
    written = application.form.rules.section(section)
    if written is None:
        raise Invalid(
            _("This application has no section “%(section)s”. See its list of sections.")
            % {"section": section}
        )
    unknown = [key for key in values if written.question(key) is None]
    if unknown:
        sentence = _("This section has no such question.")
        raise Invalid(
            _("Some of what was sent is no question of this section."),
            fields=dict.fromkeys(unknown, sentence),
        )
    return {key: answers.as_typed(value) for key, value in values.items()}


def _require_complete(found: list[answers.Problem]) -> None:
    if found:
        raise Invalid(
            _("Some answers are missing or need mending. Nothing you typed was lost."),
            code="incomplete",
            fields={problem.key: problem.sentence for problem in found},
        )


def _form_of(mode: Mode) -> Form:
    form = queries.form_of(mode)
    if form is None:
        raise Refused(
            _("The questions of “%(mode)s” are not there yet. Ask the factory.")
            % {"mode": mode},
            code="form_missing",
        )
    return form


def _fill(application: Application, *, by: Person) -> None:
    filled = prefill.prefilled(
        application.form.rules, application.case, mode=application.mode, by=by
    )
    Answers.objects.bulk_create(
        Answers(application=application, section=section, values=values, saved_by=by)
        for section, values in filled.items()
    )
