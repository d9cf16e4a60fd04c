"""What the gateway says itself: short pages, in the language that the browser asks for."""

from aiohttp import web
from django.conf import settings
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation.trans_real import parse_accept_lang_header

HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
    ),
}
RETRY_S = 3


def no_such_host(request: web.Request) -> web.Response:
    with translation.override(_language(request)):
        return _page(
            421,
            title=_("There is nothing here"),
            sentence=_("No session of interactive work has this address."),
        )


def not_in(request: web.Request, code: str) -> web.Response:
    with translation.override(_language(request)):
        return _page(
            403,
            title=_("You are not in this session"),
            sentence=_(
                "You were not let in, or no longer: the session is over, or you signed out. Go "
                "to the page of the run and open it from there."
            ),
            url=f"{settings.FACTORY_URL}/runs/{code}/",
            label=_("Go to the run"),
        )


def from_elsewhere(request: web.Request) -> web.Response:
    with translation.override(_language(request)):
        return _page(
            403,
            title=_("This did not happen"),
            sentence=_("Another site sent this, and not a page of the session itself."),
        )


def not_reached(request: web.Request) -> web.Response:
    with translation.override(_language(request)):
        answer = _page(
            503,
            title=_("The session does not answer"),
            sentence=_("It cannot be reached just now. Load this page again in a moment."),
        )
    answer.headers["Retry-After"] = str(RETRY_S)
    return answer


def _page(
    status: int, *, title: str, sentence: str, url: str = "", label: str = ""
) -> web.Response:
    told = {"title": title, "sentence": sentence, "url": url, "label": label}
    told |= {"language": translation.get_language(), "factory_name": settings.FACTORY_NAME}
    text = render_to_string("lab/gateway.html", told)
    return web.Response(status=status, text=text, content_type="text/html", headers=HEADERS)


def _language(request: web.Request) -> str:
    known = dict(settings.LANGUAGES)
    for word, _weight in parse_accept_lang_header(request.headers.get("Accept-Language", "")):
        if (short := word.partition("-")[0]) in known:
            return short
    return str(settings.LANGUAGE_CODE)
