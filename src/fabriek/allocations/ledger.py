"""The accounting core: what may be granted, held, spent and expired, as lines only ever added.

Every function takes the lines written so far, in the order they were written, and returns the
new ones for the caller to store in the same transaction. A line's key is unique and follows
from what happened, so doing anything twice returns nothing new, and two doing it at once
collide on the key. What each kind of line means stands in `lines.py`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime

from fabriek.allocations.ledger_refusals import (
    BeyondBill,
    LedgerRefusal,
    NoHold,
    NotSettled,
    OutsideTerm,
    Short,
)
from fabriek.allocations.lines import (
    AROUND,
    BILLED,
    FACTORY,
    Balance,
    Line,
    LineKind,
    Term,
    Use,
    balance,
    balance_by_share,
    bill,
    has,
    is_billed,
    left_by_share,
    open_holds,
    overrun,
    overruns_since_hold,
    sums_by_share,
)

__all__ = [
    "FACTORY",
    "Balance",
    "BeyondBill",
    "LedgerRefusal",
    "Line",
    "LineKind",
    "NoHold",
    "NotSettled",
    "OutsideTerm",
    "Short",
    "Term",
    "Use",
    "balance",
    "balance_by_share",
    "bill",
    "charge",
    "counter",
    "expire",
    "extend",
    "grant",
    "hold",
    "open_holds",
    "overrun",
    "settle",
]


def grant(
    lines: Sequence[Line], *, key: str, share: str, gpu_seconds: int, at: datetime
) -> tuple[Line, ...]:
    _check(gpu_seconds > 0, "a grant is more than nothing")
    new = _lines(LineKind.GRANT, "", {_word(share): gpu_seconds}, at, name=_word(key))
    return () if any(line.key == new[0].key for line in lines) else new


def hold(
    lines: Sequence[Line], *, run_key: str, gpu_seconds: int, term: Term, at: datetime
) -> tuple[Line, ...]:
    """Set GPU time aside for a run, oldest share first.

    Raises:
        OutsideTerm: `at` lies before the first or after the last day.
        Short: less than `gpu_seconds` is left.
    """
    _check(gpu_seconds > 0, "a hold is more than nothing")
    if has(lines, LineKind.HOLD, run_key):
        return ()
    if not term.is_open(at):
        raise OutsideTerm(day=term.day_of(at), term=term)
    return _lines(LineKind.HOLD, run_key, _charge(lines, gpu_seconds), at)


def settle(
    lines: Sequence[Line], *, run_key: str, gpu_seconds_used: int, at: datetime
) -> tuple[Line, ...]:
    """Release what was held for a run and spend what it used.

    Use beyond the hold is taken from what is left, and what that cannot cover is an overrun. A
    run that overran while this one was still holding time is paid from what this one did not
    use: otherwise the bill would depend on which of the two was looked at first.

    Raises:
        NoHold: this run never held anything.
    """
    _check(gpu_seconds_used >= 0, "nobody uses less than nothing")
    held = sums_by_share(lines, run_key, {LineKind.HOLD})
    if not held:
        raise NoHold(run_key)
    if has(lines, LineKind.RELEASE, run_key):
        return ()
    spent = _take(held, gpu_seconds_used)
    beyond = gpu_seconds_used - sum(spent.values())
    freed = {share: part - spent.get(share, 0) for share, part in held.items()}
    left = left_by_share(lines)
    spent = _add(left, spent, _take(left, beyond))
    new = (
        *_lines(LineKind.RELEASE, run_key, held, at),
        *_lines(LineKind.SPEND, run_key, spent, at),
    )
    if uncovered := gpu_seconds_used - sum(spent.values()):
        return (*new, *_lines(LineKind.OVERRUN, run_key, {FACTORY: uncovered}, at))
    return (*new, *_pay_overruns(lines, freed, freed_by=run_key, at=at))


def charge(lines: Sequence[Line], *, uses: Iterable[Use], at: datetime) -> tuple[Line, ...]:
    """Spend what jobs used for which nothing was held: they went around the portal.

    What is left pays, oldest share first; what that cannot cover is an overrun. Many at once,
    as somebody may submit ten thousand. A use that was charged before changes nothing.
    """
    charged = {line.run_key for line in lines}
    left = left_by_share(lines)
    new: list[Line] = []
    for use in uses:
        _check(use.gpu_seconds >= 0, "nobody uses less than nothing")
        if use.key in charged:
            continue
        charged.add(use.key)
        parts = _take(left, use.gpu_seconds)
        left = {share: part - parts.get(share, 0) for share, part in left.items()}
        made = _lines(LineKind.SPEND, use.key, parts, at)
        if uncovered := use.gpu_seconds - sum(parts.values()):
            made += _lines(LineKind.OVERRUN, use.key, {FACTORY: uncovered}, at)
        new += [replace(line, note=use.note) for line in made]
    return tuple(new)


def counter(
    lines: Sequence[Line], *, key: str, corrects: str, gpu_seconds: int, at: datetime, note: str
) -> tuple[Line, ...]:
    """Correct the bill of the run or use `corrects`, up (positive) or down (negative).

    Up takes what is left, and what that cannot cover is an overrun, as in `settle`. Down first
    takes away what the factory bore, then gives back to the shares, the youngest first: the
    reverse of how they were charged.

    Raises:
        NotSettled: it has no bill yet: the run was not settled, the use not charged.
        BeyondBill: more would be given back than was billed.
    """
    name = f"{_word(corrects)}:{_word(key)}"
    if any(line.key.rpartition(":")[0] == f"{LineKind.COUNTER}:{name}" for line in lines):
        return ()
    if not is_billed(lines, corrects):
        raise NotSettled(corrects)
    if gpu_seconds > 0:
        parts = _take(left_by_share(lines), gpu_seconds)
        if uncovered := gpu_seconds - sum(parts.values()):
            parts[FACTORY] = uncovered
    else:
        parts = _give_back(lines, corrects, -gpu_seconds)
    new = _lines(LineKind.COUNTER, corrects, parts, at, name=name)
    return tuple(replace(line, kind=_correction_of(line.share), note=note) for line in new)


def expire(lines: Sequence[Line], *, term: Term, at: datetime) -> tuple[Line, ...]:
    """Take away what is left after the last day; what living runs hold stays until settled."""
    if not term.is_over(at):
        return ()
    left = {share: part for share, part in left_by_share(lines).items() if part}
    times = sum(line.kind == LineKind.EXPIRE for line in lines)
    return _lines(LineKind.EXPIRE, "", left, at, name=str(times))


def extend(
    lines: Sequence[Line], *, term: Term, ends_on: date, at: datetime
) -> tuple[Term, tuple[Line, ...]]:
    """Move the last day, and give back what had expired: one line per share, even of nothing.

    Those lines are the record of the extension, and what makes repeating it harmless.
    """
    is_known = any(line.key.startswith(f"{LineKind.EXTEND}:{ends_on}:") for line in lines)
    if is_known or ends_on == term.ends_on:
        return term, ()
    _check(ends_on > term.ends_on, "an extension ends later")
    expired = {share: part.expired for share, part in balance_by_share(lines).items()}
    longer = Term(starts_on=term.starts_on, ends_on=ends_on, zone=term.zone)
    return longer, _lines(LineKind.EXTEND, "", expired, at, name=str(ends_on))


def _charge(lines: Sequence[Line], gpu_seconds: int) -> dict[str, int]:
    parts = _take(left_by_share(lines), gpu_seconds)
    if missing := gpu_seconds - sum(parts.values()):
        raise Short(missing=missing)
    return parts


def _give_back(lines: Sequence[Line], run_key: str, gpu_seconds: int) -> dict[str, int]:
    billed = sums_by_share(lines, run_key, BILLED)
    shares = (FACTORY, *reversed(balance_by_share(lines)))
    parts = _take({share: billed.get(share, 0) for share in shares}, gpu_seconds)
    if missing := gpu_seconds - sum(parts.values()):
        raise BeyondBill(missing=missing)
    return {share: -part for share, part in parts.items()}


def _correction_of(share: str) -> LineKind:
    return LineKind.OVERRUN if share == FACTORY else LineKind.COUNTER


def _pay_overruns(
    lines: Sequence[Line], freed: Mapping[str, int], *, freed_by: str, at: datetime
) -> tuple[Line, ...]:
    new: list[Line] = []
    pool = dict(freed)
    for run_key, owed in overruns_since_hold(lines, freed_by).items():
        parts = _take(pool, owed)
        if not parts:
            continue
        pool = {share: part - parts.get(share, 0) for share, part in pool.items()}
        name = f"{run_key}:{freed_by}"
        owed_less = {FACTORY: -sum(parts.values())}
        paid = (
            *_lines(LineKind.SPEND, run_key, parts, at, name=name),
            *_lines(LineKind.OVERRUN, run_key, owed_less, at, name=name),
        )
        new += [replace(line, note=_whose(lines, run_key)) for line in paid]
    return tuple(new)


def _whose(lines: Iterable[Line], key: str) -> str:
    """Give the user of a job that went around the portal; runs have one of their own."""
    if not key.startswith(AROUND):
        return ""
    return next((line.note for line in lines if line.run_key == key), "")


def _take(pools: Mapping[str, int], gpu_seconds: int) -> dict[str, int]:
    """Take up to `gpu_seconds` from the pools in their order; leave out those not touched."""
    taken: dict[str, int] = {}
    for share, available in pools.items():
        part = min(available, gpu_seconds)
        if part > 0:
            taken[share] = part
            gpu_seconds -= part
    return taken


def _add(order: Iterable[str], *parts: Mapping[str, int]) -> dict[str, int]:
    sums = {share: sum(part.get(share, 0) for part in parts) for share in order}
    return {share: part for share, part in sums.items() if part}


def _lines(
    kind: LineKind, run_key: str, parts: Mapping[str, int], at: datetime, *, name: str = ""
) -> tuple[Line, ...]:
    return tuple(
        Line(
            key=f"{kind}:{name or _word(run_key)}:{share}",
            kind=kind,
            share=share,
            gpu_seconds=part,
            at=at,
            run_key=run_key,
        )
        for share, part in parts.items()
    )


def _word(text: str) -> str:
    _check(text != "" and ":" not in text, "a key is not empty and holds no colon")
    return text


def _check(is_right: bool, rule: str) -> None:
    if not is_right:
        raise ValueError(rule)
