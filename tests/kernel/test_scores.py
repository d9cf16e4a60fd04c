"""One rule for how scores are written, in both languages and on the command line."""

import pytest
from django.utils import translation

from fabriek import figures
from fabriek.kernel import words

SCORES = [
    ("exact_match", 0.524, "52.4%", "52,4\N{NO-BREAK SPACE}%"),
    ("exact_match_before", 0, "0.0%", "0,0\N{NO-BREAK SPACE}%"),
    ("exact_match_after", 1.0, "100.0%", "100,0\N{NO-BREAK SPACE}%"),
    ("loss", 0.12345, "0.123", "0,123"),
    ("loss_after", 3, "3.000", "3,000"),
    ("loss", 1234.5678, "1,234.568", "1.234,568"),
    ("loss", 0.0005, "0.001", "0,001"),
    ("loss", 0.0004, "< 0.001", "< 0,001"),
    ("loss", 0.0, "0.000", "0,000"),
]


@pytest.mark.parametrize(("name", "value", "english", "dutch"), SCORES)
def test_a_score_is_written_for_its_reader(name, value, english, dutch):
    with translation.override("nl"):
        in_dutch = words.score(name, value)

    assert (words.score(name, value), in_dutch) == (english, dutch)
    assert figures.score(name, value) == english


def test_what_was_not_measured_is_said_so():
    assert words.score("loss", None) == "not measured"
