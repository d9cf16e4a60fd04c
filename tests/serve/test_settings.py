"""Settings that are wrong are told in a sentence; links agree with the port that is served."""

import subprocess
import sys
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from fabriek import __main__ as command
from fabriek.kernel.environment import Environment
from fabriek.kernel.home import database


@pytest.mark.parametrize(
    ("read", "told", "sentence"),
    [
        ("whole", "twee", "X=twee: write a whole number, 0 or more."),
        ("whole", "-1", "X=-1: write a whole number, 0 or more."),
        ("number", "1,5", "X=1,5: write a number, such as 0.5."),
        ("number", "nan", "X=nan: write a number, such as 0.5."),
        ("one_of", "vast", "X=vast: choose one of: local, slurm."),
        ("flag", "maybe", "X=maybe: say 1 for yes, or 0 for no."),
    ],
)
def test_what_cannot_be_meant_is_refused_by_its_name(read, told, sentence):
    given = {"one_of": ("local", "slurm"), "flag": ()}.get(read, (1,))

    with pytest.raises(ImproperlyConfigured) as refused:
        getattr(Environment({"X": told}), read)("X", *given)

    assert str(refused.value) == sentence


def test_what_is_empty_or_right_is_read():
    environment = Environment({"EMPTY": " ", "SEVEN": "7", "HALF": "0.5", "YES": "On"})
    assert environment.path("EMPTY", Path("/there")) == Path("/there")  # not this folder

    assert [environment.whole(name, 3) for name in ("EMPTY", "SEVEN", "NONE")] == [3, 7, 3]
    assert (environment.number("HALF", 1), environment.flag("YES")) == (0.5, True)
    assert [environment.flag("EMPTY", default) for default in (True, False)] == [True, False]
    assert environment.words("EMPTY", "localhost,a") == ["localhost", "a"]


def test_a_postgresql_that_takes_the_connection_and_is_silent_is_not_waited_for(tmp_path):
    options = database("postgresql://somebody@host/name", tmp_path)["OPTIONS"]

    assert 0 < options["connect_timeout"] < 10  # a watcher gives up after ten, mostly


@pytest.mark.parametrize(
    "address", ["mysql://somebody:secret@host/name", "postgresql://somebody:secret@host:x/name"]
)
def test_a_database_that_is_none_is_refused_without_its_password(address, tmp_path):
    with pytest.raises(ImproperlyConfigured) as refused:
        database(address, tmp_path)

    assert "FABRIEK_DATABASE cannot be read" in str(refused.value)
    assert "secret" not in str(refused.value)


def test_a_command_ends_with_the_sentence_and_no_trace(tmp_path):
    told = subprocess.run(
        [sys.executable, "-m", "fabriek", "up"],
        env={"FABRIEK_HOME": str(tmp_path), "FABRIEK_ENGINE_GPUS": "veel"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert told.returncode == 1
    assert told.stderr == (
        "A setting is wrong. FABRIEK_ENGINE_GPUS=veel: write a whole number, 0 or more.\n"
    )


@pytest.mark.parametrize(
    ("words", "address"),
    [
        ([], "http://localhost:8000"),
        (["--port", "9001", "--threads", "2"], "http://localhost:9001"),
        (["--host=0.0.0.0", "--port=9001"], "http://localhost:9001"),
        (["--host", "factory.example"], "http://factory.example:8000"),
    ],
)
def test_links_begin_with_the_port_that_is_served(words, address):
    assert command.address(words) == address
