"""Where a lab lays its files, what it takes over, and whom it lets near its socket."""

import os
import subprocess
import sys
from dataclasses import replace

import pytest

from fabriek_recipes.lab import line, place, shell
from fabriek_recipes.lab.files import lay_out
from fabriek_recipes.run_folder import Limits, Manifest, read_manifest, write_manifest
from fabriek_recipes.words import Failed

LIMITS = Limits(gpus=1, timeout_s=60)


@pytest.fixture
def manifest():
    about = {"recipe": "lab", "knobs": {}, "inputs": {}, "seed": 1, "code_version": "0"}
    return Manifest(key="fabriek-second", limits=LIMITS, continues="fabriek-first", **about)


@pytest.fixture
def folders(tmp_path):
    first, second = tmp_path / "fabriek-first", tmp_path / "fabriek-second"
    (first / "work" / "deep").mkdir(parents=True)
    second.mkdir()
    return first, second


def test_a_session_takes_over_files_but_follows_no_link(folders, manifest, tmp_path):
    first, second = folders
    secret = tmp_path / "secret"
    secret.write_text("of another case")
    (first / "work" / "deep" / "a.txt").write_text("kept")
    (first / "work" / "link").symlink_to(secret)
    os.mkfifo(first / "work" / "pipe")

    work = lay_out(second, manifest)

    assert (work / "deep" / "a.txt").read_text() == "kept"
    assert (work / "link").is_symlink()
    assert not (work / "pipe").exists()


def test_starting_again_leaves_the_files_as_they_are(folders, manifest):
    first, second = folders
    (first / "work" / "a.txt").write_text("old")
    (lay_out(second, manifest) / "a.txt").write_text("new")

    work = lay_out(second, manifest)

    assert (work / "a.txt").read_text() == "new"


def test_the_inputs_stand_beside_the_work(folders, manifest):
    _first, second = folders
    (second / "inputs" / "dataset").mkdir(parents=True)

    work = lay_out(second, manifest)

    assert (work / "inputs" / "dataset").is_dir()


def test_files_that_are_gone_are_told_in_a_sentence(folders, manifest):
    _first, second = folders

    with pytest.raises(Failed) as refused:
        lay_out(second, replace(manifest, continues="fabriek-gone"))

    assert refused.value.code == "no_earlier_files"


@pytest.mark.parametrize("key", ["../x", "a/b", ".."])
def test_a_manifest_names_no_folder_elsewhere(folders, manifest, key):
    _first, second = folders
    write_manifest(second, replace(manifest, continues=key))

    with pytest.raises(Failed) as refused:
        read_manifest(second)

    assert refused.value.code == "bad_manifest"


@pytest.fixture
def taken(tmp_path, monkeypatch):
    """Let the places of labs lie in a folder of this test, where somebody took the name."""
    monkeypatch.setattr(place, "ROOT", tmp_path)
    taken = place.place_of("fabriek-x")
    taken.mkdir(mode=0o700)
    return taken


def test_a_place_that_others_can_enter_is_not_used(taken):
    taken.chmod(0o755)

    with pytest.raises(PermissionError):
        place.made("fabriek-x")


def test_a_link_in_its_place_is_not_followed(taken, tmp_path):
    taken.rmdir()
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    taken.symlink_to(tmp_path / "elsewhere")

    with pytest.raises(PermissionError):
        place.made("fabriek-x")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make it somebody else's")
def test_somebody_elses_place_is_not_used(taken):
    os.chown(taken, 65534, 65534)

    with pytest.raises(PermissionError):
        place.made("fabriek-x")


def test_what_an_earlier_attempt_left_is_cleared(taken):
    (taken / "token").write_text("old")

    made = place.made("fabriek-x")

    assert list(made.iterdir()) == []


def test_a_terminal_finds_python_where_only_python3_is_installed(tmp_path, monkeypatch):
    own = tmp_path / "it's here" / "python3"
    own.parent.mkdir()
    own.symlink_to(sys.executable)
    monkeypatch.setattr(sys, "executable", str(own))

    asks = ["-i", "-c", "python -c 'import sys; print(sys.executable)'; command -v python3"]
    told = subprocess.run(
        [*shell.command(tmp_path), *asks],
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
    )

    assert told.stdout.splitlines() == [str(own), str(own)]


def test_a_line_to_no_lab_says_so(taken, capsys):
    code = line.main("fabriek-other")

    assert code == line.NOT_THERE
    assert capsys.readouterr().err.startswith("no lab of ours is here")
