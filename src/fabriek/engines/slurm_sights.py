"""From Slurm's rows about one job to what the factory is told."""

import time

from fabriek.engines.base import Phase, Reason, Sighting
from fabriek.engines.slurm_ask import Row
from fabriek.engines.slurm_home import Home, Trail
from fabriek.engines.slurm_program import NO_GPUS, NO_PROGRESS, NOT_REQUEUED, STOPPED, TIMEOUT
from fabriek.engines.slurm_words import phase, reason

ACCOUNTING_SILENT = "accounting_silent"
# What the accounting did not tell by then, it never will; clocks may differ by minutes.
TOLD_WITHIN_S = 900
# What a job's own program may say of its end; a job may write what it likes there.
STOPPED_FOR = {
    TIMEOUT: Reason.TIMEOUT,
    NO_PROGRESS: Reason.NO_PROGRESS,
    NOT_REQUEUED: Reason.NOT_REQUEUED,
    NO_GPUS: Reason.NO_GPUS,
}


class Sights:
    def __init__(self, home: Home) -> None:
        self._home = home

    def chosen(self, key: str, rows: list[Row]) -> Row:
        """Give the last word on the job that is ours, should others have its name."""
        number = self._home.number(key) or rows[0].number
        ours = [row for row in rows if row.number == number]
        return (ours or rows)[-1]

    def sighting(
        self,
        key: str,
        standing: Row | None,
        stretches: list[Row] | None,
        *,
        is_accounted: bool = True,
    ) -> Sighting | None:
        """Say what is known. `stretches` None: the accounting is there, but does not answer.

        A job may write what it likes into its folder, also while it runs. So the folder is
        believed only where no accounting is kept, or that was never told of the job's end.
        """
        known = standing or (self.chosen(key, stretches) if stretches else None)
        if stretches is None and self._needs_past(key, standing):
            return Sighting(Phase.UNKNOWN, reason=ACCOUNTING_SILENT)
        if known is None:
            return None if is_accounted else self._told_by_folder(key)
        if standing is None and not _concludes(known):
            return self._told_by_folder(key)
        if _is_to_be_told(known):
            return Sighting(Phase.UNKNOWN, reason=ACCOUNTING_SILENT)
        earlier = [row for row in stretches or () if _is_earlier(row, known)]
        if is_accounted and _ended_before_all_is_told(standing, earlier):
            return Sighting(Phase.UNKNOWN, reason=ACCOUNTING_SILENT)
        return self._told(key, known, earlier)

    def _needs_past(self, key: str, standing: Row | None) -> bool:
        if standing is None:
            return self._home.knows(key)
        return bool(standing.restarts) and phase(standing.state).is_final

    def _told(self, key: str, row: Row, earlier: list[Row]) -> Sighting:
        now = phase(row.state)
        starts = [one.started_at for one in (*earlier, row) if one.started_at is not None]
        started_at = min(starts, default=None)
        held_s = row.elapsed_s + sum(one.elapsed_s for one in earlier)
        if len(earlier) < row.restarts:  # no accounting, or it does not tell
            held_s = max(held_s, self._held_by_folder(key, row))
        if not now.is_final:
            why = row.state if now is Phase.UNKNOWN else row.reason
            return Sighting(
                now,
                held_s,
                why,
                started_at=started_at,
                queue_position=row.position,
                starts_at=row.starts_at,
                starts=row.restarts + (row.started_at is not None),
            )
        trail = self._home.trail(key) if row.started_at else Trail()
        code = row.exit_code if trail.exit_code is None else trail.exit_code
        code = 0 if now is Phase.SUCCEEDED else code
        stopped_for = STOPPED_FOR.get(trail.stopped_for) if row.exit_code == STOPPED else None
        return Sighting(
            now,
            held_s,
            stopped_for or reason(row.state, code),
            exit_code=code,
            started_at=started_at,
            ended_at=row.ended_at,
            # The accounting has a row for each start, the queue a count.
            starts=max(len(starts), row.restarts + (row.started_at is not None)),
        )

    def _held_by_folder(self, key: str, row: Row) -> int:
        held_s = self._home.trail(key).held_s
        return held_s if phase(row.state).is_final else held_s + row.elapsed_s

    def _told_by_folder(self, key: str) -> Sighting | None:
        """For a cluster without accounting, or one that lost its queue."""
        trail = self._home.trail(key)
        if trail.exit_code is None:
            return None
        cancelled = self._home.is_cancel_wished(key) and trail.exit_code
        state = "COMPLETED" if not trail.exit_code else "CANCELLED" if cancelled else "FAILED"
        return Sighting(
            phase(state),
            trail.held_s,
            STOPPED_FOR.get(trail.stopped_for) or reason(state, trail.exit_code),
            exit_code=trail.exit_code,
            started_at=trail.started_at,
            ended_at=trail.ended_at,
        )


def _concludes(row: Row) -> bool:
    """Whether a job that is not in the queue ended as its last stretch says.

    The accounting may call a job running for ever when its end was never told.
    """
    return phase(row.state).is_final or phase(row.state) is Phase.UNKNOWN


def _is_to_be_told(row: Row) -> bool:
    """Whether the accounting knows how a job ended, but not when: what it held still grows.

    So it is for seconds after slurmdbd was away: it is told of starts first, then of ends.
    """
    return phase(row.state).is_final and row.ended_at is None and row.started_at is not None


def _ended_before_all_is_told(standing: Row | None, earlier: list[Row]) -> bool:
    """Whether the queue counts more starts of a job that ended than the accounting knows of.

    So it is for seconds after slurmdbd was away; what is told then would bill too little. Nor
    is it waited for without end: a start in the second of another is never told apart.
    """
    if standing is None or standing.ended_at is None or not phase(standing.state).is_final:
        return False
    is_recent = time.time() - standing.ended_at < TOLD_WITHIN_S
    return is_recent and len(earlier) < standing.restarts


def _is_earlier(row: Row, last: Row) -> bool:
    return (
        row.number == last.number
        and row.ended_at is not None
        and row.started_at is not None
        and row.started_at != last.started_at
    )
