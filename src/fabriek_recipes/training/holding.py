"""Chooses whether each process holds all weights or a part, by the GPU that is really there."""

from __future__ import annotations

from collections.abc import Callable

import torch

from fabriek_recipes import memory
from fabriek_recipes.facts import parameters_of
from fabriek_recipes.kinds import Facts
from fabriek_recipes.memory import Holding, Need
from fabriek_recipes.training.process import Job, K

MODEL = "model"


def is_divided(
    job: Job[K],
    device: torch.device,
    need_of: Callable[[K, Facts], Need],
    asked: Holding,
) -> bool:
    """Choose for all processes alike, and say why where the weights are divided."""
    size = job.group.seat.size
    if size == 1:
        return False

    def choose() -> bool:
        base = job.input(MODEL) if MODEL in job.manifest.inputs else None
        facts = Facts(
            rows=0,
            text_bytes=0,
            base_parameters=parameters_of(base) if base else 0,
            gpus=size,
            device="cuda" if device.type == "cuda" else "cpu",
            gpu_memory_bytes=_there(device),
        )
        need = need_of(job.knobs, facts)
        found = memory.held(need, gpus=size, there=facts.gpu_memory_bytes, asked=asked)
        for sentence in found.why:
            job.events.warning("weights_divided", sentence)
        return found.is_divided

    return job.group.once(choose)


def _there(device: torch.device) -> int:
    """Give how much a GPU has; processes on processors share what their machine has."""
    if device.type != "cuda":
        return 0
    return int(torch.cuda.get_device_properties(device).total_memory)
