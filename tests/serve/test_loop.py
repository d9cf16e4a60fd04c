"""What the factory does by itself, and when it stops doing so."""

import os
import signal
import subprocess
import sys
import threading

import pytest
from django.utils import timezone

from fabriek.machine import nightly
from fabriek.machine.models import Books
from fabriek.notices import post
from fabriek.registry import collect
from fabriek.runs import engine
from fabriek.serve import loop

WAIT_S = 300  # only a test that fails waits so long


@pytest.fixture
def done(monkeypatch):
    """Replace the parts by ones that say they were there."""
    parts = []
    monkeypatch.setattr(engine, "measure_pace", lambda: parts.append("pace"))
    monkeypatch.setattr(loop, "follow_runs", lambda: parts.append("runs"))
    monkeypatch.setattr(loop, "look_at_machine", lambda: parts.append("machine"))
    monkeypatch.setattr(loop, "draw_books", lambda: parts.append("books"))
    monkeypatch.setattr(collect, "tick", lambda: parts.append("models"))
    monkeypatch.setattr(post, "tick", lambda: parts.append("mail"))
    return parts


@pytest.fixture
def no_signals():
    """Put back who listens to signals."""
    kept = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


@pytest.mark.django_db
def test_a_pass_follows_runs_looks_at_the_machine_registers_models_and_mails(done):
    loop.one_pass()

    assert done == ["pace", "runs", "machine", "books", "models", "mail"]


@pytest.mark.django_db
def test_a_part_that_fails_does_not_stop_the_others(done, monkeypatch, caplog):
    def fail():
        raise RuntimeError("the disk is on fire")

    monkeypatch.setattr(loop, "follow_runs", fail)

    loop.one_pass()

    assert done == ["pace", "machine", "books", "models", "mail"]
    assert "A part of the loop failed" in caplog.text
    assert "the disk is on fire" in caplog.text


@pytest.mark.django_db
def test_a_daily_part_that_fails_leaves_the_store_swept(monkeypatch, caplog, settings):
    def fail(*_words):
        raise RuntimeError("the disk is on fire")

    left = settings.STORE_HOME / "1" / "incoming" / "left"
    left.parent.mkdir(parents=True)
    left.touch()
    os.utime(left, (0, 0))
    monkeypatch.setattr(loop.decision_heads, "note", fail)
    monkeypatch.setattr(loop.resumable, "sweep", fail)

    loop.sweep()

    assert caplog.text.count("A part of the loop failed") == 2
    assert not left.exists()


@pytest.mark.django_db(transaction=True)  # a pass closes a connection that is in a transaction
def test_a_pass_draws_the_books_and_the_first_one_is_that_of_the_night(settings):
    settings.ENGINE = "fake"

    loop.one_pass()

    read = Books.objects.get()
    assert read.heard_at is not None
    assert read.reconciled_on == nightly.night_of(timezone.now())


@pytest.mark.django_db(transaction=True)
def test_a_pass_of_an_empty_factory_only_measures_its_machine(settings, caplog):
    settings.ENGINE = "local"
    assert engine.flops_per_core() is None

    loop.one_pass()

    assert "A part of the loop failed" not in caplog.text
    assert engine.flops_per_core() > 0


@pytest.mark.django_db
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_loop_after_its_pass(done, no_signals, monkeypatch, number):
    monkeypatch.setattr(loop, "follow_runs", lambda: os.kill(os.getpid(), number))

    loop.forever()

    assert done == ["pace", "machine", "books", "models", "mail"]


@pytest.mark.django_db
def test_a_loop_whose_parent_is_gone_ends(done, no_signals):
    loop.forever(parent=os.getppid() + 1)

    assert done == []


@pytest.mark.django_db
def test_a_loop_goes_on_while_its_parent_is_there(done, no_signals, settings, monkeypatch):
    settings.LOOP_PAUSE_S = 0
    passes = iter([False, False, True])

    def count():
        done.append("runs")
        if next(passes):
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(loop, "follow_runs", count)

    loop.forever(parent=os.getppid())

    assert done.count("runs") == 3


def test_signals_wake_the_loop_out_of_its_rest():
    code = (
        "import os, signal, threading\n"
        "from types import SimpleNamespace\n"
        "import django; django.setup()\n"
        "from fabriek.serve import loop\n"
        "loop.settings = SimpleNamespace(LOOP_PAUSE_S=3600)\n"
        "loop.one_pass = lambda: print('pass', flush=True)\n"
        "loop.forever()\n"
    )
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "fabriek.settings"}
    child = subprocess.Popen(
        [sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, text=True
    )
    killer = threading.Timer(WAIT_S, child.kill)
    killer.start()
    try:
        said = child.stdout.readline()
        child.terminate()
        assert (said, child.wait()) == ("pass\n", 0)
    finally:
        killer.cancel()
        child.stdout.close()
