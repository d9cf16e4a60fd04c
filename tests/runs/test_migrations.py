"""What a migration writes down about runs from before it."""

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from fabriek.runs.models import Run, RunInput
from tests.agreements.policy_world import an_agreement, passed_on
from tests.factories import a_case, a_model, a_partner, a_revision, a_run, an_allocation

BEFORE = ("runs", "0013_trials_and_parts")


@pytest.fixture
def schema(transactional_db):
    """Give what moves the tables: to where they are asked, or to as they are now."""

    def move(*targets):
        executor = MigrationExecutor(connection)
        executor.migrate([*targets] or executor.loader.graph.leaf_nodes())

    yield move
    move()


def test_runs_from_before_are_kept_apart_by_what_they_and_their_models_learned_from(schema):
    case = a_case()
    ally, other = a_partner(case).organisation, a_partner(case).organisation
    agreement = an_agreement(a_revision().repository, case, organisations=[ally])
    both = an_agreement(a_revision().repository, case, organisations=[ally, other])
    model = a_model(case=case)
    passed_on(model.repository, agreement)
    allocation = an_allocation(case=case)
    waiting, done, free = (
        a_run(allocation=allocation, state=state) for state in ("waiting", "succeeded", "lost")
    )
    data = both.repository.revisions.get()
    RunInput.objects.create(run=waiting, name="data", revision=data, agreement=both)
    RunInput.objects.create(run=waiting, name="model", revision=model.revision)
    RunInput.objects.create(run=done, name="data", revision=data, agreement=both)
    RunInput.objects.create(run=free, name="data", revision=a_revision())
    onward = a_run(allocation=allocation, state="waiting", continues=done)
    last = a_run(allocation=allocation, state="lost", continues=onward)
    RunInput.objects.create(run=last, name="model", revision=model.revision)

    schema(BEFORE)
    schema()

    kept = {run.pk: (run.meant_for, run.apart) for run in Run.objects.all()}
    keys = (
        sorted([case.organisation_id, ally.pk]),
        sorted([case.organisation_id, ally.pk, other.pk]),
    )
    few, more = (f",{','.join(map(str, some))}," for some in keys)
    assert kept == {
        waiting.pk: (few, "l"),
        done.pk: (more, ""),
        free.pk: ("", ""),
        onward.pk: (more, "l"),
        last.pk: (few, ""),
    }
