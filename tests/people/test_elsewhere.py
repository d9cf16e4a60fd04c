"""Signing in through an OpenID Connect provider that really runs: whose account it becomes."""

import json
from urllib.parse import parse_qs, urlsplit

import pytest
from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount
from django.core import mail
from django.core.cache import cache
from django.test import Client

from fabriek.people.models import Person
from tests import tls
from tests.factories import a_person
from tests.provider import Provider

pytestmark = [pytest.mark.django_db, pytest.mark.slow]
LOGIN = "/accounts/oidc/oidc/login/"
PASSWORD = "een-lang-wachtwoord-7"


@pytest.fixture(scope="module")
def provider():
    with Provider() as provider:
        yield provider


@pytest.fixture(autouse=True)
def set_up(provider, settings):
    cache.clear()  # or letters to an address of the test before are held back
    app = {
        "provider_id": "oidc",
        "name": "Zelf",
        "client_id": "fabriek",
        "secret": "geheim",
        "settings": {"server_url": provider.url},
    }
    settings.SOCIALACCOUNT_PROVIDERS = {
        "openid_connect": {"OAUTH_PKCE_ENABLED": True, "APPS": [app]}
    }


def sign_in(provider, sub, client=None, **question):
    """Go there, be admitted as `sub`, and come back; give the browser and its last page."""
    client = client or Client(headers={"Accept-Language": "en"})
    sent = client.post(LOGIN, query_params=question)
    back = urlsplit(provider.admits(sent.url, sub))
    return client, client.get(f"{back.path}?{back.query}", follow=True)


def an_account(email, *, is_checked=True):
    """Somebody who made an account here, with a password."""
    person = a_person(email=email)
    person.set_password(PASSWORD)
    person.save()
    EmailAddress.objects.create(user=person, email=email, primary=True, verified=is_checked)
    return person


def who(client):
    pk = client.session.get("_auth_user_id")
    return pk and Person.objects.get(pk=pk)


def test_the_provider_is_asked_with_a_state_and_a_challenge(provider):
    sent = Client().post(LOGIN)

    address = urlsplit(sent.url)
    asked = {name: value[0] for name, value in parse_qs(address.query).items()}
    assert f"{address.scheme}://{address.netloc}" == provider.url
    assert asked["redirect_uri"] == "http://testserver/accounts/oidc/oidc/login/callback/"
    assert asked["code_challenge_method"] == "S256"
    assert set(asked["scope"].split()) == {"openid", "profile", "email"}
    assert asked["state"]


def test_a_provider_of_the_factory_s_own_authority_is_trusted(settings, tmp_path):
    app = settings.SOCIALACCOUNT_PROVIDERS["openid_connect"]["APPS"][0]
    places = ("authorization_endpoint", "token_endpoint", "userinfo_endpoint")
    answer = json.dumps(dict.fromkeys(places, "https://sign.example/in")).encode()
    with tls.serving(tmp_path, answer) as (address, ca):
        app["settings"]["server_url"] = address
        distrusted = Client().post(LOGIN)
        settings.CA_FILE = ca
        sent = Client().post(LOGIN)

    assert distrusted.status_code == 503
    assert sent.url.startswith("https://sign.example/in?client_id=fabriek&")


def test_a_new_person_gets_an_account_with_name_and_address(provider):
    sub = provider.knows("n1", email="Nieuw@Firma.example", email_verified=True, name=" N  Uw ")

    client, page = sign_in(provider, sub)

    person = who(client)
    assert (person.email, person.name) == ("nieuw@firma.example", "N Uw")
    assert not person.has_usable_password()
    assert page.request["PATH_INFO"] == "/"
    assert mail.outbox == []


def test_the_same_person_is_found_again_even_with_another_address(provider):
    sub = provider.knows("n2", email="oud@firma.example", email_verified=True)
    first = who(sign_in(provider, sub)[0])
    provider.knows("n2", email="nieuw2@firma.example", email_verified=True)

    again = who(sign_in(provider, sub)[0])

    assert again == first
    assert Person.objects.count() == 1


@pytest.mark.parametrize("claim", [{}, {"email_verified": False}, {"email_verified": "false"}])
def test_an_address_that_was_not_checked_has_to_be_confirmed_first(provider, claim):
    sub = provider.knows("n3", email="los@firma.example", **claim)

    client, page = sign_in(provider, sub)

    assert who(client) is None
    assert "<h1>Confirm your e-mail address</h1>" in page.content.decode()
    assert [letter.to for letter in mail.outbox] == [["los@firma.example"]]


def test_a_name_that_cannot_be_shown_is_left_out(provider):
    claims = {"email": "raar@firma.example", "email_verified": True}
    sub = provider.knows("n4", name="a\u202eb", **claims)

    assert who(sign_in(provider, sub)[0]).name == ""


@pytest.mark.parametrize("links", [False, True])
@pytest.mark.parametrize("claim", [{}, {"email_verified": False}, {"email_verified": "false"}])
def test_nobody_gets_an_account_with_an_address_that_was_not_checked(
    provider, settings, links, claim
):
    settings.SOCIALACCOUNT_EMAIL_AUTHENTICATION = links
    owner = an_account("eigen@firma.example")
    sub = provider.knows("thief", email="eigen@firma.example", **claim)

    client, _page = sign_in(provider, sub)

    owner.refresh_from_db()
    assert who(client) is None
    assert not SocialAccount.objects.exists()
    assert Person.objects.count() == 1
    assert owner.check_password(PASSWORD)


def test_the_owner_of_the_address_is_told_what_to_do(provider):
    an_account("eigen@firma.example")
    sub = provider.knows("o1", email="eigen@firma.example", email_verified=True)

    client, page = sign_in(provider, sub)

    (letter,) = mail.outbox
    assert who(client) is None
    assert "<h1>Confirm your e-mail address</h1>" in page.content.decode()
    assert letter.to == ["eigen@firma.example"]
    assert "There is an account with this address already" in letter.body
    assert "under 'Other ways to sign in'" in letter.body
    assert "http://testserver/accounts/password/reset/" in letter.body


def test_who_is_signed_in_connects_and_signs_in_elsewhere_from_then_on(provider):
    owner = an_account("eigen@firma.example")
    sub = provider.knows("o2", email="anders@elders.example", email_verified=True)
    client = Client(headers={"Accept-Language": "en"})
    client.force_login(owner, backend="allauth.account.auth_backends.AuthenticationBackend")

    _, page = sign_in(provider, sub, client, process="connect")
    later, _page = sign_in(provider, sub)

    assert "Zelf" in page.content.decode()
    assert who(later) == owner
    assert Person.objects.count() == 1


def test_a_trusted_provider_links_an_account_with_a_checked_address(provider, settings):
    settings.SOCIALACCOUNT_EMAIL_AUTHENTICATION = True
    owner = an_account("eigen@firma.example")
    sub = provider.knows("o3", email="Eigen@firma.example", email_verified=True)

    client, _page = sign_in(provider, sub)

    owner.refresh_from_db()
    assert who(client) == owner
    assert SocialAccount.objects.get().user == owner
    assert owner.check_password(PASSWORD)


def test_who_took_the_address_without_owning_it_is_locked_out(provider, settings):
    settings.SOCIALACCOUNT_EMAIL_AUTHENTICATION = True
    squatted = an_account("eigen@firma.example", is_checked=False)
    sub = provider.knows("o4", email="eigen@firma.example", email_verified=True)

    client, _page = sign_in(provider, sub)

    squatted.refresh_from_db()
    assert who(client) is None
    assert not squatted.has_usable_password()
    assert [letter.to for letter in mail.outbox] == [["eigen@firma.example"]]


def test_who_turns_back_is_not_signed_in():
    client = Client(headers={"Accept-Language": "en"})
    asked = parse_qs(urlsplit(client.post(LOGIN).url).query)
    # Written out by hand: when it turns somebody away, this provider forgets the state.
    refusal = {"error": "access_denied", "state": asked["state"][0]}

    page = client.get(urlsplit(asked["redirect_uri"][0]).path, refusal, follow=True)

    assert "<h1>You are not signed in</h1>" in page.content.decode()
    assert who(client) is None


def test_nobody_is_signed_in_with_the_answer_to_somebody_else(provider):
    sub = provider.knows("o5", email="n5@firma.example", email_verified=True)
    back = urlsplit(provider.admits(Client().post(LOGIN).url, sub))
    client = Client(headers={"Accept-Language": "en"})

    page = client.get(f"{back.path}?{back.query}")

    assert page.status_code == 401
    assert "<h1>Signing in did not work</h1>" in page.content.decode()
    assert who(client) is None
    assert not Person.objects.exists()


def test_a_provider_that_does_not_answer_is_named(settings):
    (app,) = settings.SOCIALACCOUNT_PROVIDERS["openid_connect"]["APPS"]
    app["settings"]["server_url"] = "http://127.0.0.1:9"

    page = Client(headers={"Accept-Language": "en"}).post(LOGIN)

    assert page.status_code == 503
    assert "gives no answer now" in page.content.decode()
