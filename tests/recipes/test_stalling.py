"""A step that does not end is told, with where it hangs, and ends the run before its time."""

import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from fabriek_recipes.training import stalling
from fabriek_recipes.training.stalling import Patience, Watchdog
from fabriek_recipes.words import Failed
from tests.recipes.conftest import prepare
from tests.recipes.test_classify_images import QUICK, draw, drawn, seer  # noqa: F401

QUICKLY = Patience(
    warn_times=2, warn_s=0.15, end_times=2, end_s=0.6, grace_s=60, look_every_s=0.02
)


class Steady:
    """Stands still whatever the machine does; one that goes is later each time it is asked."""

    def __init__(self):
        self.s, self.goes_by_s = 1.0, 0.0

    def __call__(self):
        self.s += self.goes_by_s
        return self.s


class Told:
    """Takes the place of the events of a job, and of its group."""

    def __init__(self):
        self.warnings = []

    def warning(self, code, sentence):
        self.warnings.append((code, str(sentence)))


@pytest.fixture
def steady(monkeypatch):
    clock = Steady()
    monkeypatch.setattr(stalling, "now_s", clock)
    return clock


@pytest.fixture
def dog(monkeypatch, steady):
    monkeypatch.setattr(stalling, "PATIENCE", QUICKLY)
    told = Told()
    return Watchdog(SimpleNamespace(events=told, group=None)), told


def quick_steps(dog, count=3):
    for number in range(1, count + 1):
        with dog.step(number):
            pass


def wait_for_the_disk(clock):
    clock.goes_by_s = 0.05
    time.sleep(100)


def test_a_step_that_hangs_is_told_with_its_place_and_then_ends_the_run(dog, steady, capfd):
    watchdog, told = dog

    def work():
        with watchdog.watching():
            quick_steps(watchdog)
            with watchdog.step(4):
                wait_for_the_disk(steady)

    with pytest.raises(Failed) as failure:
        work()

    assert failure.value.code == "stalled"
    assert "Step 4 did not end in 1 s" in str(failure.value)
    assert "(wait_for_the_disk)" in str(failure.value)
    (code, said), *more = told.warnings
    assert (code, more) == ("stalled", [])
    assert "test_stalling.py:" in said
    log = capfd.readouterr().err
    assert "wait_for_the_disk" in log
    assert "most recent call first" in log


def test_a_step_that_is_slow_for_a_while_goes_on(dog, steady):
    watchdog, told = dog

    with watchdog.watching():
        quick_steps(watchdog)
        with watchdog.step(4):
            steady.s += 0.3
            wait_until(lambda: told.warnings)
        quick_steps(watchdog)

    assert [code for code, _said in told.warnings] == ["stalled"]


def test_the_first_steps_and_what_is_done_between_steps_may_take_long(dog, steady):
    watchdog, told = dog

    with watchdog.watching():
        with watchdog.step(1):
            steady.s += 0.3
            time.sleep(0.1)  # it is looked at meanwhile
        quick_steps(watchdog)
        steady.s += 0.3
        time.sleep(0.1)

    assert told.warnings == []


STUCK = """
import signal, time
from types import SimpleNamespace
from fabriek_recipes.training import stalling
from fabriek_recipes.training.group import Alone
from fabriek_recipes.training.stalling import Patience, Watchdog

stalling.PATIENCE = Patience(
    warn_times=2, warn_s=0.1, end_times=2, end_s=0.3, grace_s=0.2, look_every_s=0.02
)
told = SimpleNamespace(warning=lambda *_given: None)
group = Alone(lambda end: print(end.why.code, flush=True))
dog = Watchdog(SimpleNamespace(events=told, group=group))
with dog.watching():
    for number in range(4):
        with dog.step(number):
            if number == 3:
                # As in a call that never comes back: what is signalled is never heard.
                signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2})
                time.sleep(60)
"""


def test_what_is_stuck_outside_of_python_is_ended_from_beside():
    source = Path(stalling.__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", STUCK],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={"PYTHONPATH": str(source), "PATH": "/usr/bin"},
    )

    assert (done.returncode, done.stdout) == (2, "stalled\n")


class Clock:
    """Goes as fast as time does, but for what it is set ahead."""

    def __init__(self):
        self.ahead_s = 0.0

    def __call__(self):
        return time.monotonic() + self.ahead_s


@pytest.mark.parametrize("where", ["step", "look"])
def test_a_picture_that_is_never_read_ends_the_run_in_a_sentence(
    where,
    tmp_path,
    drawn,  # noqa: F811
    seer,  # noqa: F811
    monkeypatch,
):
    clock = Clock()
    monkeypatch.setattr(stalling, "now_s", clock)
    monkeypatch.setattr(stalling, "PATIENCE", replace(stalling.PATIENCE, look_every_s=0.02))
    inputs = {"dataset": drawn, "model": seer}
    run = prepare(tmp_path / "run", "classify_images", {**QUICK, "epochs": 2}, inputs)
    from fabriek_recipes.classify_images.train import Sees  # noqa: PLC0415  after torch's start

    learned, read = [], Sees._pixels  # noqa: SLF001  where a disk is waited for

    def hang(self, one):
        is_learning = self._model.training
        learned.extend([one.name] * is_learning)
        if len(learned) > 4 * QUICK["pictures_per_step"] and is_learning == (where == "step"):
            clock.ahead_s += 500
            wait_until(lambda: "stalled" in (run.folder / "events.jsonl").read_text())
            clock.ahead_s += 500
            wait_until(lambda: False)
        return read(self, one)

    monkeypatch.setattr(Sees, "_pixels", hang)

    assert run.start() == 2

    assert ("The look at rows kept apart" in run.failure) == (where == "look")
    assert "(wait_until)" in run.failure
    kinds = [(event.kind, event.fields.get("code")) for event in run.events]
    assert kinds.count(("warning", "stalled")) == 1
    assert ("failure", "stalled") in kinds


def test_a_look_may_be_long_as_long_as_it_gets_on(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(stalling, "now_s", clock)
    monkeypatch.setattr(stalling, "PATIENCE", replace(stalling.PATIENCE, look_every_s=0.001))
    told = Told()
    watchdog = Watchdog(SimpleNamespace(events=told, group=None))

    with watchdog.watching():
        quick_steps(watchdog)
        with watchdog.look(3):
            for _part in range(20):
                clock.ahead_s += 100
                time.sleep(0.005)
                watchdog.get_on()

    assert told.warnings == []


@pytest.mark.parametrize("steps", [0, 1])
def test_a_look_that_hangs_at_the_very_beginning_ends_the_run_too(dog, steady, steps):
    """As when a run goes on and looks at once: nothing is known yet of its steps."""
    watchdog, told = dog

    def work():
        with watchdog.watching():
            quick_steps(watchdog, steps)
            with watchdog.look(steps):
                wait_for_the_disk(steady)

    with pytest.raises(Failed, match="did not get on in 1 s"):
        work()

    assert told.warnings == []


def wait_until(happened):
    for _turn in range(10_000):
        if happened():
            return
        time.sleep(0.01)
