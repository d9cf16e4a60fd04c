"""Who looks: people with a session in their browser, programs with a token."""

from datetime import timedelta

from django.conf import settings
from django.test import Client
from django.utils import timezone

from fabriek.people import tokens
from fabriek.people.models import Person, Token

BACKEND = "allauth.account.auth_backends.AuthenticationBackend"


def signed_in(person: Person) -> dict[str, str]:
    """Headers of a browser in which this person signed in."""
    client = Client()
    client.force_login(person, backend=BACKEND)
    session = client.cookies[settings.SESSION_COOKIE_NAME].value
    return {"Cookie": f"{settings.SESSION_COOKIE_NAME}={session}", "Accept-Language": "nl"}


def key_for(person: Person) -> str:
    made = tokens.new_key()
    Token.objects.create(
        person=person,
        name="bench",
        prefix=made.prefix,
        digest=made.digest,
        scope="write",
        expires_at=timezone.now() + timedelta(days=1),
    )
    return made.key


def with_token(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}", "Accept-Language": "nl"}
