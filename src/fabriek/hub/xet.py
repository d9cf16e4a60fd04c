"""The routes of the Xet protocol that programs need in order to send: nothing is read by it.

Who sends was asked when they fetched a key (`xet-write-token`); each call asks it again, as a
membership may have ended since.
"""

import json
import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from tempfile import TemporaryFile
from typing import BinaryIO

from django.db import connection
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils import translation
from django.utils.translation import gettext as _

from fabriek.hub import answers, doors, refusals, xet_keep, xet_places, xet_tokens
from fabriek.hub.doors import Door
from fabriek.hub.xet_shards import SHARD_BYTES_MAX
from fabriek.kernel.body import stream
from fabriek.kernel.errors import Refused, TooLarge
from fabriek.store.incoming import refused_when_full
from fabriek.store.models import Repository

# nginx keeps short pieces of an answer until there is enough of them, unless it is told so.
AS_IT_COMES = {"X-Accel-Buffering": "no"}
# Each holds one chunk in memory and a thread of the portal, which others want too.
XORBS_AT_ONCE = 4
COPY_BYTES = 2**20
# Programs give up when they hear nothing for two minutes; a file of 50 GB takes longer.
LONG_BYTES = 2**30
SIGN_OF_LIFE_S = 10.0

log = logging.getLogger(__name__)
room_for_xorbs = threading.BoundedSemaphore(XORBS_AT_ONCE)


class Busy(Refused):
    """Programs wait a moment and send it again by themselves."""

    code = "busy"
    status = 503


@answers.view("GET")
def write_token(
    request: HttpRequest,
    kind: str,
    namespace: str,
    name: str,
    revision: str,  # noqa: ARG001
) -> HttpResponse:
    """Give a key, and the address at which to use it."""
    door = doors.writable(request, kind, namespace, name)
    key = xet_tokens.new_key(door.writer, door.repository)
    era = xet_keep.era_of(door.repository)
    address = request.build_absolute_uri(f"/hub/xet/{door.repository.pk}/{era}")
    expires_at = xet_tokens.expires_at()
    answer = answers.said({"accessToken": key, "exp": expires_at, "casUrl": address})
    answer["X-Xet-Access-Token"] = key
    answer["X-Xet-Token-Expiration"] = str(expires_at)
    answer["X-Xet-Cas-Url"] = address
    return answer


@answers.view("GET", "POST", "HEAD")
def not_here(request: HttpRequest, **_named: str) -> HttpResponse:  # noqa: ARG001
    """Answer what we do not do, such as telling whether anybody has a chunk."""
    return answers.said({"error": "Not found"}, status=404)


@answers.view("POST")
def telemetry(_request: HttpRequest) -> HttpResponse:
    """Let programs tell how it went, at the root as they do; nobody reads it."""
    return HttpResponse(status=204)


@answers.view("POST")
def xorb(request: HttpRequest, repository_id: int, era: int, xorb: str) -> HttpResponse:  # noqa: ARG001
    door = _door(request, repository_id)
    with _one_of_few():
        is_new = xet_keep.take_xorb(door.repository, xorb, stream(request), by=door.person)
    return answers.said({"was_inserted": is_new})


@answers.view("POST")
def shard(request: HttpRequest, repository_id: int, era: int, version: int) -> HttpResponseBase:  # noqa: ARG001
    """Make the files that the list names; long work says now and then that it goes on."""
    door = _door(request, repository_id)
    shard = _on_disk(request)
    try:
        making = xet_keep.Making(door.repository, shard, by=door.person)
        if making.check() > LONG_BYTES:
            return StreamingHttpResponse(
                _told(_contained(making, shard), version),
                content_type="application/x-ndjson" if version > 1 else "application/json",
                headers=AS_IT_COMES,
            )
        making.make()
    except BaseException:
        shard.close()
        raise
    shard.close()
    return HttpResponse(_end(version), content_type="application/json")


def _door(request: HttpRequest, repository_id: int) -> Door:
    """Raise: NotSignedIn, RepoNotFound, NotAllowed, WrongState."""
    scheme, _space, key = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
    if scheme.lower() != "bearer":
        raise refusals.no_token()
    given = xet_tokens.read(key.strip())
    if given.repository_id != repository_id:
        raise refusals.repo_not_found()
    token = doors.still_good(given.token_id, given.person_id)
    rows = Repository.objects.select_related("case", "organisation")
    repository = rows.filter(pk=repository_id).first()
    if token is None:
        raise refusals.wrong_token()
    if repository is None:
        raise refusals.repo_not_found()
    doors.require_write(token.person, repository)
    return Door(person=token.person, repository=repository, token=token)


@contextmanager
def _one_of_few() -> Iterator[None]:
    if not room_for_xorbs.acquire(blocking=False):
        raise Busy(_("Many send files at this moment. Try again in a few seconds."))
    try:
        yield
    finally:
        room_for_xorbs.release()


def _on_disk(request: HttpRequest) -> BinaryIO:
    """Put the list in a file without a name: it is read more than once."""
    folder, body, left = xet_places.incoming_folder(), stream(request), SHARD_BYTES_MAX
    with refused_when_full():
        folder.mkdir(parents=True, exist_ok=True)
        file: BinaryIO = TemporaryFile(dir=folder)  # noqa: SIM115
        while piece := body.read(COPY_BYTES):
            left -= len(piece)
            if left < 0:
                file.close()
                raise TooLarge(_("A list of files has at most 64 MiB. Send them in parts."))
            file.write(piece)
    return file


# --- long work ---------------------------------------------------------------------------
def _contained(making: xet_keep.Making, shard: BinaryIO) -> Callable[[], str]:
    """Give what makes the files in a thread of its own, and says why not if it cannot."""
    language = translation.get_language()  # that of who asked: a thread has none

    def make() -> str:
        with translation.override(language):
            try:
                making.make()
            except Refused as refusal:
                return str(refusal)
            except Exception:
                log.exception("The files of a list could not be made.")
                return _trouble()
            finally:
                shard.close()
                connection.close()
            return ""

    return make


def _told(work: Callable[[], str], version: int) -> Iterator[str]:
    with ThreadPoolExecutor(1) as pool:
        done: Future[str] = pool.submit(work)
        while not wait([done], SIGN_OF_LIFE_S).done:
            # White space before JSON is nothing; what a line of an unknown type says neither.
            yield " " if version == 1 else '{"type":"making"}\n'
        trouble = done.result()
    if not trouble:
        yield _end(version)
    elif version == 1:
        yield json.dumps({"error": trouble})
    else:
        yield json.dumps({"type": "error", "message": trouble, "retryable": False}) + "\n"


def _trouble() -> str:
    return _("The factory could not save this. Try again; if it fails again, tell its staff.")


def _end(version: int) -> str:
    return '{"result":1}' if version == 1 else '{"type":"result"}\n'
