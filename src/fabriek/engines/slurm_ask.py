"""Slurm's answers: its queue and its accounting, as rows."""

import re
import secrets
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from fabriek.engines.base import EngineDown
from fabriek.engines.slurm_shell import Shell
from fabriek.engines.slurm_words import (
    duration_s,
    gpus,
    moment,
    parted_status,
    state_word,
    waited_status,
)

IN_QUEUE = (
    "JobID", "UserName", "State", "Reason", "Account", "Partition", "PriorityLong", "StartTime",
    "EndTime", "TimeUsed", "RestartCnt", "exit_code", "NodeList", "SubmitTime", "Name",
)  # fmt: skip
IN_ACCOUNTING = (
    "JobIDRaw", "User", "State", "Account", "Start", "End", "ElapsedRaw", "ExitCode",
    "AllocTRES", "ReqTRES", "Submit", "JobName",
)  # fmt: skip
# sacct takes no times before this one, in 2001.
BEGINNING = 1_000_000_000
# More names than this are not worth a filter: all jobs of the time are read.
NAMES_MAX = 500


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """A job in the queue, or one stretch of a job in the accounting.

    `started_at`: when it got its GPUs; None if it never had them. `starts_at`: when Slurm
    expects a job that waits to get them; None where its scheduler has not looked so far ahead.
    `key`: what it is called now, which its user may change. `submitted_at`: or started again.
    """

    number: str
    user: str
    key: str
    account: str
    state: str
    reason: str = ""
    submitted_at: float | None = None
    started_at: float | None = None
    starts_at: float | None = None
    ended_at: float | None = None
    elapsed_s: int = 0
    restarts: int = 0
    exit_code: int | None = None
    gpus: int = 0
    position: int | None = None


class Slurm:
    """The questions."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell

    def queue(self) -> list[Row]:
        """Everybody's jobs that wait, run, or have ended a few minutes ago."""
        mark = new_mark()
        wanted = ",".join(f"{field}:{mark}" for field in IN_QUEUE)
        told = self._shell.ask(
            "squeue", "--all", "--states=all", "--noheader", f"--Format={wanted}"
        )
        if told.code:
            raise EngineDown(f"squeue: {told.err.strip()[:300]}")
        return [row for row in queue_rows(told.out, mark) if not _was_refused(row)]

    def accounting(
        self,
        *,
        since: float,
        numbers: Collection[str] = (),
        keys: Collection[str] = (),
    ) -> list[Row] | None:
        """Stretches of everybody's jobs that lasted after `since`, oldest first.

        `numbers`, `keys`: only jobs with one of these numbers, or one of these names.

        None: no accounting is kept.
        """
        filters = [
            f"--{option}={','.join(sorted(wanted))}"
            for option, wanted in (("jobs", numbers), ("name", keys))
            if wanted
        ]
        if len(numbers) + len(keys) > NAMES_MAX:
            filters = [""]
        rows: dict[Row, None] = {}  # each once, in order
        for some in filters:
            told = self._accounting(some, since)
            if told is None:
                return None
            rows |= dict.fromkeys(told)
        return sorted(rows, key=lambda row: row.started_at or row.ended_at or 0)

    def _accounting(self, some: str, since: float) -> list[Row] | None:
        mark = new_mark()
        # Of all users: sacct answers nothing at all when one of those it is told is not there.
        words = ["--allusers", "--allocations", "--duplicates", "--noheader", "--parsable2"]
        words += [f"--delimiter={mark}", f"--format={','.join(IN_ACCOUNTING)}"]
        words += [f"--starttime=uts{max(int(since), BEGINNING)}"]
        told = self._shell.ask("sacct", *words, *([some] if some else []))
        if told.code and "accounting storage is disabled" in told.err:
            return None
        if told.code:
            raise EngineDown(f"sacct: {told.err.strip()[:300]}")
        return [row for row in accounting_rows(told.out, mark) if not _was_refused(row)]


def queue_rows(said: str, mark: str) -> list[Row]:
    """Read what squeue printed, each field with `mark` behind it."""
    waiting: dict[str, list[tuple[int, int, int]]] = {}
    rows: list[tuple[dict[str, str], str, bool]] = []
    for field in fields(said, mark, IN_QUEUE):
        state = state_word(field["State"])
        held = bool(field["NodeList"])
        if state == "PENDING":
            waiting.setdefault(field["Partition"], []).append((*_turn(field), len(rows)))
        rows.append((field, state, held))
    places = {
        index: position
        for queue in waiting.values()
        for position, (_, _, index) in enumerate(sorted(queue), 1)
    }
    return [
        Row(
            number=field["JobID"],
            user=field["UserName"],
            key=field["Name"],
            account=field["Account"],
            state=state,
            reason="" if field["Reason"] == "None" else field["Reason"],
            submitted_at=moment(field["SubmitTime"]),
            started_at=moment(field["StartTime"]) if held else None,
            starts_at=moment(field["StartTime"]) if state == "PENDING" and not held else None,
            ended_at=moment(field["EndTime"]),
            elapsed_s=duration_s(field["TimeUsed"]) if held else 0,
            restarts=int(field["RestartCnt"] or 0),
            exit_code=waited_status(field["exit_code"]),
            position=places.get(index),
        )
        for index, (field, state, held) in enumerate(rows)
    ]


def _turn(field: dict[str, str]) -> tuple[int, int]:
    """Order as Slurm does: by priority, and by age where that is the same."""
    number = re.match(r"\d+", field["JobID"])
    return -int(field["PriorityLong"] or 0), int(number[0]) if number else 0


def accounting_rows(said: str, mark: str) -> list[Row]:
    """Read what sacct printed with `mark` between fields."""
    rows = []
    for field in fields(said, mark, IN_ACCOUNTING, closed=False):
        held, count = bool(field["AllocTRES"]), gpus(field["AllocTRES"])
        # Slurm may start a job without the GPUs it asked for: see slurm_program.
        is_bare = not count and gpus(field["ReqTRES"]) > 0
        rows.append(
            Row(
                number=field["JobIDRaw"],
                user=field["User"],
                key=field["JobName"],
                account=field["Account"],
                state=state_word(field["State"]),
                submitted_at=moment(field["Submit"]),
                started_at=moment(field["Start"]) if held else None,
                ended_at=moment(field["End"]),
                elapsed_s=int(field["ElapsedRaw"] or 0) if held and not is_bare else 0,
                exit_code=parted_status(field["ExitCode"]),
                gpus=count,
            )
        )
    return sorted(rows, key=lambda row: row.started_at or row.ended_at or 0)


def fields(
    said: str, mark: str, names: tuple[str, ...], *, closed: bool = True
) -> Iterator[dict[str, str]]:
    """Cut lines into fields. What others named so that it looks like a line lacks the mark."""
    for line in said.split("\n"):
        parts = line.removesuffix(mark).split(mark) if closed else line.split(mark)
        if len(parts) == len(names) and line.endswith(mark) >= closed:
            yield dict(zip(names, parts, strict=True))


def _was_refused(row: Row) -> bool:
    # Slurm writes down as FAILED what it did not take; a job that waits cannot fail.
    return row.state == "FAILED" and row.started_at is None


def new_mark() -> str:
    """Make a sign between fields that nobody can have put into the name of a job."""
    return f"~{secrets.token_hex(6)}~"
