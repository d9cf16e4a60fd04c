"""Two at once, in threads, on a database that more than one connection can reach."""

import threading

import pytest
from django.db import connection

from fabriek.cases import actions as cases
from fabriek.cases.models import Case
from fabriek.kernel.errors import Refused
from fabriek.runs import actions, rules
from fabriek.runs.models import Run
from fabriek.store import retention
from fabriek.store.retention import Wish
from tests.runs.world import a_world, pushed
from tests.threads import at_once, many_connections  # noqa: F401

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("many_connections"),
]


def test_two_who_continue_a_run_at_once_get_the_same_run():
    world = a_world()
    run = world.ask()
    Run.objects.filter(pk=run.pk).update(state="failed")
    (run.folder / "checkpoints" / "step-1").mkdir(parents=True)

    def go_on():
        mine = Run.objects.select_related("case", "allocation").get(pk=run.pk)
        return actions.go_on(mine, by=world.person)

    before = world.held()
    said = at_once(*[go_on] * 4)

    onward = Run.objects.get(continues=run)
    assert said == [onward] * 4
    assert world.held() == before + onward.gpu_seconds_held


def test_what_is_dropped_after_it_was_looked_at_is_no_input(monkeypatch):
    world = a_world()
    pushed(world.revision.repository, {"text.txt": "Newer."}, world.person)
    hold = actions.allocations.hold

    def dropped_just_before(*args, **more):
        retention.drop(world.revision.repository, Wish(numbers=[1]), by=world.person)
        hold(*args, **more)

    monkeypatch.setattr(actions.allocations, "hold", dropped_just_before)
    with pytest.raises(Refused, match="were removed by its owner"):
        world.ask()

    assert Run.objects.count() == 0
    assert world.held() == 0


def test_a_case_does_not_end_while_a_run_of_it_is_written(monkeypatch):
    world = a_world()
    looks = rules.require_still_open

    def close():
        try:
            cases.close(Case.objects.get(pk=world.case.pk), by=world.person)
        except Refused as refused:
            said.append(refused.code)
        finally:
            connection.close()

    said = []
    closing = threading.Thread(target=close)

    def closes_right_after(case):
        looks(case)
        closing.start()
        closing.join(timeout=1)  # it waits for us, until this run is saved

    monkeypatch.setattr(rules, "require_still_open", closes_right_after)
    world.ask()
    closing.join()

    assert said == ["goes_on"]
    assert Case.objects.get(pk=world.case.pk).state == "open"
