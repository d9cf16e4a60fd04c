"""What all actions on a record share: it is locked, held against what is needed, and saved."""

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from fabriek.catalogue import gaps, index, queries, told
from fabriek.catalogue.models import Record
from fabriek.datasets.models import Dataset
from fabriek.kernel.errors import Invalid, WrongState


@transaction.atomic
def make(dataset: Dataset) -> None:
    if not Record.objects.filter(dataset=dataset).exists():
        index.refresh(locked(dataset))


def locked(dataset: Dataset) -> Record:
    """Give the record, made where it was never needed before; two at once wait here."""
    Record.objects.get_or_create(dataset=dataset)
    rows = Record.objects.select_for_update(of=("self",))
    return rows.select_related(*queries.PATHS).get(dataset=dataset)


def require_complete(record: Record) -> None:
    """Refuse what other catalogues could not take over."""
    newest = told.newest_revisions([record.dataset.repository])
    missing = gaps.missing_for(
        record, newest.get(record.dataset.repository_id), gaps.Output.DCAT
    )
    if missing:
        said = ", ".join(gaps.labels(missing))
        raise Invalid(
            _(
                "Everybody can find it once these are filled in, as other catalogues ask for "
                "them: %(missing)s."
            )
            % {"missing": said},
            code="record_incomplete",
            fields={gaps.place_of(name): _("This is missing.") for name in missing},
        )


def require_closed(record: Record) -> None:
    """Refuse to hide, or to call restricted, what everybody reads."""
    if record.dataset.repository.is_open:
        raise WrongState(
            _(
                "This dataset is open to everybody. Close it first; then you decide who may "
                "find it and have it."
            )
        )


def publish(record: Record) -> list[str]:
    """Note when it was first shown to everybody; names the columns that changed."""
    require_complete(record)
    if record.published_at is not None:
        return []
    record.published_at = timezone.now()
    return ["published_at"]


def save(record: Record, names: list[str]) -> None:
    record.changed_at = timezone.now()
    record.save(update_fields=[*names, "changed_at"])
    index.refresh(record)
