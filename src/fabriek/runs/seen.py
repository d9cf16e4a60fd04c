"""Rows as a model will read them, by a program behind walls that is waited for: seconds."""

from collections.abc import Mapping
from pathlib import PurePosixPath

from pydantic import ValidationError

from fabriek.quality import folders
from fabriek.quality.room import room
from fabriek.runs import behind_walls
from fabriek.runs.folders import still_coming
from fabriek.runs.seen_shapes import SeenIn
from fabriek.runs.worker.asked import MODEL_FILES, OF_DATA, OF_MODEL
from fabriek.store.models import Blob, Revision
from fabriek.store.queries import listing, the_store
from fabriek_recipes import rows, texts

Json = folders.Json


def files_for(dataset: Revision, model: Revision) -> dict[str, Blob]:
    """Name what is laid out: the rows, and of the model only what makes text into tokens."""
    listed = listing(dataset)
    meant = rows.of_rows(map(PurePosixPath, listed))
    data = {f"{OF_DATA}{path}": listed[str(path)] for path in meant}
    return data | {
        f"{OF_MODEL}{path}": blob
        for path, blob in listing(model).items()
        if path in MODEL_FILES
    }


def text_files_for(dataset: Revision, model: Revision | None) -> dict[str, Blob]:
    """Name the same for plain text; without a model, the text alone."""
    data = {
        f"{OF_DATA}{path}": blob
        for path, blob in listing(dataset).items()
        if texts.is_text(PurePosixPath(path))
    }
    of_model = listing(model) if model else {}
    return data | {
        f"{OF_MODEL}{path}": blob for path, blob in of_model.items() if path in MODEL_FILES
    }


def look(files: Mapping[str, Blob], asked: Json) -> SeenIn:
    """Let the worker do what `asked` says; whatever becomes of it is an answer.

    Raises:
        Refused: too many are at it now, or the bytes are still being brought near.
        StorageFull: they cannot be laid out.
    """
    brought = the_store().bring(list(files.values()))
    if not brought.is_ready:
        raise still_coming(brought)
    with room() as folder:
        folders.lay(folder, files, behind_walls.limits() | asked)
        told = behind_walls.answer(folder)
    try:
        return SeenIn.model_validate(told)
    except ValidationError:
        return SeenIn(trouble="died")
