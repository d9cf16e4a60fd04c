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


def host_of(address: str) -> str:
    """Give the host of an address without its port, as a `Host` header has it."""
    host = urlsplit(address).hostname or ""
    return f"[{host}]" if ":" in host else host


def index_url(told: str) -> str:
    """Give the address of an index of packages as it was told; every job may read it.

    Raises:
        ImproperlyConfigured: it is no address, or has a password in it.
    """
    if told:
        origin_of(told)
        if "@" in urlsplit(told).netloc:
            raise ImproperlyConfigured(
                "FABRIEK_PACKAGE_INDEX has a name or password in it, and everybody's programs "
                "could read that. Let the index take what comes from the machine's own network."
            )
    return told


def lab_url(told: str, factory_url: str) -> str:
    """Give the address of interactive work, with * where the name of a run comes.

    Not told, it is beside a portal that stands on the visitor's own machine: browsers find
    every name below localhost there. Elsewhere there is none until somebody makes the names.

    Raises:
        ImproperlyConfigured: it has no * as the first part of its host, is no address, is not
            safe from listeners, or its pages could pass for the portal's.
    """
    if not told:
        parts = urlsplit(factory_url)
        is_here = parts.hostname in {"localhost", "127.0.0.1", "::1"}
        return f"http://*.localhost:{(parts.port or 80) + 1}" if is_here else ""
    if told.count("*") != 1 or "://*." not in told:
        raise ImproperlyConfigured(
            f"{told!r} needs a * before its host, such as https://*.lab.example.org."
        )
    address = origin_of(told.replace("*", "each")).replace("each", "*", 1)
    _require_apart(address, factory_url)
    return address


def _require_apart(lab: str, factory_url: str) -> None:
    """Refuse an address of labs whose pages could act as the portal's.

    Passkeys of the portal are good on every host below its own; cookies can be left for every
    host below. Below localhost both is so too: that is for trying out on one's own machine.
    """
    parts = urlsplit(lab)
    below = (parts.hostname or "").removeprefix("*.")
    if f".{below}".endswith(".localhost"):
        return
    if parts.scheme != "https":
        raise ImproperlyConfigured(f"{lab!r} needs https: who listens could else go in too.")
    portal = urlsplit(factory_url).hostname or ""
    if f".{below}".endswith(f".{portal}") or f".{portal}".endswith(f".{below}"):
        raise ImproperlyConfigured(
            f"{lab!r} and the portal, {factory_url!r}, lie below one another: pages of a lab "
            "could use the portal's passkeys or leave it cookies. Give labs a domain of their "
            "own, such as https://*.example-lab.org, or one beside it: with the portal at "
            "https://fabriek.example.org, https://*.lab.example.org."
        )


def share_a_domain(one: str, other: str) -> bool:
    """Whether two addresses lie below one domain, as far as their last two names say."""
    hosts = [(urlsplit(address).hostname or "").split(".") for address in (one, other)]
    return all(len(names) > 1 for names in hosts) and hosts[0][-2:] == hosts[1][-2:]
