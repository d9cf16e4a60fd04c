"""Keeps what was measured, with the date and the machine in words; knows no server."""

from __future__ import annotations

import datetime
import os
import platform
import re
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import torch

from bench.table import Table

RESULTS = Path(__file__).resolve().parents[1] / "results"


def keep(tables: Sequence[Table]) -> Path:
    """Write the file of this day and machine anew."""
    machine = _machine()
    today = datetime.datetime.now(tz=datetime.UTC).date()
    slug = re.sub(r"[^a-z0-9]+", "-", machine.lower()).strip("-")[:40]
    path = RESULTS / f"{today}-{slug}-training.md"
    versions = ", ".join(f"{name} {version(name)}" for name in ("torch", "transformers"))
    load = os.getloadavg()
    head = [
        f"# Training, measured on {today}",
        "",
        f"- {machine}, {os.cpu_count()} cores, Python {platform.python_version()}, {versions}",
        f"- Load at the end: {load[0]:.1f} (one minute), {load[1]:.1f} (five)",
        "",
    ]
    path.write_text("\n".join([*head, *(table.markdown() for table in tables)]))
    return path


def _machine() -> str:
    if torch.cuda.is_available():
        return str(torch.cuda.get_device_name())
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    named = (line.partition(":")[2] for line in lines if line.startswith("model name"))
    return next(named, platform.machine()).strip()
