"""Two at once, in threads, on a database that more than one connection can reach."""

import pytest

from fabriek.runs import actions
from fabriek.runs.models import Run
from tests.runs.world import a_world
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
