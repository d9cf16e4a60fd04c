"""Signing in from a terminal, and what happens when that fails."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone
from typer.testing import CliRunner

from fabriek.cli import config, data_question, http, main
from tests import tls
from tests.cli.conftest import URL
from tests.factories import a_person, a_token, an_organisation

pytestmark = pytest.mark.django_db


def test_login_keeps_the_token_where_only_its_owner_can_read_it(typed, monkeypatch):
    key = a_token(a_person(name="Fenna"))
    monkeypatch.delenv("FABRIEK_URL")

    result = typed("login", "--url", f"{URL}/", "--token", f" {key} ")

    assert result.stdout == f"Hello, Fenna. Your token is kept in {config.path()}.\n"
    kept = Path(config.path())
    assert json.loads(kept.read_text()) == {"url": URL, "token": key}
    assert kept.stat().st_mode & 0o777 == 0o600
    assert kept.parent.stat().st_mode & 0o777 == 0o700


def test_login_asks_for_the_token_and_does_not_show_it(typed):
    key = a_token(a_person(name="Fenna"))

    result = typed("login", input=f"{key}\n")

    assert result.exit_code == 0
    assert result.stdout.startswith(f"Make a token at {URL}/people/tokens and paste it here.\n")
    assert key not in result.output


def test_what_login_kept_is_used_by_the_next_command(typed):
    typed("login", "--token", a_token(a_person(email="fenna@example.org")))

    result = typed("whoami")

    assert "fenna@example.org" in result.stdout


def test_a_wrong_token_is_refused_and_not_kept(typed):
    result = typed("login", "--token", "fbk_wrong")

    assert result.exit_code == 1
    assert result.stderr == (
        "The token is missing, unknown, expired or revoked. Make a new one on the page "
        "“Tokens” and run `fabriek login` again. [not_signed_in]\n"
    )
    assert not Path(config.path()).exists()


def test_an_expired_token_is_refused(typed):
    key = a_token(a_person(), expires_at=timezone.now() - timedelta(seconds=1))

    result = typed("login", "--token", key)

    assert result.exit_code == 1
    assert result.stderr.endswith("[not_signed_in]\n")


@pytest.mark.parametrize("token", ["fbk_é", "fbk_a\nb"])
def test_what_cannot_be_a_token_is_never_sent(typed, token):
    result = typed("login", "--token", token)

    assert result.exit_code == 1
    assert result.stderr == (
        "This is no token: it holds other signs than a token has. Copy it once more.\n"
    )


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "portal.example", "http://[bad"])
def test_a_portal_that_cannot_be_reached_is_said_in_words(url):
    result = CliRunner().invoke(main.app, ["login", "--url", url, "--token", "fbk_x"])

    assert result.exit_code == 1
    assert result.stderr.startswith(f"{url} cannot be reached: ")
    assert result.stderr.endswith("Is the address right? See: fabriek login --help\n")


def test_the_authority_of_a_portal_is_named_once(tmp_path):
    def run(*words):
        return CliRunner().invoke(main.app, [*words])

    newest = b'{"items": [{"number": 1, "digest": "same"}]}'
    with tls.serving(tmp_path, newest) as (address, ca):
        words = ("login", "--url", address, "--token", "fbk_x")
        strange = run(*words)
        wrong = run(*words, "--ca", str(tmp_path / "none.pem"))
        config.write(config.Account(url=address, token="fbk_x", ca=str(ca)))
        with http.client_for(config.read()) as client:
            known = client.get("people/me")
        with data_question.asked("D26-0001") as question:
            answered = question.newest_if("same")

    assert known.status_code == 200
    assert answered == "D26-0001@1"
    assert strange.stderr.endswith("and name it once: fabriek login --ca FILE\n")
    assert wrong.stderr.startswith(f"{tmp_path}/none.pem is no file with a certificate.")


def test_login_keeps_the_authority_for_the_portal_it_is_of(typed, tmp_path, monkeypatch):
    monkeypatch.delenv("FABRIEK_URL")
    words = ("login", "--token", a_token(a_person()), "--url")

    typed(*words, URL, "--ca", tmp_path / "ca.pem")
    typed(*words, URL)
    again = config.read().ca
    typed(*words, "http://127.0.0.1")

    assert (again, config.read().ca) == (str(tmp_path / "ca.pem"), "")


def test_a_refusal_comes_in_the_language_of_the_terminal(typed, monkeypatch):
    monkeypatch.setenv("LANG", "nl_NL.UTF-8")

    result = typed("whoami")

    assert result.exit_code == 1
    assert result.stderr.startswith("Het token ontbreekt")


def test_whoami_tells_organisation_and_duty(fabriek):
    person = a_person(name="Hilde", duty="funder", funder_code="state")
    an_organisation(lead=person, name="Meldpunt")

    result = fabriek(person, "whoami")

    assert [line.split(maxsplit=1)[1] for line in result.stdout.splitlines()] == [
        "Hilde",
        person.email,
        URL,
        "Meldpunt (lead)",
        "funder state",
    ]
