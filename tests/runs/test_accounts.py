"""The site's hook that makes accounts: called once, in time, and never a reason for others."""

import os
import pwd
import subprocess
import time
from pathlib import Path

import pytest

from fabriek.engines.base import JobHeldUp
from fabriek.engines.fake import Fake
from fabriek.engines.local import Local
from fabriek.runs import accounts, budgets, folders, jobs, show, waits, walls
from fabriek.runs.states import RunState
from tests.factories import a_case, an_allocation
from tests.runs.world import a_world, passes, seen_again

ME = pwd.getpwuid(os.geteuid()).pw_name
THERE = next(one.pw_name for one in pwd.getpwall() if one.pw_uid not in {0, os.geteuid()})
DEFAULT = Path(accounts.__file__).parents[1] / "serve" / "hooks" / "unix-account"


@pytest.fixture(autouse=True)
def as_if_root(monkeypatch):
    """Without sudo before the hook; these hooks need no rights."""
    monkeypatch.setattr(accounts.os, "geteuid", lambda: 0)
    accounts.known.ensured.clear()
    accounts.known.failed.clear()
    accounts.known.alike.clear()


@pytest.fixture
def hook(settings, tmp_path):
    """Let the site's hook do this, and write down how it is called."""

    def does(script):
        path = tmp_path / "hook"
        path.write_text(
            f'#!/bin/sh\necho "$@" >>{tmp_path}/calls\nenv >{tmp_path}/env\n{script}\n'
        )
        path.chmod(0o755)
        settings.UNIX_HOOK = path

    return does


@pytest.fixture
def calls(tmp_path):
    def told():
        path = tmp_path / "calls"
        return path.read_text().splitlines() if path.exists() else []

    return told


def refused(name):
    with pytest.raises(JobHeldUp) as trouble:
        accounts.ensure(name)
    return trouble.value


def test_where_cases_have_no_accounts_no_hook_is_called(hook, calls):
    hook("exit 1")

    accounts.ensure("")

    assert calls() == []


def test_the_hook_is_called_once_for_an_account(hook, calls):
    hook("exit 0")

    accounts.ensure(THERE)
    accounts.ensure(THERE)

    assert calls() == [f"ensure {THERE}"]


def test_the_hook_sees_nothing_of_the_portals_environment(hook, tmp_path, monkeypatch):
    monkeypatch.setenv("FABRIEK_SECRET_KEY", "the secret key")
    hook("exit 0")

    accounts.ensure(THERE)

    assert "secret" not in (tmp_path / "env").read_text()


def test_a_hook_that_fails_says_why_and_is_left_alone_for_a_while(hook, calls):
    hook("echo 'LDAP is away' >&2; exit 3")

    first, second = refused(THERE), refused(THERE)

    assert (first.code, second.code) == ("account_hook", "account_hook")
    assert "LDAP is away" in str(first)
    assert calls() == [f"ensure {THERE}"]


def test_a_hook_that_is_mended_is_called_again_after_that_while(hook, monkeypatch):
    hook("exit 3")
    refused(THERE)
    hook("exit 0")
    monkeypatch.setattr(accounts, "REST_S", 0)

    accounts.ensure(THERE)

    assert THERE in accounts.known.ensured


def test_a_hook_that_is_not_there_is_named(settings, tmp_path):
    settings.UNIX_HOOK = tmp_path / "nothing"

    trouble = refused(THERE)

    assert (trouble.code, "nothing" in str(trouble)) == ("account_hook", True)


def test_a_hook_that_lies_is_found_out(hook):
    hook("exit 0")

    trouble = refused("fab-c26-9999")

    assert trouble.code == "account_missing"


def test_a_slow_hook_ends_with_all_it_started_and_rests_for_everybody(
    hook, calls, tmp_path, monkeypatch
):
    monkeypatch.setattr(accounts, "HOOK_S", 3)  # time to begin, also on a busy machine
    hook(f"sleep 60 & echo $! >{tmp_path}/child; wait")
    began = time.monotonic()

    trouble = refused(THERE)
    others = refused("somebody-else")

    assert time.monotonic() - began < 50  # what the hook started would take a minute
    assert "not over after" in str(trouble) + str(others)
    assert calls() == [f"ensure {THERE}"]
    child = int((tmp_path / "child").read_text())
    assert (
        not Path(f"/proc/{child}/cmdline").exists()
        or not Path(f"/proc/{child}/cmdline").read_bytes()
    )


@pytest.mark.parametrize("name", ["--help", "a b", "$(id)", "A", "x" * 33, "a\nb"])
def test_a_name_that_is_none_reaches_no_hook(hook, calls, name):
    hook("exit 0")

    trouble = refused(name)

    assert trouble.code == "account_hook"
    assert calls() == []


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("ensure",),
        ("ensure", "root"),
        ("ensure", "fab-c26-0001", "x"),
        ("ensure", "-c26-0001"),
        ("ensure", "fab-c26"),
        ("ensure", "fab-c26-0001;id"),
        ("ensure", "../c26-0001"),
        ("ensure", "fab c26-0001"),
        ("ensure", f"{'x' * 30}-c26-0001"),
        ("destroy", "fab-c26-0001"),
        ("remove", "daemon"),
    ],
)
def test_the_default_hook_refuses_what_is_no_account_of_a_case(words):
    done = subprocess.run([DEFAULT, *words], capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert done.stderr.startswith("unix-account: ")


def test_our_own_account_and_that_of_root_are_no_wall():
    for name in {ME, "root"}:
        with pytest.raises(JobHeldUp) as trouble:
            walls.uid_of(name)
        assert trouble.value.code == "account_not_ours"


def test_an_account_is_compared_with_the_clusters_once(hook):
    asked = []

    def uid_of(name):
        asked.append(name)
        return pwd.getpwnam(name).pw_uid

    for _ in range(2):
        accounts.refuse_another_number(THERE, uid_of)
    accounts.refuse_another_number("", uid_of)

    assert asked == [THERE]


# --- in the loop -------------------------------------------------------------------------
@pytest.fixture
def world(db, settings):
    settings.UNIX_ACCOUNTS = True
    settings.UNIX_PREFIX = "fab-"
    return a_world()


def test_the_account_is_named_after_the_code_of_the_case(world, settings):
    assert world.case.unix_account == f"fab-{world.case.code.lower()}"
    assert jobs.job_of(world.ask()).user == world.case.unix_account

    settings.UNIX_ACCOUNTS = False
    assert world.case.unix_account == ""


def test_many_accounts_at_once_do_not_keep_a_pass_from_ending(world, hook, monkeypatch):
    hook("sleep 0.1")
    monkeypatch.setattr(budgets, "ACCOUNTS_S", 0.35)
    others = [one.pw_name for one in pwd.getpwall() if one.pw_uid][:9]
    cases = [a_case() for _ in others]
    names = {case.code: name for case, name in zip(cases, others, strict=True)}
    named = property(lambda case: names.get(case.code, ""))
    monkeypatch.setattr(type(world.case), "unix_account", named)
    for case in cases:
        an_allocation(case=case, gpu_seconds=3_600)
    engine = Fake()

    passes(engine)
    told = len(engine.budgets)
    passes(engine, 9)

    assert 0 < told < 10
    assert len(engine.budgets) == 10


def test_a_run_whose_account_cannot_be_made_waits_and_says_so(world, hook, browser):
    hook("exit 1")
    run, engine = world.ask(), Fake()

    passes(engine)

    waits = seen_again(run)
    assert (waits.state, waits.waiting_reason) == (RunState.WAITING, "account_hook")
    assert engine.jobs == {}
    assert not run.folder.exists()
    sentence = show.waiting(waits)
    assert sentence.startswith("The factory is still making the place where only this case")
    assert sentence in browser(world.person).get(waits.get_absolute_url()).content.decode()


def test_it_starts_when_the_account_can_be_made_and_says_nothing_more(
    world, hook, settings, monkeypatch
):
    hook("exit 1")
    run, engine = world.ask(), Fake()
    passes(engine)
    hook("exit 0")
    monkeypatch.setattr(accounts, "REST_S", 0)
    monkeypatch.setattr(type(world.case), "unix_account", THERE)
    type(run).objects.update(claimed_until=None)

    passes(engine)

    sent = seen_again(run)
    assert (sent.state, sent.waiting_reason) == (RunState.QUEUED, "")
    assert engine.jobs[run.key].user == THERE
    assert run.folder.stat().st_mode & 0o7777 == 0o1770


def test_an_account_that_has_another_number_on_the_cluster_is_let_in_nowhere(
    world, hook, monkeypatch
):
    hook("exit 0")
    monkeypatch.setattr(type(world.case), "unix_account", THERE)
    run, engine = world.ask(), Fake()
    engine.uids[THERE] = pwd.getpwnam(THERE).pw_uid + 1

    passes(engine)

    assert seen_again(run).waiting_reason == "account_other_number"
    assert not run.folder.exists()
    assert engine.jobs == {}

    engine.uids[THERE] -= 1
    type(run).objects.update(claimed_until=None)
    passes(engine)
    assert engine.jobs[run.key].user == THERE


def test_a_disk_without_access_lists_holds_the_run_up(world, hook, monkeypatch):
    hook("exit 0")
    monkeypatch.setattr(type(world.case), "unix_account", THERE)
    monkeypatch.setattr("fabriek.kernel.acl.os.setxattr", _not_here)
    run, engine = world.ask(), Fake()

    passes(engine)

    assert seen_again(run).waiting_reason == "no_access_lists"
    assert engine.jobs == {}


def test_a_folder_that_was_opened_is_not_touched_again(world, hook, monkeypatch, tmp_path):
    """What the job put there could lead anywhere."""
    hook("exit 0")
    monkeypatch.setattr(type(world.case), "unix_account", THERE)
    run = world.ask()
    folders.prepare(run)
    outside = tmp_path / "outside"
    outside.mkdir(mode=0o700)
    (run.folder / "checkpoints").symlink_to(outside)

    folders.prepare(run)

    assert outside.stat().st_mode & 0o777 == 0o700


def test_its_account_may_read_what_was_laid_out_for_a_job(
    world, hook, monkeypatch, settings, tmp_path
):
    hook("exit 0")
    monkeypatch.setattr(type(world.case), "unix_account", THERE)
    settings.CA_FILE = tmp_path / "ca.pem"
    settings.CA_FILE.write_text("whom the factory trusts")
    before = os.umask(0o077)  # as the loop has it
    try:
        folder = folders.prepare(world.ask())
    finally:
        os.umask(before)

    read = {name: (folder / name).stat().st_mode & 0o777 for name in ("run.json", "ca.pem")}
    assert read == {"run.json": 0o444, "ca.pem": 0o444}


def test_the_local_engine_refuses_to_run_as_itself_what_should_be_kept_apart(
    world, hook, monkeypatch, tmp_path
):
    hook("exit 0")
    monkeypatch.setattr(type(world.case), "unix_account", THERE)
    run = world.ask()

    passes(Local(tmp_path / "local", gpus=1))

    assert seen_again(run).waiting_reason == "account_not_ours"


def test_each_word_for_it_has_a_sentence():
    words = (
        "account_hook",
        "account_missing",
        "account_not_ours",
        "account_cannot_reach",
        "account_other_number",
        "no_access_lists",
    )

    sentences = {waits.sentence(None, word) for word in words}

    assert len(sentences) == 1
    assert not any(waits.needs_you(word) for word in words)


def _not_here(*_args):
    raise OSError(95, "Operation not supported")
