"""An owner opens a dataset: everybody reads its files; or closes it again, for new use."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from fabriek.agreements import inheritance
from fabriek.catalogue import gaps, keeping, rules, told
from fabriek.catalogue.models import Record
from fabriek.catalogue.vocabulary import Access
from fabriek.datasets.models import OPEN_LICENCES, Dataset
from fabriek.kernel import journal, text
from fabriek.kernel.errors import Invalid, Refused, Text, WrongState
from fabriek.people.models import Person
from fabriek.quality import queries as quality
from fabriek.store.models import Repository, Revision

WHY_CHARACTERS = 500
LAST: Text = gettext_lazy(
    "Whoever fetches a copy keeps it, and may use it under the licence for ever: to close it "
    "later changes nothing for copies already made."
)

journal.describe(
    {
        "catalogue.open": gettext_lazy("opened a dataset to everybody"),
        "catalogue.close": gettext_lazy("closed a dataset for new use"),
    }
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """What stands in the way, and what to think of. `personal`: why a reason is asked for."""

    obstacles: Sequence[Text]
    personal: Sequence[Text]
    is_unseen: bool
    revisions: int


def standing(record: Record) -> Standing:
    """Say for a page what stands in the way of opening this dataset."""
    revisions = _revisions(record)
    return Standing(
        obstacles=[str(one) for one in _obstacles(record, revisions)],
        personal=personal(record.dataset),
        is_unseen=bool(revisions) and not quality.is_looked_at(record.dataset),
        revisions=len(revisions),
    )


@transaction.atomic
def open_up(dataset: Dataset, *, by: Person, sure: bool, why: str = "") -> Record:
    """Let everybody find the dataset and read all its revisions, also those that follow.

    `why`: what makes that right although there is personal data in it; kept in the journal.
    Other catalogues then call it public. Safe to repeat.

    Raises:
        NotAllowed: `by` does not lead the organisation that owns it.
        Invalid: the licence does not let everybody use it; there are no files; the record lacks
            what other catalogues ask for; there is personal data and no reason; or nobody said
            to be sure.
        Refused: it holds what was made of data of others.
    """
    rules.require_list(by, dataset)
    record = _held(dataset)
    repository = record.dataset.repository
    if repository.is_open:
        return record
    for obstacle in _obstacles(record, _revisions(record)):
        raise obstacle
    said = text.line(why)[:WHY_CHARACTERS]
    if (found := personal(record.dataset)) and not said:
        raise Invalid(
            " ".join([*found, _("Say why everybody may have it all the same.")]),
            code="personal_data",
            fields={"why": _("Say why everybody may have it all the same.")},
        )
    if not sure:
        raise Invalid(
            f"{LAST} {_('Say that you are sure.')}",
            code="not_sure",
            fields={"sure": _("Say that you are sure.")},
        )
    record.access = Access.PUBLIC
    names = ["access", *keeping.publish(record)]
    _set(record, dataset, is_open=True)
    keeping.save(record, names)
    journal.record("catalogue.open", dataset, by=by, code=dataset.code, note=said)
    return record


@transaction.atomic
def close(dataset: Dataset, *, by: Person, why: str = "") -> Record:
    """Let nobody new have it without an agreement; who runs on it now may finish.

    It can still be found, and is told of as restricted. Safe to repeat.

    Raises: NotAllowed.
    """
    rules.require_list(by, dataset)
    record = _held(dataset)
    if not record.dataset.repository.is_open:
        return record
    record.access = Access.RESTRICTED
    _set(record, dataset, is_open=False)
    keeping.save(record, ["access"])
    said = text.line(why)[:WHY_CHARACTERS]
    journal.record("catalogue.close", dataset, by=by, code=dataset.code, note=said)
    return record


def _held(dataset: Dataset) -> Record:
    """Lock the record and its repository: what is pushed meanwhile waits, or is seen."""
    record = keeping.locked(dataset)
    held = Repository.objects.select_for_update().get(pk=dataset.repository_id)
    record.dataset.repository.is_open = held.is_open
    record.dataset.repository.listed_for = held.listed_for
    record.dataset.refresh_from_db(fields=["licence", "has_personal_data"])
    return record


def _set(record: Record, dataset: Dataset, *, is_open: bool) -> None:
    new: dict[str, object] = {"is_open": is_open}
    if is_open:
        new["listed_for"] = Repository.Listed.EVERYBODY
    Repository.objects.filter(pk=dataset.repository_id).update(**new)
    for repository in (record.dataset.repository, dataset.repository):
        for name, value in new.items():
            setattr(repository, name, value)


def _revisions(record: Record) -> list[int]:
    rows = Revision.objects.filter(repository=record.dataset.repository_id, dropped_at=None)
    return list(rows.values_list("number", flat=True))


def _obstacles(record: Record, revisions: Sequence[int]) -> list[Refused]:
    """Give all that must be mended first, what matters most at the front."""
    found: list[Refused] = []
    if inheritance.terms_of(record.dataset.repository):
        sentence = _(
            "This dataset holds what was made of data of others, under an agreement. Only what "
            "is wholly yours can be opened."
        )
        found.append(WrongState(sentence, code="made_of_others"))
    if record.dataset.licence not in OPEN_LICENCES:
        sentence = _(
            "Its licence does not let everybody use it. Choose one of these first: "
            "%(licences)s."
        ) % {"licences": ", ".join(OPEN_LICENCES)}
        found.append(Invalid(sentence, code="licence", fields={"licence": sentence}))
    if not revisions:
        found.append(Invalid(_("It has no files yet. Add them first."), code="no_files"))
    if missing := _missing(record):
        sentence = _("Fill these in first, as other catalogues ask for them: %(missing)s.") % {
            "missing": ", ".join(gaps.labels(missing))
        }
        found.append(Invalid(sentence, code="record_incomplete"))
    return found


def _missing(record: Record) -> list[str]:
    """Name what the public catalogue lacks, but for access, which opening says itself."""
    repository = record.dataset.repository
    newest = told.newest_revisions([repository]).get(repository.pk)
    missing = gaps.missing_for(record, newest, gaps.Output.DCAT)
    return [name for name in missing if name != "access"]


def personal(dataset: Dataset) -> list[str]:
    """Say what there is of personal data in it: declared, or found by the look at the data."""
    said = []
    if dataset.has_personal_data:
        said.append(_("This dataset says that it contains personal data."))
    if numbers := quality.revisions_with_findings(dataset):
        shown = ", ".join(map(str, numbers))
        said.append(
            _("The look at the data found personal data in revision %(numbers)s.")
            % {"numbers": shown}
        )
    return said
