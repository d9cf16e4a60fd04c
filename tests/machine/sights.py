"""A machine of a few nodes, as the loop has written it down."""

from fabriek.engines.base import Node, NodeState
from fabriek.engines.fake import Fake
from fabriek.machine import standing
from fabriek.machine.models import Standing
from fabriek.runs.states import RunState
from tests.factories import a_case, a_run, a_sector, an_allocation, an_organisation

SECRET = "bad fan, see the ticket of Firma Bekend"


def a_node(name="gpu1", state=NodeState.FREE, *, gpus=4, gpus_used=0, **more):
    return Node(name=name, state=state, gpus=gpus, gpus_used=gpus_used, gpu_kind="h200", **more)


NODES = (
    a_node("gpu1", NodeState.BUSY, gpus_used=4),
    a_node("gpu2", NodeState.BUSY, gpus_used=1),
    a_node("gpu3", NodeState.DRAINING, gpus_used=2, reason=SECRET),
    a_node("gpu4", NodeState.DOWN, reason=SECRET),
)


def a_machine(*nodes):
    """Give an engine with these nodes, and let the loop have looked at it."""
    engine = Fake()
    engine.nodes = nodes or NODES
    look_again(engine)
    return engine


def look_again(engine):
    """Look as the loop does when it is time again."""
    row = Standing.objects.first()
    if row:
        row.facts["asked_at"] = "2026-01-01T00:00:00+00:00"
        row.save()
    standing.keep(engine)


def uses(*, case=None, gpus=1, state=RunState.RUNNING, allocation=None, **more):
    """Make a run that is not over; give its case."""
    allocation = allocation or an_allocation(case=case or a_case())
    a_run(allocation=allocation, gpus=gpus, state=state, **more)
    return allocation.case


def a_case_of(organisation="", *, sector="care", **more):
    named = {"name": organisation} if organisation else {}
    return a_case(organisation=an_organisation(**named), sector=a_sector(sector), **more)


def running_in(sector, *, organisations, gpus=1):
    """Let cases of so many organisations run in a sector, one run each."""
    return [uses(case=a_case_of(sector=sector), gpus=gpus) for _ in range(organisations)]


def a_secret_case():
    """Let a confidential case use the machine; give all words that would tell of it."""
    case = a_case_of("Firma Geheim", title="Hush-hush plan", is_confidential=True)
    allocation = an_allocation(case=case)
    uses(allocation=allocation, gpus=8)
    uses(allocation=allocation, gpus=2, state=RunState.QUEUED, queue_position=1)
    runs = case.runs.values_list("code", flat=True)
    return [case.title, case.code, "Firma Geheim", allocation.account, *runs]
