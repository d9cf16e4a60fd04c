"""Behind a proxy: a visitor is who the proxy says, whatever they say themselves."""

import pytest
from django.core.exceptions import MiddlewareNotUsed
from django.http import HttpResponse
from django.test import Client

from fabriek.kernel.origins import host_of
from fabriek.kernel.visitors import VisitorMiddleware

MADE_UP = "192.0.2.1"


@pytest.fixture
def behind(settings):
    settings.PROXIES = 1


@pytest.mark.parametrize(
    ("told", "seen"),
    [
        (f"{MADE_UP}, 203.0.113.7", "203.0.113.7"),  # the proxy's word is the last
        (f"{MADE_UP},2001:db8::7", "2001:db8::7"),
        ("203.0.113.7, <script>", "127.0.0.1"),
        ("", "127.0.0.1"),
    ],
)
def test_a_visitor_is_who_the_proxy_says(rf, behind, told, seen):
    request = rf.get("/", headers={"X-Forwarded-For": told}, REMOTE_ADDR="127.0.0.1")

    VisitorMiddleware(lambda _request: HttpResponse())(request)

    assert request.META["REMOTE_ADDR"] == seen


def test_of_two_proxies_the_outer_one_says_it(rf, behind, settings):
    settings.PROXIES = 2
    told = {"X-Forwarded-For": f"{MADE_UP}, 203.0.113.7, 10.0.0.2"}
    request = rf.get("/", headers=told)

    VisitorMiddleware(lambda _request: HttpResponse())(request)

    assert request.META["REMOTE_ADDR"] == "203.0.113.7"


def test_without_a_proxy_nobody_is_believed(settings):
    settings.PROXIES = 0

    with pytest.raises(MiddlewareNotUsed):
        VisitorMiddleware(lambda _request: HttpResponse())


@pytest.mark.django_db
def test_wrong_passwords_of_one_keep_out_nobody_else(behind):
    def tries(address):
        typed = {"login": f"nobody@{address}.example", "password": "wrong"}
        told = {"X-Forwarded-For": address}
        page = Client().post("/accounts/login/", typed, headers=told)
        [error] = page.context["form"].non_field_errors().as_data()
        return error.code

    told = {tries("203.0.113.7") for _ in range(12)}

    assert "too_many_login_attempts" in told
    assert tries("203.0.113.8") == "email_password_mismatch"


@pytest.mark.parametrize(
    ("address", "host"),
    [
        ("https://Fabriek.example.org:8443/there", "fabriek.example.org"),
        ("http://[::1]:8000", "[::1]"),
    ],
)
def test_the_portal_answers_to_the_host_of_its_own_address(address, host):
    assert host_of(address) == host
