"""Whole numbers as people type them, in either language."""

import pytest
from django.core.exceptions import ValidationError
from django.utils import translation

from fabriek.kernel.numbers import WholeNumberField, read

READ = {
    "5000": 5000,
    " 5000 ": 5000,
    "0": 0,
    "007": 7,
    "5.000": 5000,
    "5,000": 5000,
    "5 000": 5000,
    "5\u00a0000": 5000,
    "5\u2009000": 5000,
    "5\u202f000": 5000,
    "1.200.000": 1_200_000,
    "1,200,000": 1_200_000,
    "1 200 000": 1_200_000,
    "-5": -5,
    "": None,
    5000: 5000,
}
REFUSED = [
    "4999,5",
    "4999.5",
    "5,00",
    "5.0",
    "1.23",
    "1.2000",
    "1000.000",
    "1.000,000",
    "1 000.000",
    "0.500",
    ".500",
    "5.",
    "5..000",
    "1e3",
    "0x10",
    "five",
    "٥",
    "9" * 5000,
]


@pytest.fixture(params=["nl", "en"], autouse=True)
def language(request):
    with translation.override(request.param):
        yield


@pytest.mark.parametrize("localize", [False, True])
@pytest.mark.parametrize(("typed", "number"), READ.items())
def test_thousands_may_be_set_apart_in_the_way_of_either_language(typed, number, localize):
    assert WholeNumberField(required=False, localize=localize).clean(typed) == number


@pytest.mark.parametrize("localize", [False, True])
@pytest.mark.parametrize("typed", REFUSED)
def test_what_would_have_to_be_guessed_is_refused_with_what_to_do(typed, localize):
    field = WholeNumberField(localize=localize)

    with pytest.raises(ValidationError) as refused:
        field.clean(typed)

    assert refused.value.messages == [str(field.default_error_messages["invalid"])]


def test_the_box_is_one_for_text_so_that_no_browser_rewrites_the_number():
    field = WholeNumberField(min_value=1)

    assert field.widget.render("n", "5.000") == (
        '<input type="text" name="n" value="5.000" inputmode="numeric" autocomplete="off">'
    )


@pytest.mark.parametrize(
    ("typed", "number"),
    [
        ("7", 7),
        ("007", 7),
        ("2147483647", 2**31 - 1),
        ("2147483648", None),
        ("9" * 5000, None),
        ("0" * 5000, None),
        ("-1", None),
        ("1_0", None),
        ("٣", None),
        ("", None),
    ],
)
def test_a_number_in_an_address_is_one_that_every_database_holds(typed, number):
    assert read(typed) == number
