"""The stems by which a record is found, made anew whenever it changes."""

from collections.abc import Iterable
from typing import Any, TypeVar

from django.db.models import QuerySet
from django.utils import translation

from fabriek.catalogue import stems
from fabriek.catalogue.model_records import ModelRecord, ModelStem
from fabriek.catalogue.models import Record, Stem

# What says more about a record weighs more.
TITLE, KEYWORD, AROUND, TEXT = 12, 8, 4, 1
AT_ONCE = 300
AnyStem = TypeVar("AnyStem", Stem, ModelStem)


def refresh(record: Record) -> None:
    """Make the index of one record as the record is now, in the caller's transaction."""
    replace(Stem, record, texts(record))


def replace(
    table: type[AnyStem], record: Record | ModelRecord, texts: Iterable[tuple[str, int]]
) -> None:
    """Keep the stems of these texts for a record, and no others."""
    wanted = stems.weighed(texts)
    rows: QuerySet[Any] = table.objects.filter(record=record.pk)
    there = dict(rows.values_list("word", "weight"))
    if there == wanted:
        return
    gone = [word for word in there if there[word] != wanted.get(word)]
    for start in range(0, len(gone), AT_ONCE):
        rows.filter(word__in=gone[start : start + AT_ONCE]).delete()
    table.objects.bulk_create(
        (
            table(record_id=record.pk, word=word, weight=weight)
            for word, weight in wanted.items()
            if there.get(word) != weight
        ),
        batch_size=AT_ONCE,
    )


def texts(record: Record) -> list[tuple[str, int]]:
    dataset = record.dataset
    titles = " ".join((dataset.title, record.title_nl, record.title_en))
    texts = " ".join((dataset.description, record.text_nl, record.text_en))
    around = [record.place, record.maker, record.source, record.how_collected]
    return [
        (titles, TITLE),
        (dataset.code, TITLE),
        (" ".join(map(str, record.keywords)), KEYWORD),
        (" ".join(map(str, record.tasks)), KEYWORD),
        (dataset.repository.organisation.name, AROUND),
        (_theme(record), AROUND),
        (" ".join(around), TEXT),
        (texts, TEXT),
    ]


def _theme(record: Record) -> str:
    """Name the theme in both languages: whoever searches may use either."""
    if not record.theme:
        return ""
    said = []
    for language in ("nl", "en"):
        with translation.override(language):
            said.append(str(record.get_theme_display()))
    return " ".join(said)
