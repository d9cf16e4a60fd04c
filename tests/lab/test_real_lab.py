"""A real lab in a factory that runs: JupyterLab behind the gateway, for browser and CLI."""

import sys
from contextlib import suppress
from pathlib import Path

import pexpect
import pytest
import websocket

from fabriek_recipes.lab.place import place_of
from tests.lab.people import COOKIE, Inside, Somebody, furnished, of_the_command
from tests.server import Running

pytestmark = pytest.mark.slow
PROMPT = r"(?s)Leave with exit.*[#$] $"
COMMAND = "from fabriek.cli.main import app; app()"


@pytest.fixture(scope="module")
def factory(tmp_path_factory):
    home = tmp_path_factory.mktemp("factory")
    with Running(home, FABRIEK_ENGINE_GPUS="4", FABRIEK_LAB="1") as factory:
        yield factory


@pytest.fixture(scope="module")
def told(factory):
    return furnished(factory)


@pytest.fixture
def ada(factory, told):
    with Somebody(factory.url, told["ours"]) as ada:
        yield ada


@pytest.fixture
def ben(factory, told):
    with Somebody(factory.url, told["theirs"]) as ben:
        yield ben


@pytest.fixture(scope="module")
def lab(factory, told):
    """Begin one lab, for all tests that only look in and around it."""
    with Somebody(factory.url, told["ours"]) as ada:
        code = ada.begins(inputs={"dataset": told["ours"]["data"]}, hours=2)
        yield code
        ada.api("POST", f"runs/{code}/cancel")
        ada.ended(code)


def test_a_browser_goes_in_from_the_page_and_computes_with_the_data(ada, lab):
    inside = ada.enters(lab)

    page = inside.get("/lab")
    printed = inside.computes("print(1 + 1, open('inputs/dataset/text.txt').read().strip())")

    assert (page.status_code, "<title>JupyterLab</title>" in page.text) == (200, True)
    assert printed == "2 zeven GPU's\n"


def test_the_hours_are_held_like_those_of_any_run(ada, lab):
    run = ada.run(lab)

    assert (run["recipe"], run["gpus"], run["timeout_s"]) == ("lab", 1, 7200)
    assert run["gpu_seconds_held"] == run["gpu_seconds_estimated"] == 7200


def test_who_is_not_of_the_consortium_does_not_find_it(ben, lab):
    asked = ben.api("POST", f"lab/{lab}/enter")
    pressed = ben.visitor.http.post(f"/lab/{lab}/enter")

    assert asked.status_code == 404
    assert pressed.status_code in {403, 404}


def test_without_a_pass_there_is_nothing(ada, lab):
    inside = ada.enters(lab)
    inside.cookie = ""

    for path in ("/lab", "/api/status", "/files/inputs/dataset/text.txt", "/static/x"):
        assert inside.get(path).status_code == 403
    inside.cookie = f"{COOKIE}=guessed"
    assert inside.get("/api/status").status_code == 403


def test_a_ticket_is_good_once(ada, lab):
    address = ada.asks_to_enter(lab).headers["Location"]
    inside = Inside.by(address)

    again = inside.get(address.removeprefix(inside.origin))

    assert again.status_code == 403
    assert "set-cookie" not in again.headers


def test_a_pass_opens_no_other_run(ada, lab):
    other = ada.begins(gpus=1)
    inside, elsewhere = ada.enters(lab), ada.enters(other)
    elsewhere.cookie = inside.cookie

    answer = elsewhere.get("/api/status")

    assert answer.status_code == 403
    ada.api("POST", f"runs/{other}/cancel")


def test_another_site_can_neither_change_nor_listen(ada, lab):
    inside = ada.enters(lab)
    evil = "https://evil.example"

    changed = inside.call("POST", "/api/terminals", {}, Origin=evil)
    silent = inside.call("POST", "/api/terminals", {}, Origin="")
    embedded = inside.get("/api/contents", Sec_Fetch_Site="same-site", Sec_Fetch_Mode="no-cors")
    followed = inside.get("/lab", Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="navigate")
    with pytest.raises(websocket.WebSocketBadStatusException) as refused:
        inside.opens("/terminals/websocket/1", origin=evil)

    codes = [answer.status_code for answer in (changed, silent, embedded, followed)]
    assert codes == [403, 403, 403, 200]
    assert refused.value.status_code == 403


def test_another_host_leads_nowhere(ada, lab):
    inside = ada.enters(lab)

    for host in (
        f"evil.example:{inside.port}",
        f"localhost:{inside.port}",
        "r26-9999.localhost",
    ):
        assert inside.get("/api/status", Host=host).status_code == 421


def test_the_lab_sees_no_cookie_or_key_of_the_portal(ada, lab):
    inside = ada.enters(lab)
    inside.cookie += "; sessionid=secret; fabriek=secret"

    answer = inside.get("/api/me", Authorization="Bearer fbk_secret")

    assert answer.status_code == 200
    assert "secret" not in answer.text
    assert all(cookie.startswith("_xsrf=") for cookie in answer.headers.get_list("set-cookie"))


def test_signing_out_ends_what_is_open(ada, lab):
    inside = ada.enters(lab)
    line = inside.opens(f"/terminals/websocket/{_terminal(inside)}")
    line.settimeout(60)

    ada.signs_out()
    # It is cut off, without a last word; a socket that stays open is a timeout, and fails.
    with suppress(websocket.WebSocketConnectionClosedException):
        while line.connected and line.recv():
            pass
    line.shutdown()

    assert inside.get("/api/status").status_code == 403


def test_a_new_session_begins_with_the_files_of_an_earlier_one(ada):
    first = ada.begins()
    made = ada.enters(first).computes("open('notes.txt', 'w').write('kept'); print('made')")
    ada.api("POST", f"runs/{first}/cancel")
    ada.ended(first)

    second = ada.begins(earlier=first)
    found = ada.enters(second).computes("print(open('notes.txt').read())")

    assert (made, found) == ("made\n", "kept\n")
    ada.api("POST", f"runs/{second}/cancel")


def test_the_command_works_in_a_terminal_and_stops_the_run_at_its_end(ada, tmp_path):
    words = ["-c", COMMAND, "shell", ada.told["case"], "--hours", "2"]
    shell = pexpect.spawn(
        sys.executable, words, env=of_the_command(ada, tmp_path), timeout=60, encoding="utf-8"
    )
    shell.setwinsize(31, 97)
    shell.expect(r"(R\d\d-\d+): 2\.0 GPU-hours are set aside")
    code = shell.match[1]
    shell.expect(PROMPT)
    shell.sendline("stty size; echo $((6 * 7)) $FABRIEK_GPUS; sleep 300")
    shell.expect(r"31 97\r\n42 \d")
    shell.sendintr()
    shell.sendline("exit")
    shell.expect(f"{code} is being stopped")
    shell.expect(pexpect.EOF)
    shell.wait()

    assert shell.exitstatus == 0
    assert ada.ended(code)["state"] == "cancelled"


def test_who_leaves_the_terminal_alone_finds_it_again(ada, lab, tmp_path):
    words = ["-c", COMMAND, "shell", "--attach", lab]
    about = {"env": of_the_command(ada, tmp_path), "timeout": 60, "encoding": "utf-8"}
    first = pexpect.spawn(sys.executable, words, **about)
    first.expect(PROMPT)
    first.sendline("here=left-$((3 + 4))")
    first.sendline("echo set $here")
    first.expect("set left-7")
    first.send("\x1d")
    first.expect(f"{lab} goes on")
    first.expect(pexpect.EOF)
    first.wait()

    second = pexpect.spawn(sys.executable, words, **about)
    second.expect(PROMPT)
    second.sendline("echo again $here")
    second.expect("again left-7")
    second.send("\x1d")
    second.expect(pexpect.EOF)
    second.wait()

    assert ada.run(lab)["state"] == "running"


def test_nothing_of_a_lab_is_left_on_the_machine(factory, ada):
    runs = Path(factory.environment["FABRIEK_HOME"]) / "runs"
    before = set(runs.iterdir())
    code = ada.begins()
    [folder] = set(runs.iterdir()) - before
    place = place_of(folder.name)
    was_there = place.is_dir()

    ada.api("POST", f"runs/{code}/cancel")
    ada.ended(code)

    assert was_there
    assert not place.exists()


def _terminal(inside):
    return inside.call("POST", "/api/terminals", {}).json()["name"]
