"""A look from wish to result: started, watched, called off, killed and taken up again."""

import os
import signal

import pytest

from fabriek.kernel.errors import NotAllowed
from fabriek.kernel.models import Entry
from fabriek.quality import actions, folders, follow
from fabriek.quality.models import Look
from fabriek.quality.states import ErrandState
from tests.factories import a_person
from tests.quality.conftest import look, looked_at, passes, push

pytestmark = pytest.mark.django_db(transaction=True)

CSV = b"id;label;note\n" + b"".join(b"%d;yes;number %d\n" % (n, n) for n in range(300))


def test_a_look_is_granted_by_the_loop_and_its_folder_is_gone(dataset):
    found = looked_at(dataset, {"a.csv": CSV})

    assert found.state == ErrandState.DONE
    assert found.trouble == ""
    assert [(one["path"], one["rows"]) for one in found.result["files"]] == [("a.csv", 300)]
    assert not folders.folder_of(found).exists()
    assert follow.laying == {}


def test_the_walls_of_the_worker_stand_on_this_machine(dataset):
    """Where a kernel lacks one of them this test says which; the page says it too."""
    held = looked_at(dataset, {"a.csv": CSV}).result["held"]

    assert held["no_network"] or held["seccomp"]
    assert held["landlock"] >= 1


def test_asking_twice_gives_the_look_that_is_under_way(dataset, lead):
    revision = push(dataset, {"a.csv": CSV})

    first = actions.ask_look(dataset, revision, by=lead)
    second = actions.ask_look(dataset, revision, by=lead)

    assert first == second
    assert Look.objects.count() == 1
    assert Entry.objects.filter(verb="quality.ask_look").count() == 1


def test_a_stranger_may_not_look(dataset):
    revision = push(dataset, {"a.csv": CSV})

    with pytest.raises(NotAllowed):
        actions.ask_look(dataset, revision, by=a_person())

    assert not Look.objects.exists()


def test_one_that_waits_is_called_off_at_once(dataset, lead):
    found = actions.ask_look(dataset, push(dataset, {"a.csv": CSV}), by=lead)

    actions.cancel(found, by=lead)

    assert found.state == ErrandState.CANCELLED
    follow.tick()
    assert not folders.folder_of(found).exists()


def test_one_that_runs_is_stopped_at_the_next_pass(dataset, lead, slow_worker):
    found = actions.ask_look(dataset, push(dataset, {"a.csv": CSV}), by=lead)
    folder = folders.folder_of(found)
    passes(found, until=lambda: folders.is_alive(folder))

    actions.cancel(found, by=lead)
    passes(found)

    assert found.state == ErrandState.CANCELLED
    assert not folders.is_alive(folder)
    assert not folder.exists()


def test_a_worker_that_is_killed_fails_the_look_in_words(dataset, lead, slow_worker):
    found = actions.ask_look(dataset, push(dataset, {"a.csv": CSV}), by=lead)
    folder = folders.folder_of(found)
    passes(found, until=lambda: folders.was_started(folder) and folders.is_alive(folder))

    os.kill(int((folder / folders.PID).read_text()), signal.SIGKILL)
    passes(found)

    assert (found.state, found.trouble) == (ErrandState.FAILED, "died")
    assert not folder.exists()


def test_a_loop_that_died_finds_its_worker_again(dataset, lead, slow_worker):
    found = actions.ask_look(dataset, push(dataset, {"a.csv": CSV}), by=lead)
    folder = folders.folder_of(found)
    passes(found, until=lambda: folders.was_started(folder) and folders.is_alive(folder))
    pid = (folder / folders.PID).read_text()
    kept = dict(follow.started)

    follow.forget_all()
    follow.tick()

    assert (folder / folders.PID).read_text() == pid
    assert follow.started == {}
    slow_worker()
    assert passes(found).state == ErrandState.DONE
    for worker in kept.values():
        worker.wait()


def test_a_loop_that_died_while_it_laid_out_does_it_again(dataset, lead, monkeypatch):
    found = actions.ask_look(dataset, push(dataset, {"a.csv": CSV}), by=lead)
    with monkeypatch.context() as patched:
        patched.setattr(follow, "_lay", lambda errand: None)
        follow.tick()
    found.refresh_from_db()
    assert found.state == ErrandState.RUNNING

    assert passes(found).state == ErrandState.DONE


def test_one_that_takes_too_long_is_stopped_and_says_so(dataset, lead, settings, slow_worker):
    settings.LOOK_S = 0
    found = actions.ask_look(dataset, push(dataset, {"a.csv": CSV}), by=lead)

    passes(found)

    assert (found.state, found.trouble) == (ErrandState.FAILED, "too_long")


def test_no_more_workers_than_the_factory_gives(dataset, lead, settings, slow_worker):
    settings.LOOK_WORKERS = 1
    first = actions.ask_look(dataset, push(dataset, {"a.csv": CSV}), by=lead)
    second = actions.ask_look(dataset, push(dataset, {"b.csv": CSV + b"9;no;x\n"}), by=lead)
    folder = folders.folder_of(first)

    passes(first, until=lambda: folders.was_started(folder))
    follow.tick()
    second.refresh_from_db()

    assert second.state == ErrandState.WAITING
    actions.cancel(first, by=lead)
    passes(first)


def test_new_revisions_are_looked_at_unasked_up_to_a_size(dataset, settings):
    push(dataset, {"a.csv": CSV})
    settings.LOOK_AUTO_BYTES = len(CSV) - 1
    follow.tick()
    assert not Look.objects.exists()

    settings.LOOK_AUTO_BYTES = len(CSV)
    follow.tick()

    found = Look.objects.get()
    assert (found.asked_by, found.dataset) == (None, dataset)
    assert passes(found).state == ErrandState.DONE
    follow.tick()
    assert Look.objects.count() == 1


def test_a_full_disk_whilelaying_out_is_said(dataset, lead, monkeypatch):
    def full(*_args):
        raise follow.StorageFull("no room")

    monkeypatch.setattr(folders, "lay", full)
    found = actions.ask_look(dataset, push(dataset, {"a.csv": CSV}), by=lead)

    passes(found)

    assert (found.state, found.trouble) == (ErrandState.FAILED, "disk_full")


def test_a_bug_while_laying_out_ends_it(dataset, lead, monkeypatch):
    def broken(*_args):
        raise RuntimeError("a bug")

    monkeypatch.setattr(folders, "lay", broken)
    found = actions.ask_look(dataset, push(dataset, {"a.csv": CSV}), by=lead)

    passes(found)

    assert (found.state, found.trouble) == (ErrandState.FAILED, "not_laid")


def test_names_of_files_never_reach_the_disk(dataset, lead, slow_worker):
    name = "a; rm -rf ‘x’ “q” '$(id)' %00.csv"
    found = actions.ask_look(dataset, push(dataset, {name: CSV}), by=lead)
    folder = folders.folder_of(found)
    passes(found, until=lambda: folders.was_started(folder))

    laid = {path.stem for path in (folder / folders.FILES).iterdir()}
    assert laid == {"1"}
    slow_worker()
    assert passes(found).result["files"][0]["path"] == name


def test_looking_again_makes_a_new_look(dataset):
    first = looked_at(dataset, {"a.csv": CSV})

    second = look(dataset)

    assert second != first
    assert second.result == first.result
