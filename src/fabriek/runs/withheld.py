"""What is said of data to people who may not read these: the sentence without words of rows."""

from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import Any

from django.utils.translation import gettext as _

from fabriek.people.models import Person
from fabriek.runs import made, tail, warnings_of_end, words
from fabriek.runs.models import Run
from fabriek.store.models import Repository, Revision
from fabriek.store.queries import listing
from fabriek_recipes import sentences
from fabriek_recipes.words import Sentence

LEFT_OUT = "…"
# Values that are no words of rows: the names of files, ...
TOLD = frozenset({"file"})
# ... and of columns, in sentences about settings: without them nobody could mend these.
TOLD_OF_SETTINGS = TOLD | {"column", "columns", "known", "name", "names"}
# What the portal itself says of a run; all else is a sentence of a recipe.
OURS = frozenset({tail.TOO_MANY_NAMES, tail.TOO_MANY_EVENTS})


def said(msgid: str, values: Mapping[str, object], *, told: frozenset[str] = TOLD) -> str:
    """Say it with its numbers; of its texts only those named in `told`.

    A program that read the data chose these words: where they are no sentence of ours, nothing
    of them is said.
    """
    shown = {
        name: value if name in told or isinstance(value, int | float) else LEFT_OUT
        for name, value in values.items()
    }
    return (words.filled(msgid, shown) if _is_known(msgid) else "") or _(
        "There is something about the data that only who may read these can be told."
    )


def event(one: Mapping[str, Any], run: Run, person: Person) -> str:
    """Say a warning or failure of a run, whole to who may read all that it worked on."""
    msgid, values = str(one.get("msgid", "")), one.get("values") or {}
    if _is_of_agreement(msgid):
        return words.event_told(one)
    told = TOLD if "file" not in values or _is_of_inputs(values, run) else frozenset()
    if is_plain(msgid, values, told=told):
        return said(msgid, values, told=told)
    if made.may_read_rows(run, person):
        return words.event_told(one)
    left_out = _("What stands in the data is left out here: you may not read them.")
    return f"{said(msgid, values, told=told)} {left_out}"


def problem(
    sentence: Sentence, *, of_settings: bool, inputs: Mapping[str, Revision], person: Person
) -> str:
    """Say what is wrong with inputs, whole to who may read the data among them."""
    data = [
        (one.repository, one.number)
        for one in inputs.values()
        if one.repository.kind == Repository.Kind.DATASET
    ]
    # Of several one may be made to take over the program that reads them all.
    told = TOLD_OF_SETTINGS if of_settings and len(data) == 1 else TOLD
    if is_plain(sentence.msgid, sentence.values, told=told) or made.may_read(data, person):
        return words.told(sentence)
    return said(sentence.msgid, sentence.values, told=told)


def is_plain(msgid: str, values: Mapping[str, object], *, told: frozenset[str] = TOLD) -> bool:
    """Tell whether there is nothing in it to leave out."""
    texts = [name for name, value in values.items() if not isinstance(value, int | float)]
    return _is_known(msgid) and told.issuperset(texts)


def file_names(revisions: Iterable[Revision]) -> frozenset[str]:
    """Give the names that a sentence may call a file by: nobody hides a word of a row there."""
    paths = (path for one in revisions for path in listing(one))
    return frozenset(PurePosixPath(path).name for path in paths)


def _is_of_inputs(values: Mapping[str, object], run: Run) -> bool:
    rows = run.inputs.select_related("revision")
    return str(values["file"]) in file_names(row.revision for row in rows)


def _is_known(msgid: str) -> bool:
    return msgid in OURS or sentences.is_known(msgid)


def _is_of_agreement(msgid: str) -> bool:
    return msgid in warnings_of_end.SENTENCES
