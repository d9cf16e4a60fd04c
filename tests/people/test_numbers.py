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


def test_spaces_dots_and_hyphens_are_left_out():
    assert numbers.normalise(" 12-34.56\u00a078\t") == "12345678"
