"""Which engine this factory has, by its settings."""

import os
from functools import cache
from pathlib import Path

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from fabriek.engines import local_pace, local_proc
from fabriek.engines.base import Engine
from fabriek.engines.fake import Fake
from fabriek.engines.local import Local
from fabriek.engines.slurm import Site, Slurm
from fabriek_recipes.kinds import Device


def engine() -> Engine:
    if settings.ENGINE == "slurm":
        return _slurm(settings.ENGINE_HOME, _site())
    return _made(settings.ENGINE, settings.ENGINE_HOME, settings.ENGINE_GPUS)


def device() -> Device:
    """Tell what a run on this engine computes with, for its estimate."""
    if settings.ENGINE == "local" and not Path("/dev/nvidia0").exists():
        return "cpu"
    if settings.ENGINE == "slurm" and settings.SLURM_DEVICE == "cpu":
        return "cpu"
    return "cuda"


def measure_pace() -> None:
    """Let the local engine measure its machine, if it is time; the loop's work, not a page's.

    Of the nodes of a cluster nobody here knows how fast they are.
    """
    if settings.ENGINE == "local":
        local_pace.measure(settings.ENGINE_HOME)


def flops_per_core() -> float | None:
    """Tell what a core multiplies per second where runs compute; None: not measured."""
    return local_pace.kept(settings.ENGINE_HOME) if settings.ENGINE == "local" else None


def cores() -> int:
    """Tell how many cores a run may use; of a cluster's nodes as many as this machine has."""
    return local_proc.cores() if settings.ENGINE == "local" else os.cpu_count() or 1


def nodes_most() -> int:
    """Over how many nodes a run may be spread."""
    return 1 if settings.ENGINE == "local" else settings.SLURM_NODES


@cache
def _made(name: str, home: Path, gpus: int) -> Engine:
    if name == "local":
        return Local(home, gpus=gpus or None)
    if name == "fake":
        return Fake()
    raise ImproperlyConfigured(f"FABRIEK_ENGINE={name}: choose local, slurm or fake.")


@cache
def _slurm(home: Path, site: Site) -> Slurm:
    return Slurm(home, site)


def _site() -> Site:
    if settings.SLURM_SECURE_PARTITION and not settings.UNIX_ACCOUNTS:
        raise ImproperlyConfigured(
            "FABRIEK_SLURM_SECURE_PARTITION keeps nothing in where all jobs are one account: "
            "set FABRIEK_UNIX_ACCOUNTS=1 as well."
        )
    try:
        return Site(
            ssh=settings.SLURM_SSH,
            conf=settings.SLURM_CONF,
            root=settings.SLURM_ACCOUNT,
            partition=settings.SLURM_PARTITION,
            secure_partition=settings.SLURM_SECURE_PARTITION,
            wall_s=settings.SLURM_WALL_S,
        )
    except ValueError as error:
        raise ImproperlyConfigured(f"FABRIEK_SLURM_…: {error}") from error
