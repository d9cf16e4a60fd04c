"""Pages of long lists, the same for people (`?page=2`) and for programs."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any, Generic, TypeVar

from django.db.models import QuerySet
from django.urls import reverse
from ninja import Schema

PAGE_SIZE = 25
LARGEST_PAGE = 200
MOST_DIGITS = 18
ANY_CODE = "ANY-CODE"

Row = TypeVar("Row")


class Listing(Schema, Generic[Row]):
    """One page of a list, as the API sends it."""

    items: list[Row]
    count: int
    page: int
    size: int

    @classmethod
    def of(cls, found: "Paged[Any]", items: Iterable[Row]) -> "Listing[Row]":
        """Send rows just as they were made here.

        Handed to ninja bare, each would be checked field by field: half the cost of a long
        list, to find out that our own columns are right.
        """
        return cls.model_construct(
            items=list(items), count=found.count, page=found.page, size=found.size
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Paged(Generic[Row]):
    """One page of a list; a page past the end is the last one."""

    items: list[Row]
    count: int
    page: int
    size: int

    @property
    def pages(self) -> int:
        return max(1, -(-self.count // self.size))

    @property
    def has_previous(self) -> bool:
        return self.page > 1

    @property
    def has_next(self) -> bool:
        return self.page < self.pages


def paginate(
    rows: QuerySet[Any, Row],
    page: int | str = 1,
    size: int = PAGE_SIZE,
    *,
    counted: QuerySet[Any, Any] | None = None,
) -> Paged[Row]:
    """Cut one page out of `rows`; a page that is no number is the first.

    It takes two queries, and one where the first page holds all rows: they need no counting.
    `counted`: the same rows without columns of other tables, which would be joined in vain.
    """
    size = min(max(1, size), LARGEST_PAGE)
    number = page_number(page)
    first = list(rows[:size]) if number == 1 else []
    if number == 1 and len(first) < size:
        return Paged(items=first, count=len(first), page=1, size=size)
    count = (rows if counted is None else counted).count()
    number = min(number, max(1, -(-count // size)))
    items = first or list(rows[(number - 1) * size : number * size])
    return Paged(items=items, count=count, page=number, size=size)


@cache
def addresses(view: str) -> Callable[[str], str]:
    """Give the address of each code, with one `reverse` for all of them."""
    pattern = reverse(view, args=[ANY_CODE])
    return lambda code: pattern.replace(ANY_CODE, code)


def page_number(page: int | str) -> int:
    """Read what stands in an address; Python refuses to read numbers of thousands of digits."""
    typed = str(page)[:MOST_DIGITS]
    return max(1, int(typed)) if typed.isdecimal() else 1
