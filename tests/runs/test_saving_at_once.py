"""Two loops, or a loop and a person, at once: answers are saved once."""

import pytest

from fabriek.datasets.models import Dataset
from fabriek.kernel.errors import WrongState
from fabriek.runs import saved_in, saving
from fabriek.runs.destinations import Destination
from fabriek.runs.saved_in import SavedIn
from fabriek.store.models import Revision
from tests.runs.test_saving import answered, destination
from tests.runs.world import a_world
from tests.threads import at_once, many_connections  # noqa: F401

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("many_connections"),
]


def test_two_passes_at_once_save_once():
    run = answered(a_world(), to=SavedIn(title="Once"))

    at_once(*[lambda: saving.save(saving.awaiting().get(run=run))] * 2)

    dataset = Dataset.objects.get()
    assert Revision.objects.filter(repository=dataset.repository).count() == 1
    assert destination(run).revision == 1


def test_two_who_choose_at_once_have_chosen_one_place():
    world = a_world()
    run = answered(world, to=None)

    def choose():
        return saved_in.keep(run, SavedIn(title="One"), by=world.person).pk

    at_once(*[choose] * 3, refusals=(WrongState,))

    assert Destination.objects.filter(run=run).count() == 1
