"""Save the answers of runs that ended well in the dataset that was chosen for them.

A part of the loop. Killed anywhere, the next pass goes on: the dataset is made once, files are
known by their bytes, and the revision is saved together with the note that it was.
"""

import logging
import os
import time
from collections.abc import Mapping

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from fabriek.cases.rules import takes_part
from fabriek.cases.states import CaseState
from fabriek.datasets import actions as datasets
from fabriek.datasets import made as taking_in
from fabriek.datasets.models import Dataset, Licence
from fabriek.kernel import journal, strange
from fabriek.kernel.errors import (
    Invalid,
    NotAllowed,
    Refused,
    StorageFull,
    Text,
    TooLarge,
    WrongState,
)
from fabriek.kernel.resting import Rests
from fabriek.runs import folders, lineage, made, saved_in, use
from fabriek.runs.destinations import Destination
from fabriek.runs.models import Run
from fabriek.runs.states import RunState
from fabriek.store import actions as store
from fabriek.store.models import Blob

log = logging.getLogger(__name__)

AT_ONCE = 20  # a pass stays short; the rest follows in the next one
LOOKED_AT = 200  # more, so that some that cannot be saved do not keep the others waiting
FILES_MAX = 100_000  # their numbers have five digits

# Why answers are not saved. Of the last ones nothing may be concluded: it is tried again.
FOR_GOOD: dict[str, Text] = {
    "left_case": gettext_lazy(
        "Who asked for this is no longer of the case, so the answers were not saved. They are "
        "kept here; choose once more where they go."
    ),
    "data_ended": gettext_lazy(
        "What the run worked on may not be used any more, so the answers were not saved."
    ),
    "open_to_all": gettext_lazy(
        "The dataset was opened to everybody meanwhile, so nothing was saved in it. The "
        "answers are kept here; choose another dataset."
    ),
    "personal_data": gettext_lazy(
        "The questions hold personal data, and the dataset is said to hold none. The answers "
        "are kept here; choose another dataset."
    ),
    "no_answers": gettext_lazy("The run left no answers, so there was nothing to save."),
    "too_large": gettext_lazy(
        "The answers are larger than the factory takes in at once, so they were not saved. "
        "They are kept here as files."
    ),
    "bad_files": gettext_lazy(
        "What the run left is no plain file of its own, so it was not saved."
    ),
}
FOR_NOW: dict[str, Text] = {
    "not_reached": gettext_lazy(
        "The folder of the run cannot be reached at the moment. The answers are saved as soon "
        "as it can."
    ),
    "storage_full": gettext_lazy(
        "The store has no room for the answers at the moment. They are kept here, and saved as "
        "soon as there is room."
    ),
    "case_closed": gettext_lazy(
        "The case is not open, so its data cannot be added to. The answers are kept here, and "
        "saved when the case is open again."
    ),
    "trouble": gettext_lazy(
        "The answers could not be saved yet. They are kept here, and the factory tries again."
    ),
}

rests = Rests()


class Unsaved(Refused):
    """Why they cannot be saved: a word of `FOR_GOOD` or `FOR_NOW`."""

    def __init__(self, code: str) -> None:
        super().__init__(why(code), code=code)

    @property
    def is_final(self) -> bool:
        return self.code in FOR_GOOD


def why(code: str) -> str:
    """Say it in the reader's language."""
    found = FOR_GOOD.get(code) or FOR_NOW.get(code) or FOR_NOW["trouble"]
    return str(found)


def awaiting() -> QuerySet[Destination]:
    """Find the answers that are there and not saved yet, the oldest first."""
    rows = Destination.objects.filter(settled_at=None, run__state=RunState.SUCCEEDED)
    around = ("dataset__repository", "dataset__case", "asked_by", "run__case__organisation")
    return rows.select_related(*around, "run__asked_by").order_by("run__ended_at", "pk")


def tick() -> None:
    """Save what waits; what cannot be saved now rests, longer each time."""
    saved, now = 0, time.monotonic()
    for one in awaiting().exclude(run__key__in=rests.resting(now))[:LOOKED_AT]:
        try:
            save(one)
        except Unsaved as reason:
            _note(one, reason)
        except Exception:
            log.exception("The answers of %s could not be saved; the pass goes on.", one.run)
            _note(one, Unsaved("trouble"))
        else:
            saved += 1
            rests.forget(one.run.key)
        if saved == AT_ONCE:
            return


def save(one: Destination) -> None:
    """Save the answers of one run. Safe to repeat, and two at once save them once.

    Raises: Unsaved.
    """
    run = one.run
    _require_allowed(one)
    names = [name for name in _names(run) if _size_bytes(run, name)]
    if not names:
        raise Unsaved("no_answers")
    dataset = _dataset_of(one)
    try:
        files = _taken_in(run, dataset, names)
        ready = taking_in.ready(dataset, files, by=one.asked_by)
        _save(one, dataset, ready)
    except Unsaved:
        raise
    except StorageFull as error:
        raise Unsaved("storage_full") from error
    except TooLarge as error:
        raise Unsaved("too_large") from error
    except NotAllowed as error:
        raise Unsaved("left_case") from error
    except WrongState as error:
        raise Unsaved(error.code if error.code in FOR_GOOD else "case_closed") from error
    except Invalid as error:
        raise Unsaved("bad_files") from error


def _require_allowed(one: Destination) -> None:
    """Look at all of it as it is now: the run may have waited and worked for days."""
    run, dataset = one.run, one.dataset
    run.case.refresh_from_db(fields=["state"])
    if run.case.state != CaseState.OPEN:
        raise Unsaved("case_closed")
    if not takes_part(one.asked_by, run.case):
        raise Unsaved("left_case")
    if not use.may_go_on(run):
        raise Unsaved("data_ended")
    if dataset and dataset.repository.is_open:
        raise Unsaved("open_to_all")
    if dataset and _has_personal_data(run) and not dataset.has_personal_data:
        raise Unsaved("personal_data")


def _has_personal_data(run: Run) -> bool:
    return saved_in.has_personal_data(row.revision for row in lineage.inputs_of(run))


def _names(run: Run) -> list[str]:
    if not folders.is_ready(run):
        raise Unsaved("not_reached")  # its disk may be away for a moment
    try:
        below = strange.names_below(folders.place(run), made.FOLDER, at_most=FILES_MAX)
        found = [str(name) for name in below if made.NAME.fullmatch(str(name))]
    except FileNotFoundError as error:
        raise Unsaved("no_answers") from error
    except (strange.Untrusted, strange.TooMany) as error:
        raise Unsaved("bad_files") from error
    except OSError as error:
        raise Unsaved("not_reached") from error
    return found


def _size_bytes(run: Run, name: str) -> int:
    """Give its size; refuse what only says to be large, and no plain file of the job's own.

    A part of which every row was too long for the model is empty.
    """
    try:
        with strange.opened(folders.place(run), f"{made.FOLDER}/{name}") as file:
            if strange.is_hollow(file.fileno()):
                raise Unsaved("bad_files")
            return os.fstat(file.fileno()).st_size
    except strange.Untrusted as error:
        raise Unsaved("bad_files") from error
    except OSError as error:
        raise Unsaved("not_reached") from error


@transaction.atomic
def _dataset_of(one: Destination) -> Dataset:
    """Make the new dataset, once: under the lock of the run the second finds that of the first.

    For the consortium only, as nobody chose another licence.
    """
    run = one.run
    Run.objects.select_for_update().get(pk=run.pk)
    one.refresh_from_db(fields=["dataset"])
    if one.dataset is not None:
        return one.dataset
    one.dataset = datasets.create(
        run.case,
        by=one.asked_by,
        title=one.title or _("Answers of %(run)s") % {"run": run.code},
        description="",
        licence=Licence.CONSORTIUM,
        has_personal_data=_has_personal_data(run),
    )
    Destination.objects.filter(pk=one.pk).update(dataset=one.dataset)
    return one.dataset


def _taken_in(run: Run, dataset: Dataset, names: list[str]) -> dict[str, Blob]:
    """Take the files into the store, each under the code of the run, and no more than fits."""
    place, left = folders.place(run), settings.OUTPUTS_LIMIT_BYTES
    files = {}
    for name in names:
        files[f"{run.code}/{name}"] = blob = store.adopt(
            dataset.repository,
            place.folder / made.FOLDER / name,
            by=None,
            within=place,
            limit_bytes=left,
        )
        left -= blob.size_bytes
    return files


@transaction.atomic
def _save(one: Destination, dataset: Dataset, ready: taking_in.Ready) -> None:
    run = one.run
    Run.objects.select_for_update().get(pk=run.pk)
    still = Destination.objects.filter(pk=one.pk, settled_at=None, dataset=dataset)
    if not still.exists():
        return  # another pass was quicker, or somebody chose otherwise
    agreements, sources = lineage.terms_of(run)
    revision = taking_in.save(
        dataset,
        ready,
        # No word of what it was made of: an agreement may be for others of the case only.
        message=f"Answers of {run.code}",
        by=one.asked_by,
        made_of=taking_in.Descent(agreements=agreements, sources=sources),
    )
    still.update(revision=revision.number, settled_at=timezone.now(), code="")
    details = {"run": run.code, "dataset": dataset.code, "revision": revision.number}
    journal.record("runs.save_answers", run, by=None, note=run.code, **details)


def _note(one: Destination, reason: Unsaved) -> None:
    """Keep why, for who looks at the run; for good, or until the next try."""
    # As it was chosen: somebody may have chosen otherwise meanwhile.
    open_ = Destination.objects.filter(pk=one.pk, settled_at=None, dataset=one.dataset)
    if not reason.is_final:
        log.warning("The answers of %s are not saved yet: %s", one.run, reason.code)
        rests.rest(one.run.key)
        open_.exclude(code=reason.code).update(code=reason.code)
        return
    with transaction.atomic():
        if open_.update(code=reason.code, settled_at=timezone.now()):
            details: Mapping[str, str] = {"code": reason.code, "note": one.run.code}
            journal.record("runs.leave_answers", one.run, by=None, **details)
