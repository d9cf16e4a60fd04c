"""What every answer carries, and how refusals look on pages."""

import re

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpResponse
from django.urls import reverse

from fabriek.kernel.errors import Invalid
from fabriek.kernel.middleware import RefusalMiddleware, content_security_policy
from fabriek.kernel.origins import origin_of
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

    assert answer["Content-Security-Policy"] == content_security_policy()
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert "HX-Request" in answer["Vary"]


def test_the_policy_allows_no_inline_code_and_no_other_origin():
    words = set(re.split(r"[;\s]+", content_security_policy()))

    assert not words & {"'unsafe-inline'", "'unsafe-eval'", "*", "https:", "http:"}


def test_the_policy_lets_forms_lead_to_where_people_sign_in(client, settings):
    settings.SIGN_IN_ORIGINS = ["https://sign-in.example.org"]

    rules = client.get("/accounts/login/")["Content-Security-Policy"].split("; ")

    plain = content_security_policy().split("; ")
    changed = [(old, new) for old, new in zip(plain, rules, strict=True) if old != new]
    assert changed == [("form-action 'self'", "form-action 'self' https://sign-in.example.org")]


@pytest.mark.parametrize(
    ("address", "origin"),
    [
        ("", ""),
        ("https://sign-in.example.org", "https://sign-in.example.org"),
        ("HTTPS://Sign-In.Example.org/realms/a?b=c", "https://sign-in.example.org"),
        ("http://127.0.0.1:8080/", "http://127.0.0.1:8080"),
        ("http://[::1]:8080/a", "http://[::1]:8080"),
        ("https://user:secret@example.org/", "https://example.org"),
    ],
)
def test_an_address_is_cut_down_to_its_origin(address, origin):
    assert origin_of(address) == origin


@pytest.mark.parametrize(
    "hostile",
    [
        "https://example.org; script-src *",
        "https://example.org script-src",
        "https://example.org;script-src/a",
        "https://example.org\r\nSet-Cookie: a=b",
        "https://exam\tple.org",
        "https://*",
        "https://*.example.org",
        "https:",
        "https://",
        "'unsafe-inline'",
        "data:text/html,a",
        "javascript:alert(1)",
        "sign-in.example.org",
        "https://example.org:port",
        "https://example.org:99999",
        "https://exämple.org",
        "https://[::1",
    ],
)
def test_no_other_text_than_an_origin_reaches_the_policy(hostile):
    with pytest.raises(ImproperlyConfigured, match="is not an address such as"):
        origin_of(hostile)


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
