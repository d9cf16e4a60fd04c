"""The README of a dataset: found in its newest revision and read with care."""

from fabriek.catalogue import card
from fabriek.catalogue.card import Card
from fabriek.datasets.models import Dataset
from fabriek.store.models import Blob, Revision
from fabriek.store.queries import latest, the_store


def of_newest(dataset: Dataset) -> Blob | None:
    """Give the bytes of README.md in the newest revision, if it has one."""
    return _blob(latest(dataset.repository))


def read(blob: Blob) -> Card:
    """Read a README; bytes that are no text, or too many, are a problem like bad YAML is."""
    if blob.size_bytes > card.LONGEST_README_BYTES:
        return Card(problem="too_long")
    with the_store().open(blob) as content:
        raw = content.read(card.LONGEST_README_BYTES)
    try:
        return card.read(raw.decode("utf-8"))
    except UnicodeDecodeError:
        return Card(problem="not_text")


def _blob(revision: Revision | None) -> Blob | None:
    if revision is None:
        return None
    found = revision.files.select_related("blob").filter(path=card.NAME).first()
    return found.blob if found else None
