"""The door for programs: who gets in, how refusals look, and the page that explains it."""

import json
import re
from collections import Counter
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from django.contrib.staticfiles import finders
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from ninja import Schema

from fabriek.access.api_shapes import ApplicationOut
from fabriek.allocations.api import RowOut
from fabriek.api import api
from fabriek.cases.api import CaseOut
from fabriek.cases.models import Case
from fabriek.datasets.api_shapes import DatasetOut
from fabriek.people import actions as people
from fabriek.people.models import Token
from fabriek.registry.api import ModelOut
from fabriek.runs.shapes import RunOut
from tests.factories import (
    a_case,
    a_dataset,
    a_model,
    a_person,
    a_run,
    a_sector,
    a_token,
    an_allocation,
    an_application,
    an_organisation,
)

pytestmark = pytest.mark.django_db
NOT_SIGNED_IN = (
    "The token is missing, unknown, expired or revoked. "
    "Make a new one on the page “Tokens” and run `fabriek login` again."
)


def with_key(key, language="en"):
    return Client(headers={"Authorization": f"Bearer {key}", "Accept-Language": language})


def a_draft_of(lead):
    organisation = an_organisation(lead=lead)
    return {
        "organisation_id": organisation.pk,
        "title": "Grid",
        "problem": "It is full.",
        "sector": a_sector().code,
        "trl_now": 3,
        "trl_aimed": 6,
    }


def revoked():
    person = a_person()
    token, key = people.make_token(by=person, name="laptop", scope="write", days=3)
    people.revoke_token(token, by=person)
    return key


def expired():
    return a_token(a_person(), expires_at=timezone.now() - timedelta(seconds=1))


def of_somebody_who_left():
    return a_token(a_person(is_active=False))


@pytest.mark.parametrize("key", [lambda: "fbk_unknown", expired, revoked, of_somebody_who_left])
@pytest.mark.parametrize("method", ["get", "post"])
def test_a_token_that_is_not_good_is_refused_alike(key, method):
    answer = getattr(with_key(key()), method)("/api/cases/")

    assert answer.status_code == 401
    assert answer.json() == {"code": "not_signed_in", "detail": NOT_SIGNED_IN, "fields": {}}
    assert answer["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("method", ["get", "post"])
def test_without_a_token_nothing_is_told(method):
    answer = getattr(Client(headers={"Accept-Language": "en"}), method)("/api/cases/")

    assert (answer.status_code, answer.json()["code"]) == (401, "not_signed_in")


def test_a_token_that_may_only_look_changes_nothing(program):
    lead = a_person()
    draft = a_draft_of(lead)

    looked = program(lead, scope="read").get("/api/cases/")
    answer = program(lead, scope="read").post("/api/cases/", draft, "application/json")

    assert looked.status_code == 200
    assert (answer.status_code, answer.json()["code"]) == (403, "token_scope")
    assert not Case.objects.exists()


def test_a_token_that_may_all_makes_a_case(program):
    lead = a_person()

    answer = program(lead).post("/api/cases/", a_draft_of(lead), "application/json")

    assert answer.status_code == 201
    assert Case.objects.get().created_by == lead


def test_a_browser_may_look_by_its_session(browser):
    answer = browser(a_person()).get("/api/cases/")

    assert answer.status_code == 200


def test_a_browser_changes_nothing_without_the_sign_of_our_own_page():
    lead = a_person()
    draft = a_draft_of(lead)
    client = Client(enforce_csrf_checks=True, headers={"Accept-Language": "en"})
    client.force_login(lead, backend="allauth.account.auth_backends.AuthenticationBackend")

    answer = client.post("/api/cases/", draft, "application/json")

    assert (answer.status_code, answer.json()["code"]) == (403, "csrf")
    assert not Case.objects.exists()


def test_a_browser_changes_with_the_sign_of_our_own_page():
    lead = a_person()
    draft = a_draft_of(lead)
    client = Client(enforce_csrf_checks=True)
    client.force_login(lead, backend="allauth.account.auth_backends.AuthenticationBackend")
    page = client.get("/api/docs").content.decode()
    sign = re.search(r'data-csrf-token="(\w+)"', page)[1]

    answer = client.post(
        "/api/cases/", draft, "application/json", headers={"X-CSRFToken": sign}
    )

    assert answer.status_code == 201


def test_a_bad_token_is_not_mended_by_a_session(browser):
    answer = browser(a_person()).get("/api/cases/", headers={"Authorization": "Bearer no"})

    assert answer.status_code == 401


@pytest.mark.parametrize(
    ("language", "sentence"),
    [
        ("en", "This does not exist, or it is not yours to see. Check the code."),
        ("nl", "Dit bestaat niet, of u mag het niet zien. Controleer de code."),
    ],
)
def test_what_does_not_exist_is_said_in_the_reader_s_language(program, language, sentence):
    answer = program(a_person(), language=language).get("/api/cases/C26-0000")

    assert answer.status_code == 404
    assert answer.json() == {"code": "not_found", "detail": sentence, "fields": {}}


@pytest.mark.parametrize(
    ("language", "fields"),
    [
        ("en", {"trl_now": "This must be a whole number.", "title": "This is missing."}),
        ("nl", {"trl_now": "Dit moet een heel getal zijn.", "title": "Dit ontbreekt."}),
    ],
)
def test_what_is_wrong_is_said_by_field(program, language, fields):
    lead = a_person()
    draft = a_draft_of(lead) | {"trl_now": "three"}
    del draft["title"]

    answer = program(lead, language=language).post("/api/cases/", draft, "application/json")

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
    assert answer.json()["fields"] == fields


def test_a_wrong_query_is_said_by_its_own_name(program):
    answer = program(a_person()).get("/api/cases/?page=many")

    assert answer.json()["fields"] == {"page": "This must be a whole number."}


@pytest.mark.parametrize(
    ("language", "start"), [("en", "This cannot be done now: "), ("nl", "Dit kan nu niet: ")]
)
def test_a_refusal_of_an_action_keeps_its_code_and_speaks_the_language(
    program, language, start
):
    lead = a_person()
    case = a_case(lead=lead)

    answer = program(lead, language=language).post(f"/api/cases/{case.code}/propose")

    assert (answer.status_code, answer.json()["code"]) == (409, "wrong_state")
    assert answer.json()["detail"].startswith(start)
    assert answer.json()["fields"] == {}


def test_a_body_that_is_no_json_is_refused_in_the_same_form(program):
    answer = program(a_person()).post("/api/cases/", "{no", "application/json")

    assert answer.status_code == 400
    assert answer.json() == {
        "code": "unreadable",
        "detail": "What was sent could not be read. Send JSON, as the API page shows.",
        "fields": {},
    }


def test_a_body_beyond_all_measure_is_refused_in_the_same_form(program):
    body = json.dumps({"title": "x" * 2**21})

    answer = program(a_person()).post("/api/cases/", body, "application/json")

    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


def test_a_token_costs_one_query_and_once_a_day_one_more(program):
    caller = program(a_person())
    with CaptureQueriesContext(
        connection,
    ) as first:
        caller.get("/api/people/tokens")
    with CaptureQueriesContext(connection) as second:
        caller.get("/api/people/tokens")

    assert (len(first), len(second)) == (3, 2)
    assert Token.objects.get().last_used_on == timezone.localdate()


@pytest.mark.parametrize(
    ("stage", "key", "shape", "make"),
    [
        ("cases", "code", CaseOut, lambda case: case),
        ("applications", "code", ApplicationOut, lambda case: an_application(case=case)),
        ("allocations", "account", RowOut, lambda case: an_allocation(case=case)),
        ("datasets", "code", DatasetOut, lambda case: a_dataset(case=case)),
        ("runs", "code", RunOut, lambda case: a_run(allocation=an_allocation(case=case))),
        ("models", "code", ModelOut, lambda case: a_model(case=case)),
    ],
)
def test_a_list_tells_of_a_thing_what_its_own_answer_tells(program, stage, key, shape, make):
    lead = a_person()
    made = make(a_case(lead=lead))
    client = program(lead)

    (item,) = client.get(f"/api/{stage}/").json()["items"]
    whole = client.get(f"/api/{stage}/{getattr(made, key)}").json()

    # Rows of lists are not checked when they are sent, so they are held to their shape here.
    assert set(item) == set(shape.model_fields)
    assert item == {name: whole[name] for name in item}


def test_the_description_names_every_stage(client):
    paths = client.get("/api/openapi.json").json()["paths"]

    stages = {path.split("/")[2] for path in paths}
    assert stages == {
        "people",
        "cases",
        "applications",
        "allocations",
        "agreements",
        "data-use",
        "store",
        "datasets",
        "looks",
        "catalogue",
        "runs",
        "sweeps",
        "code",
        "lab",
        "machine",
        "models",
        "try",
        "reports",
    }


def test_the_description_is_made_once():
    assert api.get_openapi_schema() is api.get_openapi_schema()


def test_the_description_tells_how_each_refuses_and_in_which_shape(client, program):
    found = client.get("/api/openapi.json").json()
    shape = {"$ref": "#/components/schemas/RefusalOut"}

    for path, operations in found["paths"].items():
        for method, operation in operations.items():
            told = operation["responses"]
            refusals = [one for status, one in told.items() if status.startswith("4")]
            shapes = [one["content"]["application/json"]["schema"] for one in refusals]
            assert shapes == [shape] * len(refusals), path
            least = {"4XX"} | ({"401", "403"} if operation.get("security") else set())
            least |= {"404"} if "{" in path else set()
            least |= {"409"} if method in {"post", "put", "patch", "delete"} else set()
            assert least <= told.keys(), (method, path)
    refused = program(a_person()).get("/api/cases/C26-9999").json()
    assert set(refused) == set(found["components"]["schemas"]["RefusalOut"]["required"])


def test_each_shape_has_a_name_of_its_own():
    """The description keeps one shape a name: of two with the same name, one would be a lie."""
    shapes = [shape for shape in _below(Schema) if shape.__module__.startswith("fabriek.")]

    names = Counter(shape.__name__ for shape in shapes if "[" not in shape.__name__)
    assert [name for name, times in names.items() if times > 1] == []


def _below(kind):
    for one in kind.__subclasses__():
        yield one
        yield from _below(one)


def test_the_page_that_explains_the_api_needs_nothing_from_elsewhere(client):
    answer = client.get("/api/docs")

    page = answer.content.decode()
    places = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert answer.status_code == 200
    assert places
    for place in places:
        assert urlsplit(place).netloc == ""
        assert finders.find(place.removeprefix("/static/")), place
    assert not re.search(r"<script(?![^>]*(src=|type=\"application/json\"))", page)


def test_api_answers_are_not_pages(program):
    answer = program(a_person()).get("/api/cases/")

    assert answer["Content-Type"] == "application/json; charset=utf-8"
    assert "default-src 'self'" in answer["Content-Security-Policy"]
