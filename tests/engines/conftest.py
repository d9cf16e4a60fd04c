"""A local engine whose jobs are ended when their test is."""

import json

import pytest

from fabriek.engines.base import Job
from fabriek.engines.local import Local
from tests.engines.cluster import skip_unless_asked_for
from tests.engines.waiting import ended, eventually


def pytest_collection_modifyitems(config, items):
    skip_unless_asked_for(config, items)


class Machine:
    """One home with its engine, and the ways in which these tests hurt it."""

    def __init__(self, folder):
        self.folder = folder
        self.home = folder / "home"
        self.engine = self.with_gpus(1)

    def with_gpus(self, count, *, grace_s=5):
        self.engine = Local(self.home, gpus=count, grace_s=grace_s, beat_s=0.1)
        return self.engine

    def job(self, key, script, **more):
        run = self.folder / f"run-{key}"
        run.mkdir(exist_ok=True)
        wish = {"account": "eu-1", "gpus": 1, "timeout_s": 20} | more
        return Job(key=key, folder=run, command=("/bin/sh", "-c", script), **wish)

    def submit(self, key, script, **more):
        job = self.job(key, script, **more)
        self.engine.submit(job)
        return job

    def seen(self, key):
        return self.engine.look([key])[key]

    def was_launched(self, key):
        """Whether a supervisor was ever started for it, even if that has done nothing yet."""
        return (self.home / "jobs" / key / "trouble").exists()

    def last_beat_s(self, key):
        said = (self.home / "jobs" / key / "beat").read_text()
        return float(said or 0)

    def ended(self, key):
        return ended(self.engine, key)

    def started(self, key):
        """Wait for what is written when the job begins."""
        path = self.home / "jobs" / key / "start.json"
        return json.loads(eventually(lambda: path.exists() and path.read_text()))

    def pid(self, job, name="pid"):
        """Wait for the number that a job writes into a file of its folder."""
        path = job.folder / name
        return int(eventually(lambda: path.exists() and path.read_text().strip()))

    def clear(self):
        for waiting in (self.home / "queue").glob("*"):
            if not self.was_launched(waiting.name.partition("-")[2]):
                waiting.unlink(missing_ok=True)
        for key in [one.parent.name for one in (self.home / "jobs").glob("*/trouble")]:
            self.engine.cancel(key)
            self.ended(key)


@pytest.fixture
def machine(tmp_path):
    machine = Machine(tmp_path)
    yield machine
    machine.clear()
