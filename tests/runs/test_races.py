"""Two at once, in threads, on a database that more than one connection can reach."""

import threading

import pytest
from django.db import connection

from fabriek.runs import actions
from fabriek.runs.models import Run
from tests.runs.world import a_world

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def many_connections():
    if connection.vendor == "sqlite" and connection.is_in_memory_db():
        pytest.skip("threads share one lock on a database in memory; PostgreSQL runs this")


def at_once(thing, *, times):
    """Run this in threads that start together; gives what each said."""
    ready, said = threading.Barrier(times), []

    def do():
        ready.wait(timeout=20)
        try:
            said.append(thing())
        finally:
            connection.close()

    threads = [threading.Thread(target=do) for _ in range(times)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    return said


def test_two_who_continue_a_run_at_once_get_the_same_run():
    world = a_world()
    run = world.ask()
    Run.objects.filter(pk=run.pk).update(state="failed")
    (run.folder / "checkpoints" / "step-1").mkdir(parents=True)

    def go_on():
        mine = Run.objects.select_related("case", "allocation").get(pk=run.pk)
        return actions.go_on(mine, by=world.person)

    before = world.held()
    said = at_once(go_on, times=4)

    onward = Run.objects.get(continues=run)
    assert said == [onward] * 4
    assert world.held() == before + onward.gpu_seconds_held
