"""Fill an empty, seeded database; the parts in the order of the flow."""

from dataclasses import dataclass

from bench.world import allocations, applications, cases, data, ledgers, models, people, runs
from bench.world.people import People
from bench.world.size import Making, Size
from fabriek.access.models import Application
from fabriek.allocations.models import Allocation, Line
from fabriek.cases.models import Case
from fabriek.datasets.models import Dataset
from fabriek.kernel.models import Entry
from fabriek.people.models import Membership, Organisation, Person
from fabriek.registry.models import Model
from fabriek.runs.models import Metric, Run

COUNTED = (Person, Organisation, Membership, Case, Application, Allocation, Line, Dataset, Run,
           Metric, Model, Entry)  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class World:
    people: People
    counts: dict[str, int]


def fill(size: Size) -> World:
    making = Making(size=size)
    everybody = people.make(making)
    proposed = cases.make(making, everybody)
    decided = applications.make(making, everybody, proposed)
    opened = allocations.make(everybody, decided)
    held = data.make(making, everybody, proposed)
    executed = runs.make(making, opened, held)
    models.make(making, executed, held)
    ledgers.make()
    counts = {str(one._meta.verbose_name_plural): one.objects.count() for one in COUNTED}
    return World(people=everybody, counts=counts)
