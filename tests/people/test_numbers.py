"""Register numbers as people type them."""

import pytest

from fabriek.people import numbers


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("12345678", None),
        (" 1234.56 78 ", None),
        ("01234567", None),
        ("", "empty"),
        (" . ", "empty"),
        ("1234567", "wrong_length"),
        ("123456789", "wrong_length"),
        ("1234567a", "not_digits"),
        ("١٢٣٤٥٦٧٨", "not_digits"),
        ("-12345678", None),
        ("00000000", "all_zero"),
    ],
)
def test_a_kvk_number_has_eight_digits(text: str, problem: str | None):
    assert numbers.kvk_problem(text) == problem


@pytest.mark.parametrize(
    ("text", "problem"),
    [("000012345678", None), ("0000.1234.5678", None), ("12345678", "wrong_length")],
)
def test_an_establishment_number_has_twelve_digits(text: str, problem: str | None):
    assert numbers.establishment_problem(text) == problem


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("111222333", None),
        ("1112.22.333", None),
        ("123456782", None),
        ("123456789", "eleven_test"),
        ("111222334", "eleven_test"),
        ("11122233", "wrong_length"),
        ("000000000", "all_zero"),
    ],
)
def test_an_rsin_passes_the_eleven_test(text: str, problem: str | None):
    assert numbers.rsin_problem(text) == problem


def test_one_wrong_digit_never_passes_the_eleven_test():
    right = "111222333"

    passing = [
        right[:place] + digit + right[place + 1 :]
        for place in range(9)
        for digit in "0123456789"
        if numbers.rsin_problem(right[:place] + digit + right[place + 1 :]) is None
    ]

    assert set(passing) == {right}


def test_spaces_dots_and_hyphens_are_left_out():
    assert numbers.normalise(" 12-34.56\u00a078\t") == "12345678"
