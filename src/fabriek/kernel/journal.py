"""Write to the journal, inside the transaction of the change it describes."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from django.apps import apps
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import connection, models
from django.utils import timezone

from fabriek.kernel.errors import Text

if TYPE_CHECKING:
    from fabriek.kernel.models import Entry

_sentences: dict[str, Text] = {}


def describe(sentences: Mapping[str, Text]) -> None:
    """Give verbs (`stage.step`) the words in which a timeline shows them."""
    _sentences.update(sentences)


def sentence(verb: str) -> str:
    return str(_sentences.get(verb, verb))


def record(
    verb: str, subject: models.Model, *, by: AbstractBaseUser | None, **details: object
) -> "Entry":
    """Add one line. `details` holds plain values only: they are stored as JSON."""
    entry: type[Entry] = apps.get_model("kernel", "Entry")
    return entry._default_manager.create(  # type: ignore[misc]  # `by` is of a later room
        verb=verb,
        subject_kind=subject._meta.label_lower,
        subject_id=subject.pk,
        thread=getattr(subject, "thread", ""),
        by=by,
        details=details,
    )


def statement(
    verb: str, kind: type[models.Model], *, source: str, **details: object
) -> tuple[str, list[object]]:
    """Give the SQL and its words that add a line for each row of `source`, by its `id`.

    For one statement that changes something and tells of it at once; the platform itself acts.
    """
    entry: type[Entry] = apps.get_model("kernel", "Entry")
    told = {
        "at": timezone.now(),
        "verb": verb,
        "subject_kind": kind._meta.label_lower,
        "thread": "",
        "details": details,
    }
    fields = [field for field in entry._meta.concrete_fields if field.name in told]
    words = [field.get_db_prep_save(told[field.name], connection) for field in fields]
    columns = ", ".join(str(field.column) for field in fields)
    places = ", ".join("%s" for _field in fields)
    text = (
        f"INSERT INTO {entry._meta.db_table} ({columns}, subject_id) "  # noqa: S608  ours
        f"SELECT {places}, id FROM {source}"
    )
    return text, words
