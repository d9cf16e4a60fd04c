"""Who held what of the cluster, and for how long: Slurm's accounting as it comes."""

from collections.abc import Collection, Iterator
from itertools import chain

from fabriek.engines import sacct
from fabriek.engines.base import EngineDown, UsageRecord
from fabriek.engines.slurm_ask import BEGINNING, new_mark
from fabriek.engines.slurm_shell import Shell

# More names than this are not worth a filter: all jobs of the time are read.
ACCOUNTS_MAX = 500
NO_ACCOUNTING = "accounting storage is disabled"


def records(
    shell: Shell, *, accounts: Collection[str], since: float, until: float
) -> Iterator[UsageRecord]:
    """Give the jobs of these accounts that ended from `since` until before `until`.

    The first answer is waited for here: who cannot answer says so before anything is given.

    Raises: EngineDown.
    """
    found = _records(shell, frozenset(accounts), since, until)
    first = next(found, None)
    return iter(()) if first is None else chain([first], found)


def _records(
    shell: Shell, accounts: frozenset[str], since: float, until: float
) -> Iterator[UsageRecord]:
    if not accounts:
        return
    mark = new_mark()
    for line in _said(shell, _words(accounts, since, until, mark)):
        parts = line.split(mark)
        # What others named so that it looks like a line lacks the mark.
        if len(parts) != len(sacct.FIELDS):
            continue
        record = sacct.record(dict(zip(sacct.FIELDS, parts, strict=True)))
        if record and since <= record.ended_at < until and record.account in accounts:
            yield record


def _words(accounts: Collection[str], since: float, until: float, mark: str) -> list[str]:
    words = ["sacct", "--allocations", "--duplicates", "--noheader", "--parsable2"]
    words += [f"--delimiter={mark}", f"--format={','.join(sacct.FIELDS)}", "--allusers"]
    words += [f"--starttime=uts{max(int(since), BEGINNING)}"]
    if until < float("inf"):
        # Also jobs that went on after it: which are not given, as their end is not in it.
        words += [f"--endtime=uts{max(int(until), BEGINNING) + 1}"]
    if len(accounts) <= ACCOUNTS_MAX:
        words += [f"--accounts={','.join(sorted(accounts))}"]
    return words


def _said(shell: Shell, words: list[str]) -> Iterator[str]:
    try:
        yield from shell.lines(*words)
    except EngineDown as down:
        if NO_ACCOUNTING not in str(down):
            raise
