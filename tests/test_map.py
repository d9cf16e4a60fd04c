"""The order of the rooms is written once, and code, settings and docs agree with it."""

import re
import tomllib
from pathlib import Path

import pytest
from django.conf import settings

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "fabriek"


@pytest.fixture(scope="module")
def layers():
    config = tomllib.loads((ROOT / "pyproject.toml").read_text())
    flow = config["tool"]["importlinter"]["contracts"][0]["layers"]
    return [layer.removeprefix("fabriek.") for layer in reversed(flow[1:])]


def test_installed_apps_follow_the_layers(layers):
    ours = [
        app.removeprefix("fabriek.")
        for app in settings.INSTALLED_APPS
        if app.startswith("fabriek.")
    ]

    assert ours == layers


def test_the_map_names_every_room_in_its_order(layers):
    rows = re.findall(r"^\| `(\w+)` \|", (ROOT / "docs" / "map.md").read_text(), re.MULTILINE)

    assert rows == [*layers, "engines", "cli", "fabriek_recipes"]


def test_every_folder_is_a_room_of_the_map(layers):
    folders = {path.parent.name for path in SOURCE.glob("*/__init__.py")}

    assert folders == {*layers, "engines", "cli"}


def lines_of_code():
    for path in SOURCE.rglob("*.py"):
        if "migrations" not in path.parts:
            for number, line in enumerate(path.read_text().splitlines(), 1):
                yield path.relative_to(SOURCE).as_posix(), number, line


def places(pattern, *, but=()):
    return [
        f"{path}:{number}"
        for path, number, line in lines_of_code()
        if re.search(pattern, line) and not path.startswith(tuple(but))
    ]


def test_only_notices_mail():
    assert (
        places(r"import .*(send_mail|EmailMessage)|core\.mail", but=["notices/", "settings.py"])
        == []
    )


def test_only_the_files_that_the_map_names_and_the_doctor_talk_to_an_engine():
    allowed = ["engines/", "runs/engine.py", "runs/reconcile.py", "runs/budgets.py"]
    allowed += ["serve/doctor.py"]
    allowed += ["machine/books.py", "machine/standing.py"]

    verbs = "submit|look|cancel|usage|machine|tell_budgets"
    assert places(rf"\bengine\.({verbs})\(", but=allowed) == []


def test_only_the_lifecycle_writes_a_state():
    assert places(r"\.update\([^)]*\bstate=|\.state = ", but=["kernel/lifecycle.py"]) == []


def test_no_room_imports_the_faces_of_another():
    faces = re.compile(
        r"from fabriek\.(\w+)(?:\.(?:\w*views|forms|api)\b| import .*\b(?:views|forms|api)\b)"
    )
    found = [
        f"{path}:{number}"
        for path, number, line in lines_of_code()
        if (match := faces.match(line))
        and not path.startswith((f"{match[1]}/", "api.py", "urls.py"))
    ]

    assert found == []


def test_every_knob_is_read_in_settings():
    outside = ["settings.py", "cli/", "engines/", "wsgi.py", "__main__.py"]

    assert places(r"os\.environ", but=outside) == []


def test_every_setting_is_documented():
    told = (ROOT / "docs" / "operate" / "README.md").read_text()
    read = set(re.findall(r'"(FABRIEK_\w+)"', (SOURCE / "settings.py").read_text()))
    shortened = {
        f"FABRIEK_{a}{b}" for a in ("SMTP", "OIDC") for b in re.findall(r"`(_[A-Z_]+)`", told)
    }

    assert {name for name in read if name not in told and name not in shortened} == set()


def test_the_readme_commands_exist():
    makefile = (ROOT / "Makefile").read_text()
    named = set(re.findall(r"`make (\w+)", (ROOT / "README.md").read_text()))

    assert {name for name in named if f"\n{name}:" not in makefile} == set()
