"""What every test gets: folders of its own, plain static files, a signed-in browser."""

import pytest
from django.test import Client
from django.utils import translation

from tests.factories import a_token


@pytest.fixture(autouse=True)
def own_folders(settings, tmp_path):
    settings.STORE_HOME = tmp_path / "store"
    settings.RUNS_HOME = tmp_path / "runs"
    settings.ENGINE_HOME = tmp_path / "engine"
    settings.STATIC_ROOT = tmp_path  # collected files are not wanted: the finders serve
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"


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
