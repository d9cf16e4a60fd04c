"""How the command itself starts: quickly, and without the server's code."""

import json
import os
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from typer.testing import CliRunner

from fabriek.cli import data_found, data_index, data_question, main, server, show
from tests.factories import a_person

LOADS_ALL = """
import sys
from importlib import import_module
from fabriek.cli import data, main
for module, _ in [*main.COMMANDS.values(), *data.COMMANDS.values()]:
    import_module(module)
wrong = {"django", "ninja", "torch", "fabriek_recipes", "fabriek.kernel"} & set(sys.modules)
print(sorted(wrong))
"""
SHOWS_HELP = """
import sys
from fabriek.cli import main
try:
    main.app(["--help"])
finally:
    print(sorted({"httpx", "rich", "django"} & set(sys.modules)), file=sys.stderr)
"""


def python(code):
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True)


def test_no_command_loads_server_code():
    assert python(LOADS_ALL).stdout == "[]\n"


def test_help_names_every_command_and_loads_neither_httpx_nor_rich():
    result = python(SHOWS_HELP)

    assert result.stderr == "[]\n"
    assert all(name in result.stdout for name in main.COMMANDS)


NOTHING_NEW = """
import sys
from fabriek.cli import main
try:
    main.app(["data", "push", "D26-0001", sys.argv[1]])
finally:
    print(sorted({"httpx", "rich"} & set(sys.modules)), file=sys.stderr)
"""


class Portal(BaseHTTPRequestHandler):
    """Gives one answer to whatever is asked, and writes down what that was."""

    def do_GET(self):
        status, body = self.server.answer
        self.server.asked.append((self.path, self.headers["Authorization"]))
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_anything):
        pass


@pytest.fixture
def portal_of_one_answer(monkeypatch):
    with ThreadingHTTPServer(("127.0.0.1", 0), Portal) as server:
        server.asked = []
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        monkeypatch.setenv("FABRIEK_URL", f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setenv("FABRIEK_TOKEN", "my-key")
        yield server
        server.shutdown()
        thread.join()


def newest(digest):
    return json.dumps({"items": [{"number": 3, "digest": digest}], "count": 3}).encode()


def test_a_push_that_finds_nothing_new_asks_once_and_loads_neither_httpx_nor_rich(
    portal_of_one_answer, tmp_path
):
    path = tmp_path / "a.txt"
    path.write_text("words")
    os.utime(path, (1_700_000_000, 1_700_000_000))
    files = data_found.found([path])
    with data_index.opened() as index:
        looks = data_index.fingerprint(files)
        index.keep_digest(looks, "d" * 64, files.values(), seen_at_ns=time.time_ns())
    portal_of_one_answer.answer = (200, newest("d" * 64))

    command = [sys.executable, "-c", NOTHING_NEW, str(path)]
    result = subprocess.run(command, capture_output=True, text=True)

    assert result.stdout.splitlines()[-1] == "D26-0001@3 · 1 file(s)"
    assert result.stderr == "[]\n"
    assert portal_of_one_answer.asked == [
        ("/api/datasets/D26-0001/revisions?size=1", "Bearer my-key")
    ]


@pytest.mark.parametrize(
    "answer",
    [
        (200, newest("e" * 64)),
        (200, b"{}"),
        (200, b'{"items": []}'),
        (200, b'["items"]'),
        (200, b"<html>no factory</html>"),
        (302, newest("d" * 64)),
        (404, newest("d" * 64)),
    ],
)
def test_what_is_no_plain_yes_leaves_it_to_the_ordinary_way(portal_of_one_answer, answer):
    portal_of_one_answer.answer = answer

    assert data_question.newest_if("D26-0001", "d" * 64) == ""


def test_a_code_stays_one_word_of_the_address_and_proxies_are_for_the_ordinary_way(
    portal_of_one_answer, monkeypatch
):
    portal_of_one_answer.answer = (200, newest("d" * 64))

    assert data_question.newest_if("../people?me", "d" * 64) == "../people?me@3"
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    assert data_question.newest_if("D26-0001", "d" * 64) == ""

    (asked,) = portal_of_one_answer.asked
    assert asked[0] == "/api/datasets/..%2Fpeople%3Fme/revisions?size=1"


@pytest.mark.parametrize("name", main.COMMANDS)
def test_every_command_explains_itself(name):
    result = CliRunner().invoke(main.app, [name, "--help"])

    assert result.exit_code == 0
    assert f" {name}" in result.stdout


def test_completion_is_offered_by_the_whole_and_not_by_each_part():
    result = CliRunner().invoke(main.app, ["runs", "--help"])

    assert "completion" not in result.stdout


def test_an_unknown_command_is_refused():
    result = CliRunner().invoke(main.app, ["poetry"])

    assert result.exit_code == 2
    assert "poetry" in result.stderr


@pytest.mark.parametrize(
    ("typed", "handed"),
    [
        (["up", "--port", "9000"], ["up", "--host", "127.0.0.1", "--port", "9000"]),
        (["doctor"], ["doctor"]),
        (
            ["demo", "--exit", "--data", "rows.jsonl"],
            ["demo", "--port", "8000", "--data", "rows.jsonl", "--exit"],
        ),
    ],
)
def test_what_needs_the_server_is_handed_over(monkeypatch, typed, handed):
    became = []
    monkeypatch.setattr(server.os, "execv", lambda program, words: became.append(words))

    result = CliRunner().invoke(main.app, typed)

    assert result.exit_code == 0
    assert became == [[sys.executable, "-m", "fabriek", *handed]]


def test_without_the_server_it_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(server.importlib.util, "find_spec", lambda name: None)

    result = CliRunner().invoke(main.app, ["up"])

    assert (result.exit_code, result.stderr) == (
        1,
        "The server is not installed here. Install it: pip install fabriek\n",
    )


@pytest.mark.parametrize(
    ("size_bytes", "said"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (2_500_000, "2.5 MB"), (10**13, "10.0 TB")],
)
def test_sizes_are_said_in_fitting_units(size_bytes, said):
    assert show.size(size_bytes) == said


@pytest.mark.parametrize(
    ("gpu_seconds", "said"),
    [(None, "-"), (0, "0.0"), (60, "0.017"), (3600, "1.0"), (18_000_000, "5,000.0")],
)
def test_gpu_hours_show_the_decimals_they_need(gpu_seconds, said):
    assert show.hours(gpu_seconds) == said


@pytest.mark.parametrize(
    ("name", "listing"),
    [("cases", "list"), ("data", "ls"), ("runs", "list"), ("models", "list")],
)
@pytest.mark.django_db
def test_a_group_alone_lists_what_there_is(fabriek, name, listing):
    person = a_person()

    alone, asked = fabriek(person, name), fabriek(person, name, listing)

    assert (alone.exit_code, alone.stdout) == (0, asked.stdout)
    assert "yet" in alone.stdout
