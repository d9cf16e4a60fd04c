"""Which names files may have: the same rules for every door, each refusal a sentence."""

import re
import unicodedata
from collections.abc import Iterable

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from fabriek.kernel.errors import Invalid

COMPONENT_BYTES = 255  # what the common file systems take
PATH_CHARACTERS = 1024
# In an address each byte may take three signs, and web servers take 8,190 of them at most.
PATH_BYTES = 2400
SHOWN_CHARACTERS = 60
# Windows keeps these for devices, whatever comes after the dot.
DEVICES = {"con", "prn", "aux", "nul"} | {
    f"{x}{n}" for x in ("com", "lpt") for n in range(1, 10)
}
# A folder of such a name would make git, or the factory's own tools, take the data for theirs.
GIT, TAKEN = ".git", {".fabriek"}
# Most names hold nothing that a rule is about; to see that at once makes a long list quick.
PLAIN = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_./-]*", re.ASCII)
SPECIAL = re.compile(
    r"//|/$|\.(?:/|$)|(?:^|/)(?:\.|con|prn|aux|nul|com[0-9]|lpt[0-9])", re.ASCII | re.IGNORECASE
)
# Controls, half characters and line separators; and marks that make a name read backwards.
UNSEEN = {"Cc", "Cs", "Zl", "Zp"}
TURNING = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")


def clean(path: str) -> str:
    """Return `path` as the store keeps it: parts joined by `/`, accents in one form (NFC).

    Raises:
        Invalid: the path breaks a rule; the sentence names the path and what to do.
    """
    if len(path) <= COMPONENT_BYTES and PLAIN.fullmatch(path) and not SPECIAL.search(path):
        return path
    path = unicodedata.normalize("NFC", path)
    problem = _problem(path) or next(filter(None, map(_part_problem, path.split("/"))), None)
    if problem:
        raise _refusal(problem, path)
    return path


def clean_all(paths: Iterable[str]) -> dict[str, str]:
    """Clean several at once: {as given: as kept}. Two that become one are refused."""
    cleaned: dict[str, str] = {}
    kept: dict[str, str] = {}
    for path in paths:
        cleaned[path] = clean(path)
        if cleaned[path] in kept:
            raise named_twice(path)
        kept[cleaned[path]] = path
    return cleaned


def check_together(paths: Iterable[str]) -> None:
    """Refuse names that could not live beside each other on somebody's disk.

    Raises:
        Invalid: two names differ in capitals only, or one is a file and a folder at once.
    """
    paths = sorted(paths)
    files: dict[str, str] = {}
    for path in paths:
        other = files.setdefault(_folded(path), path)
        if other != path:
            raise _refusal(_ALIKE, path, other=shortened(other))
    # There are few folders for many files, and a file may be none of them.
    for folder in _all_folders(files) & files.keys():
        inside = next(path for path in paths if _folded(path).startswith(f"{folder}/"))
        raise _refusal(_FILE_AND_FOLDER, files[folder], other=shortened(inside))


def shortened(path: str) -> str:
    """Return the path as a sentence can carry it: not too long, nothing unseen in it."""
    seen = "".join("?" if _is_unseen(letter) else letter for letter in path)
    return seen if len(seen) <= SHOWN_CHARACTERS else f"{seen[: SHOWN_CHARACTERS - 1]}…"


_ALIKE = _(
    "“%(path)s” and “%(other)s” differ in capitals only, and many disks see those as one file. "
    "Rename one of them."
)
_FILE_AND_FOLDER = _(
    "“%(path)s” is a file, so it cannot be the folder of “%(other)s” as well. "
    "Rename one of them."
)


def _problem(path: str) -> Promise | None:
    if not path:
        return _("A file has no name. Give it one, such as data.jsonl.")
    if len(path) > PATH_CHARACTERS or len(path.encode("utf-8", "replace")) > PATH_BYTES:
        return _(
            "The name “%(path)s” is longer than 1,024 characters, or 2,400 bytes, with its "
            "folders. Shorten it."
        )
    if any(map(_is_unseen, path)):
        return _("The name “%(path)s” holds signs that cannot be seen. Leave them out.")
    if "\\" in path:
        return _("The name “%(path)s” has a backslash. Part folders with / instead.")
    if path.startswith("/") or path[1:3] in {":", ":/"}:
        return _(
            "“%(path)s” begins at the root of a disk. Name it from the dataset's own folder on."
        )
    return None


def _part_problem(part: str) -> Promise | None:
    if part in {".", ".."}:
        return _(
            "“%(path)s” steps out of the folder with “.” or “..”. Write the folders in full."
        )
    if not part:
        return _("“%(path)s” has an empty folder name. Leave out the double or last /.")
    if len(part.encode()) > COMPONENT_BYTES:
        return _(
            "The name “%(path)s” is too long: each part may be 255 bytes. Shorten the name."
        )
    if part != part.strip() or part.endswith("."):
        return _("A part of “%(path)s” begins or ends with a space or a dot. Take it away.")
    return _name_problem(part.casefold())


def _name_problem(name: str) -> Promise | None:
    if name == GIT:
        return _("“%(path)s” is git's own, and cannot be kept here. Leave out the folder .git.")
    if name in TAKEN or name.split(".", maxsplit=1)[0] in DEVICES:
        return _(
            "A part of “%(path)s” is a name that computers keep for themselves. Rename it."
        )
    return None


def named_twice(path: str) -> Invalid:
    return _refusal(_("“%(path)s” is named twice. Give each file its own name."), path)


def _refusal(sentence: Promise, path: str, **names: str) -> Invalid:
    return Invalid(sentence % ({"path": shortened(path)} | names), code="path")


def _is_unseen(letter: str) -> bool:
    return letter in TURNING or unicodedata.category(letter) in UNSEEN


def _folded(path: str) -> str:
    if path.isascii():
        return path.lower()
    return unicodedata.normalize("NFC", path.casefold())


def _all_folders(paths: Iterable[str]) -> set[str]:
    """Name each folder that holds one of these, and the folders that hold those."""
    folders: set[str] = set()
    for path in paths:
        folder = path.rpartition("/")[0]
        while folder and folder not in folders:
            folders.add(folder)
            folder = folder.rpartition("/")[0]
    return folders
