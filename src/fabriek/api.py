"""The JSON API under /api/: one router per stage, one place that turns refusals into JSON."""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, ValidationError
from ninja.security import HttpBearer
from ninja.security.apikey import APIKeyCookie

from fabriek.access.api import router as access
from fabriek.allocations.api import router as allocations
from fabriek.cases.api import router as cases
from fabriek.datasets.api import router as datasets
from fabriek.kernel.errors import NotAllowed, Refused
from fabriek.people import tokens
from fabriek.people.api import router as people
from fabriek.people.models import Person, Scope
from fabriek.registry.api import router as registry
from fabriek.reports.api import router as reports
from fabriek.runs.api import router as runs

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

    param_name = "sessionid"

    def __init__(self) -> None:
        super().__init__(csrf=True)

    def authenticate(self, request: HttpRequest, key: str | None) -> Person | None:
        person = request.user
        return person if isinstance(person, Person) else None


api = NinjaAPI(
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
    "/datasets": datasets,
    "/runs": runs,
    "/models": registry,
    "/reports": reports,
}.items():
    api.add_router(prefix, router)


@api.exception_handler(Refused)
def refuse(request: HttpRequest, error: Refused) -> HttpResponse:
    fields = {name: str(text) for name, text in error.fields.items()}
    body = {"code": error.code, "detail": str(error), "fields": fields}
    return api.create_response(request, body, status=error.status)


@api.exception_handler(AuthenticationError)
def not_signed_in(request: HttpRequest, _error: AuthenticationError) -> HttpResponse:
    body = {
        "code": "not_signed_in",
        "detail": _(
            "The token is missing, unknown, expired or revoked. "
            "Make a new one on the page “Tokens” and run `fabriek login` again."
        ),
        "fields": {},
    }
    return api.create_response(request, body, status=401)


@api.exception_handler(Http404)
def not_found(request: HttpRequest, _error: Http404) -> HttpResponse:
    body = {
        "code": "not_found",
        "detail": _("This does not exist, or it is not yours to see. Check the code."),
        "fields": {},
    }
    return api.create_response(request, body, status=404)


@api.exception_handler(ValidationError)
def invalid(request: HttpRequest, error: ValidationError) -> HttpResponse:
    fields = {_place(problem): str(problem["msg"]) for problem in error.errors}
    body = {
        "code": "invalid",
        "detail": _("Some of what was sent is missing or wrong; see the fields."),
        "fields": fields,
    }
    return api.create_response(request, body, status=422)


def _place(problem: dict[str, Any]) -> str:
    return ".".join(str(part) for part in problem["loc"][2:] or problem["loc"])
