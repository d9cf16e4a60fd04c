"""Small files into the store, many at a time, with the names that git gives them."""

import io
from collections.abc import Sequence
from dataclasses import dataclass

from fabriek.hub import git_names
from fabriek.people.models import Person
from fabriek.store import actions as store
from fabriek.store.models import Repository


@dataclass(frozen=True, kw_only=True, slots=True)
class SmallFile:
    path: str
    content: bytes


def take(repository: Repository, files: Sequence[SmallFile], *, by: Person) -> dict[str, str]:
    """Keep the bytes for the next revision; give their SHA-256s by path."""
    entries = (
        store.Entry(small.path, len(small.content), io.BytesIO(small.content))
        for small in files
    )
    blobs = store.store_many(repository, entries, by=by)
    git_names.keep((blobs[small.path].pk, git_names.sha1_of(small.content)) for small in files)
    return {path: blob.sha256 for path, blob in blobs.items()}
