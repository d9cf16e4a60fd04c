"""The books on a real Slurm: who went around the portal pays, once, whatever goes wrong."""

import os
import re
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.management import call_command
from django.utils import timezone

from fabriek.allocations import queries as allocation_queries
from fabriek.engines.slurm_words import duration_s, gpus
from fabriek.machine import books, drift, nightly
from fabriek.machine.drift import Kind
from fabriek.machine.models import Books, Stretch
from fabriek.runs.states import RunState
from tests.engines.cluster import CONF, mended, part, said
from tests.engines.waiting import eventually
from tests.runs.test_with_local_engine import TRAINS
from tests.runs.world import followed, over, passes

pytestmark = pytest.mark.slurm
HOSTILE = "a|b~c\n17|fabriek|root|x|COMPLETED|1|1|1|999999|1|gres/gpu=99||x"
WAITS_FOR_GO = """
import pathlib, sys, time
while not (pathlib.Path(sys.argv[1]) / "go").exists():
    time.sleep(0.1)
"""


def around(cluster, script="sleep 2", *options, name="around"):
    """Submit a job under the case's account as somebody does who is logged in there."""
    told = said(
        "sbatch",
        "--parsable",
        f"--account={cluster.account}",
        f"--qos={cluster.account}",
        f"--partition={cluster.partition}",
        "--gpus=2",
        "--nodes=1",
        "--output=/dev/null",
        f"--job-name={name}",
        *options,
        f"--wrap={script}",
    )
    return told.strip()


def stretches(cluster, number):
    """Give a job's stretches: another test may have let numbers begin again from 1."""
    rows = Stretch.objects.filter(number=number, account=cluster.account)
    return list(rows.order_by("started_at"))


def drawn(machine, cluster, number, *, times=1):
    """Draw until the accounting has told of the job, so often."""

    def there():
        books.draw(machine, timezone.now())
        rows = stretches(cluster, number)
        return rows if len(rows) == times else None

    return eventually(there, within_s=60)


def spent(world):
    world.allocation.refresh_from_db()
    return world.allocation.gpu_seconds_spent


def test_a_job_around_the_portal_is_found_and_billed_once(world, machine, cluster):
    passes(machine)
    number = around(cluster, name=HOSTILE)

    [stretch] = drawn(machine, cluster, number)
    for _ in range(2):
        books.draw(machine, timezone.now())
    nightly.reconcile(machine, timezone.now())

    counted = said("sacct", "-X", "-n", "-P", f"--jobs={number}", "-o", "ElapsedRaw,AllocTRES")
    elapsed_s, tres = counted.strip().split("|")
    assert (
        (stretch.elapsed_s, stretch.gpus)
        == (int(elapsed_s), gpus(tres))
        == (
            int(elapsed_s),
            2,
        )
    )
    assert stretch.name == "a|b~c"  # what follows the line's end is no line of ours
    assert stretch.submitted_at <= stretch.started_at <= stretch.ended_at
    assert (stretch.allocation, stretch.run, stretch.user) == (world.allocation, None, "root")
    assert spent(world) == 2 * int(elapsed_s)
    [line] = world.allocation.lines.filter(kind="spend")
    assert line.note == "root"
    assert Stretch.objects.filter(account=cluster.account).count() == 1
    assert list(allocation_queries.drift()) == []
    [found] = [one for one in drift.report().findings if one.subject == cluster.account]
    assert (found.kind, found.count) == (Kind.AROUND, 1)


def test_a_run_is_linked_to_its_job_and_its_bill_is_what_slurm_counted(
    world, machine, cluster, program
):
    program(TRAINS)
    run = over(machine, world.ask(), within_s=60)

    stretch = _stretch_of(run, machine)

    assert stretch.gpu_seconds == run.gpu_seconds_used == world.bill(run)
    assert not stretch.awaits_charge
    assert drift.differing(timezone.now() - timedelta(days=1), timezone.now()) == []
    assert spent(world) == world.bill(run)


def test_each_stretch_of_a_job_that_was_started_again_is_billed(
    world, machine, cluster, tmp_path
):
    passes(machine)
    go = tmp_path / "go"
    number = around(cluster, f"until [ -e {go} ]; do sleep 0.1; done", "--requeue")
    eventually(lambda: _has_run(number, seconds=2), within_s=30)

    said("scontrol", "requeue", number)
    eventually(lambda: _waits(number), within_s=30)
    said("scontrol", "update", f"jobid={number}", "starttime=now+2")
    eventually(lambda: _has_run(number, seconds=1), within_s=30)
    go.touch()

    first, second = drawn(machine, cluster, number, times=2)
    assert first.key != second.key
    assert second.submitted_at >= first.ended_at
    assert spent(world) == first.gpu_seconds + second.gpu_seconds


def test_what_ends_while_the_accounting_is_down_is_billed_when_it_is_back(
    world, machine, cluster
):
    passes(machine)
    books.tick(machine)
    before = Books.objects.get().drawn_until
    part("stop", "slurmdbd")
    try:
        number = around(cluster)
        gone = ("squeue", "--noheader", "--states=PENDING,RUNNING", f"--jobs={number}")
        eventually(lambda: not said(*gone, check=False).strip(), within_s=60)
        Books.objects.update(drawn_at=None)
        books.tick(machine)
        read = Books.objects.get()
        assert (read.drawn_until, read.silent_from) == (before, before)
    finally:
        mended()

    [stretch] = eventually(lambda: _ticked(machine, cluster, number), within_s=60)

    assert spent(world) == stretch.gpu_seconds > 0


@pytest.mark.parametrize("minutes", [-5, 5], ids=["behind", "ahead"])
def test_a_clock_of_the_portal_that_is_minutes_off_loses_no_job(
    world, machine, cluster, minutes
):
    off = timedelta(minutes=minutes)
    passes(machine)
    books.draw(machine, timezone.now() + off)
    number = around(cluster)

    def told():
        books.draw(machine, timezone.now() + off)
        return stretches(cluster, number)

    [stretch] = eventually(told, within_s=60)

    assert spent(world) == stretch.gpu_seconds > 0


def test_a_bill_that_the_portal_counted_wrong_is_corrected_by_night(
    world, machine, cluster, program, monkeypatch
):
    monkeypatch.setattr(drift, "ON_ITS_WAY", timedelta(0))
    program(WAITS_FOR_GO)
    run = followed(machine, world.ask(), RunState.RUNNING, within_s=60)
    (run.folder / "go").touch()
    run = over(machine, run, within_s=60)
    _stretch_of(run, machine)
    counted = run.stretches.get().gpu_seconds
    run.stretches.update(elapsed_s=counted // run.gpus + 500)  # as if the portal had missed it

    done = [nightly.reconcile(machine, timezone.now()).corrected for _ in range(2)]

    assert done == [1, 0]
    assert world.bill(run) == counted + 500 * run.gpus
    assert list(allocation_queries.drift()) == []


def _stretch_of(run, machine):
    def told():
        books.draw(machine, timezone.now())
        return run.stretches.first()

    return eventually(told, within_s=60)


def _ticked(machine, cluster, number):
    Books.objects.update(drawn_at=None)
    books.tick(machine)
    return stretches(cluster, number)


def _has_run(number, seconds):
    queue = ("squeue", "--noheader", "--states=RUNNING", "--format=%M", f"--jobs={number}")
    return duration_s(said(*queue, check=False).strip()) >= seconds


def _waits(number):
    queue = ("squeue", "--noheader", "--format=%t", f"--jobs={number}")
    return said(*queue, check=False).strip() == "PD"


def test_what_the_documented_command_exports_can_be_imported(world, machine, cluster, tmp_path):
    said("sbatch", "--job-name=history", "--output=/dev/null", "--wrap=true")  # not ours
    passes(machine)
    number = around(cluster)
    drawn(machine, cluster, number)
    told = (Path(__file__).parents[2] / "docs" / "operate" / "books.md").read_text()
    command = re.search(r"^  (SLURM_TIME_FORMAT=%s sacct .*?) > sacct\.gz$", told, re.S | re.M)[
        1
    ]
    command = command.replace("--endtime=2026-01-01", "--endtime=now+1day")
    file = tmp_path / "sacct.gz"
    before = Stretch.objects.filter(account=cluster.account).values().get()

    with file.open("wb") as out:
        subprocess.run(
            ["bash", "-c", command],
            env=os.environ | {"SLURM_CONF": str(CONF)},
            stdout=out,
            check=True,
        )
    call_command("slurm_import", str(file))

    assert Stretch.objects.filter(account=cluster.account).values().get() == before
    assert Stretch.objects.filter(is_history=True).exists()
