"""What somebody can do with a dataset they found: use it, ask for it, or wait."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from fabriek.agreements.models import Agreement
from fabriek.agreements.states import WAITING, AgreementState
from fabriek.cases.models import cases_of
from fabriek.catalogue import rules
from fabriek.catalogue.model_records import ModelRecord
from fabriek.catalogue.models import Record
from fabriek.catalogue.vocabulary import Access
from fabriek.kernel.errors import Text
from fabriek.people.models import Person
from fabriek.store.models import Repository

Kind = Literal["yours", "agreed", "waiting", "open", "ask", "sign_in", "closed"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Way:
    """`url` is empty where there is nothing to press."""

    kind: Kind
    sentence: Text
    label: Text = ""
    url: str = ""


ASK = _("Ask the owner: say what you want to do with it, and for how long.")
# Its owner says that everybody may have it; the files themselves were never opened.
ASK_FREELY = _("Everybody may have it: ask the owner for the files.")
CLOSED = Way(kind="closed", sentence=_("The owner does not share it."))


def ways(person: Person | None, records: Iterable[Record]) -> dict[int, Way]:
    """Give the way for each record, by its id; two queries for all of them."""
    records = list(records)
    mine = _mine(person, records)
    agreements = _agreements(person, records)
    return {
        record.pk: _way(
            record,
            person,
            is_mine=record.dataset.repository_id in mine,
            agreement=agreements.get(record.dataset.repository_id),
        )
        for record in records
    }


def to_model(person: Person | None, record: ModelRecord) -> Way:
    """Only who signed in can fetch the files of a model."""
    page = reverse("registry:detail", args=[record.repository.code])
    return Way(
        kind="open",
        sentence=_("This model is open to everybody."),
        label=_("Fetch and use it") if person else _("Sign in and fetch it"),
        url=page if person else f"{reverse('account_login')}?next={page}",
    )


def _way(
    record: Record, person: Person | None, *, is_mine: bool, agreement: Agreement | None
) -> Way:
    if is_mine:
        return Way(
            kind="yours",
            sentence=_("It belongs to a case that you take part in."),
            label=_("Open it"),
            url=record.dataset.get_absolute_url(),
        )
    if agreement:
        return _by_agreement(agreement)
    if record.dataset.repository.is_open:
        page = reverse("catalogue:detail", args=[record.dataset.code])
        return Way(
            kind="open",
            sentence=_("It is open to everybody."),
            label=_("See its files"),
            # Only who signed in can fetch them.
            url=record.dataset.get_absolute_url() if person else f"{page}#files",
        )
    if record.access == Access.NON_PUBLIC:
        return CLOSED
    if person is None:
        page = reverse("catalogue:detail", args=[record.dataset.code])
        return Way(
            kind="sign_in",
            sentence=_("Who has an account can ask the owner for it."),
            label=_("Sign in and ask"),
            url=f"{reverse('account_login')}?next={page}",
        )
    everybody = record.access == Access.PUBLIC
    return Way(
        kind="ask",
        sentence=ASK_FREELY if everybody else ASK,
        label=_("Ask for access"),
        url=rules.ask_url(record.dataset.code),
    )


def _by_agreement(agreement: Agreement) -> Way:
    if agreement.state == AgreementState.IN_FORCE:
        return Way(
            kind="agreed",
            sentence=_("You have an agreement on it."),
            label=_("See the agreement"),
            url=agreement.get_absolute_url(),
        )
    return Way(
        kind="waiting",
        sentence=_("It was asked for or offered; not all have signed yet."),
        label=_("See how it stands"),
        url=agreement.get_absolute_url(),
    )


def _mine(person: Person | None, records: list[Record]) -> set[int]:
    if person is None:
        return set()
    ids = [record.dataset.repository_id for record in records]
    theirs = Repository.objects.filter(pk__in=ids, case__in=cases_of(person))
    return set(theirs.values_list("pk", flat=True))


def _agreements(person: Person | None, records: list[Record]) -> dict[int, Agreement]:
    """Give the one that matters for each repository: in force before what still waits."""
    if person is None:
        return {}
    ids = [record.dataset.repository_id for record in records]
    states = [*WAITING, AgreementState.IN_FORCE]
    rows = Agreement.objects.of_parties(person).filter(
        repository__in=ids, state__in=states, case__in=cases_of(person)
    )
    found: dict[int, Agreement] = {}
    for agreement in rows:
        there = found.get(agreement.repository_id)
        if there is None or there.state != AgreementState.IN_FORCE:
            found[agreement.repository_id] = agreement
    return found
