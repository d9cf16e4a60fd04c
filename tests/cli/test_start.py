"""How the command itself starts: quickly, and without the server's code."""

import json
import os
import subprocess
import sys
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from typer.testing import CliRunner

from fabriek.cli import (
    data_found,
    data_index,
    data_question,
    data_unchanged,
    main,
    server,
    show,
)
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
from fabriek.cli import begin
try:
    begin.main()
finally:
    print(sorted({"httpx", "rich", "typer"} & set(sys.modules)), file=sys.stderr)
"""


class Portal(BaseHTTPRequestHandler):
    """Gives one answer to whatever is asked, and writes down what that was."""

    def do_GET(self):
        status, body = self.server.answer
        self.server.asked.append((self.path, self.headers["Authorization"]))
        with suppress(ConnectionError):  # who sees that something is new does not wait
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


@pytest.fixture
def pushed(tmp_path, monkeypatch):
    """Make a folder that was pushed, as the index remembers it."""
    monkeypatch.setattr(data_index, "TOO_FRESH_NS", -(10**12))
    folder = tmp_path / "corpus"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.txt").write_text("words")
    (folder / "sub/é.txt").write_text("more")
    remember(folder)
    return folder


def remember(folder, exclude=(), *, is_whole=False):
    look = data_found.look([str(folder)], exclude)
    files = look.files()  # which now hold the same names and numbers
    place = data_index.place_of(look.sources, look.exclude, is_whole=is_whole)
    with data_index.opened() as index:
        known = (look.fingerprint(), "d" * 64)
        index.keep_look(place, known, files.values(), seen_at_ns=look.at_ns)


def test_a_push_that_finds_nothing_new_asks_once_and_loads_no_library(
    portal_of_one_answer, pushed
):
    portal_of_one_answer.answer = (200, newest("d" * 64))

    command = [sys.executable, "-c", NOTHING_NEW, "data", "push", "D26-0001", "./corpus/"]
    result = subprocess.run(command, capture_output=True, text=True, cwd=pushed.parent)

    assert result.stdout.splitlines()[-1] == "D26-0001@3 · 2 file(s)"
    assert result.stderr == "[]\n"
    assert portal_of_one_answer.asked == [
        ("/api/datasets/D26-0001/revisions?size=1", "Bearer my-key")
    ]


def answered(*words):
    """Give what the quick way does: what it prints ends the command."""
    return data_unchanged.answered([str(word) for word in words])


def test_the_quick_way_hands_on_what_it_saw_when_anything_changed(
    portal_of_one_answer, pushed, capsys
):
    portal_of_one_answer.answer = (200, newest("d" * 64))
    changes = [
        lambda: (pushed / "b.txt").write_text("new"),
        (pushed / "b.txt").unlink,
        lambda: change_as_if_nothing_was(pushed / "a.txt"),
    ]

    seen = []
    for change in changes:
        remember(pushed)
        change()
        seen.append(answered("D26-0001", pushed).names)

    two = ["a.txt", "sub/é.txt"]
    assert seen == [["a.txt", "b.txt", "sub/é.txt"], two, two]
    assert capsys.readouterr().out == ""


def change_as_if_nothing_was(path):
    """Write as many other bytes, in the same file, and set its time back."""
    before = path.stat()
    # A clock ticks some milliseconds apart.
    while path.stat().st_ctime_ns == before.st_ctime_ns:
        with path.open("r+") as file:
            file.write("other"[: before.st_size])
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = path.stat()
    assert (after.st_mtime_ns, after.st_size) == (before.st_mtime_ns, before.st_size)


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["D26-0001"],
        ["D26-0001", "corpus", ""],
        ["D26-0001", "corpus", "--dry-run"],
        ["D26-0001", "corpus", "--exclude"],
        ["D26-0001", "corpus", "--", "-m"],
        ["D26-0001", "corpus", "--exclude", "*.tmp"],
        ["D26-0001", "corpus/a.txt", "--delete"],
        ["D26-0001", "corpus", "--delete"],  # it was pushed beside other files
        ["D26-0001", "elsewhere"],
    ],
)
def test_what_was_not_pushed_so_before_asks_nothing(
    portal_of_one_answer, pushed, monkeypatch, words
):
    monkeypatch.chdir(pushed.parent)

    assert answered(*words) is None

    assert portal_of_one_answer.asked == []


def test_words_of_a_push_may_stand_anywhere(portal_of_one_answer, pushed, capsys):
    portal_of_one_answer.answer = (200, newest("d" * 64))
    remember(pushed, exclude=["sub/", "*.tmp"], is_whole=True)
    words = ["-m", "why", "--exclude", "sub/", "D26-0001", "--exclude", "*.tmp", pushed]

    with pytest.raises(SystemExit) as ended:
        answered(*words, "--delete")

    assert ended.value.code == 0
    told = capsys.readouterr()
    assert told.out.splitlines()[-1] == "D26-0001@3 · 1 file(s)"
    assert told.err == "--exclude '*.tmp' left nothing out.\n"


def test_ctrl_c_while_looking_is_told_in_words(monkeypatch, capsys, pushed):
    def interrupted(*_anything):
        raise KeyboardInterrupt

    monkeypatch.setattr(data_found, "_entries", interrupted)
    monkeypatch.setattr(data_question.Question, "ask", lambda _self: None)

    with pytest.raises(SystemExit) as ended:
        answered("D26-0001", pushed)

    assert ended.value.code == 130
    assert capsys.readouterr().err.startswith("Stopped. What was sent is kept")


def asked(code, digest):
    with data_question.asked(code) as question:
        return question.newest_if(digest)


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

    assert asked("D26-0001", "d" * 64) == ""


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "ftp://portal", "http://[bad", "portal"])
def test_a_portal_that_cannot_be_asked_leaves_it_to_the_ordinary_way(monkeypatch, url):
    monkeypatch.setenv("FABRIEK_URL", url)

    assert asked("D26-0001", "d" * 64) == ""


def test_a_code_stays_one_word_of_the_address_and_proxies_are_for_the_ordinary_way(
    portal_of_one_answer, monkeypatch
):
    portal_of_one_answer.answer = (200, newest("d" * 64))

    assert asked("../people?me", "d" * 64) == "../people?me@3"
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    assert asked("D26-0001", "d" * 64) == ""

    (seen,) = portal_of_one_answer.asked
    assert seen[0] == "/api/datasets/..%2Fpeople%3Fme/revisions?size=1"


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
