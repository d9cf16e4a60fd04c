"""The request as a signed-in view receives it."""

from django.http import HttpRequest
from django_htmx.middleware import HtmxDetails

from fabriek.people.models import Person


class SignedIn(HttpRequest):
    user: Person
    htmx: HtmxDetails
