"""The JSON API under /api/: one router per stage, one place that turns refusals into JSON."""

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from ninja.errors import AuthenticationError, HttpError, ValidationError
from ninja.security import HttpBearer
from ninja.security.apikey import APIKeyCookie
from ninja.utils import check_csrf

from fabriek.access.api import router as access
from fabriek.agreements.api import router as agreements
from fabriek.agreements.use_api import router as data_use
from fabriek.allocations.api import router as allocations
from fabriek.api_description import DescribedAPI, RefusalOut
from fabriek.cases.api import router as cases
from fabriek.catalogue.api import router as catalogue
from fabriek.datasets.api import router as datasets
from fabriek.kernel.errors import NotAllowed, Refused, Text
from fabriek.lab.api import router as lab
from fabriek.machine.api import router as machine
from fabriek.machine.store_api import router as store
from fabriek.people import tokens
from fabriek.people.api import router as people
from fabriek.people.models import Person, Scope
from fabriek.programs.api import router as programs
from fabriek.quality.api import router as quality
from fabriek.registry.api import router as registry
from fabriek.reports.api import router as reports
from fabriek.runs.api import router as runs
from fabriek.runs.origin_api import router as origin
from fabriek.sweeps.api import router as sweeps
from fabriek.trying.api import router as trying

# The commonest of Pydantic's remarks; the others, for programmers only, stay in English.
PROBLEMS: dict[str, Text] = {
    "missing": gettext_lazy("This is missing."),
    "int_parsing": gettext_lazy("This must be a whole number."),
    "int_type": gettext_lazy("This must be a whole number."),
    "float_parsing": gettext_lazy("This must be a number."),
    "string_type": gettext_lazy("This must be text."),
    "bool_parsing": gettext_lazy("This must be true or false."),
    "date_from_datetime_parsing": gettext_lazy("This must be a day, such as 2026-12-31."),
}
READING = {"GET", "HEAD", "OPTIONS"}


class TokenAuth(HttpBearer):
    """A personal token in the Authorization header."""

    def authenticate(self, request: HttpRequest, token: str) -> Person | None:
        found = tokens.find(token)
        if found is None:
            return None
        if found.scope == Scope.READ and request.method not in READING:
            raise NotAllowed(
                _("This token may only look. Make one that may do everything, and use that."),
                code="token_scope",
            )
        request.user = found.person
        return found.person


class SessionAuth(APIKeyCookie):
    """The browser's own session, for the API page; changes then need a CSRF token."""

    param_name = settings.SESSION_COOKIE_NAME

    def _get_key(self, request: HttpRequest) -> str | None:
        # Ninja would check CSRF here, before it is known that there is a session at all: a
        # program that lacks a token would hear of CSRF instead.
        return request.COOKIES.get(self.param_name)

    def authenticate(self, request: HttpRequest, key: str | None) -> Person | None:  # noqa: ARG002
        person = request.user
        if not isinstance(person, Person) or "Authorization" in request.headers:
            return None
        if check_csrf(request):
            raise NotAllowed(
                _(
                    "Your browser did not send the sign that this change comes from our own "
                    "page. Load the page again, or use a token."
                ),
                code="csrf",
            )
        return person


api = DescribedAPI(
    title="Fabriek",
    version="1",
    description="Everything the pages can do, for programs. Make a token on the page “Tokens”.",
    auth=[TokenAuth(), SessionAuth()],
    urls_namespace="api",
)
for prefix, router in {
    "/people": people,
    "/cases": cases,
    "/applications": access,
    "/allocations": allocations,
    "/agreements": agreements,
    "/data-use": data_use,
    "/datasets": datasets,
    "/looks": quality,
    "/catalogue": catalogue,
    "/runs": runs,
    "/sweeps": sweeps,
    "/code": programs,
    "/lab": lab,
    "/machine": machine,
    "/models": registry,
    "/try": trying,
    "/store": store,
    "/reports": reports,
}.items():
    api.add_router(prefix, router)
api.add_router("/datasets", origin)  # of a later room than the datasets themselves


@api.exception_handler(Refused)
def refuse(request: HttpRequest, error: Refused) -> HttpResponse:
    return _refusal(request, error.status, error.code, str(error), error.fields)


@api.exception_handler(AuthenticationError)
def not_signed_in(request: HttpRequest, _error: AuthenticationError) -> HttpResponse:
    sentence = _(
        "The token is missing, unknown, expired or revoked. "
        "Make a new one on the page “Tokens” and run `fabriek login` again."
    )
    answer = _refusal(request, 401, "not_signed_in", sentence)
    answer["WWW-Authenticate"] = "Bearer"
    return answer


@api.exception_handler(Http404)
def not_found(request: HttpRequest, _error: Http404) -> HttpResponse:
    sentence = _("This does not exist, or it is not yours to see. Check the code.")
    return _refusal(request, 404, "not_found", sentence)


@api.exception_handler(ValidationError)
def invalid(request: HttpRequest, error: ValidationError) -> HttpResponse:
    sentence = _("Some of what was sent is missing or wrong; see the fields.")
    fields: dict[str, Text] = {_place(each): _problem(each) for each in error.errors}
    return _refusal(request, 422, "invalid", sentence, fields)


@api.exception_handler(RequestDataTooBig)
def too_large(request: HttpRequest, _error: RequestDataTooBig) -> HttpResponse:
    sentence = _("What was sent is larger than is read here at once. Send less at a time.")
    return _refusal(request, 413, "too_large", sentence)


@api.exception_handler(HttpError)
def unreadable(request: HttpRequest, error: HttpError) -> HttpResponse:
    """Ninja raises this itself when a body is no JSON."""
    sentence = _("What was sent could not be read. Send JSON, as the API page shows.")
    return _refusal(request, error.status_code, "unreadable", sentence)


def _refusal(
    request: HttpRequest,
    status: int,
    code: str,
    detail: str,
    fields: Mapping[str, Text] | None = None,
) -> HttpResponse:
    texts = {name: str(text) for name, text in (fields or {}).items()}
    body = RefusalOut(code=code, detail=detail, fields=texts)
    return api.create_response(request, body.dict(), status=status)


def _place(problem: dict[str, Any]) -> str:
    """Name the field as the sender knows it: without “body” and the name of our argument."""
    where = problem["loc"]
    return ".".join(str(part) for part in (where[2:] if where[0] == "body" else where[1:]))


def _problem(problem: dict[str, Any]) -> Text:
    return PROBLEMS.get(problem["type"]) or str(problem["msg"])
