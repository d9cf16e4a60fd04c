"""Where labs are found: what the settings mean, and which host is whose."""

import pytest
from django.core.exceptions import ImproperlyConfigured

from fabriek.kernel.origins import lab_url, share_a_domain
from fabriek.lab import addresses


@pytest.mark.parametrize(
    ("told", "portal", "found"),
    [
        ("", "http://localhost:8000", "http://*.localhost:8001"),
        ("", "http://127.0.0.1:9000", "http://*.localhost:9001"),
        ("", "https://fabriek.example.org", ""),
        (
            "https://*.lab.example.org",
            "https://fabriek.example.org",
            "https://*.lab.example.org",
        ),
        ("https://*.lab.example.org/", "http://localhost:8000", "https://*.lab.example.org"),
    ],
)
def test_the_address_is_told_or_beside_a_portal_on_localhost(told, portal, found):
    assert lab_url(told, portal) == found


@pytest.mark.parametrize(
    "told",
    [
        "https://lab.example.org",
        "https://a.*.org",
        "https://*.a*.org",
        "*.org",
        "ftp://*.x.org",
        "http://*.lab.example.org",
    ],
)
def test_an_address_without_a_place_for_the_run_is_refused(told):
    with pytest.raises(ImproperlyConfigured):
        lab_url(told, "http://localhost:8000")


@pytest.mark.parametrize(
    ("told", "portal"),
    [
        ("https://*.fabriek.example.org", "https://fabriek.example.org"),
        ("https://*.lab.example.org", "https://example.org"),
        ("https://*.Lab.Example.org:8443", "https://example.org"),
        ("https://*.example.org", "https://fabriek.example.org"),
        ("https://*.example.org", "https://example.org:8000"),
    ],
)
def test_labs_do_not_lie_below_the_portal_nor_it_beside_them(told, portal):
    with pytest.raises(ImproperlyConfigured, match="passkeys"):
        lab_url(told, portal)


def test_on_ones_own_machine_labs_may_lie_below_the_portal():
    told = "http://*.localhost:8001"

    assert lab_url(told, "http://localhost:8000") == told


@pytest.mark.parametrize(
    ("one", "other", "shared"),
    [
        ("https://*.lab.example.org", "https://fabriek.example.org", True),
        ("https://*.example-lab.org", "https://fabriek.example.org", False),
        ("http://*.localhost:8001", "http://localhost:8000", False),
    ],
)
def test_what_lies_below_one_domain_is_told(one, other, shared):
    assert share_a_domain(one, other) is shared


@pytest.mark.parametrize(
    ("host", "code"),
    [
        ("r26-0007.lab.example.org", "R26-0007"),
        ("R26-0007.LAB.example.org", "R26-0007"),
        ("r26-12345.lab.example.org", "R26-12345"),
        ("lab.example.org", ""),
        ("r26-0007.lab.example.org:8001", ""),
        ("r26-0007.lab.example.org.evil.example", ""),
        ("x.r26-0007.lab.example.org", ""),
        ("r26-0007.evil.example", ""),
        ("", ""),
    ],
)
def test_a_host_is_that_of_one_run_or_of_none(offered, host, code):
    assert addresses.code_at(host) == code


@pytest.mark.parametrize(
    ("url", "port", "found"),
    [
        ("http://*.localhost:8011", 0, 8011),
        ("https://*.lab.example.org", 0, 8001),
        ("https://*.lab.example.org", 9009, 9009),
    ],
)
def test_the_gateway_listens_where_browsers_or_the_proxy_look(settings, url, port, found):
    settings.LAB_URL, settings.LAB_PORT = url, port

    assert addresses.port(beside=8000) == found
