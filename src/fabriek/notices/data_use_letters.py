"""Letters about the use of data: what ends with an agreement, and what waits for its owner."""

from collections.abc import Callable

from django.urls import reverse
from django.utils.translation import gettext as _

from fabriek.agreements.models import Agreement
from fabriek.agreements.traces import Inherited
from fabriek.kernel.models import Entry
from fabriek.notices.envelope import Letter, address, addresses, leads
from fabriek.registry.models import Model
from fabriek.runs.models import Run


def _run_ends_with_data(entry: Entry) -> Letter | None:
    run = Run.objects.select_related("asked_by").get(pk=entry.subject_id)
    told = {
        "code": run.code,
        "agreement": entry.details.get("agreement", ""),
        "ends_at": entry.details.get("ends_at", ""),
        "url": address(run.get_absolute_url()),
    }
    return Letter(
        to=addresses([run.asked_by.email]),
        subject=_("Run %(code)s will be stopped when its agreement ends") % told,
        text=_(
            "Agreement %(agreement)s on the data of run %(code)s ends on %(ends_at)s (UTC). "
            "The run is stopped then if it is not over. Ask the owner of the data to "
            "prolong the agreement, or look at the run:\n%(url)s"
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
    rows = Agreement.objects.select_related("repository", "case")
    agreement = rows.get(pk=entry.subject_id)
    told = {
        "code": agreement.code,
        "title": agreement.repository.title,
        "url": address(reverse("data_use:statement", args=[agreement.code])),
    }
    owner, user = agreement.repository.organisation_id, agreement.case.organisation_id
    return Letter(
        to=leads(owner, user),
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


WRITERS: dict[str, Callable[[Entry], Letter | None]] = {
    "registry.ask_review": _result_to_review,
    "runs.warn_of_end": _run_ends_with_data,
    "runs.stop_for_data": _run_stopped_for_data,
    "agreements.state_deletion": _deletion_stated,
}
