"""A table in which 1.200 may mean two things says so when it is looked at."""

import pytest

from tests.quality.conftest import codes, looked_at, problem

pytestmark = pytest.mark.django_db(transaction=True)


def table(of, heading=b"naam;omzet\n"):
    return heading + b"".join(b"n%d;%s\n" % (n, of(n)) for n in range(40))


def test_a_column_of_dutch_thousands_is_named_with_its_rows(dataset):
    found = looked_at(dataset, {"a.csv": table(lambda n: b"%d.%03d" % (1 + n % 9, n))})

    told = problem(found, "two_ways")

    assert (told["column"], told["rows"]) == ("omzet", [1, 2, 3, 4, 5])


@pytest.mark.parametrize(
    "of",
    [
        lambda n: b"%d.%d" % (n, n % 10),
        lambda n: b"0.%03d" % n,
        lambda n: b"%d" % (1_000 + n),
        lambda n: b"1.%03d" % n if n else b"1.5",
    ],
    ids=["one digit", "below one", "whole", "one tells of all"],
)
def test_numbers_that_are_clear_raise_no_question(dataset, of):
    found = looked_at(dataset, {"a.csv": table(of)})

    assert "two_ways" not in codes(found)


def test_a_table_without_a_heading_names_its_rows_right(dataset):
    found = looked_at(dataset, {"a.csv": table(lambda n: b"1.%03d" % n, heading=b"")})

    assert problem(found, "two_ways")["rows"] == [1, 2, 3, 4, 5]
