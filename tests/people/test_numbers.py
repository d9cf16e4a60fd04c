"""Register numbers as people type them."""

import pytest

from fabriek.people import foreign_numbers, numbers


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


@pytest.mark.parametrize(
    ("text", "country", "number", "kind", "problem"),
    [
        ("DEK1101R.HRB 116737", "DE", "DEK1101R.HRB116737", "euid", None),
        ("de 811 128 135", "DE", "DE811128135", "vat", None),
        ("BE 0123.456.789", "BE", "BE0123456789", "vat", None),
        ("EL123456789", "GR", "EL123456789", "vat", None),
        ("IE6388047V", "IE", "IE6388047V", "vat", None),
        ("GB 01234567", "GB", "GB01234567", "other", None),
        ("DE811128135", "BE", "DE811128135", "vat", "other_country"),
        ("DE81112813", "DE", "DE81112813", "other", "wrong"),
        ("HRB 116737", "DE", "HRB116737", "other", "wrong"),
        ("BE2123456789", "BE", "BE2123456789", "other", "wrong"),
        ("DE٨11128135", "DE", "DE٨11128135", "other", "wrong"),
        ("NLNHR.12345678", "NL", "NLNHR.12345678", "euid", "dutch"),
        ("", "DE", "", "other", "wrong"),
    ],
)
def test_a_number_abroad_is_as_its_country_writes_it(text, country, number, kind, problem):
    assert foreign_numbers.normalise(text) == number
    assert foreign_numbers.kind_of(number) == kind
    assert foreign_numbers.problem(number, country) == problem
