"""The command line, driven in this process against the real API, without a network."""

import logging
from functools import cache

import httpx
import pytest
from django.core.handlers.wsgi import WSGIHandler
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from typer.testing import CliRunner

from fabriek.cli import data_patience, data_pull, data_sender, data_tus, http, main, runs
from tests.datasets.conftest import made
from tests.factories import a_person, a_token

URL = "http://localhost"


@cache
def server():
    return WSGIHandler()


def wsgi_client(account):
    headers = {"Accept-Language": http.language(), "Authorization": f"Bearer {account.token}"}
    return httpx.Client(
        transport=httpx.WSGITransport(app=server()),
        base_url=f"{account.url}/api/",
        headers=headers if account.token else {"Accept-Language": http.language()},
    )


@pytest.fixture(autouse=True)
def terminal(monkeypatch, tmp_path):
    """Give a terminal of its own: nothing kept, nothing said in the environment."""
    for name in ("FABRIEK_URL", "FABRIEK_TOKEN", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    # One after the other: threads would not see what a test's own transaction holds.
    monkeypatch.setattr(data_sender, "SENDERS", 1)
    monkeypatch.setattr(data_pull, "FETCHERS", 1)
    for module in (data_patience, data_pull, data_tus):
        monkeypatch.setattr(module, "PAUSES_S", (0, 0, 0))
    monkeypatch.setattr(runs, "LOOK_EVERY_S", 0)


@pytest.fixture
def lead():
    return a_person()


@pytest.fixture
def dataset(lead):
    return made(by=lead)


@pytest.fixture
def kept_connection():
    """Keep the test's own transaction: the server would drop its connection, as it should."""
    signals = (request_started, request_finished)
    for signal in signals:
        signal.disconnect(close_old_connections)
    yield
    for signal in signals:
        signal.connect(close_old_connections)


@pytest.fixture
def portal(monkeypatch, caplog, kept_connection):
    # The server logs refusals; here its stderr is the terminal's.
    caplog.set_level(logging.ERROR, logger="django.request")
    monkeypatch.setattr(http, "client_for", wsgi_client)
    monkeypatch.setenv("FABRIEK_URL", URL)


@pytest.fixture
def typed(portal):
    """Run a command as somebody types it, signed in or not."""

    def run(*words, **given):
        return CliRunner().invoke(main.app, [str(word) for word in words], **given)

    return run


@pytest.fixture
def fabriek(typed, monkeypatch):
    """Run a command as `person`, with a token in the environment."""

    def run(person, *words, **given):
        monkeypatch.setenv("FABRIEK_TOKEN", a_token(person))
        return typed(*words, **given)

    return run
