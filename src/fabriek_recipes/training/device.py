"""Chooses the device, its precision and the number of threads."""

from __future__ import annotations

import os
import resource
from contextlib import AbstractContextManager, nullcontext

import torch

from fabriek_recipes.training.group import Seat
from fabriek_recipes.words import Sentence, _

# Operations per second in bf16 without sparsity, by the maker's data sheets (2022 to 2024).
PEAKS = {
    "H100 PCIe": 756e12,
    "H100": 989e12,
    "H200": 989e12,
    "A100": 312e12,
    "L40S": 362e12,
    "B200": 2_250e12,
}


def choose(gpus: int, seat: Seat) -> torch.device:
    """Take this process's GPU if the run asked for one and it is there, else the processor."""
    threads = os.environ.get("OMP_NUM_THREADS", "")
    asked = int(threads) if threads.isdigit() else len(os.sched_getaffinity(0))
    # What is asked is meant for the machine, the processes on it share that.
    shared = max(1, len(os.sched_getaffinity(0)) // seat.local_size)
    torch.set_num_threads(min(asked, shared) if seat.local_size > 1 else asked)
    if gpus < 1 or not torch.cuda.is_available():
        return torch.device("cpu")
    # Where each process is shown one GPU only, that one has number 0.
    return torch.device("cuda", seat.local % torch.cuda.device_count())


def precision(device: torch.device) -> AbstractContextManager[object]:
    """Compute in bf16 on a GPU; a processor is slower in it, so there in fp32."""
    if device.type == "cuda":
        return torch.autocast("cuda", dtype=torch.bfloat16)
    return nullcontext()


def remark(gpus: int, device: torch.device, seat: Seat) -> Sentence | None:
    """Say when the run gets another device than it asked for, or fewer."""
    if gpus > seat.size:
        text = _("The run asked for %(gpus)s GPUs and was started on %(used)s of them.")
        return Sentence(text, gpus=gpus, used=seat.size)
    if gpus > 0 and device.type == "cpu":
        return Sentence(_("There is no GPU here; the run uses the processor."))
    return None


def peak_bytes() -> int:
    """Give the most memory that was in use: of the GPU, with what torch keeps; else of all."""
    if torch.cuda.is_available():
        return int(torch.cuda.max_memory_reserved())
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def peak_flops(device: torch.device) -> float:
    """Give what the chip can do at most; 0 where that is not known, as of a part of a GPU."""
    if device.type != "cuda":
        return 0.0
    name = torch.cuda.get_device_name(device)
    if "MIG" in name:
        return 0.0
    return next((peak for chip, peak in PEAKS.items() if chip in name), 0.0)
