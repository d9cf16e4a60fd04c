"""Own code from a terminal: what of a folder is sent, what not, and the run that follows."""

import os
import subprocess

import pytest

from fabriek.programs.models import Sent
from fabriek.runs.models import Run
from fabriek.store import queries as store
from fabriek.store.models import Revision
from tests.runs.world import a_text, a_world

pytestmark = pytest.mark.django_db


@pytest.fixture
def world(db, settings):
    settings.OWN_CODE = True
    return a_world()


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "mine"
    place.mkdir()
    (place / "train.py").write_text("print(1)\n")
    (place / "data.bin").write_text("large")
    (place / ".gitignore").write_text("*.bin\nsecret/\n")
    (place / "secret").mkdir()
    (place / "secret" / "key").write_text("x")
    return place


def git(folder, *words):
    given = {"PATH": os.environ["PATH"], "HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1"}
    named = [
        part
        for name in ("AUTHOR", "COMMITTER")
        for part in (f"GIT_{name}_NAME", f"GIT_{name}_EMAIL")
    ]
    done = subprocess.run(
        ["git", "-C", str(folder), *words],
        env=given | dict.fromkeys(named, "somebody"),
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def committed(folder):
    git(folder, "init", "--quiet")
    git(folder, "add", "-A")
    git(folder, "commit", "--quiet", "-m", "first")
    return git(folder, "rev-parse", "HEAD")


def start(world, folder, *more):
    words = ["run", "script", "--case", world.case.code, "--folder", str(folder)]
    return [*words, "--command", "python train.py", "--yes", *more]


def names():
    return sorted(store.listing(Revision.objects.get(repository__kind="code")))


def test_a_folder_is_sent_without_what_gitignore_names_and_started(fabriek, world, folder):
    data = [a_text(world.case, world.person).repository.code for _ in range(2)]

    result = fabriek(
        world.person,
        *start(world, folder, "--hours", "0.5", "--data", data[0], "--data", data[1]),
    )

    run = Run.objects.get()
    assert result.exit_code == 0, result.output
    assert names() == [".gitignore", "train.py"]
    assert "2 files" in result.output
    assert (run.recipe, run.timeout_s) == ("script", 1800)
    asked = {row.name: row.revision.repository.code for row in run.inputs.all()}
    assert asked["dataset"] == data[0]
    assert asked["dataset_2"] == data[1]


def test_the_commit_goes_along_and_that_there_is_more(fabriek, world, folder):
    commit = committed(folder)
    (folder / "train.py").write_text("print(2)\n")
    (folder / "new.py").write_text("x\n")

    result = fabriek(world.person, *start(world, folder))

    sent = Sent.objects.get()
    assert result.exit_code == 0, result.output
    assert (sent.commit, sent.has_changes) == (commit, True)
    assert names() == [".gitignore", "new.py", "train.py"]
    assert "with changes that are in no commit" in result.output


def test_only_what_is_committed_is_sent_when_that_is_asked(fabriek, world, folder):
    commit = committed(folder)
    (folder / "new.py").write_text("x\n")

    result = fabriek(world.person, *start(world, folder, "--git"))

    sent = Sent.objects.get()
    assert result.exit_code == 0, result.output
    assert (sent.commit, sent.has_changes) == (commit, False)
    assert names() == [".gitignore", "train.py"]
    assert "What is not committed is not sent." in result.output


def test_without_a_commit_git_has_nothing_to_send(fabriek, world, folder):
    result = fabriek(world.person, *start(world, folder, "--git"))

    assert (result.exit_code, "has no commit of git" in result.stderr) == (1, True)


def test_a_link_out_of_the_folder_is_not_followed(fabriek, world, folder, tmp_path):
    (tmp_path / "elsewhere").write_text("theirs")
    (folder / "link").symlink_to("../elsewhere")

    result = fabriek(world.person, *start(world, folder))

    assert result.exit_code == 1
    assert "link is a link out of the folder" in result.stderr
    assert not Run.objects.exists()


def test_a_link_within_the_folder_is_sent_as_the_file(fabriek, world, folder):
    (folder / "same.py").symlink_to("train.py")

    result = fabriek(world.person, *start(world, folder))

    assert result.exit_code == 0, result.output
    assert names() == [".gitignore", "same.py", "train.py"]


def test_a_pipe_is_not_sent(fabriek, world, folder):
    os.mkfifo(folder / "pipe")
    committed(folder)

    result = fabriek(world.person, *start(world, folder))

    assert result.exit_code == 0, result.output  # git itself never names it
    assert names() == [".gitignore", "train.py"]


def test_a_folder_that_is_a_disk_is_not_packed(fabriek, world, folder, monkeypatch):
    monkeypatch.setattr("fabriek.cli.code_pack.FILES_MAX", 1)

    result = fabriek(world.person, *start(world, folder))

    assert result.exit_code == 1
    assert "that is no code" in result.stderr


def test_what_was_sent_before_runs_again_by_its_code(fabriek, world, folder):
    fabriek(world.person, *start(world, folder, "--price"))
    code = Revision.objects.get(repository__kind="code").repository.code

    result = fabriek(
        world.person,
        *["run", "script", "--case", world.case.code, "--code", code],
        *["--command", "python train.py", "--yes"],
    )

    assert result.exit_code == 0, result.output
    assert Run.objects.count() == 1


def test_old_revisions_go_with_a_reason(world, fabriek, folder):
    for number in range(3):
        (folder / "train.py").write_text(f"print({number})\n")
        fabriek(world.person, *start(world, folder, "--price"))
    code = Sent.objects.latest("pk").revision.repository.code

    listed = fabriek(world.person, "code", "list", world.case.code)
    silent = fabriek(world.person, "code", "drop", code, "1", "-y")
    done = fabriek(world.person, "code", "drop", code, "1", "3", "-y", "--why", "a key in it")

    assert f"{code}@3" in listed.output
    assert (silent.exit_code, "Say why they go" in silent.output) == (2, True)
    assert "revision 1 removed" in done.output
    gone = Revision.objects.exclude(dropped_at=None)
    assert list(gone.values_list("number", "dropped_why")) == [(1, "a key in it")]
