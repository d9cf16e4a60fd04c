"""The gateway: the only way into a lab, for a browser or the command line, on loopback.

It asks at each request who comes (`visits`), on which host and from which page, and carries
what is allowed over the line to the run (`lines`, `proxy`). What is behind it may be hostile
to who comes, and who comes to what is behind it.
"""

import asyncio
import logging
import os
import signal
from collections.abc import AsyncIterator
from contextlib import suppress
from functools import partial
from urllib.parse import urlsplit

import aiohttp
from aiohttp import web
from django.db import close_old_connections

from fabriek.lab import actions, addresses, pages, proxy
from fabriek.lab.lines import Line, Lines, NoLine, Reach
from fabriek.lab.room import NoRoom, Room
from fabriek.lab.visits import Visit, Visits

log = logging.getLogger(__name__)

# With this name a browser takes the cookie from this very host only, and over https only.
SECURE_COOKIE, PLAIN_COOKIE = "__Host-fabriek-lab", "fabriek-lab"
READING = {"GET", "HEAD", "OPTIONS"}
# Another run's host is "same-site": it may be followed from, but not read or embed this one.
OWN_SITES = {"same-origin", "none"}
LOOK_EVERY_S = 1.0
TRY_AGAIN_S = 10.0
SAID_MAX = 600


class Gateway:
    def __init__(self, reach: Reach, visits: Visits | None = None) -> None:
        self._visits = visits or Visits()
        self.lines = Lines(reach)
        self.room = Room()
        self._clients: dict[str, tuple[Line, aiohttp.ClientSession]] = {}
        self._cookie = SECURE_COOKIE if addresses.is_secure() else PLAIN_COOKIE

    def app(self) -> web.Application:
        app = web.Application(client_max_size=0)
        app.router.add_route("*", "/{path:.*}", self.answer)
        app.cleanup_ctx.append(self._background)
        return app

    async def answer(self, request: web.Request) -> web.StreamResponse:
        code = addresses.code_at(request.headers.get("Host", ""))
        if not code or not request.raw_path.startswith("/"):
            return pages.no_such_host(request)
        if "Service-Worker" in request.headers:
            # One that a lab left in a browser would read every ticket before the door does.
            return pages.from_elsewhere(request)
        if request.path == addresses.DOOR:
            return await self._admitted(request, code)
        visit = await self._visits.of(request.cookies.get(self._cookie, ""))
        if visit is None or visit.code != code:
            return pages.not_in(request, code)
        if not _is_from_own_page(request, visit):
            return pages.from_elsewhere(request)
        try:
            with visit.at_work():
                return await self._carried(request, visit)
        except asyncio.CancelledError:
            # Who is put out, or has gone, does not get the rest at leisure.
            if request.transport:
                request.transport.abort()
            raise

    async def _admitted(self, request: web.Request, code: str) -> web.StreamResponse:
        ticket = request.query.get("ticket", "")
        admission = await asyncio.to_thread(_admit, ticket, code)
        if admission is None:
            return pages.not_in(request, code)
        answer = web.Response(status=303, headers={"Location": "/lab", **pages.HEADERS})
        answer.set_cookie(
            self._cookie,
            admission,
            path="/",
            httponly=True,
            samesite="Lax",
            secure=addresses.is_secure(),
        )
        return answer

    async def _carried(self, request: web.Request, visit: Visit) -> web.StreamResponse:
        try:
            line, session = await self._client(visit.key)
            if request.headers.get("Upgrade", "").lower() != "websocket":
                return await proxy.carry(request, session, line.token)
            holding = partial(self.room.waiting.holding, visit.key)
            with self.room.sockets.holding(visit.key):
                return await proxy.carry_socket(request, session, line.token, holding)
        except (NoLine, NoRoom, proxy.Silent) as error:
            # Part of it may be words of the node: in quotes, and no more than a line.
            log.warning("%s cannot be reached: %r", visit.code, str(error)[:SAID_MAX])
            return pages.not_reached(request)

    async def _client(self, key: str) -> tuple[Line, aiohttp.ClientSession]:
        line = await self.lines.to(key)
        known = self._clients.get(key)
        if known is None or known[0] is not line:
            known = self._clients[key] = (line, proxy.client(line))
        return known

    async def _background(self, _app: web.Application) -> AsyncIterator[None]:
        works = (self._visits.watch(), self.lines.tidy(), self._tidy_clients())
        tasks = [asyncio.create_task(work) for work in works]
        yield
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        for _line, session in self._clients.values():
            await session.close()
        await self.lines.close()

    async def _tidy_clients(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            for key, (line, session) in list(self._clients.items()):
                if not line.is_up:
                    del self._clients[key]
                    await session.close()


def serve(*, host: str, port: int, reach: Reach, parent: int | None = None) -> None:
    """Serve until SIGTERM or SIGINT; or until the process `parent` is gone."""
    asyncio.run(_serve(Gateway(reach).app(), host, port, parent))


async def _serve(app: web.Application, host: str, port: int, parent: int | None) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=2.0)
    await runner.setup()
    listens = False
    try:
        while not stop.is_set() and (parent is None or os.getppid() == parent):
            listens = listens or await _listens(runner, host, port)
            with suppress(TimeoutError):
                pause_s = LOOK_EVERY_S if listens else TRY_AGAIN_S
                await asyncio.wait_for(stop.wait(), pause_s)
    finally:
        await runner.cleanup()


async def _listens(runner: web.AppRunner, host: str, port: int) -> bool:
    """Begin to listen; where somebody else has the port the portal can do without, for now."""
    site = web.TCPSite(runner, host, port)
    try:
        await site.start()
    except OSError as error:
        log.warning("Nobody can go into interactive work: %s", error)
        return False
    return True


def _is_from_own_page(request: web.Request, visit: Visit) -> bool:
    """Refuse what another site lets a browser send: changes, and WebSockets of any kind.

    A browser says where such a call comes from. The command line says nothing, and has a pass
    that was asked for with a token, which no browser is ever given.
    """
    is_socket = "Upgrade" in request.headers
    if request.method in READING and not is_socket:
        site = request.headers.get("Sec-Fetch-Site", "none")
        return site in OWN_SITES or request.headers.get("Sec-Fetch-Mode", "") == "navigate"
    origin = request.headers.get("Origin", "")
    if not origin:
        return visit.by_token
    own = addresses.origin(visit.code)
    return origin.lower() == f"{urlsplit(own).scheme}://{urlsplit(own).netloc}"


def _admit(ticket: str, code: str) -> str | None:
    close_old_connections()
    try:
        return actions.admit(ticket, code)
    finally:
        close_old_connections()
