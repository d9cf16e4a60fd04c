"""A run in the engine's words."""

import os
import sys

from fabriek.engines.base import Job, JobRejected
from fabriek.runs.models import Run
from fabriek_recipes.recipe import catalogue

TORCHRUN = "fabriek_recipes.torchrun"


def job_of(run: Run) -> Job:
    """Describe the run to the engine.

    Raises:
        JobRejected: this version of the factory no longer has the recipe.
    """
    threads = str(max(1, (os.cpu_count() or 1) // run.gpus))
    return Job(
        key=run.key,
        account=run.allocation.account,
        folder=run.folder,
        command=command_of(run),
        gpus=run.gpus,
        timeout_s=run.timeout_s,
        environment=(("OMP_NUM_THREADS", threads), ("PYTHONUNBUFFERED", "1")),
    )


def command_of(run: Run) -> tuple[str, ...]:
    """Start the recipe: one process, or one for each of several GPUs."""
    recipe = catalogue().get(run.recipe)
    if recipe is None:
        raise JobRejected(f"There is no recipe {run.recipe}.", code="unknown_recipe")
    work = ("-m", recipe.module, str(run.folder))
    if run.gpus == 1:
        return (sys.executable, *work)
    together = ("-m", TORCHRUN, "--standalone", f"--nproc-per-node={run.gpus}")
    return (sys.executable, *together, *work)
