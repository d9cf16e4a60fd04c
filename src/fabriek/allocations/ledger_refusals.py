"""What the ledger will not write; actions turn it into a sentence."""

from datetime import date

from fabriek.allocations.lines import Term


class LedgerRefusal(Exception):
    """Nothing was written."""


class Short(LedgerRefusal):
    def __init__(self, *, missing: int) -> None:
        super().__init__(f"{missing} GPU-seconds short")
        self.missing = missing


class OutsideTerm(LedgerRefusal):
    def __init__(self, *, day: date, term: Term) -> None:
        super().__init__(f"{day} is not within {term.starts_on} to {term.ends_on}")
        self.day = day
        self.term = term


class NoHold(LedgerRefusal):
    """Nothing was ever held for this run, so there is nothing to settle."""


class NotSettled(LedgerRefusal):
    """The run has no bill yet that could be corrected."""


class BeyondBill(LedgerRefusal):
    """A correction would give back more than the run was billed."""

    def __init__(self, *, missing: int) -> None:
        super().__init__(f"{missing} GPU-seconds more than the bill")
        self.missing = missing
