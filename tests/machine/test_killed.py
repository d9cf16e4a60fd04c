"""The poller killed at any moment, for real: each job is kept once and billed once."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests import tables

pytestmark = pytest.mark.slow

KILLS = 12
SEED = 4
ROOT = Path(__file__).resolve().parents[2]
BEGINS = """
import django; django.setup()
from tests.factories import an_allocation
from fabriek.allocations.models import Allocation
from django.utils import timezone
from datetime import timedelta
an_allocation(gpu_seconds=36_000)
Allocation.objects.update(account="a26-0001", opened_at=timezone.now() - timedelta(hours=20))
"""
# Reads all the code once, which takes longer than to draw: each time a child of it draws.
DRAWS = """
import os, sys
import django; django.setup()
from datetime import timedelta
from django.utils import timezone
from fabriek.engines.fake import Fake
from fabriek.machine import books
from tests.machine.records import a_record
books.BATCH = 100
books.WINDOW = timedelta(hours=2)
machine = Fake()
machine.others = [
    a_record(account="a26-0001", elapsed_s=2, ended=timedelta(minutes=minutes))
    for minutes in range(1, 1001)
]
def draws():
    print(os.getpid(), flush=True)
    books.draw(machine, timezone.now())
    print("drawn", flush=True)

for _ in sys.stdin:
    child = os.fork()
    if not child:
        draws()
        os._exit(0)
    os.waitpid(child, 0)
    print("ended", flush=True)
"""
COUNTS = """
import django, json; django.setup()
from fabriek.allocations import queries
from fabriek.allocations.models import Allocation
from fabriek.machine.models import Stretch
allocation = Allocation.objects.get()
billed = allocation.lines.filter(kind="spend")
print(json.dumps([
    Stretch.objects.count(), billed.count(), allocation.gpu_seconds_spent,
    Stretch.objects.filter(awaits_charge=True).count(), queries.drift().count(),
]))
"""


class Poller:
    """Lets a process draw, as often as it is asked; that process can be killed."""

    def __init__(self, environment):
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        command = [sys.executable, "-c", DRAWS]
        self.process = subprocess.Popen(command, env=environment, **pipes)

    def __enter__(self):
        return self

    def __exit__(self, *_problem):
        self.process.communicate(timeout=60)  # the end of its stdin is its end

    def begins(self):
        """Let one draw; gives its number as soon as it does."""
        print(file=self.process.stdin, flush=True)
        return int(self.process.stdout.readline())

    def ended(self):
        """Wait for its end; gives what it said last."""
        return [line.strip() for line in iter(self.process.stdout.readline, "ended\n")]


def test_a_poller_that_is_killed_a_dozen_times_bills_each_job_once(tmp_path):
    environment = os.environ | {
        "FABRIEK_HOME": str(tmp_path),
        "FABRIEK_DATABASE": "",
        "DJANGO_SETTINGS_MODULE": "fabriek.settings",
        "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'src'}",
    }

    def python(*words):
        return subprocess.run(
            [sys.executable, *words], env=environment, check=True, capture_output=True
        ).stdout.decode()

    tables.give(tmp_path)
    python("-c", BEGINS)
    with Poller(environment) as poller:
        poller.begins()
        began = time.monotonic()  # to know how long it takes, on this machine, now
        poller.ended()
        takes_s = time.monotonic() - began
        python("-c", "import django; django.setup(); " + FORGETS)
        chosen, killed = random.Random(SEED), 0

        for _ in range(KILLS):
            pid = poller.begins()
            time.sleep(chosen.uniform(0, takes_s / 2))
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            killed += poller.ended() == []
        poller.begins()
        assert poller.ended() == ["drawn"]

    assert killed > 0
    assert json.loads(python("-c", COUNTS)) == [1000, 1000, 2000, 0, 0]


FORGETS = (
    "from fabriek.machine.models import *; from fabriek.allocations.models import *; "
    "Stretch.objects.all().delete(); Books.objects.all().delete(); "
    "Line.objects.filter(kind='spend').delete(); Allocation.objects.update(gpu_seconds_spent=0)"
)
