"""What passes the gateway and what does not, with a small program in the place of a lab."""

import asyncio
import io
import json
import time
from contextlib import asynccontextmanager
from uuid import uuid4

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from fabriek.engines.base import EngineDown
from fabriek.lab import gateway as rooms
from fabriek.lab import room, visits
from fabriek.lab.gateway import PLAIN_COOKIE, Gateway
from fabriek.lab.visits import Visit, Visits
from fabriek_recipes.lab import place

HOST = "r26-0007.localhost:8001"
OWN = f"http://{HOST}"
COOKIE = f"{PLAIN_COOKIE}=good"
BIG = 3 * 2**20
LEFT_OUT = (
    "Service-Worker-Allowed",
    "X-Accel-Redirect",
    "X-Accel-Expires",
    "X-Sendfile",
    "X-LIGHTTPD-send-file",
)


async def echo(request):
    """Tell what arrived, and try to leave what a lab may not."""
    told = {
        "method": request.method,
        "path": request.raw_path,
        "headers": [*request.headers.items()],
    }
    told["body_bytes"] = len(await request.read())
    answer = web.json_response(told)
    answer.headers.add("Set-Cookie", f"{PLAIN_COOKIE}=stolen; Path=/")
    answer.headers.add("Set-Cookie", "sessionid=stolen; Domain=example.org")
    answer.headers.add("Set-Cookie", "_xsrf=2|abc; Domain=example.org; Path=/x")
    answer.headers["Access-Control-Allow-Origin"] = "*"
    answer.headers["Alt-Svc"] = 'h3=":443"'
    for name in LEFT_OUT:
        answer.headers[name] = "/"
    return answer


async def switches(request):
    head = b"HTTP/1.1 101 x\r\nUpgrade: other\r\nConnection: upgrade\r\n\r\n"
    request.transport.write(head)
    await asyncio.sleep(600)


async def much(request):
    return web.Response(body=b"x" * BIG)


async def breaks(request):
    answer = web.StreamResponse(headers={"Content-Length": "1000"})
    await answer.prepare(request)
    await answer.write(b"half")
    request.transport.close()
    return answer


async def talk(request):
    line = web.WebSocketResponse(protocols=["v1.kernel"])
    await line.prepare(request)
    async for message in line:
        if message.data == "bye":
            await line.close(code=4000)
        else:
            await line.send_str(f"{message.data} {line.ws_protocol}")
    return line


async def silence(request):
    """Take the call, and never read again."""
    line = web.WebSocketResponse()
    await line.prepare(request)
    request.transport.pause_reading()
    await asyncio.sleep(600)


async def pours(request):
    """Never stop talking."""
    line = web.WebSocketResponse()
    await line.prepare(request)
    while True:
        await line.send_bytes(b"x" * 2**20)


def a_lab():
    app = web.Application(client_max_size=BIG * 2)
    app.router.add_get("/much", much)
    app.router.add_get("/breaks", breaks)
    app.router.add_get("/talk", talk)
    app.router.add_get("/silence", silence)
    app.router.add_get("/pours", pours)
    app.router.add_get("/switches", switches)
    app.router.add_route("*", "/{path:.*}", echo)
    return app


class World:
    """A gateway whose one pass may be taken away."""

    def __init__(self):
        self.key = f"fabriek-{uuid4().hex}"
        self.is_good = True
        self.by_token = False
        self.is_down = False

    def look(self, admissions):
        if "good" not in admissions or not self.is_good:
            return {}
        about = {"code": "R26-0007", "by_token": self.by_token}
        return {"good": Visit(key=self.key, looked_at=time.monotonic(), **about)}

    def reach(self, key, command):
        if self.is_down:
            raise EngineDown("nobody answers")
        return command

    @asynccontextmanager
    async def open(self):
        folder = place.made(self.key)
        place.token_in(folder).write_text("the-word")
        runner = web.AppRunner(a_lab(), shutdown_timeout=0.1)
        await runner.setup()
        await web.UnixSite(runner, str(place.socket_in(folder))).start()
        self.gateway = Gateway(self.reach, Visits(self.look))
        server = TestServer(self.gateway.app())
        await server.start_server()
        try:
            async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
                yield Caller(session, server.make_url("/"), self.gateway)
        finally:
            await server.close()
            await runner.cleanup()
            folder_there = folder.exists()
            if folder_there:
                place.made(self.key).rmdir()


class Caller:
    def __init__(self, session, url, gateway):
        self.session, self.url, self.gateway = session, url, gateway

    def held(self):
        """Tell what the gateway keeps for WebSockets."""
        [line] = self.gateway.lines.lines.values()
        room = self.gateway.room
        sockets, waiting = room.sockets.held.total(), room.waiting.held.total()
        return sockets, waiting, len(line.wire.channels), len(line.carried)

    async def becomes(self, held):
        while self.held() != held:
            await asyncio.sleep(0.05)

    def headers(self, **more):
        told = {name.replace("_", "-"): value for name, value in more.items()}
        sent = {"Host": HOST, "Cookie": COOKIE, "Origin": OWN} | told
        return {name: value for name, value in sent.items() if value}

    async def ask(self, path, method="GET", data=None, **headers):
        url = f"{self.url}{path.removeprefix('/')}"
        async with self.session.request(
            method, url, data=data, headers=self.headers(**headers), allow_redirects=False
        ) as answer:
            return answer, await answer.read()

    def opens(self, path, **headers):
        protocols = ["v1.kernel", "other"]
        return self.session.ws_connect(
            self.url.with_path(path), headers=self.headers(**headers), protocols=protocols
        )


@pytest.fixture
def world(settings):
    settings.LAB_URL = "http://*.localhost:8001"
    return World()


def soon(work):
    return asyncio.run(asyncio.wait_for(work, 60))  # only a test that fails waits so long


def test_the_lab_hears_its_word_and_nothing_of_the_portals(world):
    async def work():
        async with world.open() as caller:
            answer, _body = await caller.ask(
                "/api/x",
                Cookie=f"{COOKIE}; sessionid=secret; _xsrf=mine",
                Authorization="Bearer fbk_secret",
                X_Forwarded_For="10.0.0.1",
                Proxy_Authorization="Basic secret",
            )
            return await answer.json()

    told = soon(work())
    heard = dict(told["headers"])
    assert heard["Authorization"] == "token the-word"
    assert heard["Cookie"] == "_xsrf=mine"
    assert heard["Host"] == HOST
    assert "secret" not in str(told)
    assert not [name for name in heard if name.lower().startswith("x-forwarded")]


def test_the_lab_can_leave_no_cookie_but_its_own_and_open_no_other_way(world):
    async def work():
        async with world.open() as caller:
            return (await caller.ask("/api/x"))[0]

    answer = soon(work())
    assert answer.headers.getall("Set-Cookie") == ["_xsrf=2|abc; Path=/; SameSite=Lax"]
    for name in ("Access-Control-Allow-Origin", "Alt-Svc", *LEFT_OUT):
        assert name not in answer.headers


def test_bodies_go_through_whole_in_both_directions(world):
    async def work():
        async with world.open() as caller:
            _put, said = await caller.ask("/up?a=%2F..%2Fb", "PUT", data=io.BytesIO(b"y" * BIG))
            _much, body = await caller.ask("/much")
            return json.loads(said), len(body)

    told, size_bytes = soon(work())
    assert (told["method"], told["body_bytes"], size_bytes) == ("PUT", BIG, BIG)


def test_an_address_is_handed_on_letter_by_letter(world):
    async def work():
        async with world.open() as caller:
            reader, writer = await asyncio.open_connection("127.0.0.1", caller.url.port)
            asked = "GET /a/%2e%2e//b?x=%2f HTTP/1.1"
            writer.write(f"{asked}\r\nHost: {HOST}\r\nCookie: {COOKIE}\r\n\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            body = await reader.read(4096)
            writer.close()
            await writer.wait_closed()
            return head, body

    head, body = soon(work())
    assert head.startswith(b"HTTP/1.1 200")
    assert b'"path": "/a/%2e%2e//b?x=%2f"' in body


def test_half_an_answer_does_not_look_like_a_whole_one(world):
    async def work():
        async with world.open() as caller:
            with pytest.raises(aiohttp.ClientError):
                await caller.ask("/breaks")

    soon(work())


def test_messages_go_both_ways_in_the_language_both_know(world):
    async def work():
        async with world.open() as caller, caller.opens("/talk") as line:
            await line.send_str("hello")
            heard = await line.receive_str()
            await line.send_str("bye")
            end = await line.receive()
            return heard, end.type, line.close_code

    assert soon(work()) == ("hello v1.kernel", aiohttp.WSMsgType.CLOSE, 4000)


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        ("POST", {}, 200),
        ("POST", {"Origin": "https://evil.example"}, 403),
        ("POST", {"Origin": "null"}, 403),
        ("POST", {"Origin": "http://r26-0008.localhost:8001"}, 403),
        ("POST", {"Origin": ""}, 403),
        ("DELETE", {"Origin": f"{OWN}.evil.example"}, 403),
        ("GET", {"Sec_Fetch_Site": "same-site"}, 403),
        ("GET", {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "no-cors"}, 403),
        ("GET", {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate"}, 200),
        ("GET", {"Sec_Fetch_Site": "same-origin"}, 200),
        ("GET", {"Cookie": f"{PLAIN_COOKIE}=other"}, 403),
        ("GET", {"Cookie": ""}, 403),
        ("GET", {"Host": "r26-0008.localhost:8001"}, 403),
        ("GET", {"Host": "localhost:8001"}, 421),
        ("GET", {"Host": "evil.example"}, 421),
        ("GET", {"Service-Worker": "script", "Sec_Fetch_Site": "same-origin"}, 403),
    ],
)
def test_who_comes_from_where_is_looked_at_each_time(world, method, headers, status):
    async def work():
        async with world.open() as caller:
            return (await caller.ask("/api/x", method, **headers))[0].status

    assert soon(work()) == status


def test_a_program_with_a_token_need_not_say_where_it_comes_from(world):
    world.by_token = True

    async def work():
        async with world.open() as caller:
            return (await caller.ask("/api/x", "POST", Origin=""))[0].status

    assert soon(work()) == 200


def test_another_site_opens_no_socket(world):
    async def work():
        async with world.open() as caller:
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await caller.opens("/talk", Origin="https://evil.example")
            return refused.value.status

    assert soon(work()) == 403


def test_what_is_open_ends_soon_after_the_right_to_it(world, monkeypatch):
    monkeypatch.setattr(visits, "FRESH_S", 0.2)

    async def work():
        async with world.open() as caller, caller.opens("/talk") as line:
            await line.send_str("hello")
            await line.receive_str()
            world.is_good = False
            end = await line.receive(timeout=30)
            return end.type, (await caller.ask("/api/x"))[0].status

    kind, status = soon(work())
    assert kind in {aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR}
    assert status == 403


def test_a_right_that_cannot_be_asked_after_is_none(world):
    def fails(_admissions):
        raise RuntimeError("the database is away")

    world.look = fails

    async def work():
        async with world.open() as caller:
            return (await caller.ask("/api/x"))[0].status

    assert soon(work()) == 403


@pytest.mark.parametrize("trouble", ["engine", "lab"])
def test_a_lab_that_does_not_answer_is_told_in_words(world, trouble):
    world.is_down = trouble == "engine"

    async def work():
        async with world.open() as caller:
            if trouble == "lab":
                world.key = "fabriek-gone"
            return await caller.ask("/api/x", Accept_Language="nl")

    answer, body = soon(work())
    assert (answer.status, answer.headers["Retry-After"]) == (503, "3")
    assert "De sessie antwoordt niet" in body.decode()


def test_a_ticket_gives_a_pass_that_scripts_cannot_read(world, monkeypatch):
    def admit(ticket, code):
        return "fresh" if (ticket, code) == ("t", "R26-0007") else None

    monkeypatch.setattr(rooms, "_admit", admit)

    async def work():
        async with world.open() as caller:
            good, _body = await caller.ask("/_fabriek/enter?ticket=t", Cookie="")
            bad, body = await caller.ask("/_fabriek/enter?ticket=x", Cookie="")
            return good, bad, body

    good, bad, body = soon(work())
    assert (good.status, good.headers["Location"]) == (303, "/lab")
    assert good.headers["Set-Cookie"] == f"{PLAIN_COOKIE}=fresh; HttpOnly; Path=/; SameSite=Lax"
    assert good.headers["Cache-Control"] == "no-store"
    assert good.headers["Referrer-Policy"] == "no-referrer"
    assert (bad.status, "Set-Cookie" in bad.headers) == (403, False)
    assert b"/runs/R26-0007/" in body


def test_over_https_the_pass_is_for_this_host_alone(world, settings, monkeypatch):
    settings.LAB_URL = "https://*.localhost:8001"
    monkeypatch.setattr(rooms, "_admit", lambda _ticket, _code: "fresh")

    async def work():
        async with world.open() as caller:
            return (await caller.ask("/_fabriek/enter?ticket=t", Cookie=""))[0]

    cookie = soon(work()).headers["Set-Cookie"]
    assert cookie == "__Host-fabriek-lab=fresh; HttpOnly; Path=/; SameSite=Lax; Secure"


def test_an_answer_that_is_none_is_not_handed_on(world):
    async def work():
        async with world.open() as caller:
            return (await caller.ask("/switches", Upgrade="other", Connection="upgrade"))[0]

    assert soon(work()).status == 503


def test_a_few_bytes_do_not_stand_for_many(world):
    async def work():
        async with world.open() as caller:
            sent = {"headers": caller.headers(), "compress": 15}
            async with caller.session.ws_connect(caller.url.with_path("/talk"), **sent) as line:
                return line.compress

    assert soon(work()) == 0


def test_a_run_opens_no_more_sockets_than_its_share(world, monkeypatch):
    monkeypatch.setattr(room, "SOCKETS_OF_A_RUN_MAX", 1)

    async def work():
        async with world.open() as caller, caller.opens("/talk") as line:
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await caller.opens("/talk")
            await line.send_str("hello")
            return refused.value.status, await line.receive_str()

    assert soon(work()) == (503, "hello v1.kernel")


@pytest.mark.parametrize("path", ["/silence", "/pours"])
@pytest.mark.parametrize("end", ["killed", "put out"])
def test_nothing_is_kept_for_sides_that_take_nothing_in(world, monkeypatch, path, end):
    monkeypatch.setattr(visits, "FRESH_S", 0.2)

    async def work():
        async with world.open() as caller:
            lines = [await caller.opens(path) for _ in range(3)]
            for line in lines:
                if path == "/silence":
                    await line.send_bytes(b"x" * BIG)
            while caller.held()[1] < 3 * 2**20:
                await asyncio.sleep(0.05)
            if end == "killed":
                for line in lines:
                    line._response.connection.transport.abort()  # noqa: SLF001
            else:
                world.is_good = False
            await caller.becomes((0, 0, 0, 0))
            return True

    assert soon(work())


def test_all_who_are_in_are_asked_after_at_once(monkeypatch):
    monkeypatch.setattr(visits, "FRESH_S", 0.2)
    asked, good = [], True

    def look(admissions):
        asked.append(len(admissions))
        about = {"key": "k", "code": "R26-0007", "by_token": False}
        now = time.monotonic()
        return {one: Visit(looked_at=now, **about) for one in admissions if good}

    async def work():
        nonlocal good
        looked = Visits(look)
        watching = asyncio.create_task(looked.watch())
        inside = [asyncio.create_task(stay(looked, str(number))) for number in range(50)]
        while 50 not in asked:
            await asyncio.sleep(0.01)
        good = False
        ended = await asyncio.gather(*inside, return_exceptions=True)
        watching.cancel()
        return {type(one) for one in ended}

    async def stay(looked, admission):
        with (await looked.of(admission)).at_work():
            await asyncio.sleep(600)

    assert soon(work()) == {asyncio.CancelledError}


@pytest.mark.parametrize(("name", "value"), [("KEPT_MAX", 0), ("ASKED_WITHIN_S", 0.01)])
def test_whom_nobody_can_watch_is_not_let_in(world, monkeypatch, name, value):
    monkeypatch.setattr(visits, name, value)
    look, world.look = world.look, lambda passes: time.sleep(0.1) or look(passes)

    async def work():
        async with world.open() as caller:
            return (await caller.ask("/api/x"))[0].status

    assert soon(work()) == 403
