"""Whom programs trust that call the factory: everybody's authorities, and one of its own."""

import ssl
from pathlib import Path
from typing import Any

import httpx
import requests
from django.conf import settings
from requests.adapters import HTTPAdapter


def context() -> ssl.SSLContext:
    """Trust as the jobs of runs do, whatever is said in the surroundings of the portal."""
    trusting = httpx.create_ssl_context(trust_env=False)
    if settings.CA_FILE:
        trusting.load_verify_locations(settings.CA_FILE)
    return trusting


def bundle() -> str:
    """Give all of them as one PEM file.

    Programs that are told of a file trust nobody else: with our own alone in it, a job would
    reach the factory and nothing besides.
    """
    everybody = httpx.create_ssl_context(trust_env=False).get_ca_certs(binary_form=True)
    own = Path(settings.CA_FILE).read_text() if settings.CA_FILE else ""
    return "".join([*map(ssl.DER_cert_to_PEM_cert, everybody), own])


class Trusting(HTTPAdapter):
    """Let what calls by `requests` trust our own authority too, also through a proxy."""

    def init_poolmanager(self, *args: Any, **more: Any) -> None:  # noqa: ANN401  its own
        super().init_poolmanager(*args, **more, ssl_context=context())

    def proxy_manager_for(self, proxy: str, **more: Any) -> Any:  # noqa: ANN401  its own
        return super().proxy_manager_for(proxy, **more, ssl_context=context())


def session_trusting(session: requests.Session) -> requests.Session:
    """Let a session trust our own authority beside all that it trusts by itself."""
    if settings.CA_FILE:
        session.mount("https://", Trusting())
    return session
