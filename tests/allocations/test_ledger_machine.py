"""The ledger under random work: a second, simpler bookkeeping must always agree with it."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from fabriek.allocations import ledger
from fabriek.allocations.ledger import Line, LineKind, Term, Use

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
TERM = Term(starts_on=date(2026, 3, 1), ends_on=date(2026, 3, 31))
AMOUNTS = st.integers(1, 40)
SHARES = st.sampled_from(["eu", "nl", "nij_begun"])

Write = Callable[[], tuple[Line, ...]]


class LedgerMachine(RuleBasedStateMachine):
    """Counts on its own: grants per share, open holds and bills."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: tuple[Line, ...] = ()
        self.now = START
        self.term = TERM
        self.granted: dict[str, int] = {}
        self.holds: dict[str, int] = {}
        self.bills: dict[str, int] = {}
        self.serial = 0

    def name(self, prefix: str) -> str:
        self.serial += 1
        return f"{prefix}{self.serial}"

    def left(self) -> int:
        return ledger.balance(self.lines).left

    def write(self, again: Write) -> tuple[Line, ...]:
        """Do it, then do it once more: nothing new may come of it."""
        new = again()
        self.lines += new
        assert again() == ()
        return new

    @rule(share=SHARES, gpu_seconds=AMOUNTS)
    def grant(self, share: str, gpu_seconds: int) -> None:
        key = self.name("g")

        self.write(
            lambda: ledger.grant(
                self.lines, key=key, share=share, gpu_seconds=gpu_seconds, at=self.now
            )
        )

        self.granted[share] = self.granted.get(share, 0) + gpu_seconds

    @rule(gpu_seconds=AMOUNTS)
    def hold(self, gpu_seconds: int) -> None:
        run_key, left = self.name("r"), self.left()

        def write() -> tuple[Line, ...]:
            return ledger.hold(
                self.lines,
                run_key=run_key,
                gpu_seconds=gpu_seconds,
                term=self.term,
                at=self.now,
            )

        if self.now.date() > self.term.ends_on:
            with pytest.raises(ledger.OutsideTerm):
                write()
        elif gpu_seconds > left:
            with pytest.raises(ledger.Short) as refusal:
                write()
            assert refusal.value.missing == gpu_seconds - left
        else:
            self.write(write)
            self.holds[run_key] = gpu_seconds
            assert self.left() == left - gpu_seconds

    @precondition(lambda self: self.holds)
    @rule(which=st.randoms(use_true_random=False), used=st.integers(0, 60))
    def settle(self, which, used: int) -> None:
        run_key = which.choice(sorted(self.holds))

        self.settle_run(run_key, used)

    @precondition(lambda self: self.holds)
    @rule()
    def settle_exactly(self) -> None:
        run_key, used = next(iter(self.holds.items()))

        self.settle_run(run_key, used)

    def settle_run(self, run_key: str, used: int) -> None:
        left, over = self.left(), ledger.overrun(self.lines)

        self.write(
            lambda: ledger.settle(
                self.lines, run_key=run_key, gpu_seconds_used=used, at=self.now
            )
        )

        room = left + self.holds.pop(run_key)
        self.bills[run_key] = used
        if used > room:
            assert ledger.overrun(self.lines) == over + used - room
            assert self.left() == 0
        else:
            paid = over - ledger.overrun(self.lines)
            assert paid >= 0
            assert self.left() == room - used - paid

    @rule(used=st.lists(st.integers(1, 40), min_size=1, max_size=3))
    def charge(self, used: list[int]) -> None:
        uses = [Use(key=self.name("job-"), gpu_seconds=part) for part in used]
        left, over = self.left(), ledger.overrun(self.lines)

        self.write(lambda: ledger.charge(self.lines, uses=uses, at=self.now))

        self.bills |= {use.key: use.gpu_seconds for use in uses}
        assert self.left() == max(left - sum(used), 0)
        assert ledger.overrun(self.lines) == over + max(sum(used) - left, 0)

    @precondition(lambda self: self.bills)
    @rule(which=st.randoms(use_true_random=False), gpu_seconds=st.integers(-60, 30))
    def counter(self, which, gpu_seconds: int) -> None:
        run_key, key, left = which.choice(sorted(self.bills)), self.name("c"), self.left()

        def write() -> tuple[Line, ...]:
            return ledger.counter(
                self.lines,
                key=key,
                corrects=run_key,
                gpu_seconds=gpu_seconds,
                at=self.now,
                note="",
            )

        if self.bills[run_key] + gpu_seconds < 0:
            with pytest.raises(ledger.BeyondBill):
                write()
            return
        over = ledger.overrun(self.lines)
        self.write(write)
        self.bills[run_key] += gpu_seconds
        if gpu_seconds > left:
            assert ledger.overrun(self.lines) == over + gpu_seconds - left

    @rule()
    def expire(self) -> None:
        left = self.left()

        new = self.write(lambda: ledger.expire(self.lines, term=self.term, at=self.now))

        if self.now.date() > self.term.ends_on:
            assert sum(line.gpu_seconds for line in new) == left
            assert self.left() == 0
        else:
            assert new == ()

    @rule(days=st.integers(1, 20))
    def extend(self, days: int) -> None:
        ends_on = self.term.ends_on + timedelta(days=days)
        before = ledger.balance(self.lines)

        self.term, new = ledger.extend(self.lines, term=self.term, ends_on=ends_on, at=self.now)
        self.lines += new

        assert self.left() == before.left + before.expired
        assert ledger.extend(self.lines, term=self.term, ends_on=ends_on, at=self.now) == (
            self.term,
            (),
        )

    @rule(days=st.integers(1, 12))
    def time_passes(self, days: int) -> None:
        self.now += timedelta(days=days)

    @invariant()
    def no_share_is_ever_negative(self) -> None:
        for share in ledger.balance_by_share(self.lines).values():
            assert min(share.held, share.spent, share.expired, share.left) >= 0

    @invariant()
    def each_share_adds_up_to_its_grants(self) -> None:
        shares = ledger.balance_by_share(self.lines)

        assert {name: share.granted for name, share in shares.items()} == self.granted
        for share in shares.values():
            assert share.held + share.spent + share.expired + share.left == share.granted

    @invariant()
    def what_is_held_is_what_living_runs_hold(self) -> None:
        assert ledger.open_holds(self.lines) == self.holds
        assert ledger.balance(self.lines).held == sum(self.holds.values())

    @invariant()
    def every_bill_is_what_was_used(self) -> None:
        assert {run: ledger.bill(self.lines, run) for run in self.bills} == self.bills
        spent = ledger.balance(self.lines).spent + ledger.overrun(self.lines)
        assert spent == sum(self.bills.values())

    @invariant()
    def no_key_is_used_twice(self) -> None:
        assert len({line.key for line in self.lines}) == len(self.lines)

    @invariant()
    def only_corrections_are_negative(self) -> None:
        signed = {LineKind.COUNTER, LineKind.OVERRUN}
        assert all(line.gpu_seconds >= 0 for line in self.lines if line.kind not in signed)
        assert ledger.overrun(self.lines) >= 0


LedgerMachine.TestCase.settings = settings(
    max_examples=150,
    stateful_step_count=30,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestLedgerMachine = LedgerMachine.TestCase

RUNS = st.lists(st.tuples(st.integers(1, 30), st.integers(0, 60)), min_size=1, max_size=5)


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(runs=RUNS, spare=st.integers(0, 40), data=st.data())
def test_the_order_in_which_runs_are_settled_does_not_change_the_totals(runs, spare, data):
    names = [f"r{number}" for number in range(len(runs))]
    holds = dict(zip(names, (held for held, _ in runs), strict=True))
    used = dict(zip(names, (used for _, used in runs), strict=True))
    lines = granted_and_held(holds, spare)

    totals = []
    for order in (names, data.draw(st.permutations(names))):
        after = lines
        for name in order:
            after += ledger.settle(after, run_key=name, gpu_seconds_used=used[name], at=START)
        bills = {name: ledger.bill(after, name) for name in names}
        totals.append((ledger.balance(after), ledger.overrun(after), bills))

    assert totals[0] == totals[1]


def granted_and_held(holds: dict[str, int], spare: int) -> tuple[Line, ...]:
    """Grant what the runs hold and something to spare, in two shares."""
    total = sum(holds.values()) + spare
    lines = ledger.grant((), key="g", share="eu", gpu_seconds=(total + 1) // 2, at=START)
    if total > 1:
        lines += ledger.grant(lines, key="g", share="nl", gpu_seconds=total // 2, at=START)
    for name, gpu_seconds in holds.items():
        lines += ledger.hold(lines, run_key=name, gpu_seconds=gpu_seconds, term=TERM, at=START)
    return lines
