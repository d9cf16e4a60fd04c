"""`fabriek demo --engine`: which engine and which Slurm the server is told to have."""

import os
import sys

import pytest
from typer.testing import CliRunner

from fabriek.cli import cluster, main, server


@pytest.fixture
def without_slurm(monkeypatch, tmp_path):
    """Take every Slurm away, and give where `dev/slurm up` would lay one."""
    monkeypatch.setattr(cluster, "USUAL", tmp_path / "usual.conf")
    return tmp_path / "emulated"


@pytest.fixture
def emulated(without_slurm):
    without_slurm.mkdir()
    conf = without_slurm / "slurm.conf"
    conf.touch()
    return conf


@pytest.fixture
def environment(monkeypatch, without_slurm):
    """Give what the server would be started with; it is not our own."""
    kept = {"PATH": os.environ["PATH"], "FABRIEK_SLURM_STATE": str(without_slurm)}
    monkeypatch.setattr(os, "environ", kept)
    return kept


@pytest.fixture
def started(monkeypatch):
    became = []
    monkeypatch.setattr(server.os, "execv", lambda program, words: became.append(words))
    return became


def told(state, **more):
    return cluster.surroundings({"FABRIEK_SLURM_STATE": str(state)} | more)


def test_the_slurm_of_dev_slurm_is_found_and_known_to_have_no_real_gpus(emulated):
    assert told(emulated.parent) == {
        "FABRIEK_ENGINE": "slurm",
        "FABRIEK_HOME": "var/slurm",
        "FABRIEK_SLURM_CONF": str(emulated),
        "FABRIEK_SLURM_DEVICE": "cpu",
    }


def test_the_slurm_of_dev_slurm_may_be_named_too(emulated):
    found = told(emulated.parent, FABRIEK_SLURM_CONF=str(emulated))

    assert found == {
        "FABRIEK_ENGINE": "slurm",
        "FABRIEK_HOME": "var/slurm",
        "FABRIEK_SLURM_DEVICE": "cpu",
    }


@pytest.mark.parametrize("name", cluster.NAMED_BY)
def test_a_cluster_that_is_named_comes_first_and_has_real_gpus(emulated, name):
    found = told(emulated.parent, **{name: "elsewhere"})

    assert found == {"FABRIEK_ENGINE": "slurm", "FABRIEK_HOME": "var/slurm"}


def test_a_cluster_with_its_configuration_at_the_usual_place_needs_no_name(without_slurm):
    cluster.USUAL.touch()

    found = told(without_slurm)

    assert found == {"FABRIEK_ENGINE": "slurm", "FABRIEK_HOME": "var/slurm"}


def test_what_the_owner_has_set_stays(emulated):
    found = told(emulated.parent, FABRIEK_HOME="/srv/demo", FABRIEK_SLURM_DEVICE="cuda")

    assert found == {"FABRIEK_ENGINE": "slurm", "FABRIEK_SLURM_CONF": str(emulated)}


def test_the_demo_on_slurm_starts_a_server_that_knows_the_cluster(
    environment, emulated, started
):
    result = CliRunner().invoke(main.app, ["demo", "--engine", "slurm", "--exit"])

    assert result.exit_code == 0
    words = ["--exit", "--engine", "slurm"]
    assert started == [
        [sys.executable, "-m", "fabriek", "demo", "--port", "8000", *words],
    ]
    assert environment["FABRIEK_SLURM_CONF"] == str(emulated)
    assert environment["FABRIEK_ENGINE"] == "slurm"


def test_the_demo_on_this_machine_is_told_so_and_keeps_its_home(environment, started):
    environment["FABRIEK_ENGINE"] = "slurm"

    CliRunner().invoke(main.app, ["demo", "--engine", "local"])

    assert environment["FABRIEK_ENGINE"] == "local"
    assert "FABRIEK_HOME" not in environment
    assert started[0][-2:] == ["--engine", "local"]


def test_without_a_slurm_it_says_what_to_do_and_starts_nothing(environment, started):
    result = CliRunner().invoke(main.app, ["demo", "--engine", "slurm"])

    assert (result.exit_code, result.stderr) == (
        1,
        "No Slurm was found: run dev/slurm up, or set FABRIEK_SLURM_CONF.\n",
    )
    assert started == []
