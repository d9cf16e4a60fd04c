"""A short way in for programs, which ask by the thousand: without sessions and messages."""

import re
from collections.abc import Callable

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import Resolver404, get_resolver

ROUTES = "fabriek.hub.urls"
# Cheaper than asking the resolver for every page of the site.
PERHAPS = re.compile(r"/api/|.*/resolve/|.*\.git/|/hub/|/v1/telemetry")


class HubMiddleware:
    """Answer what belongs to the hub here; pass everything else on."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response
        self.resolver = get_resolver(ROUTES)

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not PERHAPS.match(request.path_info):
            return self.get_response(request)
        try:
            match = self.resolver.resolve(request.path_info)
        except Resolver404:
            return self.get_response(request)
        request.get_host()  # a host that is not ours is refused, as for every page
        return match.func(request, *match.args, **match.kwargs)  # type: ignore[no-any-return]
