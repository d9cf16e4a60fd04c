"""A connection to PostgreSQL is asked whether it still works only when that is in doubt."""

import pytest
from django.db import close_old_connections, connection

from fabriek.people.models import Person

pytestmark = [
    pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has none to lose"),
    pytest.mark.django_db(transaction=True),
]


def a_call():
    """Do what a call does: its end, and the beginning of the next, look at the connection."""
    Person.objects.exists()
    close_old_connections()


@pytest.mark.parametrize(("silent_s", "asked"), [(0, 0), (60, 1)])
def test_it_is_asked_only_after_a_silence(monkeypatch, silent_s, asked):
    questions = []
    monkeypatch.setattr(connection, "is_usable", lambda: questions.append(1) or True)
    a_call()

    connection.worked_at -= silent_s
    a_call()

    assert len(questions) == asked


def test_one_that_the_server_ended_is_made_anew():
    a_call()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (ended,) = cursor.fetchone()
    close_old_connections()
    other = connection.copy()
    with other.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 20000)", [ended])  # once it is gone
    other.close()

    assert Person.objects.count() == 0
    assert connection.connection.info.backend_pid != ended
