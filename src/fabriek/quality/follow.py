"""Starts workers, at most so many at once, and sees what comes of them without waiting.

Each pass can be killed anywhere: what stands in the folder of an errand says how far it is.
"""

import errno
import logging
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.utils import timezone

from fabriek.datasets import actions as datasets
from fabriek.kernel.errors import Refused, StorageFull, WrongState
from fabriek.quality import actions, again, asked, folders, queries, said
from fabriek.quality.models import Errand, Look, Treatment
from fabriek.quality.states import LOOK, TREATMENT, UNFINISHED, ErrandState
from fabriek.store.base import StoreDown
from fabriek.store.models import Blob
from fabriek.store.queries import listing, the_store

log = logging.getLogger(__name__)

EVERY_S = 5.0
TOKENIZER = "tokenizer.json"
MOST_WAITING_SEEN = 20  # in one pass; those whose bytes come are ahead of the others
KINDS: tuple[type[Look] | type[Treatment], ...] = (Treatment, Look)

FULL = {errno.ENOSPC, errno.EDQUOT}

laying: dict[str, threading.Thread] = {}
started: dict[str, subprocess.Popen[str]] = {}
_asked_at = [0.0]


def tick() -> None:
    """Make one pass: ask for looks at what is new, see what runs, start what waits."""
    _reap()
    if time.monotonic() - _asked_at[0] > EVERY_S:
        _asked_at[0] = time.monotonic()
        _sweep()
        for revision in queries.awaiting_look():
            actions.ask_look(revision.repository.dataset, revision, by=None)
    running = 0
    for kind in KINDS:
        rows = kind.objects.filter(state=ErrandState.RUNNING)
        for errand in rows.select_related("dataset__case", "revision__repository", "asked_by"):
            with _contained(errand):
                running += _follow(errand)
    _start_waiting(settings.LOOK_WORKERS - running)


def forget_all() -> None:
    """Leave what was started to itself, as a loop that dies does."""
    laying.clear()
    started.clear()


def _sweep() -> None:
    """Clear folders of errands that are no more: their links keep bytes that were removed."""
    there = folders.there()  # before the rows are asked: a folder comes after its row
    if not there:
        return
    known: set[str] = set()
    for kind in KINDS:
        known |= set(kind.objects.filter(state__in=UNFINISHED).values_list("key", flat=True))
    for key in there:
        if key in known or (key in laying and laying[key].is_alive()):
            continue
        folder = Path(settings.LOOKS_HOME) / key
        folders.stop(folder)
        folders.clear(folder)
        laying.pop(key, None)


def _start_waiting(room: int) -> None:
    for kind in KINDS:
        rows = kind.objects.filter(state=ErrandState.WAITING).order_by("pk")
        known = rows.select_related("dataset__case", "revision__repository")
        for errand in known[:MOST_WAITING_SEEN]:
            if room <= 0:
                return
            with _contained(errand):
                room -= _start(errand)


def _start(errand: Errand) -> int:
    """Begin once the bytes are near; gives 1 when it began."""
    try:
        files = dict(listing(errand.revision))
        tokenizer = asked.open_model_file(TOKENIZER) if isinstance(errand, Look) else None
        near = [*files.values(), *([tokenizer] if tokenizer else []), *asked.near(errand)]
        if not _is_near(errand, near):
            return 0
    except StoreDown as error:
        log.info("%s waits for the store. %s", errand.key, error.code)
        return 0
    except (Refused, OSError) as error:
        _end(errand, folders.folder_of(errand), "fail", trouble=_trouble_of(error))
        return 0
    _take(errand, "start", started_at=timezone.now())
    _lay(errand)
    return 1


def _is_near(errand: Errand, blobs: Sequence[Blob]) -> bool:
    """Let bytes in a bucket come beside the loop, which waits for none."""
    brought = the_store().bring(blobs)
    if brought.is_ready:
        return True
    percent = 100 * brought.done_bytes // max(1, brought.total_bytes)
    _tell(errand, {"doing": "bring", "done": percent, "of": 100, "path": ""})
    return False


def _trouble_of(error: Exception) -> str:
    full = isinstance(error, StorageFull) or (
        isinstance(error, OSError) and error.errno in FULL
    )
    return "disk_full" if full else "not_laid"


def _follow(errand: Errand) -> int:
    """Do what can be done now; gives 1 while it goes on."""
    folder = folders.folder_of(errand)
    if errand.cancel_asked_at:
        folders.stop(folder)
        _end(errand, folder, "cancel")
        return 0
    if errand.key in laying and laying[errand.key].is_alive():
        return _watch(errand, folder)
    if not folders.is_laid(folder):
        return _lay_again(errand, folder)
    if not folders.was_started(folder):
        _launch(errand, folder)
        return 1
    if folders.is_alive(folder):
        return _watch(errand, folder)
    return _conclude(errand, folder)


def _lay(errand: Errand) -> None:
    """Lay the files out beside the loop: to copy them may take minutes."""
    folder = folders.folder_of(errand)
    try:
        files = dict(listing(errand.revision))
        told = asked.asked_of(errand)
        tokenizer = asked.open_model_file(TOKENIZER) if isinstance(errand, Look) else None
    except (Refused, OSError) as error:  # the revision was dropped meanwhile
        _end(errand, folder, "fail", trouble=_trouble_of(error))
        return

    def work() -> None:
        try:
            if tokenizer is not None:
                the_store().materialise(tokenizer, folder / TOKENIZER)
                told["tokenizer"] = str(folder / TOKENIZER)
            folders.lay(folder, files, told)
        except Exception as error:
            # Also a bug of ours: without a sign it would be begun again for ever.
            if isinstance(error, Refused | OSError):
                log.warning("The files of %s could not be laid out. %s", errand.key, error)
            else:
                log.exception("The files of %s could not be laid out.", errand.key)
            folder.mkdir(parents=True, exist_ok=True)
            (folder / _trouble_of(error)).touch()

    thread = threading.Thread(target=work, daemon=True)
    laying[errand.key] = thread
    thread.start()


def _lay_again(errand: Errand, folder: Path) -> int:
    """Go on after a loop that died while it laid out; end where that failed."""
    for trouble in ("disk_full", "not_laid"):
        if (folder / trouble).exists():
            _end(errand, folder, "fail", trouble=trouble)
            return 0
    _lay(errand)
    return 1


def _launch(errand: Errand, folder: Path) -> None:
    worker = folders.launch(folder, secret=asked.secret_of(errand))
    if worker is not None:
        started[errand.key] = worker


def _watch(errand: Errand, folder: Path) -> int:
    """Keep how far it is, and stop it when its time is up."""
    _tell(errand, folders.told(folder, folders.PROGRESS) or {})
    if _is_time_up(errand):
        folders.stop(folder)
        _end(errand, folder, "fail", trouble="too_long")
        return 0
    return 1


def _is_time_up(errand: Errand) -> bool:
    began = errand.started_at or timezone.now()
    return timezone.now() - began > timedelta(seconds=settings.LOOK_S)


def _tell(errand: Errand, progress: folders.Json) -> None:
    if progress != errand.progress:
        type(errand)._default_manager.filter(pk=errand.pk).update(progress=progress)


def _conclude(errand: Errand, folder: Path) -> int:
    """See what came of it; gives 1 where a fresh worker goes on with it."""
    result = folders.told(folder, folders.RESULT)
    was_too_much = result is None or result.get("trouble") == "too_much_memory"
    if isinstance(errand, Look) and was_too_much and not _is_time_up(errand):
        if again.lay(folder):
            if worker := started.pop(errand.key, None):
                worker.wait()  # it gave its lock back: it is as good as gone
            return 1
        if paths := again.left_out(folder):
            _end(errand, folder, "fail", trouble="too_heavy", facts={"paths": paths})
            return 0
    if result is None:
        # Killed, out of memory or a bug of ours: which of them its last words tell nobody. The
        # kernel, which counts its processor time, may be before us when its time is up.
        _end(errand, folder, "fail", trouble="too_long" if _is_time_up(errand) else "died")
    elif "trouble" in result:
        facts = result.get("facts") or {}
        _end(errand, folder, "fail", trouble=str(result["trouble"])[:40], facts=facts)
    elif isinstance(errand, Treatment):
        _save(errand, folder, result)
    else:
        _end(errand, folder, "finish", result=result)
    return 0


def _save(treatment: Treatment, folder: Path, result: folders.Json) -> None:
    """Put what was made in the dataset as a new revision, in the name of who asked for it."""
    person = treatment.asked_by
    if person is None or not result["made"]:
        _end(treatment, folder, "fail", trouble="nothing_changed")
        return
    kept = [one for one in result["made"] if one["name"]]  # the others are left out whole
    made = {one["path"]: folder / folders.MADE / one["name"] for one in kept}
    gone = {one["was"] for one in result["made"]} - made.keys()
    try:
        others = listing(treatment.revision).keys() - {one["was"] for one in result["made"]}
        if len(made) < len(kept) or made.keys() & others:
            _end(treatment, folder, "fail", trouble="same_path")
            return
        blobs = {
            path: datasets.add_file(treatment.dataset, path, at, by=person)
            for path, at in made.items()
        }
        saved = datasets.commit(
            treatment.dataset,
            blobs,
            message=said.treated(treatment.revision.number),
            by=person,
            parent=treatment.revision,
            delete=gone,
        )
    except Refused as refused:
        log.info("The treatment %s was not saved: %s", treatment.key, refused.code)
        _end(treatment, folder, "fail", trouble="not_saved", facts={"why": str(refused)})
        return
    changed = {one["was"]: one["changed"] for one in result["made"]}
    _end(treatment, folder, "finish", made=saved, changed=changed)


def _end(errand: Errand, folder: Path, name: str, **changes: object) -> None:
    _take(errand, name, ended_at=timezone.now(), **changes)
    folders.clear(folder)
    laying.pop(errand.key, None)


def _take(errand: Errand, name: str, **changes: object) -> None:
    details = {"code": errand.dataset.code, "number": errand.revision.number}
    if isinstance(errand, Treatment):
        TREATMENT.take(f"{name}_treatment", errand, by=None, details=details, **changes)
    else:
        LOOK.take(f"{name}_look", errand, by=None, details=details, **changes)


def _reap() -> None:
    for key, worker in list(started.items()):
        if worker.poll() is not None:
            del started[key]


@contextmanager
def _contained(errand: Errand) -> Iterator[None]:
    """One that goes wrong must not keep the others from being followed, nor go on for ever.

    What a database that is away stopped is tried again; all else would go wrong at each pass.
    """
    try:
        yield
    except WrongState:
        log.info("%s was moved by somebody else.", errand.key)
    except (OperationalError, InterfaceError):
        log.exception("%s could not be followed; it is tried again.", errand.key)
    except Exception:
        log.exception("%s could not be followed, and is ended.", errand.key)
        folder = folders.folder_of(errand)
        try:
            folders.stop(folder)
            _end(errand, folder, "fail", trouble="not_followed")
        except Exception:
            log.exception("%s could not be ended either.", errand.key)
