"""Who somebody is, and repositories: made, listed, renamed, removed."""

from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.utils.text import slugify

from fabriek.agreements import policy
from fabriek.cases.models import Case
from fabriek.cases.states import CaseState
from fabriek.hub import actions, doors, refusals, words
from fabriek.hub.answers import json_of, said, view
from fabriek.hub.queries import is_sane
from fabriek.people.models import Person, Scope
from fabriek.store.models import Repository

PAGE = 100
PAGE_MAX = 1000
DIGITS_MAX = 18
KIND_WORDS = {"model": "models", "dataset": "datasets"}


@view("GET")
def whoami(request: HttpRequest) -> HttpResponse:
    token = doors.token_of(request)
    person = token.person
    access = {
        "displayName": token.name,
        "role": "read" if token.scope == Scope.READ else "write",
    }
    cases = Case.objects.taken_part_in_by(person).filter(state=CaseState.OPEN).order_by("pk")
    return said(
        {
            "type": "user",
            "id": f"{person.pk:024x}",
            "name": _name(person),
            "fullname": str(person),
            "email": person.email,
            "emailVerified": True,
            "isPro": False,
            "canPay": False,
            "periodEnd": None,
            "orgs": [_as_organisation(case) for case in cases],
            "auth": {"type": "access_token", "accessToken": access},
        }
    )


@view("GET")
def agent_harnesses(_request: HttpRequest) -> HttpResponse:
    """Clients ask it at their start: programs of which we know nothing."""
    return said({})


@view("POST")
def validate_yaml(_request: HttpRequest) -> HttpResponse:
    """Find nothing wrong: whatever stands in a README, a commit is not held up by it.

    Asked without a token for a card that is pushed on its own, so its body is not waited for:
    who sends a byte now and then would hold a thread. After more than 64 KiB the web server
    ends the connection, and clients take another one.
    """
    return said({"errors": [], "warnings": []})


@view("POST")
def create(request: HttpRequest) -> HttpResponse:
    person = doors.person_of(request, writes=True)
    asked = json_of(request)
    kind = _kind(asked)
    found = actions.create(
        kind, namespace=_word(asked, "organization"), name=_word(asked, "name"),
        by=person,
    )  # fmt: skip
    url = address(request, found.repository)
    if not found.is_new:
        # Clients that may find it there already go on with this address.
        sentence = "You already created this repository."
        return said({"error": sentence, "url": url, "id": found.repository.repo_id}, status=409)
    return said({"url": url, "name": found.repository.repo_id, "id": found.repository.repo_id})


@view("DELETE")
def delete(request: HttpRequest) -> HttpResponse:
    person = doors.person_of(request, writes=True)
    asked = json_of(request)
    kind = KIND_WORDS[_kind(asked)]
    namespace, name = _word(asked, "organization"), _word(asked, "name")
    if not namespace and "/" in name:
        namespace, _slash, name = name.partition("/")
    actions.delete(doors.visible(person, kind, namespace, name), by=person)
    return said({"success": True})


@view("POST")
def move(request: HttpRequest) -> HttpResponse:
    person = doors.person_of(request, writes=True)
    asked = json_of(request)
    kind = KIND_WORDS[_kind(asked)]
    namespace, _slash, name = _word(asked, "fromRepo").partition("/")
    found = doors.visible(person, kind, namespace, name)
    actions.rename(found, _word(asked, "toRepo"), by=person)
    return said({"success": True})


@view("PUT")
def settings(request: HttpRequest, **where: str) -> HttpResponse:
    """Take what changes nothing, and say where the rest is decided."""
    door = doors.writable(request, **where)
    asked = json_of(request)
    actions.require_settings(door.repository, asked)
    return said({"private": not door.repository.is_open, "gated": False})


@view("GET")
def auth_check(request: HttpRequest, *, write: str | None = None, **where: str) -> HttpResponse:
    (doors.writable if write else doors.readable)(request, **where)
    return said({})


@view("GET")
def listing(request: HttpRequest, kind: str) -> HttpResponse:
    """List what somebody may see; pages by the key of the last one."""
    person = doors.person_of(request)
    rows = policy.visible_to(person).filter(kind=doors.KINDS[kind]).exclude(name="")
    for parameter, column in {
        "author": "namespace__iexact",
        "search": "name__icontains",
    }.items():
        if word := request.GET.get(parameter, ""):
            rows = rows.filter(**{column: word}) if is_sane(word) else rows.none()
    most = _number(request.GET.get("limit"), PAGE, PAGE_MAX)
    if after := _number(request.GET.get("cursor"), 0, 2**62):
        rows = rows.filter(pk__lt=after)
    found = list(rows.order_by("-pk")[: most + 1])
    response = said([words.repository(each) for each in found[:most]])
    if len(found) > most and "limit" not in request.GET:
        next_page(request, response, cursor=str(found[most - 1].pk))
    return response


@view("GET", "HEAD")
def no_namespace(request: HttpRequest) -> HttpResponse:
    """Say that `gpt2` is not here in the words that clients understand."""
    doors.person_of(request)
    raise refusals.repo_not_found()


@view("GET", "POST", "PUT", "DELETE")
def not_offered(request: HttpRequest, **_where: str) -> HttpResponse:
    """Say so, whatever is asked about: a page of ours that is not found helps no program."""
    doors.person_of(request)
    raise refusals.files_only()


def next_page(request: HttpRequest, response: HttpResponse, *, cursor: str) -> None:
    asked = request.GET.copy()
    asked["cursor"] = cursor
    url = request.build_absolute_uri(
        f"{request.path}?{urlencode(list(asked.lists()), doseq=True)}"
    )
    response["Link"] = f'<{url}>; rel="next"'


def address(request: HttpRequest, repository: Repository) -> str:
    prefix = "" if repository.kind == Repository.Kind.MODEL else "datasets/"
    return request.build_absolute_uri(f"/{prefix}{repository.repo_id}")


def _kind(asked: dict[str, Any]) -> str:
    kind = asked.get("type") or "model"
    if not isinstance(kind, str) or kind not in KIND_WORDS:
        raise refusals.no_such_kind()
    return kind


def _word(asked: dict[str, Any], *names: str) -> str:
    for name in names:
        if isinstance(value := asked.get(name), str):
            return value
    return ""


def _number(text: str | None, otherwise: int, most: int) -> int:
    return (
        min(int(text), most)
        if text and text.isdecimal() and len(text) < DIGITS_MAX
        else otherwise
    )


def _name(person: Person) -> str:
    """Give a name as the Hub has them; nothing of ours goes by it."""
    return slugify(person.email.partition("@")[0]) or f"person-{person.pk}"


def _as_organisation(case: Case) -> dict[str, Any]:
    """Show a case as an organisation: it is the namespace in which its people write."""
    return {
        "type": "org",
        "id": f"{case.pk:024x}",
        "name": case.code,
        "fullname": case.title,
        "email": None,
        "canPay": False,
        "periodEnd": None,
        "isEnterprise": False,
        "roleInOrg": "write",
    }
