"""Letters about the use of data: what ends with an agreement, and what waits for its owner."""

from collections.abc import Callable

from django.urls import reverse
from django.utils.translation import gettext as _

from fabriek.agreements import rules
from fabriek.agreements.models import Agreement
from fabriek.agreements.traces import Inherited
from fabriek.kernel.models import Entry
from fabriek.notices.envelope import Letter, address, addresses, leads
from fabriek.registry.models import Model
from fabriek.runs import warnings_of_end
from fabriek.runs.models import Run


def _run_ends_with_data(entry: Entry) -> Letter | None:
    run = Run.objects.select_related("asked_by").get(pk=entry.subject_id)
    told = {
        "code": run.code,
        "agreement": entry.details.get("agreement", ""),
        "ends_at": warnings_of_end.end_in_words(str(entry.details["ends_at"])),
        "url": address(run.get_absolute_url()),
    }
    return Letter(
        to=addresses([run.asked_by.email]),
        subject=_("Run %(code)s will be stopped when its agreement ends") % told,
        text=_(
            "Agreement %(agreement)s on the data of run %(code)s ends on %(ends_at)s. The run "
            "is stopped then if it is not over. Ask the owner of the data to prolong the "
            "agreement, or look at the run:\n%(url)s"
        )
        % told,
    )


def _run_stopped_for_data(entry: Entry) -> Letter | None:
    run = Run.objects.select_related("asked_by").get(pk=entry.subject_id)
    told = {"code": run.code, "url": address(run.get_absolute_url())}
    return Letter(
        to=addresses([run.asked_by.email]),
        subject=_("Run %(code)s is stopped: its data may not be used any more") % told,
        text=_(
            "The agreement on the data of run %(code)s is over, so the factory stops the run. "
            "Read why, and what to do:\n%(url)s"
        )
        % told,
    )


def _deletion_stated(entry: Entry) -> Letter | None:
    rows = Agreement.objects.select_related("repository__organisation", "case__organisation")
    agreement = rows.get(pk=entry.subject_id)
    told = {
        "code": agreement.code,
        "title": agreement.repository.title,
        "url": address(reverse("data_use:statement", args=[agreement.code])),
    }
    return Letter(
        to=leads(*(party.pk for party in rules.parties_of(agreement))),
        subject=_("What was deleted at the end of agreement %(code)s") % told,
        text=_(
            "Agreement %(code)s on “%(title)s” is over. The factory states what it deleted, "
            "what remains and why:\n%(url)s"
        )
        % told,
    )


def _result_to_review(entry: Entry) -> Letter | None:
    """Tell the owner of data that a model of it waits for their look."""
    repository = Model.objects.get(pk=entry.subject_id).repository_id
    waiting = Inherited.objects.filter(repository=repository, needs_review=True, verdict="")
    firms = waiting.values_list("agreement__repository__organisation", flat=True).distinct()
    return Letter(
        to=leads(*firms),
        subject=_("A model of your data waits for your look"),
        text=_(
            "Somebody made a model of data of your organisation, and agreed that you look at "
            "it before it goes out. Look at it, and answer, here:\n%(url)s"
        )
        % {"url": address(reverse("data_use:reviews"))},
    )


def _left_open(entry: Entry) -> Letter | None:
    """Tell the makers of an open model that an owner took back what it was made of."""
    model = _model_of(entry.subject_id)
    if model is None:
        return None
    told = {"code": model.code, "url": address(model.get_absolute_url())}
    return Letter(
        to=leads(model.repository.organisation_id),
        subject=_("Data behind your open model %(code)s was taken back") % told,
        text=_(
            "An owner revoked the agreement on data that model %(code)s was made of. What it "
            "allowed before stays allowed: the model stays open, and copies that others "
            "fetched cannot be called back. You need not do anything. If the owner asks you "
            "to, you can close the model for new use here:\n%(url)s"
        )
        % told,
    )


def _closed_again(entry: Entry) -> Letter | None:
    model = Model.objects.select_related("repository").get(pk=entry.subject_id)
    told = {"code": model.code, "url": address(model.get_absolute_url())}
    return Letter(
        to=leads(model.repository.organisation_id),
        subject=_("Model %(code)s is not open to everybody any more") % told,
        text=_(
            "The factory closed model %(code)s: an agreement on data that it was made of, or "
            "the owner of that data, does not let it be open. Copies that others fetched "
            "cannot be called back. What you can do next stands here:\n%(url)s"
        )
        % told,
    )


def _model_of(repository: int) -> Model | None:
    rows = Model.objects.select_related("repository")
    return rows.filter(repository=repository).first()


WRITERS: dict[str, Callable[[Entry], Letter | None]] = {
    "registry.ask_review": _result_to_review,
    "registry.close_held_back": _closed_again,
    "registry.close_by_terms": _closed_again,
    "agreements.leave_open": _left_open,
    "runs.warn_of_end": _run_ends_with_data,
    "runs.stop_for_data": _run_stopped_for_data,
    "agreements.state_deletion": _deletion_stated,
}
