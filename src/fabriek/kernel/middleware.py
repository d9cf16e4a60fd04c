"""What every answer gets: safety headers, and refusals as pages or fragments."""

from collections.abc import Callable, Sequence

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import render
from django.utils.cache import patch_vary_headers

from fabriek.kernel.errors import Refused

Answer = Callable[[HttpRequest], HttpResponse]
READING = ("GET", "HEAD", "OPTIONS")
OF_PROGRAMS = ("/api/", "/hub/")


def content_security_policy(form_origins: Sequence[str] = ()) -> str:
    """Allow no inline script or style, and forms that post to ourselves only.

    `form_origins` may be reached from a form too: Chromium holds `form-action` against every
    redirect that follows, so signing in elsewhere needs the other's origin here.
    """
    form_action = " ".join(("'self'", *form_origins))
    return (
        "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        f"object-src 'none'; base-uri 'none'; form-action {form_action}; "
        "frame-ancestors 'none'"
    )


class SafetyMiddleware:
    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response
        # The button that goes into interactive work is a form that ends on the run's own host.
        lab = [settings.LAB_URL] if settings.LAB and settings.LAB_URL else []
        self.policy = content_security_policy([*settings.SIGN_IN_ORIGINS, *lab])

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response.headers.setdefault("Content-Security-Policy", self.policy)
        # A page and its htmx fragment share an address: caches must keep them apart.
        patch_vary_headers(response, ["HX-Request"])
        return response


class NoFormsMiddleware:
    """Refuse a form where only programs send something, before anybody waits for its body.

    A proxy passes bodies on to these addresses as they come. Looking for the sign of a form
    would read all of it: who has no account and sends a byte now and then would hold a thread.
    """

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: object, _args: object, _named: object
    ) -> HttpResponse | None:
        if request.method in READING or not request.path_info.startswith(OF_PROGRAMS):
            return None
        if getattr(view, "csrf_exempt", False):
            return None  # it looks for a token itself
        return HttpResponseNotAllowed(READING)


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
