"""The address by which a factory is watched over."""

import pytest
from django.db import InterfaceError, OperationalError, connection
from django.db.utils import ConnectionHandler

from fabriek.kernel import health, home


@pytest.mark.django_db
def test_it_says_that_it_answers_and_nothing_more(client, django_assert_num_queries):
    with django_assert_num_queries(1):
        answer = client.get("/healthz")

    assert (answer.status_code, answer.content) == (200, b"ok\n")
    assert "no-store" in answer["Cache-Control"]
    assert not answer.cookies
    assert client.post("/healthz").status_code == 405


@pytest.mark.parametrize("kind", [OperationalError, InterfaceError])
def test_without_a_database_it_says_so_and_not_why(client, monkeypatch, kind):
    def breaks():
        raise kind("connection to server at db.internal refused")

    monkeypatch.setattr(connection, "cursor", breaks)

    answer = client.get("/healthz")

    assert (answer.status_code, answer.content) == (503, b"no database\n")


@pytest.mark.django_db  # it is opened as the factory's own is
@pytest.mark.parametrize("is_gone", [True, False])
def test_a_file_that_is_gone_or_ruined_is_no_database(client, monkeypatch, tmp_path, is_gone):
    file = tmp_path / "made.sqlite3"
    told = home.database(f"sqlite:///{file}", tmp_path)
    kept = ConnectionHandler({"default": told})["default"]
    monkeypatch.setattr(health, "connection", kept)
    with kept.cursor() as cursor:
        cursor.execute("CREATE TABLE django_migrations (id integer)")
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        cursor.fetchall()

    before = client.get("/healthz")
    if is_gone:
        file.unlink()
    else:
        file.write_bytes(b"ruined" * 2000)
    after = client.get("/healthz")
    kept.close()

    assert (before.status_code, after.status_code) == (200, 503)
