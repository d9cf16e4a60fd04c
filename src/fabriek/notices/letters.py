"""Which journal entries are worth a mail, to whom, and in which words."""

from collections.abc import Callable

from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from fabriek.access.models import Application
from fabriek.allocations.models import Allocation
from fabriek.cases.models import Partner
from fabriek.kernel import words
from fabriek.kernel.models import Entry
from fabriek.notices import agreement_letters, data_use_letters, sweep_letters
from fabriek.notices.envelope import Letter, address, addresses, leads, with_duty
from fabriek.people.models import Duty, Invitation
from fabriek.registry.models import Model
from fabriek.runs.models import Run


def letter_for(entry: Entry) -> Letter | None:
    """Write the mail that belongs to this entry; most entries need none."""
    writer = WRITERS.get(entry.verb)
    letter = writer(entry) if writer else None
    return letter if letter and letter.to else None


def _member_invited(entry: Entry) -> Letter | None:
    invitation = Invitation.objects.select_related("organisation").filter(pk=entry.subject_id)
    if (found := invitation.first()) is None:
        return None
    return Letter(
        to=(found.email,),
        subject=_("%(organisation)s asks you to join") % {"organisation": found.organisation},
        text=_(
            "%(organisation)s asks you to join it at the AI factory. Sign in with this e-mail "
            "address, or make an account with it, and answer here:\n%(url)s"
        )
        % {"organisation": found.organisation, "url": address(reverse("people:me"))},
    )


def _partner_invited(entry: Entry) -> Letter | None:
    rows = Partner.objects.select_related("case__organisation", "organisation")
    if (partner := rows.filter(pk=entry.subject_id).first()) is None:
        return None
    names = {
        "asking": partner.case.organisation,
        "asked": partner.organisation,
        "title": partner.case.title,
        "url": address(reverse("cases:invitation", args=[partner.pk])),
    }
    return Letter(
        to=leads(partner.organisation_id),
        subject=_("%(asking)s asks %(asked)s to take part in a case") % names,
        text=_(
            "%(asking)s asks %(asked)s to take part in the case “%(title)s”. "
            "Read what is asked, and accept or decline, here:\n%(url)s"
        )
        % names,
    )


def _submitted(entry: Entry) -> Letter | None:
    application = _application(entry)
    return Letter(
        to=with_duty(Duty.Kind.STAFF),
        subject=_("Application %(code)s was handed in") % {"code": application.code},
        text=_("Application %(code)s waits for the eligibility check:\n%(url)s")
        % {"code": application.code, "url": address(application.get_absolute_url())},
    )


def _to_assess(entry: Entry) -> Letter | None:
    application = _application(entry)
    return Letter(
        to=with_duty(Duty.Kind.ASSESSOR),
        subject=_("Application %(code)s waits for you") % {"code": application.code},
        text=_("Application %(code)s waits for the technical assessment:\n%(url)s")
        % {"code": application.code, "url": address(application.get_absolute_url())},
    )


def _assessed(entry: Entry) -> Letter | None:
    """After the technical assessment comes the review, or else the decision."""
    application = _application(entry)
    if entry.verb == "access.find_feasible" and application.mode.rules.is_reviewed:
        to, text = (
            with_duty(Duty.Kind.ASSESSOR),
            _("Application %(code)s waits for its expert reviews:\n%(url)s"),
        )
    else:
        to, text = (
            with_duty(Duty.Kind.STAFF),
            _("Application %(code)s was assessed and waits for a decision:\n%(url)s"),
        )
    return Letter(
        to=to,
        subject=_("Application %(code)s waits for you") % {"code": application.code},
        text=text % {"code": application.code, "url": address(application.get_absolute_url())},
    )


def _accepted(entry: Entry) -> Letter | None:
    application = _application(entry)
    return Letter(
        to=with_duty(Duty.Kind.STAFF),
        subject=_("The award of %(code)s was accepted") % {"code": application.code},
        text=_("The award of application %(code)s was accepted. Open its GPU-hours:\n%(url)s")
        % {"code": application.code, "url": address(reverse("allocations:list"))},
    )


def _granted(entry: Entry) -> Letter | None:
    allocation = Allocation.objects.select_related("case").get(pk=entry.subject_id)
    later = allocation.starts_on > timezone.localdate()
    subject = (
        _("The GPU-hours of %(code)s were granted")
        if later
        else _("The GPU-hours of %(code)s are open")
    )
    text = (
        _(
            "You can use the GPU-hours of the case “%(title)s” from %(first)s to %(day)s. "
            "See how many there are:\n%(url)s"
        )
        if later
        else _(
            "You can use the GPU-hours of the case “%(title)s” until %(day)s. "
            "See how many there are, and start:\n%(url)s"
        )
    )
    return Letter(
        to=leads(allocation.case.organisation_id),
        subject=subject % {"code": allocation.case.code},
        text=text
        % {
            "title": allocation.case.title,
            "first": words.day(allocation.starts_on),
            "day": words.day(allocation.ends_on),
            "url": address(allocation.get_absolute_url()),
        },
    )


def _decided(entry: Entry) -> Letter | None:
    application = _application(entry)
    return Letter(
        to=leads(application.case.organisation_id),
        subject=_("There is news about application %(code)s") % {"code": application.code},
        text=_(
            "The factory has decided on application %(code)s. "
            "Read what was decided, why, and what you can do now:\n%(url)s"
        )
        % {"code": application.code, "url": address(application.get_absolute_url())},
    )


def _sent_back(entry: Entry) -> Letter | None:
    application = _application(entry)
    return Letter(
        to=leads(application.case.organisation_id),
        subject=_("Application %(code)s came back to you") % {"code": application.code},
        text=_(
            "Something in application %(code)s has to be mended before the factory can go on. "
            "Read what, mend it, and hand it in again:\n%(url)s"
        )
        % {"code": application.code, "url": address(application.get_absolute_url())},
    )


def _run_failed(entry: Entry) -> Letter | None:
    run = Run.objects.select_related("asked_by").get(pk=entry.subject_id)
    if run.is_trial:
        return None  # of a search some fail; it tells by itself when that is too much
    return Letter(
        to=addresses([run.asked_by.email]),
        subject=_("Run %(code)s did not end well") % {"code": run.code},
        text=_("Run %(code)s did not end well. Read why, and what to do:\n%(url)s")
        % {"code": run.code, "url": address(run.get_absolute_url())},
    )


def _model_ready(entry: Entry) -> Letter | None:
    model = Model.objects.select_related("run__asked_by").get(pk=entry.subject_id)
    if model.run is None:
        return None
    return Letter(
        to=addresses([model.run.asked_by.email]),
        subject=_("Your model %(code)s is ready") % {"code": model.code},
        text=_(
            "Run %(run)s ended well and left model %(code)s. "
            "See what it is worth and how to use it:\n%(url)s"
        )
        % {
            "run": model.run.code,
            "code": model.code,
            "url": address(model.get_absolute_url()),
        },
    )


def _no_model(entry: Entry) -> Letter | None:
    run = Run.objects.select_related("asked_by").get(pk=entry.subject_id)
    return Letter(
        to=addresses([run.asked_by.email]),
        subject=_("Run %(code)s left no model") % {"code": run.code},
        text=_(
            "Run %(code)s ended well, but what it left could not be taken in as a model. "
            "Read why, and what to do:\n%(url)s"
        )
        % {"code": run.code, "url": address(reverse("registry:list"))},
    )


WRITERS: dict[str, Callable[[Entry], Letter | None]] = {
    "people.invite": _member_invited,
    "cases.invite": _partner_invited,
    "cases.invite_again": _partner_invited,
    "access.submit": _submitted,
    "access.find_eligible": _to_assess,
    "access.find_feasible": _assessed,
    "access.doubt": _assessed,
    "access.award": _decided,
    "access.refuse": _decided,
    "access.send_back": _sent_back,
    "access.accept": _accepted,
    "allocations.grant": _granted,
    "runs.fail": _run_failed,
    "runs.lose": _run_failed,
    "registry.register": _model_ready,
    "registry.reject": _no_model,
    **agreement_letters.WRITERS,
    **data_use_letters.WRITERS,
    **sweep_letters.WRITERS,
}


def _application(entry: Entry) -> Application:
    return Application.objects.select_related("case", "mode").get(pk=entry.subject_id)
