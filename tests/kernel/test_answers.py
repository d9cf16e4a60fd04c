"""What every answer carries, and how refusals look on pages."""

import re

import pytest
from django.http import HttpResponse
from django.urls import reverse

from fabriek.kernel.errors import Invalid
from fabriek.kernel.middleware import CONTENT_SECURITY_POLICY, RefusalMiddleware
from tests.factories import a_case, a_person

pytestmark = pytest.mark.django_db
PLACES = [
    "/",
    "/accounts/login/",
    "/api/openapi.json",
    "/api/people/me",
    "/nowhere",
    "/api/docs",
]


@pytest.mark.parametrize("place", PLACES)
def test_every_answer_forbids_scripts_and_frames_of_others(client, place):
    answer = client.get(place)

    assert answer["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert "HX-Request" in answer["Vary"]


def test_the_policy_allows_no_inline_code_and_no_other_origin():
    words = set(re.split(r"[;\s]+", CONTENT_SECURITY_POLICY))

    assert not words & {"'unsafe-inline'", "'unsafe-eval'", "*", "https:", "http:"}


def refused(browser, **headers):
    """Propose a case that is open already."""
    lead = a_person()
    place = reverse("cases:propose", args=[a_case(lead=lead).code])
    return browser(lead).post(place, headers=headers)


def test_a_refusal_is_a_page_with_its_sentence(browser):
    answer = refused(browser)

    page = answer.content.decode()
    assert answer.status_code == 409
    assert "<!doctype html>" in page
    assert "This cannot be done now: " in page


def test_for_htmx_a_refusal_is_a_fragment_in_the_place_for_notices(browser):
    answer = refused(browser, HX_Request="true")

    page = answer.content.decode()
    assert answer.status_code == 409
    assert "<html" not in page
    assert "This cannot be done now: " in page
    assert (answer["HX-Retarget"], answer["HX-Reswap"]) == ("#notice", "innerHTML")


def test_a_refusal_names_the_fields(rf):
    from_middleware = RefusalMiddleware(lambda request: HttpResponse())
    error = Invalid("Two things are wrong.", fields={"title": "Too long.", "trl": "Too low."})

    answer = from_middleware.process_exception(rf.get("/", headers={"HX-Request": "1"}), error)

    page = answer.content.decode()
    assert answer.status_code == 422
    assert "Too long." in page
    assert "Too low." in page


def test_a_bug_is_left_to_django(rf):
    from_middleware = RefusalMiddleware(lambda request: HttpResponse())

    assert from_middleware.process_exception(rf.get("/"), ValueError("a bug")) is None
