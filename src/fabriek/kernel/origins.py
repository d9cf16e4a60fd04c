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
