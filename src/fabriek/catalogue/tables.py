"""The columns of a dataset's files of rows, read from the store."""

from collections.abc import Collection
from contextlib import suppress

from fabriek.catalogue import columns
from fabriek.catalogue.columns import Column
from fabriek.catalogue.told import Told
from fabriek.kernel.errors import Refused
from fabriek.store.models import File
from fabriek.store.queries import the_store


def read(told: Told, paths: Collection[str]) -> dict[str, list[Column]]:
    """Read these files of the revision that is told; those without columns are left out."""
    if told.files is None:
        return {}
    rows = File.objects.filter(revision__commit_id=told.commit_id, path__in=paths)
    rows = rows.filter(revision__repository__code=told.code).select_related("blob")
    found = {}
    for file in rows.order_by("path"):
        with suppress(Refused), the_store().open(file.blob) as content:
            # Of what is damaged, or away for now, no columns are told; the record stands.
            if told_columns := columns.of(file.path, content):
                found[file.path] = told_columns
    return found
