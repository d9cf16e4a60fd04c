"""Names of columns that are personal themselves, as keys of JSON or a first row can be.

What is told and decided goes by the masked name; only the worker knows which it stands for.
"""

from collections.abc import Iterable
from functools import lru_cache

from fabriek.quality.worker import rules
from fabriek.quality.worker.job import Json, clean


@lru_cache(maxsize=50_000)
def shown(name: str) -> str:
    """Give the name as it may be written down."""
    cleaned = str(clean(name))
    return rules.masked(cleaned, rules.current().hits(cleaned))


def kinds_in(name: str) -> list[str]:
    return sorted({hit.kind for hit in rules.current().hits(name)})


def apart(name: str, others: Iterable[str]) -> str:
    """Give a name that no other has: two e-mail addresses are both “[EMAIL]”."""
    wanted, again, taken = name, 2, set(others)
    while wanted in taken:
        wanted, again = f"{name} ({again})", again + 1
    return wanted


def mask(result: Json) -> None:
    """Mask all names of columns in what a look found."""
    for file in result.get("files", []):
        for column in file.get("columns", []):
            column["name"] = shown(column["name"])
    for told in [*result.get("findings", []), *result.get("problems", [])]:
        told["column"] = shown(told["column"])
