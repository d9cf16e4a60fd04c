"""How large the factory is that is measured, and what its parts share."""

import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from django.db.models import Model
from django.utils import timezone

ROWS_AT_ONCE = 2000
SEED = 2026

M = TypeVar("M", bound=Model)


@dataclass(frozen=True, kw_only=True, slots=True)
class Size:
    """Every tenth organisation brings in cases; each case has 3 awards and 100 runs."""

    cases: int = 1000
    organisations: int = 1000
    persons: int = 5000
    memberships_each: int = 4
    runs_a_case: int = 100
    living_a_case: int = 5
    runs_with_metrics: int = 400

    @property
    def asking(self) -> int:
        return self.organisations // 10


FULL = Size()
SMALL = Size(cases=50, organisations=50, persons=250, runs_with_metrics=40)


@dataclass(kw_only=True, slots=True)
class Making:
    """The size asked for, the same dice each time, and the moment everything is told from."""

    size: Size
    dice: random.Random = field(default_factory=lambda: random.Random(SEED))
    now: datetime = field(default_factory=timezone.now)

    def code(self, letter: str, number: int) -> str:
        return f"{letter}{timezone.localdate(self.now):%y}-{number:04d}"


def keep(model: type[M], rows: Iterable[M]) -> list[M]:
    return model._default_manager.bulk_create(list(rows), batch_size=ROWS_AT_ONCE)
