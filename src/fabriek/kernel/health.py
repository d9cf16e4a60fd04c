"""`/healthz`: for who watches over a factory: does the portal answer, and its database."""

import logging

from django.db import Error, connection
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

log = logging.getLogger(__name__)

# As whom we see who asks, and where: their own address is no secret to them. `fabriek doctor`
# reads from it what a proxy passes on.
SEEN = "Fabriek-Seen"
PLAIN = "text/plain; charset=utf-8"
UNAVAILABLE = 503


@never_cache
@require_safe
def look(request: HttpRequest) -> HttpResponse:
    """Say that, and little more: anybody may ask, and often."""
    answer = _answer()
    seen = f"{request.scheme}://{request.get_host()} {request.META.get('REMOTE_ADDR', '')}"
    answer.headers[SEEN] = seen.strip()
    return answer


def _answer() -> HttpResponse:
    try:
        _ask()
    except Error as error:
        # Why is for the log alone: it names hosts and accounts.
        log.warning("The database does not answer: %s", error)
        return HttpResponse("no database\n", content_type=PLAIN, status=UNAVAILABLE)
    return HttpResponse("ok\n", content_type=PLAIN)


def _ask() -> None:
    """Ask for what stands in a table: a file that is new and empty answers all else.

    Raises: Error.
    """
    if connection.vendor == "sqlite" and not connection.in_atomic_block:
        # One that is kept answers from memory, also where its file is gone or ruined.
        connection.close()
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM django_migrations LIMIT 1")
