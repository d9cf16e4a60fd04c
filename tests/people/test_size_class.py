"""Size classes at and around each limit of the recommendation."""

import pytest

from fabriek.people.size_class import Reason, ReasonCode, Size, SizeClass, size_class

M = 1_000_000


@pytest.mark.parametrize(
    ("staff", "turnover_eur", "balance_eur", "size"),
    [
        (9, 2 * M, 2 * M, "micro"),
        (9, 2 * M, 99 * M, "micro"),  # one of the two suffices
        (9, 99 * M, 2 * M, "micro"),
        (10, 2 * M, 2 * M, "small"),
        (9, 2 * M + 1, 2 * M + 1, "small"),
        (49, 10 * M, 99 * M, "small"),
        (50, 1, 1, "medium"),
        (12, 10 * M + 1, 10 * M + 1, "medium"),
        (249, 50 * M, 99 * M, "medium"),
        (249, 99 * M, 43 * M, "medium"),
        (249, 50 * M + 1, 43 * M + 1, "small_mid_cap"),
        (250, 1, 1, "small_mid_cap"),
        (749, 150 * M, 999 * M, "small_mid_cap"),
        (750, 1, 1, "large"),
        (3, 150 * M + 1, 129 * M + 1, "large"),
        (0, 0, 0, "micro"),
    ],
)
def test_staff_and_one_of_two_amounts_decide(staff, turnover_eur, balance_eur, size):
    found = size_class(staff=staff, turnover_eur=turnover_eur, balance_eur=balance_eur)

    assert found.size == size
    assert found.is_sme == (size in {"micro", "small", "medium"})


@pytest.mark.parametrize(
    ("staff", "turnover_eur", "balance_eur", "size", "is_sme"),
    [
        (None, None, None, "unknown", None),
        (5, None, None, "unknown", None),
        (None, 1, 1, "unknown", None),
        (5, 3 * M, None, "unknown", True),  # micro or small: an SME either way
        (30, 5 * M, None, "small", True),
        (5, None, 1 * M, "micro", True),
        (900, None, None, "large", False),
        (300, None, None, "unknown", False),
        (None, 200 * M, 200 * M, "large", False),
    ],
)
def test_a_missing_figure_matters_only_where_it_decides(
    staff, turnover_eur, balance_eur, size, is_sme
):
    found = size_class(staff=staff, turnover_eur=turnover_eur, balance_eur=balance_eur)

    assert (found.size, found.is_sme) == (size, is_sme)


def test_the_reasons_say_what_fits_and_what_keeps_it_out_of_the_class_below():
    found = size_class(staff=30, turnover_eur=12 * M, balance_eur=9 * M)

    assert found == Size(
        size=SizeClass.SMALL,
        is_sme=True,
        why=(
            Reason(code=ReasonCode.STAFF_BELOW, value=30, limit=50),
            Reason(code=ReasonCode.BALANCE_AT_MOST, value=9 * M, limit=10 * M),
            Reason(code=ReasonCode.STAFF_AT_LEAST, value=30, limit=10),
        ),
    )


def test_amounts_that_are_too_high_are_both_named():
    found = size_class(staff=9, turnover_eur=3 * M, balance_eur=4 * M)

    assert found.why[2:] == (
        Reason(code=ReasonCode.TURNOVER_ABOVE, value=3 * M, limit=2 * M),
        Reason(code=ReasonCode.BALANCE_ABOVE, value=4 * M, limit=2 * M),
    )


def test_an_unknown_size_says_which_figures_to_ask_for():
    without_staff = size_class(staff=None, turnover_eur=1, balance_eur=None)
    without_balance = size_class(staff=5, turnover_eur=3 * M, balance_eur=None)

    assert without_staff.why == (Reason(code=ReasonCode.STAFF_MISSING),)
    assert without_balance.why == (Reason(code=ReasonCode.BALANCE_MISSING),)
