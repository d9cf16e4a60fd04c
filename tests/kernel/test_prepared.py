from datetime import timedelta

import pytest
from django.db import connection
from django.db.models import Value
from django.db.models.functions import Now
from django.utils import timezone

from fabriek.kernel.prepared import Prepared
from fabriek.people.models import Organisation, Person, Token
from tests.factories import a_person, a_token, an_organisation

pytestmark = pytest.mark.django_db


def names(*words):
    """Organisations by country and keys."""
    country, keys = words
    rows = Organisation.objects.filter(country=country, pk__in=keys).order_by("pk")
    return rows.values_list("name", "registered_at")


def test_it_answers_as_django_does_for_other_words_each_time():
    first, second, third = (an_organisation() for _ in range(3))
    foreign = an_organisation(country="BE")
    asked = Prepared(names)

    for words in [("NL", (first.pk, foreign.pk)), ("BE", (first.pk, foreign.pk)),
                  ("NL", (third.pk, second.pk)), ("NL", ()), ("NL", (first.pk,))]:  # fmt: skip
        assert asked.rows(*words) == list(names(*words))


def test_django_writes_it_once_for_each_shape(django_assert_num_queries):
    organisation = an_organisation()
    written = []

    def build(*words):
        written.append(words)
        return names(*words)

    asked = Prepared(build)
    with django_assert_num_queries(3):
        for _time in range(3):
            assert len(asked.rows("NL", (organisation.pk,))) == 1

    assert len(written) == 2


def test_it_becomes_a_part_of_another_statement():
    first, second = an_organisation(country="NL"), an_organisation(country="BE")
    asked = Prepared(names)

    def counted(*words):
        sql, parameters = asked.statement(*words)
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT COUNT(*) FROM ({sql}) found", parameters)  # noqa: S608  ours
            return cursor.fetchone()[0]

    assert [counted("NL", (first.pk, second.pk)), counted("NL", (second.pk,))] == [1, 0]
    assert asked.statement("NL", ()) is None


def test_a_query_about_now_is_written_anew_each_time():
    person = a_person()
    a_token(person, expires_at=timezone.now() + timedelta(days=1))
    written = []

    def good(key):
        written.append(key)
        rows = Token.objects.filter(person=key, expires_at__gt=timezone.now())
        return rows.values_list("name")

    asked = Prepared(good)

    assert [asked.rows(person.pk) for _time in range(3)] == [[("laptop",)]] * 3
    assert len(written) == 2 + 3


def test_a_word_that_is_changed_on_its_way_is_not_mistaken():
    person = a_person(email="somebody@example.org")

    def found(word):
        return Person.objects.filter(email__startswith=word).values_list("pk")

    asked = Prepared(found)

    assert asked.rows("some") == [(person.pk,)]
    assert asked.rows("else") == []


def test_what_is_the_same_in_all_is_kept():
    organisation = an_organisation()

    def found(key):
        rows = Organisation.objects.filter(pk=key, country="NL")
        return (
            rows.annotate(seven=Value(7)).filter(registered_at__lte=Now()).values_list("seven")
        )

    asked = Prepared(found)

    assert [asked.rows(organisation.pk), asked.rows(-1)] == [[(7,)], []]


@pytest.mark.skipif(connection.vendor != "postgresql", reason="plans are kept by PostgreSQL")
def test_postgresql_plans_it_once_whatever_the_words():
    organisation = an_organisation(country="NL")

    def found(key, country):
        rows = Organisation.objects.filter(pk=key, country=country)
        return rows.exclude(name="100% planned once").values_list("name")

    asked = Prepared(found)
    answers = [asked.rows(key, "NL") for key in (organisation.pk, -7, -70_000, -(2**40))]

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT statement FROM pg_prepared_statements WHERE statement LIKE %s",
            ["%planned once%"],
        )
        plans = [text for (text,) in cursor.fetchall() if "pg_prepared" not in text]
    assert answers == [[(organisation.name,)], [], [], []]
    assert ["'100% planned once'" in text for text in plans] == [True]
