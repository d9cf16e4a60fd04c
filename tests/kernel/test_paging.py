"""Pages of long lists, codes, and the family of refusals."""

import pytest
from django.utils import timezone

from fabriek.kernel import codes, errors
from fabriek.kernel.paging import LARGEST_PAGE, paginate
from fabriek.people.models import Person
from tests.factories import a_case, a_person

pytestmark = pytest.mark.django_db


@pytest.fixture
def people():
    for _ in range(5):
        a_person()
    return Person.objects.order_by("pk")


@pytest.mark.parametrize(
    ("page", "number", "first"),
    [
        (1, 1, 0),
        (2, 2, 2),
        (3, 3, 4),
        (99, 3, 4),
        (0, 1, 0),
        (-1, 1, 0),
        ("2", 2, 2),
        ("two", 1, 0),
        ("", 1, 0),
        ("٣", 3, 4),
        ("²", 1, 0),
        ("9" * 5000, 3, 4),
    ],
)
def test_any_page_number_gives_a_page(people, page, number, first):
    found = paginate(people, page, size=2)

    assert found.page == number
    assert found.items == list(people[first : first + 2])
    assert (found.count, found.pages) == (5, 3)


def test_a_page_knows_its_neighbours(people):
    ends = [
        (found.has_previous, found.has_next)
        for found in (paginate(people, page, size=2) for page in (1, 2, 3))
    ]

    assert ends == [(False, True), (True, True), (True, False)]


@pytest.mark.parametrize(("size", "used"), [(0, 1), (-5, 1), (10**9, LARGEST_PAGE)])
def test_a_size_out_of_bounds_is_brought_within(people, size, used):
    assert paginate(people, 1, size=size).size == used


def test_an_empty_list_has_one_empty_page():
    found = paginate(Person.objects.order_by("pk"), 7)

    assert (found.items, found.count, found.page, found.pages) == ([], 0, 1, 1)


def test_a_page_costs_two_queries(people, django_assert_num_queries):
    with django_assert_num_queries(2):
        paginate(people, 2, size=2)


def test_a_code_has_the_year_and_the_number_of_the_row():
    case = a_case()

    code = codes.give_code(case, "C")

    assert code == f"C{timezone.localdate():%y}-{case.pk:04d}"
    case.refresh_from_db()
    assert case.code == code


def test_provisional_codes_never_meet():
    made = {codes.provisional() for _ in range(100)}

    assert len(made) == 100
    assert all(len(code) <= 32 for code in made)


@pytest.mark.parametrize(
    ("kind", "code", "status"),
    [
        (errors.Refused, "refused", 409),
        (errors.NotAllowed, "not_allowed", 403),
        (errors.WrongState, "wrong_state", 409),
        (errors.NotEnough, "not_enough", 409),
        (errors.Invalid, "invalid", 422),
        (errors.TooLarge, "too_large", 413),
        (errors.StorageFull, "storage_full", 507),
    ],
)
def test_each_refusal_has_its_code_and_status(kind, code, status):
    plain, named = kind("No."), kind("No.", code="because")

    assert (plain.code, plain.status, str(plain), plain.fields) == (code, status, "No.", {})
    assert named.code == "because"
    assert kind.code == code
