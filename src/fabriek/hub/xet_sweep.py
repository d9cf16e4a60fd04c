"""What was sent by the Xet protocol and came to nothing, removed once a day."""

from collections.abc import Iterator
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from pathlib import Path

from django.db.models import QuerySet

from fabriek.hub import xet_keep, xet_places
from fabriek.hub.xet_models import Xorb
from fabriek.store.queries import batches
from fabriek.store.sweeping import KEPT


def sweep(now: datetime) -> int:
    """Remove what nobody used for a day and no file of the store holds; give the bytes freed.

    A xorb whose chunks are all in kept files costs a row, and stays as long as those do.
    """
    before = now - KEPT
    freed = sum(_swept(path, before=before) for path in _own_files())
    unused = Xorb.objects.filter(is_here=False, used_at__lt=before)
    for some in batches(list(_wanting(unused))):
        xet_keep.forget(unused.filter(pk__in=some).defer("lengths"))
    return freed


def _wanting(xorbs: "QuerySet[Xorb]") -> Iterator[str]:
    """Give the keys of those of which a chunk is in no file any more."""
    rows = xorbs.order_by("pk").values_list("pk", "chunks", "pieces__first", "pieces__end")
    for (key, chunks), its in groupby(rows.iterator(), key=itemgetter(0, 1)):
        pieces = [(first, end) for *_xorb, first, end in its if end is not None]
        if xet_places.is_wanting(chunks, pieces):
            yield str(key)


def _own_files() -> Iterator[Path]:
    return (path for path in xet_places.home().glob("[0-9]*/*") if path.is_file())


def _swept(path: Path, *, before: datetime) -> int:
    """Remove a xorb's own file, unless somebody used it since; with or without a row."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return 0  # a list of files came meanwhile, and let go of it
    if found.st_mtime >= before.timestamp():
        return 0
    rows = Xorb.objects.filter(repository=int(path.parent.name), name=path.name)
    rows.filter(used_at__lt=before).update(is_here=False)
    if rows.filter(is_here=True).exists():
        return 0
    path.unlink(missing_ok=True)
    return found.st_size
