"""`python -m fabriek scrub`, and the loop's own reader beside its passes."""

import os
import signal
import subprocess
import sys
import threading
import time
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from fabriek.serve import loop
from fabriek.store.models import Blob, Damage, Round
from tests.factories import a_repository
from tests.store.test_actions import push
from tests.store.test_scrub import spoil

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def signals_as_they_were():
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, what in before.items():
        signal.signal(number, what)


def told(*words):
    said = StringIO()
    call_command("scrub", *words, stdout=said)
    return said.getvalue()


def test_the_command_reads_to_the_end_and_says_so():
    push(a_repository(), {"a": b"1" * 1000, "b": b"2" * 1000})

    said = told()

    assert said.startswith("Read 2 files (2")
    assert said.endswith("Nothing is damaged.\n")
    assert Round.objects.get().ended_at


def half_read():
    Round.objects.all().delete()
    Round.objects.create()
    Blob.objects.filter(pk=Blob.objects.first().pk).update(verified_at=timezone.now())


def test_the_command_goes_on_and_all_begins_anew():
    push(a_repository(), {"a": b"1", "b": b"2"})

    half_read()
    assert told().startswith("Read 1 files")
    half_read()
    assert told("--all").startswith("Read 2 files")


def test_the_command_ends_with_one_when_something_is_damaged():
    push(a_repository(), {"a": b"1"})
    spoil(Blob.objects.get())

    with pytest.raises(CommandError, match="1 files are damaged") as ended:
        told()

    assert ended.value.returncode == 1


def test_the_command_says_when_another_reads():
    Round.objects.create(claimed_until=timezone.now() + timedelta(minutes=1))

    with pytest.raises(CommandError, match="Another process reads the store") as ended:
        told()

    assert ended.value.returncode == 2


def test_a_slice_of_the_loop_reads_when_a_round_is_due(settings):
    push(a_repository(), {"a": b"1", "b": b"2"})
    spoil(Blob.objects.first())

    loop.scrub_slice(threading.Event())
    loop.scrub_slice(threading.Event())

    assert Round.objects.get().read_files == 2
    assert Damage.objects.count() == 1


def test_a_slice_of_the_loop_stops_when_the_loop_does():
    push(a_repository(), {"a": b"1"})
    stop = threading.Event()
    stop.set()

    loop.scrub_slice(stop)

    assert Round.objects.get().read_files == 0


SCRUBS_SLOWLY = "import sys; from django.core.management import execute_from_command_line as e; e(['', 'scrub', '--mb-per-s', '1'])"  # noqa: E501


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_kill_9_in_the_middle_leaves_a_round_that_goes_on(settings):
    if connection.vendor != "postgresql":
        pytest.skip("another process cannot reach a database in memory; PostgreSQL runs this")
    push(a_repository(), {f"{number}": os.urandom(600_000) for number in range(8)})
    name = connection.settings_dict["NAME"]
    address = os.environ["FABRIEK_DATABASE"].replace("/fabriek?", f"/{name}?")
    more = {"FABRIEK_DATABASE": address, "FABRIEK_STORE": str(settings.STORE_HOME)}
    reader = subprocess.Popen(
        [sys.executable, "-c", SCRUBS_SLOWLY],
        env=os.environ | more | {"DJANGO_SETTINGS_MODULE": "fabriek.settings"},
    )
    until = time.monotonic() + 300
    while not Blob.objects.exclude(verified_at=None).exists() and time.monotonic() < until:
        time.sleep(0.05)  # another process tells us by the database alone
    reader.send_signal(signal.SIGKILL)
    reader.wait()

    done = Blob.objects.exclude(verified_at=None).count()
    assert 0 < done < 8
    Round.objects.update(claimed_until=None)  # as after two minutes
    assert told().startswith(f"Read {8 - done} files")
