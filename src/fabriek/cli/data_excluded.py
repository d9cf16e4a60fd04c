"""What `--exclude` leaves out: as `hf upload` has it, by the whole name below the folder.

`*` stands for any signs, also for a `/`; `.git/` is written for `.git/*`.
"""

import re
import unicodedata
from collections.abc import Callable, Sequence
from fnmatch import translate


class Unfit(Exception):
    """What was named cannot be pushed so: a sentence that says why, and what to do."""


class Excluded:
    """Some patterns, and which of them have left something out."""

    def __init__(self, patterns: Sequence[str]) -> None:
        self._rules = [(pattern, _rule(pattern)) for pattern in patterns]
        self._used: set[str] = set()

    def __bool__(self) -> bool:
        return bool(self._rules)

    def has(self, name: str) -> bool:
        """Tell whether what is called so is left out."""
        by = [pattern for pattern, matches in self._rules if matches(name)]
        self._used.update(by)
        return bool(by)

    def has_all_in(self, folder: str) -> bool:
        """Tell whether all that lies in a folder is left out, whatever it is called.

        Raises: Unfit (its name is left out, and what lies in it is not: that is never meant).
        """
        inside = f"{folder}/"
        by = [
            pattern
            for pattern, matches in self._rules
            if pattern.endswith(("*", "/")) and matches(inside)
        ]
        self._used.update(by)
        if not by and (mistaken := [one for one, matches in self._rules if matches(folder)]):
            raise Unfit(
                f"--exclude '{mistaken[0]}' leaves out no folder, and {folder} is one. "
                f"To leave out all in it, write: --exclude '{mistaken[0]}/'"
            )
        return bool(by)

    def unused(self) -> list[str]:
        """Name the patterns that left nothing out."""
        return [pattern for pattern, _matches in self._rules if pattern not in self._used]


def _rule(pattern: str) -> Callable[[str], object]:
    if not pattern:
        raise Unfit("--exclude '' says nothing. Write a pattern, such as '*.tmp' or '.git/'.")
    whole = f"{pattern}*" if pattern.endswith("/") else pattern
    return re.compile(translate(unicodedata.normalize("NFC", whole))).match
