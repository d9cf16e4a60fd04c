"""What is closed to the accounts of cases, and what doctor says where that does not do."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from fabriek.demo import ground
from fabriek.runs import walls
from fabriek.serve import isolation
from fabriek.store.queries import the_store
from tests.engines.strangers import open_place


@pytest.fixture
def home(settings, tmp_path):
    """Give a home whose doors stand open, as one of an older version would."""
    home = tmp_path / "var"
    settings.HOME = home
    for name in ("store", "runs", "engine"):
        (home / name).mkdir(parents=True)
        setattr(settings, f"{name.upper()}_HOME", home / name)
    settings.EMAIL_FILE_PATH = home / "mail"
    (home / "mail").mkdir()
    for name in ("secret-key", "fabriek.sqlite3", "fabriek.sqlite3-wal"):
        (home / name).write_text("ours")
        (home / name).chmod(0o644)
    return home


@pytest.fixture
def accounts_on(settings, home):
    settings.UNIX_ACCOUNTS = True
    settings.UNIX_HOOK = Path(isolation.__file__).parent / "hooks" / "unix-account"
    settings.ENGINE = "slurm"
    return settings


def modes(home):
    return {path.name: path.stat().st_mode & 0o777 for path in (home, *home.iterdir())}


def said(what=isolation.WHAT):
    return [finding for finding in isolation.look() if finding.what == what]


def test_a_start_closes_all_doors_but_the_way_to_the_run_folders(home):
    isolation.close_doors()

    assert modes(home) == {
        "var": 0o711,
        "runs": 0o711,
        "store": 0o700,
        "engine": 0o700,
        "mail": 0o700,
        "secret-key": 0o600,
        "fabriek.sqlite3": 0o600,
        "fabriek.sqlite3-wal": 0o600,
    }


def test_what_is_not_there_yet_is_no_trouble(settings, tmp_path):
    settings.HOME = tmp_path / "new"
    settings.RUNS_HOME = tmp_path / "new" / "runs"

    isolation.close_doors()

    assert [path.name for path in settings.HOME.iterdir()] == ["runs"]


def test_a_disk_that_is_away_does_not_keep_the_factory_from_starting(settings, home, caplog):
    (home / "in-the-way").write_text("")
    settings.RUNS_HOME = home / "in-the-way" / "runs"

    isolation.close_doors()

    assert "could be closed to others" in caplog.text


def test_doctor_names_what_others_could_read(home):
    before = said("Closed to other accounts")[0]
    isolation.close_doors()
    after = said("Closed to other accounts")[0]

    assert (before.verdict, after.verdict) == ("lacking", "good")
    assert str(home / "secret-key") in before.said


def test_the_store_is_closed_before_the_first_file_comes_in(settings, tmp_path):
    settings.STORE_HOME = tmp_path / "new-store"

    store = the_store()

    assert store.home.stat().st_mode & 0o777 == 0o700


def test_what_our_commands_write_is_for_us_alone(tmp_path):
    """The database too, which sqlite makes with what the umask leaves; jobs pass by it."""
    home = tmp_path / "var" / "slurm"
    told = subprocess.run(
        [sys.executable, "-m", "fabriek", "migrate", "--verbosity=0"],
        env={"PATH": os.environ["PATH"], "FABRIEK_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert told.returncode == 0, told.stderr
    assert (home / "fabriek.sqlite3").stat().st_mode & 0o777 == 0o600
    assert [folder.stat().st_mode & 0o777 for folder in (home.parent, home)] == [0o711, 0o711]


def test_one_account_for_all_is_lacking_on_a_cluster_and_plain_on_one_machine(settings, home):
    settings.ENGINE = "slurm"
    [cluster] = said()
    settings.ENGINE = "local"
    [alone] = said()

    assert (cluster.verdict, alone.verdict) == ("lacking", "optional")
    assert "can read each other's data" in cluster.said


def test_the_local_engine_cannot_keep_cases_apart(accounts_on):
    accounts_on.ENGINE = "local"

    [found] = said()

    assert (found.verdict, found.said) == (
        "lacking",
        "the local engine runs everything as one account",
    )


def test_folders_that_strangers_cannot_pass_are_named(accounts_on, home):
    """Pytest's own are closed to all others."""
    [found] = [one for one in said() if "cannot get past" in one.said]

    assert str(home.parent) in found.said
    assert "FABRIEK_UNIX_ACCOUNTS=0" in found.mend


@pytest.mark.skipif(os.geteuid() != 0, reason="the hook is not root's where tests are not")
def test_all_is_good_where_strangers_can_pass(accounts_on):
    with open_place() as place:
        accounts_on.RUNS_HOME = place / "runs"

        found = said()

    assert [one.verdict for one in found] == ["good"], found


def test_a_hook_that_is_not_there_is_lacking(accounts_on, tmp_path):
    accounts_on.UNIX_HOOK = tmp_path / "nothing"

    assert f"there is no program {tmp_path}/nothing" in {one.said for one in said()}


def test_a_hook_that_others_can_change_is_lacking(accounts_on, tmp_path):
    hook = tmp_path / "hook"
    hook.write_text("#!/bin/sh\n")
    hook.chmod(0o777)
    accounts_on.UNIX_HOOK = hook

    assert any("others than root can change it" in one.said for one in said())


def test_a_disk_without_access_lists_is_lacking(accounts_on, monkeypatch):
    def not_here(*_args):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("fabriek.kernel.acl.os.setxattr", not_here)

    assert any("cannot let an account in" in one.said for one in said())


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_folder_of_runs_that_is_not_ours_is_lacking(accounts_on, home):
    os.chown(home / "runs", 65_534, -1)

    assert any("others can put something in the place" in one.said for one in said())


def test_a_folder_of_runs_that_others_may_write_in_is_mended_or_lacking(accounts_on, home):
    (home / "runs").chmod(0o777)

    found = said()

    assert (home / "runs").stat().st_mode & 0o777 == walls.PASSED
    assert not any("others can put something in the place" in one.said for one in found)


def test_the_demo_does_not_begin_what_would_wait_for_an_operator(accounts_on, monkeypatch):
    monkeypatch.setattr(ground, "_refuse_silence", lambda: None)

    with pytest.raises(CommandError) as refused:
        ground.refuse_unfit("slurm")

    assert "set FABRIEK_UNIX_ACCOUNTS=0" in str(refused.value)


@pytest.mark.django_db
def test_the_loop_closes_the_doors_before_its_first_pass(home):
    call_command("loop", "--once")

    assert (home / "secret-key").stat().st_mode & 0o777 == 0o600
    assert walls.home().stat().st_mode & 0o777 == 0o711
