"""The sign-in pages of allauth, in our clothes and in both languages."""

import re

import pytest
from allauth.mfa.models import Authenticator
from django.utils import timezone

from tests.factories import a_person

pytestmark = pytest.mark.django_db

PAGES = [
    ("/accounts/login/", "Inloggen", "Sign in"),
    ("/accounts/signup/", "Account maken", "Make an account"),
    ("/accounts/password/reset/", "Nieuw wachtwoord kiezen", "Choose a new password"),
    ("/accounts/password/reset/done/", "Kijk in uw mail", "Look in your mail"),
    ("/accounts/confirm-email/", "Bevestig uw e-mailadres", "Confirm your e-mail address"),
]


@pytest.mark.parametrize(("path", "dutch", "english"), PAGES)
def test_a_sign_in_page_speaks_the_language_of_the_visitor(client, path, dutch, english):
    headings = {
        language: client.get(path, headers={"Accept-Language": language}).content.decode()
        for language in ("nl", "en")
    }

    assert f"<h1>{dutch}</h1>" in headings["nl"]
    assert f"<h1>{english}</h1>" in headings["en"]


@pytest.mark.parametrize("path", [path for path, _, _ in PAGES])
def test_a_sign_in_page_wears_our_clothes(client, path):
    page = client.get(path).content.decode()

    assert 'class="brand"' in page
    assert "entrance" in page
    assert "fabriek/fabriek" in page


def test_a_wrong_password_is_named_in_a_summary_and_the_address_is_kept(client):
    page = client.post(
        "/accounts/login/", {"login": "nobody@example.org", "password": "wrong"}
    ).content.decode()

    assert 'class="mistakes"' in page
    assert 'value="nobody@example.org"' in page


def test_the_language_is_switched_by_a_form_and_stays(client):
    answer = client.post("/language/setlang/", {"language": "en", "next": "/accounts/login/"})

    page = client.get(answer.url).content.decode()
    assert answer.url == "/accounts/login/"
    assert '<html lang="en">' in page
    assert ">Nederlands</button>" in page


@pytest.mark.parametrize(
    "path", ["/accounts/email/", "/accounts/password/change/", "/accounts/2fa/"]
)
def test_pages_about_my_account_stand_in_our_frame(browser, path):
    page = browser(a_person()).get(path, follow=True).content.decode()

    assert 'class="side"' in page
    assert "Sign out" in page


@pytest.mark.parametrize(
    "path",
    [
        "/accounts/email/",
        "/accounts/2fa/",
        "/accounts/2fa/totp/activate/",
        "/accounts/3rdparty/",
    ],
)
def test_what_allauth_says_in_dutch_says_u_as_our_own_pages_do(browser, path):
    page = browser(a_person(), language="nl").get(path, follow=True).text

    assert re.findall(r"\b(?:je|jij|jouw|twee-factor)\b", page, re.IGNORECASE) == []


def test_who_has_a_passkey_finds_it_among_their_keys(browser):
    person = a_person()
    Authenticator.objects.create(
        user=person,
        type=Authenticator.Type.WEBAUTHN,
        data={"name": "laptop", "credential": {}},
        last_used_at=timezone.now(),
    )

    page = browser(person).get("/accounts/2fa/webauthn/")

    assert page.status_code == 200
    assert "laptop" in page.content.decode()
    in_dutch = browser(person, language="nl").get("/accounts/2fa/webauthn/").text
    assert re.search(r"<(?:a|button)[^>]*>\s*Verwijderen\s*</", in_dutch)
