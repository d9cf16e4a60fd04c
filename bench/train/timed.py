"""Runs a program and tells how long it took and how much memory it had at most."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Timed:
    """One program, with what it wrote."""

    exit_code: int
    seconds: float
    peak_mb: float
    written: str


def timed(command: Sequence[str], environment: Mapping[str, str]) -> Timed:
    """Run to the end; the memory is that of the program itself, as the kernel counts it."""
    began = time.monotonic()
    with subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        written = process.stdout.read()
        _pid, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    return Timed(
        exit_code=process.returncode,
        seconds=round(time.monotonic() - began, 1),
        peak_mb=round(usage.ru_maxrss / 1024),
        written=written,
    )
