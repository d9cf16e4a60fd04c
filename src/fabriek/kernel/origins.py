"""The origin of an address, as a Content-Security-Policy may name it."""

import re
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

# A host name (an international one in its xn-- form), or an IPv6 address in brackets. Nothing
# else may reach the header: a blank or a semicolon would begin a rule of its own.
_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\]", re.ASCII)


def origin_of(address: str) -> str:
    """Take scheme, host and port of an address; an empty address has no origin.

    Raises:
        ImproperlyConfigured: this is no http or https address of a plain host.
    """
    if not address:
        return ""
    try:
        # urlsplit drops line breaks and tabs without a word; here they are refused.
        parts = urlsplit(address) if address.isprintable() else None
        port = parts.port if parts else None
    except ValueError:
        parts = port = None
    host = parts.netloc.rpartition("@")[2].lower() if parts else ""
    host = host.removesuffix(f":{port}")
    if not parts or parts.scheme not in {"https", "http"} or not _HOST.fullmatch(host):
        raise ImproperlyConfigured(
            f"{address!r} is not an address such as https://sign-in.example.org."
        )
    return f"{parts.scheme}://{host}" + (f":{port}" if port else "")


def lab_url(told: str, factory_url: str) -> str:
    """Give the address of interactive work, with * where the name of a run comes.

    Not told, it is beside a portal that stands on the visitor's own machine: browsers find
    every name below localhost there. Elsewhere there is none until somebody makes the names.

    Raises:
        ImproperlyConfigured: it has no * as the first part of its host, or is no address.
    """
    if not told:
        parts = urlsplit(factory_url)
        is_here = parts.hostname in {"localhost", "127.0.0.1", "::1"}
        return f"http://*.localhost:{(parts.port or 80) + 1}" if is_here else ""
    if told.count("*") != 1 or "://*." not in told:
        raise ImproperlyConfigured(
            f"{told!r} needs a * before its host, such as https://*.lab.example.org."
        )
    return origin_of(told.replace("*", "each")).replace("each", "*", 1)
