"""Chooses the device, its precision and the number of threads."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext

import torch

from fabriek_recipes.words import Sentence, _


def choose(gpus: int) -> torch.device:
    """Take a GPU when the run asked for one and there is one, else the processor."""
    threads = os.environ.get("OMP_NUM_THREADS", "")
    torch.set_num_threads(int(threads) if threads.isdigit() else len(os.sched_getaffinity(0)))
    return torch.device("cuda" if gpus > 0 and torch.cuda.is_available() else "cpu")


def precision(device: torch.device) -> AbstractContextManager[object]:
    """Compute in bf16 on a GPU; a processor is slower in it, so there in fp32."""
    if device.type == "cuda":
        return torch.autocast("cuda", dtype=torch.bfloat16)
    return nullcontext()


def remark(gpus: int, device: torch.device) -> Sentence | None:
    """Say when the run gets another device than it asked for."""
    if gpus > 1:
        return Sentence(_("This recipe uses one GPU; ask for one next time."))
    if gpus == 1 and device.type == "cpu":
        return Sentence(_("There is no GPU here; the run uses the processor."))
    return None
