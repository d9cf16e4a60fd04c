"""What every answer gets: safety headers, and refusals as pages or fragments."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers

from fabriek.kernel.errors import Refused

Answer = Callable[[HttpRequest], HttpResponse]

# No inline script or style anywhere; forms post to ourselves only.
CONTENT_SECURITY_POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)


class SafetyMiddleware:
    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response.headers.setdefault("Content-Security-Policy", CONTENT_SECURITY_POLICY)
        # A page and its htmx fragment share an address: caches must keep them apart.
        patch_vary_headers(response, ["HX-Request"])
        return response


class RefusalMiddleware:
    """Turn a refusal into a page or a fragment, once, for every view."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        if not isinstance(error, Refused):
            return None
        context = {"refusal": error}
        if not request.headers.get("HX-Request"):
            return render(request, "refusal.html", context, status=error.status)
        fragment = render(request, "_refusal.html", context, status=error.status)
        fragment["HX-Retarget"] = "#notice"
        fragment["HX-Reswap"] = "innerHTML"
        return fragment
