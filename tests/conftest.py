"""What every test gets: folders of its own, plain static files, a signed-in browser."""

import sqlite3
from contextlib import closing

import pytest
from django.conf import settings as django_settings
from django.db import connection
from django.db.backends.sqlite3.creation import DatabaseCreation
from django.test import Client
from django.utils import translation
from hypothesis import HealthCheck, settings

from tests import tables
from tests.factories import a_token

# How fast inputs are made and tried says something of the machine, and of what else it does.
settings.register_profile(
    "any machine", suppress_health_check=[HealthCheck.too_slow], deadline=None
)
settings.load_profile("any machine")


class Copied(DatabaseCreation):
    """Makes the database of the tests, in memory, a copy of tables that were made before."""

    def create_test_db(self, *_words, **_more):
        name = self._get_test_db_name()
        self.connection.close()
        django_settings.DATABASES[self.connection.alias]["NAME"] = name
        self.connection.settings_dict["NAME"] = name
        self.connection.ensure_connection()
        with closing(sqlite3.connect(tables.ready())) as made:
            made.backup(self.connection.connection)
        return name


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix):
    if connection.vendor == "sqlite":
        connection.creation = Copied(connection)


def pytest_collection_modifyitems(config, items):
    """On PostgreSQL run only what touches the database: the rest is the same on SQLite."""
    if django_settings.DATABASES["default"]["ENGINE"].endswith("postgresql"):
        config.hook.pytest_deselected(items=[one for one in items if not touches_data(one)])
        items[:] = [one for one in items if touches_data(one)]


def touches_data(item):
    """Tell whether a test uses the database, by a mark or by what it asks for.

    What a worker finds in files is the same on either database, and takes long.
    """
    if item.path.match("tests/quality/test_look.py"):
        return False
    asked = {"db", "transactional_db"} & set(item.fixturenames)
    return bool(asked or item.get_closest_marker("django_db"))


@pytest.fixture(autouse=True)
def own_folders(settings, tmp_path):
    settings.STORE_HOME = tmp_path / "store"
    settings.RUNS_HOME = tmp_path / "runs"
    settings.SIGNING_KEY = tmp_path / "signing-key.pem"
    settings.ENGINE_HOME = tmp_path / "engine"
    settings.ENGINE_GPUS = 1024  # who tests how few there are says so
    settings.LOOKS_HOME = tmp_path / "looks"
    settings.NAMES_PYTHON = ""
    settings.STATIC_ROOT = tmp_path  # collected files are not wanted: the finders serve
    settings.WHITENOISE_AUTOREFRESH = True  # or each browser reads all static files first
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    # Real hashing takes half a second a password, on purpose.
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture(autouse=True)
def in_english():
    """Let refusals speak English, whatever catalogues are compiled here."""
    with translation.override("en"):
        yield


@pytest.fixture
def browser():
    """Give a browser in which a person is signed in: `browser(person).get("/")`."""

    def signed_in(person, language="en"):
        client = Client(headers={"Accept-Language": language})
        client.force_login(
            person, backend="allauth.account.auth_backends.AuthenticationBackend"
        )
        return client

    return signed_in


@pytest.fixture
def program():
    """Give a program that calls the API with a token: `program(person).get("/api/cases/")`."""

    def with_token(person, scope="write", language="en"):
        key = a_token(person, scope=scope)
        return Client(headers={"Authorization": f"Bearer {key}", "Accept-Language": language})

    return with_token
