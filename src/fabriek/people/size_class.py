"""The size class of an enterprise, from its staff, turnover and balance sheet total.

Micro, small and medium: Recommendation 2003/361/EC, annex, article 2. Small mid-cap:
Recommendation (EU) 2025/1099. Staff is in yearly units; money in whole euros. The figures must
include those of partner (25 to 50 %) and linked (over 50 %) enterprises. A figure that is not
known is None, and is only missed where it decides.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class SizeClass(StrEnum):
    MICRO = "micro"
    SMALL = "small"
    MEDIUM = "medium"
    SMALL_MID_CAP = "small_mid_cap"
    LARGE = "large"
    UNKNOWN = "unknown"


class ReasonCode(StrEnum):
    STAFF_BELOW = "staff_below"
    STAFF_AT_LEAST = "staff_at_least"
    TURNOVER_AT_MOST = "turnover_at_most"
    TURNOVER_ABOVE = "turnover_above"
    BALANCE_AT_MOST = "balance_at_most"
    BALANCE_ABOVE = "balance_above"
    STAFF_MISSING = "staff_missing"
    TURNOVER_MISSING = "turnover_missing"
    BALANCE_MISSING = "balance_missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """Staff stays below, and turnover or balance (one of the two) does not exceed."""

    size: SizeClass
    staff: int
    turnover_eur: int
    balance_eur: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    code: ReasonCode
    value: int | None = None
    limit: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """`why` says what makes it fit, then what keeps it out of the class below."""

    size: SizeClass
    is_sme: bool | None
    why: tuple[Reason, ...]


LIMITS = (
    Limit(size=SizeClass.MICRO, staff=10, turnover_eur=2_000_000, balance_eur=2_000_000),
    Limit(size=SizeClass.SMALL, staff=50, turnover_eur=10_000_000, balance_eur=10_000_000),
    Limit(size=SizeClass.MEDIUM, staff=250, turnover_eur=50_000_000, balance_eur=43_000_000),
    Limit(
        size=SizeClass.SMALL_MID_CAP,
        staff=750,
        turnover_eur=150_000_000,
        balance_eur=129_000_000,
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Figures:
    staff: int | None
    turnover_eur: int | None
    balance_eur: int | None


def size_class(
    *,
    staff: int | None,
    turnover_eur: int | None,
    balance_eur: int | None,
    limits: Sequence[Limit] = LIMITS,
) -> Size:
    figures = _Figures(staff=staff, turnover_eur=turnover_eur, balance_eur=balance_eur)
    is_sme = next((_fits(figures, lim) for lim in limits if lim.size == SizeClass.MEDIUM), None)
    below: Limit | None = None
    for limit in limits:
        fits = _fits(figures, limit)
        if fits is None:
            return Size(size=SizeClass.UNKNOWN, is_sme=is_sme, why=_missing(figures, limit))
        if fits:
            why = (*_reasons_for(figures, limit), *_reasons_against(figures, below))
            return Size(size=limit.size, is_sme=is_sme, why=why)
        below = limit
    return Size(size=SizeClass.LARGE, is_sme=is_sme, why=_reasons_against(figures, below))


def _fits(figures: _Figures, limit: Limit) -> bool | None:
    """Answer None where a figure that is not known could tip it."""
    staff = None if figures.staff is None else figures.staff < limit.staff
    turnover = _within(figures.turnover_eur, limit.turnover_eur)
    balance = _within(figures.balance_eur, limit.balance_eur)
    money = _either(turnover, balance)
    if staff is False or money is False:
        return False
    return None if staff is None or money is None else True


def _within(value: int | None, limit: int) -> bool | None:
    return None if value is None else value <= limit


def _either(one: bool | None, other: bool | None) -> bool | None:
    if one or other:
        return True
    return None if one is None or other is None else False


def _missing(figures: _Figures, limit: Limit) -> tuple[Reason, ...]:
    """Name the figures that would decide whether this class fits."""
    money = _either(
        _within(figures.turnover_eur, limit.turnover_eur),
        _within(figures.balance_eur, limit.balance_eur),
    )
    missing = (
        (figures.staff is None, ReasonCode.STAFF_MISSING),
        (money is None and figures.turnover_eur is None, ReasonCode.TURNOVER_MISSING),
        (money is None and figures.balance_eur is None, ReasonCode.BALANCE_MISSING),
    )
    return tuple(Reason(code=code) for is_missing, code in missing if is_missing)


def _reasons_for(figures: _Figures, limit: Limit) -> tuple[Reason, ...]:
    reasons = [Reason(code=ReasonCode.STAFF_BELOW, value=figures.staff, limit=limit.staff)]
    if _within(figures.turnover_eur, limit.turnover_eur):
        code, value, most = (
            ReasonCode.TURNOVER_AT_MOST,
            figures.turnover_eur,
            limit.turnover_eur,
        )
    else:
        code, value, most = ReasonCode.BALANCE_AT_MOST, figures.balance_eur, limit.balance_eur
    return (*reasons, Reason(code=code, value=value, limit=most))


def _reasons_against(figures: _Figures, limit: Limit | None) -> tuple[Reason, ...]:
    if limit is None:
        return ()
    if figures.staff is not None and figures.staff >= limit.staff:
        return (Reason(code=ReasonCode.STAFF_AT_LEAST, value=figures.staff, limit=limit.staff),)
    return (
        Reason(
            code=ReasonCode.TURNOVER_ABOVE,
            value=figures.turnover_eur,
            limit=limit.turnover_eur,
        ),
        Reason(
            code=ReasonCode.BALANCE_ABOVE, value=figures.balance_eur, limit=limit.balance_eur
        ),
    )
