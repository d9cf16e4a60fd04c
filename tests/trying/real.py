"""A model that really answers, in the registry: put there as a run would have left it."""

import shutil
from pathlib import Path

from fabriek.cases.models import Case
from fabriek.registry import actions as registry
from fabriek.registry.models import Model
from tests.factories import an_organisation, staff
from tests.registry.worlds import a_finished_run, some_data


def registered(case: Case, *, base: Path, tuned: Path, aside: Path) -> Model:
    """Register the tuned model of `case`, and its base as an open model."""
    shutil.copytree(base, aside / "base")
    opened = registry.bring_in(
        aside / "base",
        title="Klein basismodel",
        licence="apache-2.0",
        organisation=an_organisation(),
        by=staff(),
    )
    run = a_finished_run(case=case, data=[some_data(case)], base=opened)
    outputs = run.folder / "outputs"
    shutil.rmtree(outputs / "model")
    shutil.copytree(tuned, outputs / "model", ignore=shutil.ignore_patterns("adapter"))
    shutil.copytree(tuned / "adapter", outputs / "adapter")
    return registry.register(run)
