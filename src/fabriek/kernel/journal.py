"""Write to the journal, inside the transaction of the change it describes."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from django.apps import apps
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import models

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
