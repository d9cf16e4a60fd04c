"""Remove the copies of data that a case may no longer have, and remember what went.

Written down first, then removed, then marked: a factory that is killed anywhere goes on, and
still knows what was there. Only what lies below the folder of a run is touched; the data itself
stays in the store, with its owner.
"""

import json
import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.core.cache import cache
from django.db.models import F, Q
from django.utils import timezone

from fabriek.agreements import inheritance
from fabriek.agreements.models import Agreement, Duty
from fabriek.agreements.traces import Decided
from fabriek.agreements.wishes import Moment
from fabriek.kernel.models import Entry
from fabriek.runs import (
    evaluated,
    folders,
    hub_keys,
    made,
    reconcile,
    rules,
    sweep,
    taken_along,
)
from fabriek.runs.models import Removal, Run
from fabriek.runs.states import RunState
from fabriek.store.models import Revision
from fabriek.store.references import written
from fabriek_recipes import run_folder
from fabriek_recipes.evaluation import EVALUATION

log = logging.getLogger(__name__)

TRY_AGAIN = timedelta(minutes=10)
TROUBLE_CHARACTERS = 300
# Where interactive work keeps what people make, see `fabriek_recipes.lab.files`.
WORK = ("work", ".work.part")
# All that has no line of its own: people may make any folder in a session.
REST, INPUTS_REST = "*", f"{run_folder.INPUTS}/*"
STAY = frozenset({run_folder.MANIFEST, run_folder.LOG, run_folder.EXIT, folders.LOCK})
NAMED = frozenset(
    {
        run_folder.INPUTS,
        hub_keys.FOLDER,
        run_folder.CHECKPOINTS,
        taken_along.PART,
        run_folder.OUTPUTS,
        *WORK,
    }
)
What = Removal.What


@dataclass(frozen=True, kw_only=True, slots=True)
class Copy:
    """A folder below that of a run which holds, or may hold, the data."""

    what: What
    name: str
    revision: Revision | None = None


def remove_copies(agreement: Agreement, runs: Iterable[Run]) -> bool:
    """Remove what these runs still have of the data; tells whether all of it is gone.

    It is not where a folder cannot be reached: its disk may be away for a moment.
    """
    # Every folder is looked at, also after one that cannot be reached.
    seen = [_look_through(agreement, run) for run in runs]
    waiting = Removal.objects.filter(agreement=agreement, done_at=None)
    for removal in waiting.select_related("run").order_by("pk"):
        if removal.tried_at is None or removal.tried_at < timezone.now() - TRY_AGAIN:
            _carry_out(removal)
    return all(seen) and not waiting.exists()


def may_turn_up(run: Run, now: datetime) -> bool:
    """Tell whether a lost run may still be at work, and write in its folder."""
    recent = now - reconcile.LOST_AND_FOUND
    return run.state == RunState.LOST and run.last_seen_at > recent


def _look_through(agreement: Agreement, run: Run) -> bool:
    """Write down what is there; tells whether that could be seen."""
    try:
        for copy in _copies(agreement, run):
            _write_down(agreement, run, copy)
    except sweep.Unreached as error:
        if isinstance(error.__cause__, FileNotFoundError) and not _had_a_folder(run):
            return True
        _say_unreached(run, error)
        return False
    except OSError as error:
        _say_unreached(run, error)
        return False
    return True


def _had_a_folder(run: Run) -> bool:
    """Tell whether anything was laid out for it: before that, reading is decided on."""
    if run.started_at or run.state in {RunState.SUCCEEDED, RunState.LOST}:
        return True
    read = Decided.objects.filter(run=run.code, moment=Moment.READ, allowed=True)
    sent = Entry.objects.filter(
        verb="runs.enqueue", subject_kind=Run._meta.label_lower, subject_id=run.pk
    )
    return read.exists() or sent.exists()


def _say_unreached(run: Run, error: OSError) -> None:
    if cache.add(f"runs.unreached:{run.pk}", True, TRY_AGAIN.total_seconds()):
        log.error(
            "The agreement on data of %s is over, and what is in its folder cannot be seen, so "
            "that no statement is made. Bring its disk back; if you removed it, make an empty "
            "folder there. %s",
            run,
            error,
        )


def _copies(agreement: Agreement, run: Run) -> Iterator[Copy]:
    """Name what goes.

    The inputs that are of somebody else stay, and so do models that a run made in full: those
    keep the rights recorded with them. What a lost run may still write goes when that is over.
    """
    yield from _laid_out(agreement, run)
    yield Copy(what=What.FETCHED, name=hub_keys.FOLDER)
    for name in (run_folder.CHECKPOINTS, taken_along.PART):
        yield Copy(what=What.CHECKPOINTS, name=name)
    if not may_turn_up(run, timezone.now()):
        yield from _made(run, is_cleared=Duty.DELETE in agreement.duties)


def _laid_out(agreement: Agreement, run: Run) -> Iterator[Copy]:
    rows = run.inputs.select_related("revision__repository").order_by("pk")
    copies = inheritance.datasets_of(agreement.repository)
    theirs = Q(revision__repository=agreement.repository_id)
    for row in rows.filter(theirs | Q(revision__repository__in=copies)):
        for name in (row.name, f".{row.name}.part"):
            place = f"{run_folder.INPUTS}/{name}"
            yield Copy(what=What.INPUTS, name=place, revision=row.revision)


def _made(run: Run, *, is_cleared: bool) -> Iterator[Copy]:
    # Own code writes where it likes in the folder, like people in a session.
    is_session = run.recipe in rules.INTERACTIVE | rules.OWN_CODE
    if run.state != RunState.SUCCEEDED or (is_session and is_cleared):
        yield Copy(what=What.OUTPUTS, name=run_folder.OUTPUTS)
    elif is_cleared:
        # Answers begin with the row that they are to.
        for name in (run_folder.REPORT, EVALUATION, made.FOLDER):
            yield Copy(what=What.ROWS, name=name)
    if is_cleared and is_session:
        for name in (*WORK, INPUTS_REST, REST):
            yield Copy(what=What.WORK, name=name)
    elif is_cleared:
        yield Copy(what=What.ROWS, name=run_folder.EVENTS)


def _places(run: Run, name: str) -> list[str]:
    """Give what is meant by the name of a copy, as far as it is there. Raises: OSError."""
    if name == REST:
        found = sweep.names(run.folder)
        return [one for one in found if one not in NAMED and not _stays(run, one)]
    if name == INPUTS_REST:
        inputs = run.inputs.values_list("name", flat=True)
        kept = {f"{run_folder.INPUTS}/{one}" for one in inputs}
        return [one for one in sweep.names(run.folder, run_folder.INPUTS) if one not in kept]
    if name == run_folder.REPORT:
        return _reports(run)
    if name == EVALUATION and not _shows_rows(run):
        return []
    return [name] if sweep.lies(run.folder, name) else []


def _stays(run: Run, name: str) -> bool:
    if name == run_folder.LOG and run.recipe in rules.OWN_CODE:
        return False  # its program may have printed all of the data
    return name in STAY and sweep.is_file(run.folder, name)


def _write_down(agreement: Agreement, run: Run, copy: Copy) -> None:
    known = Removal.objects.filter(agreement=agreement, run=run, name=copy.name)
    if known.filter(done_at=None).exists():
        return
    places = _places(run, copy.name)
    if not places:
        return
    counts = [sweep.counted(run.folder, place) for place in places]
    files, size_bytes = (sum(column) for column in zip(*counts, strict=True))
    revision = copy.revision
    _row, is_new = known.get_or_create(
        defaults={
            "agreement": agreement,
            "run": run,
            "name": copy.name,
            "what": copy.what,
            "reference": written(revision) if revision else "",
            "digest": revision.digest if revision else "",
            "files": files,
            "size_bytes": size_bytes,
        },
    )
    if not is_new:  # it was gone, and a run that was lost made it anew
        known.filter(done_at__isnull=False).update(
            done_at=None,
            tried_at=None,
            files=F("files") + files,
            size_bytes=F("size_bytes") + size_bytes,
        )


def _carry_out(removal: Removal) -> None:
    now = timezone.now()
    rows = Removal.objects.filter(pk=removal.pk, done_at=None)
    try:
        remove(removal.run, removal.name)
    except OSError as error:
        log.exception(
            "%s of %s, whose agreement is over, cannot be removed.", removal.name, removal.run
        )
        rows.update(tried_at=now, trouble=str(error)[:TROUBLE_CHARACTERS])
        return
    rows.update(tried_at=now, done_at=now, trouble="")


def remove(run: Run, name: str) -> None:
    """Remove a copy; of a report or evaluation only the rows of data, as its figures stay.

    Raises: OSError, when something is left, or its disk is away.
    """
    for place in _places(run, name):
        if text := _without_rows(run, place):
            sweep.replace(run.folder, place, text.encode())
        else:
            sweep.remove(run.folder, place)


# --- the rows that a report shows ----------------------------------------------------------
def _without_rows(run: Run, place: str) -> str:
    """Write what stays of a file; nothing where all of it goes."""
    if place == EVALUATION:
        found = evaluated.of_run(run)
        return found.without_rows().model_dump_json() if found else ""
    figures = _figures(folders.report(run)) if place == run_folder.REPORT else {}
    return json.dumps(figures, indent=2, ensure_ascii=False) if figures else ""


def _shows_rows(run: Run) -> bool:
    """Tell whether an evaluation names single rows; one that cannot be read may."""
    found = evaluated.of_run(run)
    return found is None or found != found.without_rows()


def _reports(run: Run) -> list[str]:
    """Name the report if it holds more than figures, and what a killed job left of one."""
    outputs = sweep.names(run.folder, run_folder.OUTPUTS)
    begun = f"{run_folder.OUTPUTS}/.report.json."
    found = [name for name in outputs if name.startswith(begun)]
    report = folders.report(run)
    # One that cannot be read may hold anything.
    if run_folder.REPORT in outputs and (not report or _figures(report) != report):
        found.append(run_folder.REPORT)
    return found


def _figures(report: Mapping[str, object]) -> dict[str, object]:
    """Keep single figures and words, and tables of them: lists hold rows of data."""
    return {name: value for name, value in report.items() if _is_figure(value)}


def _is_figure(value: object) -> bool:
    if isinstance(value, Mapping):
        return not any(isinstance(one, list | Mapping) for one in value.values())
    return not isinstance(value, list)
