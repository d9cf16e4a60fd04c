"""What the GPUs of this machine drew while a run was at work, by their own counter."""

from __future__ import annotations

import importlib
import os
from typing import Any

JOULES_PER_MILLIJOULE = 1e-3
COUNTER = "nvmlDeviceGetTotalEnergyConsumption"


class Meter:
    """Reads NVIDIA's energy counters at the start and at the end, where there are any.

    `nvidia-ml-py` need not be installed. Part of a GPU (MIG) has no counter of its own.
    """

    def __init__(self) -> None:
        """Begin to measure."""
        self._library = _library()
        self._gpus = _handles(self._library) if self._library else []
        self._before = self._read()

    def measured(self) -> dict[str, float]:
        """Give joules since the start and of how many GPUs; empty where nothing measures."""
        after = self._read()
        if not after or len(after) != len(self._before):
            return {}
        joules = (sum(after) - sum(self._before)) * JOULES_PER_MILLIJOULE
        return {"energy_joules": joules, "energy_gpus": len(after)} if joules > 0 else {}

    def _read(self) -> list[int]:
        try:
            read = getattr(self._library, COUNTER, None)
            return [int(read(gpu)) for gpu in self._gpus] if read else []
        except self._error:
            return []

    @property
    def _error(self) -> type[Exception]:
        return _error_of(self._library)


def _library() -> Any:  # noqa: ANN401  its module, which may be absent
    try:
        library = importlib.import_module("pynvml")
        library.nvmlInit()
    except ImportError:
        return None
    # Whatever an old or broken driver says: without a counter the run goes on.
    except Exception:  # noqa: BLE001
        return None
    return library


def _handles(library: Any) -> list[Any]:  # noqa: ANN401
    """Find the GPUs that this process was given; none when one of them cannot be told."""
    names = os.environ.get("CUDA_VISIBLE_DEVICES")
    try:
        if names is None:
            count = int(library.nvmlDeviceGetCount())
            return [library.nvmlDeviceGetHandleByIndex(number) for number in range(count)]
        return [_handle(library, name.strip()) for name in names.split(",") if name.strip()]
    except (_error_of(library), ValueError):
        return []


def _handle(library: Any, name: str) -> Any:  # noqa: ANN401
    if name.isdigit():
        return library.nvmlDeviceGetHandleByIndex(int(name))
    if name.startswith("GPU-"):
        return library.nvmlDeviceGetHandleByUUID(name)
    raise ValueError(name)


def _error_of(library: Any) -> type[Exception]:  # noqa: ANN401
    found = getattr(library, "NVMLError", None)
    return found if isinstance(found, type) and issubclass(found, Exception) else OSError
