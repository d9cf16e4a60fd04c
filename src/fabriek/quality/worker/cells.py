"""What is done to each cell of a column that somebody decided about."""

import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, time
from typing import Any

from fabriek.quality.worker import headings, keys, rules
from fabriek.quality.worker.job import Job, Json, Trouble
from fabriek.quality.worker.names import Names
from fabriek.quality.worker.rules import Hit

PSEUDONYM_SIGNS = 32  # 128 bits: two values never share one by chance
DROP, MASK, PSEUDONYMISE = "drop", "mask", "pseudonymise"

Change = Callable[[Any], Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Way:
    """How a cell is masked. `keys_stay`: they are a schema, as in Parquet, and no data."""

    kinds: frozenset[str]
    with_names: bool
    keys_stay: bool
    named: frozenset[str] = frozenset()


class Treatment:
    """The decisions by column, ready to be done to a cell."""

    def __init__(self, job: Job, names: Names) -> None:
        self.job, self.names = job, names
        self.decided: dict[str, Json] = job.asked["decisions"]
        self.key = bytes.fromhex(job.secret)

    @property
    def wants_names(self) -> bool:
        return any(
            one["choice"] == MASK and "name" in one["kinds"] and "name" not in one["whole"]
            for one in self.decided.values()
        )

    def touches(self, columns: list[str]) -> list[str]:
        return [name for name in columns if headings.shown(name) in self.decided]

    def is_dropped(self, column: str) -> bool:
        return bool(self._of(column)["choice"] == DROP)

    def of(self, column: str, *, keys_stay: bool = False) -> Change:
        """Give what is done to each cell of a column; nothing stays nothing.

        `keys_stay`: what is nested keeps its form. Raises: Trouble, where it cannot.
        """
        decided = self._of(column)
        if decided["choice"] == PSEUDONYMISE:
            if keys_stay:
                raise nested(column)
            return self.pseudonym
        if decided["whole"]:
            sign = sign_of(decided["whole"][0])
            return lambda cell: _signed(cell, sign, keys_stay=keys_stay)
        kinds = frozenset(decided["kinds"])
        way = Way(kinds=kinds, with_names="name" in kinds, keys_stay=keys_stay)
        return lambda cell: self._masked(cell, way, column)

    def pseudonym(self, cell: object) -> str | None:
        """Give the same sign for the same value, in all columns and files of the dataset."""
        if cell is None:
            return None
        text = cell if isinstance(cell, str) else written(cell)
        digest = hmac.new(self.key, text.strip().encode(), hashlib.sha256).hexdigest()
        return digest[:PSEUDONYM_SIGNS]

    def _of(self, column: str) -> Json:
        return self.decided[headings.shown(column)]

    def _masked(self, cell: Any, way: Way, column: str) -> Any:  # noqa: ANN401  any JSON
        if not isinstance(cell, dict | list):
            return self._walk(cell, way)
        # The look read it as one text, where a word in one place tells what another is.
        after = self._walk(cell, way)
        if not (left := _left(after)):
            return after
        after = self._walk(after, replace(way, named=way.kinds | left))
        if _left(after):
            raise nested(column)
        return after

    def _walk(self, cell: Any, way: Way) -> Any:  # noqa: ANN401  any JSON
        if isinstance(cell, dict):
            return self._record(cell, way)
        if isinstance(cell, list):
            return [self._walk(one, way) for one in cell]
        if isinstance(cell, tuple):  # a pair of a map
            return tuple(self._walk(one, way) for one in cell)
        if cell is None or isinstance(cell, bool | bytes):
            return cell
        text = cell if isinstance(cell, str) else str(cell)
        hits = rules.current().hits(text, named=way.named)
        if way.with_names:
            hits = _with_names(hits, self._names(text))
        return rules.masked(text, hits) if hits else cell

    def _record(self, cell: Json, way: Way) -> Json:
        after: Json = {}
        for key, value in cell.items():
            # The key says what stands there, as the name of a column does.
            told = keys.told_by(key)
            name = key if way.keys_stay else headings.apart(self._walk(key, way), after)
            if (kinds := sorted(told & way.kinds)) and value not in ("", [], {}):
                after[name] = _signed(value, sign_of(kinds[0]), keys_stay=way.keys_stay)
            else:
                after[name] = self._walk(value, replace(way, named=way.named | told))
        return after

    def _names(self, text: str) -> list[tuple[int, int]]:
        """Read names; a reader that stopped halfway must not look like one that found none."""
        found = self.names.found(text)
        if not self.names.are_read:
            raise Trouble("no_names")
        return found


def sign_of(kind: str) -> str:
    return f"[{kind.upper().replace(':', ' ')}]"


def nested(column: str) -> Trouble:
    return Trouble("nested_column", column=headings.shown(column))


def written(value: object) -> str:
    """Write a number as people do: 12 and 12.0 are one value, so that joins survive."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, sort_keys=True)
    return str(value)


def _left(cell: object) -> frozenset[str]:
    text = json.dumps(cell, ensure_ascii=False, default=_plain, separators=(",", ":"))
    return frozenset(hit.kind for hit in rules.current().hits(text))


def _plain(value: object) -> str:
    """Write what JSON does not know; of bytes nothing is looked at."""
    return str(value) if isinstance(value, date | time) else ""


def _signed(cell: Any, sign: str, *, keys_stay: bool) -> Any:  # noqa: ANN401  any JSON
    if cell is None:
        return None
    if keys_stay and isinstance(cell, dict):
        return {key: _signed(one, sign, keys_stay=True) for key, one in cell.items()}
    if keys_stay and isinstance(cell, list | tuple):
        return type(cell)(_signed(one, sign, keys_stay=True) for one in cell)
    return sign


def _with_names(hits: list[Hit], names: list[tuple[int, int]]) -> list[Hit]:
    apart = [
        Hit("name", start, end)
        for start, end in names
        if all(end <= hit.start or start >= hit.end for hit in hits)
    ]
    return [*hits, *apart]
