"""The shape of what a page tells of a recipe to somebody who has to choose."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Instead:
    """Another recipe that does better in some case; `recipe` is its name."""

    when: str
    recipe: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Guide:
    """What somebody reads who has to choose. `example`: the first lines of a file."""

    fits: tuple[str, ...]
    instead: tuple[Instead, ...]
    bring: str
    example: str
    get: str
    rough: str
    after: str
