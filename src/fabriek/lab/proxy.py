"""Carry a request, or a WebSocket, to the lab and its answer back: only what each may see."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from contextlib import AbstractContextManager, suppress

import aiohttp
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from fabriek.lab.lines import Line

# RFC 9110, 7.6.1, and what is ours to say on either side.
HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
NOT_INWARD = HOP | {"authorization", "cookie", "forwarded", "content-length", "expect"}
# The only cookie that Jupyter needs; any other could take the place of one of ours.
XSRF = "_xsrf"
# A message is whole in memory before it goes on. Jupyter itself takes no more than 10 MiB; what
# a kernel shows (a picture, a table) may be more.
INWARD_BYTES_MAX = 16 * 2**20
OUTWARD_BYTES_MAX = 32 * 2**20
# For the last words of both sides; who does not take them is cut off.
BYE_WITHIN_S = 2.0
PIECE_BYTES = 64 * 1024
# What a lab may not say for the host it stands on.
NOT_OUTWARD = HOP | {
    "set-cookie",
    "alt-svc",
    "access-control-allow-origin",
    "access-control-allow-credentials",
    "server",
    "clear-site-data",
    "strict-transport-security",
    # A worker may not stand above all addresses, the door among them.
    "service-worker-allowed",
    # Words with which a proxy before us would give out files of its own.
    "x-sendfile",
}
OF_A_PROXY = ("x-accel-", "x-lighttpd-")
FINAL_LEAST = 200
Holding = Callable[[int], AbstractContextManager[None]]
NO_ANSWER = (aiohttp.ClientError, OSError, TimeoutError)


class Silent(Exception):
    """The lab did not answer."""


def client(line: Line) -> aiohttp.ClientSession:
    """Make what speaks over this line; connections are kept for as long as it is."""
    return aiohttp.ClientSession(
        connector=aiohttp.UnixConnector(line.socket, limit=0, keepalive_timeout=60),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=20),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
    )


async def carry(
    request: web.Request, session: aiohttp.ClientSession, token: str
) -> web.StreamResponse:
    """Carry one request and stream its answer.

    Raises:
        Silent: no answer began.
    """
    sends = request.body_exists and request.can_read_body
    headers = _inward(request, token)
    if sends and "Content-Length" in request.headers:
        headers["Content-Length"] = request.headers["Content-Length"]
    try:
        answer = await session.request(
            request.method,
            _address(request),
            headers=headers,
            data=request.content.iter_chunked(PIECE_BYTES) if sends else None,
            allow_redirects=False,
        )
    except NO_ANSWER as error:
        raise Silent(str(error)) from error
    if answer.status < FINAL_LEAST:
        answer.close()
        raise Silent(f"{answer.status} is no answer to this")
    async with answer:
        response = web.StreamResponse(status=answer.status, headers=_outward(answer.headers))
        try:
            await response.prepare(request)
            async for piece in answer.content.iter_chunked(PIECE_BYTES):
                await response.write(piece)
            await response.write_eof()
        except NO_ANSWER:
            # One of both went away in the middle: half an answer may not look like a whole one.
            if request.transport:
                request.transport.abort()
        return response


async def carry_socket(
    request: web.Request, session: aiohttp.ClientSession, token: str, holding: Holding
) -> web.StreamResponse:
    """Carry messages both ways until one side ends. `holding` counts those that wait.

    Raises:
        Silent: the lab did not take the call.
    """
    inner = await _inner_socket(request, session, token)
    connection = inner._response.connection  # noqa: SLF001  it is told nowhere else
    transport = connection.transport if connection else None
    agreed = [inner.protocol] if inner.protocol else []
    outer = web.WebSocketResponse(
        protocols=agreed,
        max_msg_size=INWARD_BYTES_MAX,
        autoping=False,
        timeout=BYE_WITHIN_S,
        compress=False,  # a few bytes could stand for all that a message may have
    )
    try:
        await outer.prepare(request)
        await _both(_pass_on(outer, inner, holding), _pass_on(inner, outer, holding))
        with suppress(TimeoutError):
            await asyncio.wait_for(_part(inner, outer), 2 * BYE_WITHIN_S)
    finally:
        # What one side did not take in is not kept for it.
        for one in (transport, request.transport):
            if one:
                one.abort()
        if connection:
            connection.close()
    return outer


async def _inner_socket(
    request: web.Request, session: aiohttp.ClientSession, token: str
) -> aiohttp.ClientWebSocketResponse:
    offered = request.headers.get("Sec-WebSocket-Protocol", "")
    protocols = [word.strip() for word in offered.split(",") if word.strip()]
    headers = _inward(request, token, but=_WEBSOCKET)
    try:
        return await session.ws_connect(
            _address(request),
            headers=headers,
            protocols=protocols,
            max_msg_size=OUTWARD_BYTES_MAX,
            autoping=False,
            timeout=aiohttp.ClientWSTimeout(ws_close=BYE_WITHIN_S),
        )
    except NO_ANSWER as error:
        raise Silent(str(error)) from error


async def _part(inner: aiohttp.ClientWebSocketResponse, outer: web.WebSocketResponse) -> None:
    """Tell each side how the other ended."""
    await inner.close(code=_told(outer.close_code))
    await outer.close(code=_told(inner.close_code))


_WEBSOCKET = frozenset(
    {
        "sec-websocket-key",
        "sec-websocket-version",
        "sec-websocket-extensions",
        "sec-websocket-protocol",
    }
)
Side = web.WebSocketResponse | aiohttp.ClientWebSocketResponse


async def _pass_on(source: Side, target: Side, holding: Holding) -> None:
    async for message in source:
        if message.type == aiohttp.WSMsgType.TEXT:
            with holding(len(message.data)):
                await target.send_str(message.data)
        elif message.type == aiohttp.WSMsgType.BINARY:
            with holding(len(message.data)):
                await target.send_bytes(message.data)
        elif message.type == aiohttp.WSMsgType.PING:
            await target.ping(message.data)
        elif message.type == aiohttp.WSMsgType.PONG:
            await target.pong(message.data)


async def _both(*ways: Coroutine[None, None, None]) -> None:
    """Let both go on until one ends, whichever it is."""
    tasks = [asyncio.create_task(way) for way in ways]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _told(code: int | None) -> int:
    """Give the word that may be said at the end: some only mean that nothing was said."""
    unsaid = {1005, 1006, 1015}  # RFC 6455, 7.4.1
    return aiohttp.WSCloseCode.GOING_AWAY if code is None or code in unsaid else code


def _address(request: web.Request) -> URL:
    # Letter by letter as it came: to clean it would make another address of it.
    return URL(f"http://lab{request.raw_path}", encoded=True)


def _inward(request: web.Request, token: str, *, but: Iterable[str] = ()) -> CIMultiDict[str]:
    left_out = {*NOT_INWARD, *but, *_named(request.headers.get("Connection", ""))}
    headers = CIMultiDict(
        (name, value)
        for name, value in request.headers.items()
        if name.lower() not in left_out and not name.lower().startswith("x-forwarded")
    )
    headers["Authorization"] = f"token {token}"
    if word := request.cookies.get(XSRF):
        headers["Cookie"] = f"{XSRF}={word}"
    return headers


def _outward(told: "aiohttp.typedefs.LooseHeaders") -> CIMultiDict[str]:
    given = CIMultiDict(told)
    left_out = {*NOT_OUTWARD, *_named(given.get("Connection", ""))}
    headers = CIMultiDict(
        (name, value)
        for name, value in given.items()
        if name.lower() not in left_out and not name.lower().startswith(OF_A_PROXY)
    )
    for cookie in given.getall("Set-Cookie", ()):
        name, _, rest = cookie.partition("=")
        if name.strip() == XSRF:
            headers.add("Set-Cookie", f"{XSRF}={rest.partition(';')[0]}; Path=/; SameSite=Lax")
    return headers


def _named(connection: str) -> set[str]:
    return {word.strip().lower() for word in connection.split(",")} - {""}
