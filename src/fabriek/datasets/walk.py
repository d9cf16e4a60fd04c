"""What a page shows of the files of a revision: one folder, or what a search found."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fabriek.kernel import text
from fabriek.kernel.paging import Paged
from fabriek.store import front_matter, walking
from fabriek.store.models import File, Revision

# From here on finding a file by reading the list takes longer than typing part of its name.
MANY_FILES = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class Crumb:
    name: str
    path: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Shown:
    """`folder`: where one is, `""` at the top; `words`: what is looked for, if anything is.

    `looked`: of which files the first rows may be shown beside them.
    """

    folder: str
    words: str
    folders: list[walking.Folder]
    items: list[File]
    page: Paged[Any]
    looked: list[File]
    is_searchable: bool

    @property
    def is_missing(self) -> bool:
        """Tell whether this folder is none of the revision's."""
        return bool(self.folder) and not self.page.count and not self.words

    @property
    def trail(self) -> list[Crumb]:
        parts = self.folder.split("/") if self.folder else []
        paths = ["/".join(parts[:count]) for count in range(1, len(parts) + 1)]
        return [Crumb(name=name, path=path) for name, path in zip(parts, paths, strict=True)]


def of(revision: Revision | None, asked: Mapping[str, str], *, looks: bool = False) -> Shown:
    """Show what an address asks for with `in` (a folder), `find` (words) and `page`.

    `looks`: where only folders lie, and at most a README, look at files in them.
    """
    folder, words = walking.normal(asked.get("in", "")), text.sought(asked.get("find", ""))
    page = _page(revision, folder, words, asked.get("page", "1"))
    folders = [one for one in page.items if isinstance(one, walking.Folder)]
    files = [one for one in page.items if isinstance(one, File)]
    looked = files
    has_rows = any(file.path != front_matter.README for file in files)
    if looks and revision and folders and not has_rows:
        looked = walking.first_below(revision, folder, most=walking.PAGE_SIZE)
    many = revision.file_count if revision else 0
    return Shown(
        folder=folder,
        words=words,
        folders=folders,
        items=files,
        page=page,
        looked=looked,
        is_searchable=bool(words or folder) or many > MANY_FILES,
    )


def _page(revision: Revision | None, folder: str, words: str, page: str) -> Paged[Any]:
    if revision is None or revision.dropped_at:
        return Paged(items=[], count=0, page=1, size=walking.PAGE_SIZE)
    if words:
        return walking.called(revision, words, folder=folder, page=page)
    return walking.level(revision, folder, page=page)
