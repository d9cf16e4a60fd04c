"""A job on the cluster that reads, while the agreement on its data is revoked."""

import pytest

from fabriek.engines.base import Phase
from fabriek.runs import ended_agreements
from fabriek.runs.states import RunState
from tests.engines.waiting import eventually
from tests.factories import a_case, a_person
from tests.runs.test_ended_agreements import READS, Lent, an_agreement
from tests.runs.world import a_text, followed

pytestmark = pytest.mark.slurm


def test_a_job_that_reads_is_stopped_when_the_agreement_is_revoked(
    world,
    machine,
    program,
):
    program(READS)
    owner = a_person()
    world.revision = a_text(a_case(lead=owner), owner)
    terms = {"place": "shared", "product": "model_api"}
    agreement = an_agreement(world.revision.repository, world.case, **terms)
    lent = Lent(world=world, agreement=agreement)
    run = followed(machine, lent.ask(), RunState.RUNNING, within_s=60)
    eventually((run.folder / "outputs/seen").exists, within_s=30)
    lent.revoke()

    ended_agreements.tick()
    ended = followed(machine, run, RunState.CANCELLED, within_s=60)
    ended_agreements.tick()

    assert ended.reason == "data_revoked"
    assert machine.look([run.key])[run.key].phase == Phase.CANCELLED
    assert not (run.folder / "inputs/dataset").exists()
