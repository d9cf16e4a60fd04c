"""Signing in through an OpenID Connect provider: the way there, and who comes back."""

import logging

import requests
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialLogin
from allauth.socialaccount.providers.openid_connect import views as allauth_views
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from fabriek.kernel import authorities, text
from fabriek.kernel.errors import Refused
from fabriek.people.models import Person

log = logging.getLogger(__name__)


class NoAnswer(Refused):
    code = "no_answer"
    status = 503


def go(request: HttpRequest, provider_id: str) -> HttpResponse:
    """Send somebody to the provider; allauth's own page ends in an error where that is down.

    Raises:
        NoAnswer: the provider cannot be reached, or does not say where to go.
    """
    try:
        answer: HttpResponse = allauth_views.login(request, provider_id)
    except (requests.RequestException, KeyError) as error:  # KeyError: it leaves an address out
        log.warning("The sign-in provider %s gives no answer: %s", provider_id, error)
        raise NoAnswer(
            _(
                "The place where you want to sign in gives no answer now. Try again later, or "
                "sign in with your password."
            )
        ) from error
    return answer


class SignInElsewhere(DefaultSocialAccountAdapter):  # type: ignore[misc]
    def get_requests_session(self) -> requests.Session:
        """Give what all that is asked of the provider goes by."""
        return authorities.session_trusting(super().get_requests_session())

    def populate_user(
        self, request: HttpRequest, sociallogin: SocialLogin, data: dict[str, str | None]
    ) -> Person:
        """Take over the name, and an address as checked only when the provider says `true`.

        Some providers send the text "false", which Python takes for true.
        """
        person: Person = super().populate_user(request, sociallogin, data)
        person.name = _name(data)
        for address in sociallogin.email_addresses:
            address.verified = address.verified is True
        return person


def _name(data: dict[str, str | None]) -> str:
    """Name the person as the provider does; nothing where that cannot be shown."""
    parts = (data.get("first_name"), data.get("last_name"))
    name = text.line(str(data.get("name") or " ".join(filter(None, parts))))
    try:
        Person._meta.get_field("name").run_validators(name)
    except ValidationError:
        return ""
    return name
