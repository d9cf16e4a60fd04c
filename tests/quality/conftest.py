import os
import time

import pytest

from fabriek.quality import actions, folders, follow
from fabriek.quality.states import UNFINISHED
from fabriek.store import queries
from tests.datasets.conftest import made, push
from tests.factories import a_person

WAIT_S = 240  # a busy machine is slow, not wrong


@pytest.fixture(autouse=True)
def quiet(settings, monkeypatch):
    """Look when asked only; leave nothing running behind."""
    settings.LOOK_AUTO_BYTES = 0
    monkeypatch.setattr(follow, "EVERY_S", 0.0)
    yield
    for worker in list(follow.started.values()):
        worker.kill()
        worker.wait()
    for thread in list(follow.laying.values()):
        thread.join()
    follow.forget_all()


@pytest.fixture
def lead():
    return a_person()


@pytest.fixture
def dataset(lead):
    return made(by=lead)


def passes(errand, *, until=None):
    """Let the loop pass until it is over, or until something holds."""
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        follow.tick()
        errand.refresh_from_db()
        if errand.state not in UNFINISHED or (until and until()):
            return errand
        time.sleep(0.02)
    raise AssertionError(f"still {errand.state}: {errand.progress}")


def looked_at(dataset, files, **asked):
    """Push files, and look at what came of them."""
    revision = push(dataset, files)
    return look(dataset, revision, **asked)


def look(dataset, revision=None, **asked):
    revision = revision or queries.latest(dataset.repository)
    found = actions.ask_look(dataset, revision, by=dataset.created_by, **asked)
    return passes(found)


def codes(look):
    return {(one["code"], one["path"], one["column"]) for one in look.result["problems"]}


def problem(look, code, path=None):
    found = [
        one
        for one in look.result["problems"]
        if one["code"] == code and path in {None, one["path"]}
    ]
    assert found, sorted(one["code"] for one in look.result["problems"])
    return found[0]


__all__ = ["codes", "dataset", "lead", "look", "looked_at", "made", "passes", "problem", "push"]


@pytest.fixture
def slow_worker(monkeypatch):
    """Let workers wait until they are told to go on: what they read first is a pipe."""
    real = folders.launch

    def launch(folder, *, secret=""):
        # Its first file becomes a pipe nobody writes to, until the gate opens.
        held = folder / folders.FILES / "1"
        kept = held.with_suffix(".kept")
        held.rename(kept)
        os.mkfifo(held)
        waiting.append((held, kept))
        return real(folder, secret=secret)

    waiting = []
    monkeypatch.setattr(folders, "launch", launch)

    def go_on():
        for held, kept in waiting:
            head = kept.read_bytes()[:64]
            with held.open("wb", buffering=0) as pipe:  # the reader waits at the other end
                held.unlink()
                kept.rename(held)
                pipe.write(head)

    return go_on
