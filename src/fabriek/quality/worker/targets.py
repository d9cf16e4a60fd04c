"""Under which path what was made of a file goes into the new revision."""

import unicodedata
from pathlib import PurePosixPath

from fabriek.quality.worker.job import Given


class Targets:
    """No path is given twice, and none that another file of the revision has.

    Also paths that differ in capitals only, or are a file and a folder at once, are one here.
    """

    def __init__(self, files: list[Given]) -> None:
        self.taken: set[str] = set()
        for file in files:
            self._take(file.path)

    def of(self, file: Given, *, ending: str = "") -> str:
        """Give the path of the file itself where it can stay, else one that is free."""
        whole = PurePosixPath(file.path.removesuffix(".gz").removesuffix(".zst"))
        wanted = whole.with_suffix(ending) if ending else whole
        path, again = str(wanted), 2
        while path != file.path and _folded(path) in self.taken:
            path = str(wanted.with_name(f"{wanted.stem}-{again}{wanted.suffix}"))
            again += 1
        self._take(path)
        return path

    def _take(self, path: str) -> None:
        place = PurePosixPath(_folded(path))
        self.taken.add(str(place))
        self.taken |= {str(folder) for folder in place.parents}


def _folded(path: str) -> str:
    return unicodedata.normalize("NFC", path).casefold()
