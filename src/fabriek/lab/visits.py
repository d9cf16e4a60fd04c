"""Who is in which lab, asked again every few seconds: signing out ends what is open."""

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from django.db import close_old_connections

from fabriek.lab import queries, rules

log = logging.getLogger(__name__)

# How long an answer may be used again. Signing out ends all access within this time.
FRESH_S = 3.0
ASKED_WITHIN_S = 3.0
# How many can be watched; above it nobody more is let in.
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


Look = Callable[[Collection[str]], Mapping[str, Visit]]


class Visits:
    def __init__(self, look: Look | None = None) -> None:
        """`look` finds, of these passes, those that are good."""
        self._look = look or look_up
        self._visits: dict[str, Visit] = {}

    async def of(self, admission: str) -> Visit | None:
        """Give the visit of this pass; None if it is not good, or not any more."""
        visit = self._visits.get(admission)
        if not admission or (visit and visit.is_fresh):
            return visit
        found = (await self._asked([admission])).get(admission)
        if found is None:
            self._end(admission)
            return None
        # Whom nobody can watch is not let in.
        if admission not in self._visits and len(self._visits) >= KEPT_MAX:
            return None
        return self._kept(admission, found)

    async def watch(self) -> None:
        """Look again, for ever, at all visits under which something goes on."""
        while True:
            await asyncio.sleep(FRESH_S)
            for admission, visit in list(self._visits.items()):
                if not (visit.works or visit.is_fresh):
                    del self._visits[admission]
            if at_work := [key for key, visit in self._visits.items() if visit.works]:
                await self._look_again(at_work)

    async def _look_again(self, admissions: list[str]) -> None:
        found = await self._asked(admissions)
        for admission in admissions:
            if admission not in found:
                self._end(admission)
            elif admission in self._visits:
                self._kept(admission, found[admission])

    async def _asked(self, admissions: Collection[str]) -> Mapping[str, Visit]:
        """Ask at once for all. What cannot be asked in time is not allowed."""
        asked = asyncio.to_thread(_answered, self._look, admissions)
        try:
            return await asyncio.wait_for(asked, ASKED_WITHIN_S)
        except TimeoutError:
            log.warning("It takes too long to see who has %d passes.", len(admissions))
            return {}

    def _kept(self, admission: str, found: Visit) -> Visit:
        visit = self._visits.setdefault(admission, found)
        visit.looked_at = found.looked_at
        return visit

    def _end(self, admission: str) -> None:
        if visit := self._visits.pop(admission, None):
            for work in visit.works:
                work.cancel()


def _answered(look: Look, admissions: Collection[str]) -> Mapping[str, Visit]:
    close_old_connections()
    try:
        return look(admissions)
    # One broken answer must not end the watching.
    except Exception:
        log.exception("It cannot be seen who has this pass.")
        return {}
    finally:
        close_old_connections()


def look_up(admissions: Collection[str]) -> dict[str, Visit]:
    # Before it is asked: what changes while it is does not count as seen.
    now = time.monotonic()
    entries = queries.admitted(admissions)
    may_stay = rules.who_may_stay(entries.values())
    return {
        admission: Visit(
            key=entry.run.key,
            code=entry.run.code,
            by_token=entry.token_id is not None,
            looked_at=now,
        )
        for admission, entry in entries.items()
        if entry in may_stay
    }
