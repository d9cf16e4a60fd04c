"""The Slurm that `dev/slurm up` started, and the ways in which these tests hurt it."""

import os
import re
import secrets
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from fabriek.engines.base import Budget, EngineDown, Job
from fabriek.engines.slurm import Site, Slurm
from tests.engines.waiting import eventually

DEV = Path(__file__).resolve().parents[2] / "dev" / "slurm"
STATE = Path(os.environ.get("FABRIEK_SLURM_STATE", "/run/fabriek-slurm"))
CONF = STATE / "slurm.conf"
ROOT = "fabriek-tests"
PATIENCE_S = 30
NOBODY = 9  # a port on which nothing answers


def skip_unless_asked_for(config, items):
    """Let these tests, which stop parts of a cluster, run only for who says `-m slurm`."""
    asked = config.option.markexpr
    if "slurm" not in asked or "not slurm" in asked:
        skipped = pytest.mark.skip(reason="hurts a Slurm cluster: make test-slurm")
        for item in items:
            if item.get_closest_marker("slurm"):
                item.add_marker(skipped)


def refuse_without_cluster():
    if not CONF.exists():
        pytest.skip("no Slurm is up: dev/slurm up, or make test-slurm")


def said(*words, check=True):
    """Ask one of Slurm's own commands."""
    done = subprocess.run(
        words,
        capture_output=True,
        text=True,
        env={"PATH": os.environ["PATH"], "SLURM_CONF": str(CONF)},
    )
    assert not check or done.returncode == 0, done.stderr
    return done.stdout


class Cluster:
    """One engine on the cluster, with keys, and mostly an account, that no other test has."""

    def __init__(self, folder, *, partition="gpu", account=""):
        refuse_without_cluster()
        self.folder = folder
        self.home = folder / "home"
        self.word = f"t{secrets.token_hex(5)}"
        self.account = account or self.word
        self.conf = folder / "slurm.conf"
        self.conf.write_text(CONF.read_text())
        self.partition = partition
        self.hurried = set()
        self.root = ROOT
        self.engine = self.another()

    def another(self, *, home=None, **more):
        """Make a second portal with the same home, or with one of its own."""
        wish = {"root": self.root, "partition": self.partition, "grace_s": 1} | more
        return Slurm(home or self.home, Site(conf=str(self.conf), **wish))

    def below_its_own_root(self):
        self.root = f"{self.account}-root"
        self.engine = self.another()
        return self

    def open(self, *, gpu_seconds=360_000):
        self.tell(gpu_seconds=gpu_seconds)
        return self

    def tell(self, *, gpu_seconds=360_000, engine=None, **more):
        """Tell the budget of this test's account, open unless said otherwise."""
        wish = {"account": self.account, "gpu_seconds": gpu_seconds} | more
        (engine or self.engine).tell_budgets([Budget(**wish)])

    def key(self, name="a"):
        return f"{self.word}-{name}"

    def job(self, name, script, **more):
        run = self.folder / f"run-{name}"
        run.mkdir(exist_ok=True)
        wish = {"account": self.account, "gpus": 1, "timeout_s": 600} | more
        command = ("/bin/sh", "-c", script)
        return replace(Job(key=self.key(name), folder=run, command=command, **wish))

    def submit(self, name, script, **more):
        job = self.job(name, script, **more)
        self.engine.submit(job)
        return job

    def seen(self, name="a"):
        return self.engine.look([self.key(name)])[self.key(name)]

    def ended(self, name="a", within_s=PATIENCE_S):
        def final():
            seen = self.seen(name)
            return seen if seen.phase.is_final else None

        return eventually(final, within_s=within_s)

    def reached(self, name, phase, within_s=PATIENCE_S):
        def there():
            seen = self.seen(name)
            return seen if seen.phase == phase else None

        return eventually(there, within_s=within_s)

    def numbers(self, name="a"):
        """Give the numbers of all jobs that Slurm ever took under this name."""
        key = f"--name={self.key(name)}"
        queue = said("squeue", "--states=all", "--noheader", "--format=%i", key)
        past = said("sacct", "-X", "-n", "-P", "-S", "now-1hour", "--format=JobIDRaw", key)
        return {*queue.split(), *past.split()}

    def hurry(self, name="a"):
        """Let a job that is to start again wait two seconds, where Slurm takes two minutes.

        In the second in which it was ended its node would refuse it.
        """
        self.hurry_key(self.key(name))

    def hurry_key(self, key, in_s=2):
        waiting = ("squeue", "--noheader", "--states=PENDING", f"--name={key}")
        told = said(*waiting, "--Format=JobID,RestartCnt").splitlines()
        for start in {tuple(line.split()) for line in told} - self.hurried:
            when = f"starttime=now+{in_s}"
            said("scontrol", "update", f"jobid={start[0]}", when, check=False)
            self.hurried.add(start)

    def silence(self):
        """Let every command of this engine, and of no other, find nobody."""
        text = self.conf.read_text()
        for name in ("SlurmctldPort", "AccountingStoragePort"):
            text = re.sub(rf"^{name}=\d+$", f"{name}={NOBODY}", text, flags=re.MULTILINE)
        self.conf.write_text(text)

    def clear(self):
        """End what this test submitted, and wait until its GPUs are free."""
        rows = said("squeue", "--noheader", "--format=%i %a %j", check=False).splitlines()
        left = [row.split()[0] for row in rows if f" {self.word}" in row]
        if left:
            said("scancel", "--quiet", *left, check=False)
            still = ("squeue", "--noheader", "--format=%i", f"--jobs={','.join(left)}")
            eventually(lambda: not said(*still, check=False), within_s=PATIENCE_S)


def part(act, *names):
    """Let parts of the cluster stop, or start again."""
    for name in names:
        subprocess.run([sys.executable, DEV, act, name], check=True, capture_output=True)


def mended():
    """Let all parts run and all nodes take jobs."""
    part("start", "munge", "mariadb", "slurmdbd", "slurmctld", "gpu1", "gpu2", "gpu3", "gpu4")
    said("scontrol", "update", "nodename=gpu[1-4]", "state=resume", check=False)


def answers(engine):
    with suppress(EngineDown):
        return engine.look(["fabriek-never"]) == {}
    return False
