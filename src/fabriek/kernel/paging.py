"""Pages of long lists, the same for people (`?page=2`) and for programs."""

from dataclasses import dataclass
from typing import Generic, TypeVar

from django.db.models import Model, QuerySet
from ninja import Schema

PAGE_SIZE = 25
LARGEST_PAGE = 200
MOST_DIGITS = 18

Row = TypeVar("Row")
M = TypeVar("M", bound=Model)


class Listing(Schema, Generic[Row]):
    """One page of a list, as the API sends it."""

    items: list[Row]
    count: int
    page: int
    size: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Paged(Generic[M]):
    """One page of a list; a page past the end is the last one."""

    items: list[M]
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


def paginate(rows: QuerySet[M], page: int | str = 1, size: int = PAGE_SIZE) -> Paged[M]:
    """Cut one page out of `rows` with two queries; a page that is no number is the first."""
    size = min(max(1, size), LARGEST_PAGE)
    count = rows.count()
    last = max(1, -(-count // size))
    number = min(max(1, _number(page)), last)
    items = list(rows[(number - 1) * size : number * size])
    return Paged(items=items, count=count, page=number, size=size)


def _number(page: int | str) -> int:
    """Read what stands in an address; Python refuses to read numbers of thousands of digits."""
    typed = str(page)[:MOST_DIGITS]
    return int(typed) if typed.isdecimal() else 1
