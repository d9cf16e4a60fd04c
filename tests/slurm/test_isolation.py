"""The whole factory on a real Slurm, with an account for each case: who can read what."""

import os
import sys
from pathlib import Path

import pytest
from django.test import override_settings

from fabriek.registry import collect
from fabriek.registry.models import Model, Rejection
from fabriek.runs import accounts, actions, folders, hub_keys, walls
from fabriek.runs.states import RunState
from fabriek.serve import isolation
from fabriek.store.queries import the_store
from tests.engines import strangers
from tests.engines.cluster import Cluster
from tests.runs.test_with_local_engine import TRAINS
from tests.runs.world import TEXT, a_world, followed, over, passes, seen_again

pytestmark = pytest.mark.slurm
PATIENCE_S = 90
MAKES_MODEL = """
import json, os, pathlib, sys
folder = pathlib.Path(sys.argv[1]) / "outputs" / "model"
folder.mkdir(parents=True)
(folder / "config.json").write_text(json.dumps({"model_type": "llama"}))
header = json.dumps({"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
weights = len(header).to_bytes(8, "little") + header + bytes(4)
(folder / "model.safetensors").write_bytes(weights)
"""


@pytest.fixture
def place():
    with strangers.open_place() as place:
        yield place


@pytest.fixture
def cluster(place):
    cluster = Cluster(place)
    cluster.conf.chmod(0o644)
    yield cluster
    cluster.clear()


@pytest.fixture
def factory(settings, place):
    """Lay all that a factory keeps where its own settings put it, below one folder."""
    settings.UNIX_ACCOUNTS = True
    settings.UNIX_PREFIX = strangers.new_prefix()
    settings.HOME = place / "var"
    settings.HOME.mkdir()
    for name in ("store", "runs", "engine"):
        setattr(settings, f"{name.upper()}_HOME", settings.HOME / name)
    (settings.HOME / "secret-key").write_text("the secret key\n")
    (settings.HOME / "fabriek.sqlite3").write_text("stands for ours, which is in memory here")
    settings.EMAIL_FILE_PATH = settings.HOME / "mail"
    settings.EMAIL_FILE_PATH.mkdir()
    (settings.EMAIL_FILE_PATH / "letter").write_text("sign in here\n")
    accounts.known.ensured.clear()
    accounts.known.failed.clear()
    before = os.umask(0o077)  # as __main__ and wsgi set it
    yield settings
    os.umask(before)


@pytest.fixture
def world(db, factory, cluster, machine):
    """Give a case that may compute; the loop makes its account and tells Slurm of it."""
    world = a_world()
    world.allocation.account = cluster.account
    world.allocation.save()
    isolation.close_doors()
    yield world
    strangers.remove(world.case.unix_account)


@pytest.fixture
def neighbour(world, machine):
    """Give the case of another organisation, which has its own account too."""
    other = a_world()
    accounts.ensure(other.case.unix_account)
    yield other
    strangers.remove(other.case.unix_account)


@pytest.fixture
def program(monkeypatch):
    """Let every recipe be this program, in Python or for the shell."""

    def instead(source="", sh=""):
        words = ("/bin/sh", "-c", sh, "sh") if sh else (sys.executable, "-c", source)
        monkeypatch.setattr(
            "fabriek.runs.jobs.command_of", lambda run: (*words, str(run.folder))
        )

    return instead


def test_a_run_of_a_case_ends_well_as_the_account_of_that_case(world, machine, program):
    program(TRAINS)
    run = world.ask(seed=7)

    ended = over(machine, run, within_s=PATIENCE_S)

    assert (ended.state, ended.exit_code) == (RunState.SUCCEEDED, 0)
    assert folders.log_tail(ended).startswith("read 2200 seed 7")
    assert ended.scores == {"loss_before": 3.0, "loss_after": 1.0}
    made = (ended.folder / "events.jsonl").stat()
    assert made.st_uid == strangers.uid(world.case.unix_account) != os.getuid()
    assert world.bill(run) == ended.gpu_seconds_used


def test_the_model_that_it_made_comes_into_the_store(world, machine, program):
    program(MAKES_MODEL)
    run = world.ask()

    over(machine, run, within_s=PATIENCE_S)
    collect.tick()

    model = Model.objects.get(run=run)
    assert set(model.revision.files.values_list("path", flat=True)) == {
        "README.md",
        "config.json",
        "model.safetensors",
    }
    store = the_store()
    blobs = [file.blob for file in model.revision.files.all()]
    kept = [store.path(blob) for blob in blobs]
    assert {path.stat().st_uid for path in kept} == {os.getuid()}


def test_a_job_reads_its_own_data_and_none_of_what_is_not_its_own(
    world, neighbour, machine, program, factory
):
    theirs = neighbour.ask()
    folders.prepare(theirs)
    blob = neighbour.revision.files.get().blob
    secrets = [
        theirs.folder / "run.json",
        theirs.folder / "hub-key",
        theirs.folder / "inputs" / "dataset" / "text.txt",
        the_store().path(blob),
        factory.HOME / "secret-key",
        factory.EMAIL_FILE_PATH / "letter",
        factory.HOME / "fabriek.sqlite3",
        Path(f"/proc/{os.getpid()}/environ"),
    ]
    assert all(path.read_bytes() for path in secrets)
    tries = [f"cat '{path}' && echo READ" for path in secrets]
    tries += [f"ls '{factory.RUNS_HOME}' && echo LISTED", f"ls '{factory.HOME}' && echo LISTED"]
    tries += [f"ls '{factory.ENGINE_HOME}' && echo LISTED"]
    tries += [f"ls '{theirs.folder}' && echo LISTED"]
    program(sh="; ".join([*tries, "cat inputs/dataset/text.txt run.json hub-key"]))
    run = world.ask()

    ended = over(machine, run, within_s=PATIENCE_S)

    told = folders.log_tail(ended)
    assert ended.state == RunState.SUCCEEDED
    denied = [line for line in told.splitlines() if line.endswith("ermission denied")]
    assert (len(denied), len(tries)) == (12, 12), told
    assert not {"READ", "LISTED"} & {*told.split()}
    assert TEXT.splitlines()[0] in told
    assert run.key in told
    assert hub_keys.key_of(run) in told


def test_a_job_can_change_nothing_that_was_laid_out_for_it(world, machine, program):
    program(
        sh="echo x >inputs/dataset/text.txt; chmod 777 inputs/dataset/text.txt; "
        "rm -f inputs/dataset/text.txt run.json; mv inputs elsewhere; mv run.json other; "
        "echo x >inputs/more; rm -rf inputs; echo x >run.json; echo end"
    )
    run = world.ask()

    ended = over(machine, run, within_s=PATIENCE_S)

    told = folders.log_tail(ended)
    assert told.splitlines()[-1] == "end"
    assert (ended.folder / "inputs" / "dataset" / "text.txt").read_text() == TEXT
    assert folders.is_ready(ended)
    assert sorted(path.name for path in ended.folder.iterdir() if path.name[0] != ".") == [
        "exit",
        "hub-key",
        "inputs",
        "log",
        "run.json",
    ]


@pytest.mark.parametrize("how", ["ln -s", "ln"])
def test_no_page_shows_a_secret_that_a_job_put_where_its_log_was(
    world, machine, program, factory, browser, how
):
    """A hard link needs no right to the file itself where protected_hardlinks is off."""
    secret = factory.HOME / "secret-key"
    program(sh=f"rm -f log; {how} '{secret}' log; mkdir outputs; {how} '{secret}' outputs/r")
    run = world.ask()
    ended = over(machine, run, within_s=PATIENCE_S)
    if how == "ln":  # as such a kernel would have let it
        log = ended.folder / "log"
        log.unlink(missing_ok=True)
        os.link(secret, log)

    page = browser(world.person).get(ended.get_absolute_url()).content.decode()

    assert (ended.folder / "log").read_text() == "the secret key\n"
    assert "the secret key" not in page
    assert folders.log_tail(ended) == ""
    assert folders.log_piece(ended, 0) == ("", 0)
    assert folders.log_bytes(ended) == 0


@pytest.mark.parametrize("name", ["config.json", "more/README.md"])
@pytest.mark.parametrize("link", ["file", "folder", "hard"])
def test_no_model_takes_in_what_a_job_linked_to(world, machine, program, factory, name, link):
    secret = factory.HOME / "README.md"
    secret.write_text('{"the": "secret"}')
    program(MAKES_MODEL)
    run = world.ask()
    ended = over(machine, run, within_s=PATIENCE_S)
    target = ended.folder / "outputs" / "model" / name
    if link == "folder":
        target = target.with_name("linked")
        target.parent.mkdir(exist_ok=True)
        target.symlink_to(factory.HOME)
    else:
        target.unlink(missing_ok=True)
        target.parent.mkdir(exist_ok=True)
        (target.symlink_to if link == "file" else target.hardlink_to)(secret)

    collect.tick()

    assert not Model.objects.filter(run=run).exists()
    assert Rejection.objects.get(run=run).code == "no_plain_file"


def test_a_run_that_continues_takes_checkpoints_over_but_no_links(
    world, machine, program, factory
):
    program(
        sh="mkdir -p checkpoints/deep; echo one >checkpoints/step-1; "
        "echo two >checkpoints/deep/state; exit 1"
    )
    first = over(machine, world.ask(), within_s=PATIENCE_S)
    (first.folder / "checkpoints" / "step-2").symlink_to(factory.HOME / "secret-key")
    (first.folder / "checkpoints" / "all").symlink_to(factory.HOME)
    program(
        sh="cat checkpoints/step-1 checkpoints/deep/state; echo three >checkpoints/step-3; "
        "echo more >>checkpoints/step-1; rm -r checkpoints/deep checkpoints/step-1; "
        "ls checkpoints; exit 1"
    )
    second = actions.go_on(first, by=world.person)

    ended = over(machine, second, within_s=PATIENCE_S)

    assert folders.log_tail(ended).splitlines() == ["one", "two", "step-3"]
    assert (ended.folder / "checkpoints" / "step-3").read_text() == "three\n"
    assert folders.has_checkpoint(ended)


def test_a_checkpoint_folder_that_is_a_link_is_not_followed(world, machine, program, factory):
    program(sh="mkdir checkpoints; echo one >checkpoints/step-1; exit 1")
    first = over(machine, world.ask(), within_s=PATIENCE_S)
    second = actions.go_on(first, by=world.person)
    (first.folder / "checkpoints" / "step-1").unlink()
    (first.folder / "checkpoints").rmdir()
    (first.folder / "checkpoints").symlink_to(factory.HOME)

    folders.prepare(second)

    assert not folders.has_checkpoint(first)
    assert not folders.has_checkpoint(second)


def test_a_running_job_of_a_case_is_stopped_when_somebody_wishes_so(world, machine, program):
    program(sh="sleep 100")
    run = world.ask()
    followed(machine, run, RunState.RUNNING, within_s=PATIENCE_S)
    actions.cancel(run, by=world.person)

    ended = over(machine, run, within_s=PATIENCE_S)

    assert (ended.state, ended.reason) == (RunState.CANCELLED, "cancelled")


def test_a_run_waits_while_its_folder_cannot_be_reached_and_starts_when_it_can(
    world, machine, program, factory
):
    program(TRAINS)
    factory.HOME.chmod(0o700)
    run = world.ask()

    passes(machine)
    waits = seen_again(run)
    factory.HOME.chmod(0o711)
    waits.claimed_until = None  # what a claim that ran out looks like
    waits.save(update_fields=["claimed_until"])
    ended = over(machine, run, within_s=PATIENCE_S)

    assert (waits.state, waits.waiting_reason) == (RunState.WAITING, "account_cannot_reach")
    assert (ended.state, ended.waiting_reason) == (RunState.SUCCEEDED, "")


def test_one_case_without_an_account_does_not_stop_the_runs_of_another(
    world, neighbour, machine, program, factory, tmp_path
):
    program(TRAINS)
    accounts.ensure(world.case.unix_account)
    strangers.remove(neighbour.case.unix_account)
    stuck, run = neighbour.ask(), world.ask()

    with override_settings(UNIX_HOOK=tmp_path / "there-is-none"):
        ended = over(machine, run, within_s=PATIENCE_S)

    assert ended.state == RunState.SUCCEEDED
    assert seen_again(stuck).waiting_reason == "account_hook"
    assert not stuck.folder.exists()


def test_the_loop_of_two_factories_prepares_a_folder_once(world, factory):
    accounts.ensure(world.case.unix_account)
    run = world.ask()
    folders.prepare(run)
    before = (run.folder / "inputs").stat()

    folders.prepare(run)

    assert (run.folder / "inputs").stat() == before
    assert run.folder.stat().st_mode & 0o7777 == 0o1770
    assert factory.RUNS_HOME.stat().st_mode & 0o777 == walls.PASSED
