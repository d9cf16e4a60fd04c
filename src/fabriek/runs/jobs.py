"""A run in the engine's words."""

import sys
from collections.abc import Iterator

from django.conf import settings

from fabriek.engines.base import Job, JobRejected
from fabriek.runs import engine, hub_keys, own_code, rules, trusting
from fabriek.runs.models import Run
from fabriek_recipes.recipe import runnable

TORCHRUN = "fabriek_recipes.torchrun"


def job_of(run: Run) -> Job:
    """Describe the run to the engine.

    Raises:
        JobRejected: this version of the factory no longer has the recipe.
    """
    return Job(
        key=run.key,
        account=run.allocation.account,
        folder=run.folder,
        command=command_of(run),
        gpus=run.gpus,
        nodes=run.nodes,
        timeout_s=run.timeout_s,
        user=run.unix_account,
        is_secure=run.is_secure,
        is_whole=run.recipe in rules.INTERACTIVE,
        environment=(*_environment(run), ("PYTHONUNBUFFERED", "1")),
    )


def _environment(run: Run) -> Iterator[tuple[str, str]]:
    yield from hub_keys.environment(run).items()
    yield from own_code.environment(run)
    yield from trusting.environment(run).items()
    yield "OMP_NUM_THREADS", str(max(1, engine.cores() // _gpus_of_a_node(run)))
    if run.nodes > 1 and settings.SLURM_INTERFACE:
        for who in ("GLOO", "NCCL"):
            yield f"{who}_SOCKET_IFNAME", settings.SLURM_INTERFACE


def _gpus_of_a_node(run: Run) -> int:
    return run.gpus // run.nodes


def command_of(run: Run) -> tuple[str, ...]:
    """Start the recipe: one process, or one for each of several GPUs of each node."""
    recipe = runnable().get(run.recipe)
    if recipe is None:
        raise JobRejected(f"There is no recipe {run.recipe}.", code="unknown_recipe")
    work = ("-m", recipe.module, str(run.folder))
    if run.gpus == 1 or recipe.lasts_as_asked:  # own code starts its own processes
        return (sys.executable, *work)
    # On several nodes each finds the others by what the engine tells it.
    processes = f"--nproc-per-node={_gpus_of_a_node(run)}"
    return (sys.executable, "-m", TORCHRUN, processes, *work)
