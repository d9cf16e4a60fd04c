"""The first rows of what the portal does not parse itself: asked of a worker, within a page."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

from django.conf import settings
from django.utils.translation import gettext_lazy
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fabriek.datasets import preview
from fabriek.datasets.preview import Preview
from fabriek.kernel.errors import Refused, Text
from fabriek.quality import folders, previewed
from fabriek.quality.findings import Column
from fabriek.quality.previewed import READ_CHARACTERS
from fabriek.quality.room import ends_within, room
from fabriek.quality.worker import confine, headings
from fabriek.store.models import Blob, File, Revision
from fabriek.store.queries import the_store

# Somebody waits for the page.
WAIT_S, PATIENCE_S = 2.5, 0.5
MEMORY_BYTES = 2**30
# What is larger is not read within a page; where it cannot be linked it is copied first.
LINKED_BYTES, COPIED_BYTES = 2**30, 2**26
PARSED = frozenset({"parquet", "json"})
PACKED = (".gz", ".zst")
NOTES = (".txt", ".md")
TROUBLES: dict[str, Text] = {
    "too_slow": gettext_lazy(
        "The first rows could not be read in time for this page. Load the page again, or "
        "download the file to see them."
    ),
    "busy": gettext_lazy(
        "Rows of others are being read at this moment. Load the page again in half a minute."
    ),
    "coming": gettext_lazy(
        "The file is being brought near. Load the page again in a few minutes."
    ),
}
UNREAD = gettext_lazy(
    "The first rows could not be read for this page. Download the file to see them."
)

Json = dict[str, Any]
Cell = Annotated[str, Field(max_length=2 * READ_CHARACTERS)]


class RowsIn(BaseModel):
    """What the worker may answer: a closed shape, for a file may have taken it over."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    columns: Annotated[list[Cell], Field(max_length=preview.COLUMNS)] = []
    rows: Annotated[
        list[Annotated[list[Cell], Field(max_length=preview.COLUMNS)]],
        Field(max_length=preview.ROWS),
    ] = []
    trouble: Annotated[str, Field(max_length=40)] = ""
    facts: Json = {}
    held: Json = {}


def first_rows(
    revision: Revision, columns: Iterable[Column], looked_at: list[Json]
) -> Preview | None:
    """Show rows of a table before a note that lies beside it; nothing of it is kept."""
    found = list(columns)
    plain = previewed.preview_of(revision, found, looked_at)
    if plain and not plain.path.casefold().endswith(NOTES):
        return plain
    told = next((one for one in looked_at if _needs_worker(one)), None)
    files = revision.files.select_related("blob")
    file = files.filter(path=told["path"]).first() if told else None
    return _shown(file, told, {one.name for one in found}) if told and file else plain


def _needs_worker(told: Json) -> bool:
    is_packed = told["path"].casefold().endswith(PACKED)
    return "broken" not in told and (told["kind"] in PARSED or is_packed)


def _shown(file: File, told: Json, personal: set[str]) -> Preview:
    answer = _asked(file)
    if answer.trouble:
        trouble = str(TROUBLES.get(answer.trouble, UNREAD))
        return Preview(path=file.path, others=[], columns=[], rows=[], trouble=trouble)
    names = [headings.shown(name) for name in answer.columns]
    looked_at = [one["name"] for one in told["columns"][: preview.COLUMNS]]
    known = names if names == looked_at else []  # else nobody knows which cells are whose
    return Preview(
        path=file.path,
        others=[],
        columns=[preview.cut(name) for name in known],
        rows=previewed.hidden(answer.rows, known, personal),
    )


def _asked(file: File) -> RowsIn:
    most = LINKED_BYTES if confine.can_keep_files() else COPIED_BYTES
    if file.blob.size_bytes > most:
        return RowsIn(trouble="too_slow")
    try:
        if not the_store().bring([file.blob]).is_ready:
            return RowsIn(trouble="coming")
        return RowsIn.model_validate(_worked(file.path, file.blob))
    except Refused as refused:
        return RowsIn(trouble="busy" if refused.code == "busy_counting" else "unread")
    except ValidationError:
        return RowsIn(trouble="died")


def _worked(path: str, blob: Blob) -> Json:
    asked: Json = {
        "kind": "first_rows",
        "rows": preview.ROWS,
        "columns": preview.COLUMNS,
        "characters": READ_CHARACTERS,
        "memory_bytes": min(MEMORY_BYTES, settings.LOOK_MEMORY_BYTES),
        "disk_bytes": min(LINKED_BYTES, settings.LOOK_DISK_BYTES),
        "cpu_s": 10,
    }
    with room(patience_s=PATIENCE_S) as folder:
        folders.lay(folder, {path: blob}, asked)
        if not _ends_in_time(folder):
            return {"trouble": "too_slow"}
        return folders.told(folder, folders.RESULT) or {"trouble": "died"}


def _ends_in_time(folder: Path) -> bool:
    worker = folders.launch(folder)
    return worker is not None and ends_within(worker, WAIT_S)
