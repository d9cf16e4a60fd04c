"""Whom programs trust that call the factory: everybody's authorities, and one of its own."""

import ssl
from pathlib import Path

import httpx
from django.conf import settings


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
