"""Who is in which lab, asked again every few seconds: signing out ends what is open."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from django.db import close_old_connections

from fabriek.lab import queries, rules

log = logging.getLogger(__name__)

# How long an answer may be used again. Signing out ends all access within this time.
FRESH_S = 3.0
# How many that nobody is in any more may be remembered.
KEPT_MAX = 10_000


@dataclass(kw_only=True, slots=True)
class Visit:
    """One pass that was good when it was last looked at, and what goes on under it."""

    key: str
    code: str
    by_token: bool
    looked_at: float
    works: set["asyncio.Task[object]"] = field(default_factory=set)

    @property
    def is_fresh(self) -> bool:
        return time.monotonic() - self.looked_at < FRESH_S

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Be ended when the visit is."""
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("only a task can be ended")
        self.works.add(task)
        try:
            yield
        finally:
            self.works.discard(task)


class Visits:
    def __init__(self, look: Callable[[str], Visit | None] | None = None) -> None:
        self._look = look or look_up
        self._visits: dict[str, Visit] = {}

    async def of(self, admission: str) -> Visit | None:
        """Give the visit of this pass; None if it is not good, or not any more."""
        visit = self._visits.get(admission)
        if not admission or (visit and visit.is_fresh):
            return visit
        return await self._looked_at(admission)

    async def watch(self) -> None:
        """Look again, for ever, at all visits under which something goes on."""
        while True:
            await asyncio.sleep(FRESH_S)
            for admission, visit in list(self._visits.items()):
                if visit.works:
                    await self._looked_at(admission)
                elif not visit.is_fresh:
                    self._visits.pop(admission, None)

    async def _looked_at(self, admission: str) -> Visit | None:
        found = await asyncio.to_thread(self._asked, admission)
        visit = self._visits.get(admission)
        if found is None:
            self._end(admission)
            return None
        if visit:
            visit.looked_at = found.looked_at
            return visit
        if len(self._visits) < KEPT_MAX:
            self._visits[admission] = found
        return found

    def _asked(self, admission: str) -> Visit | None:
        close_old_connections()
        try:
            return self._look(admission)
        # What cannot be asked is not allowed; one broken answer must not end the watching.
        except Exception:
            log.exception("It cannot be seen who has this pass.")
            return None
        finally:
            close_old_connections()

    def _end(self, admission: str) -> None:
        if visit := self._visits.pop(admission, None):
            for work in visit.works:
                work.cancel()


def look_up(admission: str) -> Visit | None:
    entry = queries.admitted(admission)
    if entry is None or not rules.may_stay(entry):
        return None
    return Visit(
        key=entry.run.key,
        code=entry.run.code,
        by_token=entry.token_id is not None,
        looked_at=time.monotonic(),
    )
