"""What doctor says of the way to a portal, by asking the portal by its own address."""

import httpx
import pytest
from django.test import Client

from fabriek.serve import way_in
from tests import tls

MADE_UP = "192.0.2.1"
PASSES = {
    "X-Forwarded-Proto": "https",
    "X-Forwarded-For": f"{MADE_UP}, 203.0.113.7",
    "Host": "fabriek.example.org",
}


@pytest.fixture
def behind(settings):
    """Serve by https, behind one proxy."""
    settings.FACTORY_URL = "https://fabriek.example.org"
    settings.HTTPS, settings.PROXIES = True, 1
    settings.ALLOWED_HOSTS = ["fabriek.example.org", "127.0.0.1"]
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("passed", "said"),
    [
        ({}, ""),
        ({"X-Forwarded-Proto": "http"}, "it does not say that visitors come by https"),
        ({"X-Forwarded-For": MADE_UP}, "visitors can make up their address"),
        ({"Host": "127.0.0.1"}, "visitors of https://fabriek.example.org are taken for those"),
        ({"Host": "other.example"}, "it does not pass the host that it was asked for"),
    ],
)
def test_doctor_says_what_the_proxy_does_not_pass(behind, monkeypatch, passed, said):
    def asked(_url, *, headers, **_given):
        assert headers["X-Forwarded-For"] == MADE_UP
        answer = Client().get("/healthz", headers=PASSES | passed)
        return httpx.Response(answer.status_code, headers=dict(answer.items()))

    monkeypatch.setattr(way_in.httpx, "get", asked)
    _certificate, found = way_in.look()

    assert found.verdict == ("lacking" if said else "good")
    assert found.said.startswith(said)
    assert found.mend.endswith("See the example in docs/operate/proxy.md.") == bool(said)


def test_a_portal_that_cannot_be_asked_is_no_fault(behind, monkeypatch):
    def asked(_url, **_given):
        raise httpx.ConnectError("connection refused")

    monkeypatch.setattr(way_in.httpx, "get", asked)
    [found] = way_in.look()

    assert found.verdict == "optional"
    assert found.said.endswith("cannot be asked from here: connection refused")


def test_doctor_says_that_jobs_do_not_trust_the_certificate_until_its_authority_is_named(
    behind, settings, tmp_path, monkeypatch
):
    with tls.serving(tmp_path) as (address, ca):
        # What the operator's own programs trust is not what jobs do.
        monkeypatch.setenv("SSL_CERT_FILE", str(ca))
        settings.FACTORY_URL = address
        distrusted, proxy = way_in.look()
        settings.CA_FILE = ca
        trusted, _proxy = way_in.look()

    assert (distrusted.verdict, trusted.verdict) == ("lacking", "good")
    assert distrusted.said == (
        f"jobs do not trust that of {address}: unable to get local issuer certificate"
    )
    assert "FABRIEK_CA_FILE" in distrusted.mend
    assert "answers 200, not as a portal" in proxy.said  # it was asked all the same


def test_without_https_there_is_no_proxy_to_look_at(settings):
    settings.HTTPS = False

    assert list(way_in.look()) == []
