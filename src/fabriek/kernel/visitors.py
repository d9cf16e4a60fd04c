"""From where a visitor comes, where proxies stand before the portal and write it down."""

from collections.abc import Callable
from ipaddress import ip_address

from django.conf import settings
from django.core.exceptions import MiddlewareNotUsed
from django.http import HttpRequest
from django.http.response import HttpResponseBase


class VisitorMiddleware:
    """Put the visitor's address where all that counts by address looks for it.

    Behind a proxy everybody would be one address: some wrong passwords of one would keep out
    all. Each proxy adds whom it answers at the end of `X-Forwarded-For`; as many as stand
    before us are believed, and nothing before those, which a visitor may have made up.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        if not settings.PROXIES:
            raise MiddlewareNotUsed
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        told = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
        if len(told) >= settings.PROXIES and (found := _address(told[-settings.PROXIES])):
            request.META["REMOTE_ADDR"] = found
        return self.get_response(request)


def _address(told: str) -> str:
    try:
        return str(ip_address(told.strip()))
    except ValueError:
        return ""
