"""Ask the portal by its own address whether jobs trust it, and its proxy tells what it must."""

import ssl
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
from django.conf import settings

from fabriek.kernel import authorities, health
from fabriek.kernel.origins import origin_of
from fabriek.serve.findings import Finding

TIMEOUT_S = 10
# What a visitor may make up, and a proxy must put its own words in the place of.
FORGED_ADDRESS = "192.0.2.1"  # RFC 5737: nobody has it
FORGED = {"X-Forwarded-Proto": "http", "X-Forwarded-For": FORGED_ADDRESS}
WRONG_HOST = 400
AS_IN_THE_EXAMPLE = "See the example in docs/operate/proxy.md."


def look() -> Iterator[Finding]:
    """Look at what stands before a portal that is found by https, as we end no TLS."""
    if not settings.HTTPS:
        return
    try:
        answer, distrusted = _asked()
    except (httpx.TransportError, httpx.InvalidURL, OSError) as error:
        yield Finding(
            what="Proxy",
            verdict="optional",
            said=f"{settings.FACTORY_URL} cannot be asked from here: {error}",
            mend="Start the portal and the proxy, then ask again.",
        )
        return
    yield _certificate(distrusted)
    said, mend = _trouble(answer)
    yield Finding(
        what="Proxy",
        verdict="lacking" if mend else "good",
        said=said,
        mend=mend and f"{mend} {AS_IN_THE_EXAMPLE}",
    )


def _asked() -> tuple[httpx.Response, str]:
    """Ask as a job would; where that would not trust it, say why, and ask all the same."""
    try:
        return _get(authorities.context()), ""
    except httpx.TransportError as error:
        distrusted = _distrust(error)
        if not distrusted:
            raise
    return _get(False), distrusted  # nothing secret goes there, and nothing is believed


def _get(verify: ssl.SSLContext | bool) -> httpx.Response:
    address = f"{settings.FACTORY_URL}/healthz"
    return httpx.get(address, headers=FORGED, timeout=TIMEOUT_S, verify=verify)


def _distrust(error: BaseException | None) -> str:
    """Give what OpenSSL says of the certificate, below what httpx made of it."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return str(error.verify_message)
        error = error.__cause__ or error.__context__
    return ""


def _certificate(distrusted: str) -> Finding:
    if not distrusted:
        return Finding(what="Certificate", verdict="good", said="jobs trust it", mend="")
    return Finding(
        what="Certificate",
        verdict="lacking",
        said=f"jobs do not trust that of {settings.FACTORY_URL}: {distrusted}",
        mend="Name the authority that signed it: FABRIEK_CA_FILE=its-ca.pem. One that is out "
        "of date, or of another host, must be made again. See docs/operate/proxy.md.",
    )


def _trouble(answer: httpx.Response) -> tuple[str, str]:
    """Say what is wrong and how to mend it; nothing to mend where all is well."""
    seen, _, address = answer.headers.get(health.SEEN, "").partition(" ")
    if not seen and answer.status_code == WRONG_HOST:
        return "it does not pass the host that it was asked for", "Let it pass Host as it came."
    if not seen:
        said = f"{settings.FACTORY_URL}/healthz answers {answer.status_code}, not as a portal"
        return said, "Is the portal up, and does the proxy hand calls on to it?"
    if urlsplit(seen).scheme != "https":
        return (
            "it does not say that visitors come by https, so browsers can send no form",
            "Let it set X-Forwarded-Proto itself, whatever a visitor sends.",
        )
    if origin_of(seen) != origin_of(settings.FACTORY_URL):
        said = f"visitors of {settings.FACTORY_URL} are taken for those of {seen}"
        return said, "Let it pass Host as it came, with the port."
    return _address_trouble(address)


def _address_trouble(address: str) -> tuple[str, str]:
    if address == FORGED_ADDRESS:
        said = "visitors can make up their address, and so try passwords without end"
        return said, "Let it set X-Forwarded-For itself, or correct FABRIEK_PROXIES."
    if not settings.PROXIES:
        said = "all visitors count as one address: wrong passwords of one keep out all"
        return said, "Set FABRIEK_PROXIES to how many stand before the portal."
    return f"{settings.FACTORY_URL}, and we are seen as {address}", ""
