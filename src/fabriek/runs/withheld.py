"""What is said of data to people who may not read these: the sentence without words of rows."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _

from fabriek.people.models import Person
from fabriek.runs import made, warnings_of_end, words
from fabriek.runs.models import Run
from fabriek.store.models import Repository, Revision
from fabriek_recipes.words import Sentence

LEFT_OUT = "…"
# Values that are no words of rows: the names of files, ...
TOLD = frozenset({"file"})
# ... and of columns, in sentences about settings: without them nobody could mend these.
TOLD_OF_SETTINGS = TOLD | {"column", "columns", "known", "name", "names"}


def said(msgid: str, values: Mapping[str, object], *, told: frozenset[str] = TOLD) -> str:
    """Say it with its numbers; of its texts only those named in `told`."""
    shown = {
        name: value if name in told or isinstance(value, int | float) else LEFT_OUT
        for name, value in values.items()
    }
    return words.filled(msgid, shown) or _(
        "There is something about the data that only who may read these can be told."
    )


def event(one: Mapping[str, Any], run: Run, person: Person) -> str:
    """Say a warning or failure of a run, whole to who may read all that it worked on."""
    msgid, values = str(one.get("msgid", "")), one.get("values") or {}
    if is_plain(msgid, values) or _is_of_agreement(msgid) or made.may_read_rows(run, person):
        return words.event_told(one)
    left_out = _("What stands in the data is left out here: you may not read them.")
    return f"{said(msgid, values)} {left_out}"


def problem(
    sentence: Sentence, *, of_settings: bool, inputs: Mapping[str, Revision], person: Person
) -> str:
    """Say what is wrong with inputs, whole to who may read the data among them."""
    data = [
        (one.repository, one.number)
        for one in inputs.values()
        if one.repository.kind == Repository.Kind.DATASET
    ]
    told = TOLD_OF_SETTINGS if of_settings else TOLD
    if is_plain(sentence.msgid, sentence.values, told=told) or made.may_read(data, person):
        return words.told(sentence)
    return said(sentence.msgid, sentence.values, told=told)


def is_plain(msgid: str, values: Mapping[str, object], *, told: frozenset[str] = TOLD) -> bool:
    """Tell whether there is nothing in it to leave out."""
    texts = [name for name, value in values.items() if not isinstance(value, int | float)]
    return bool(msgid) and told.issuperset(texts)


def _is_of_agreement(msgid: str) -> bool:
    return msgid in {warnings_of_end.ENDS_SOON, warnings_of_end.ENDS_SOON_UNNAMED}
