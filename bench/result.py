"""Keep what was measured, with the date and the machine in words: no host name, no path."""

import os
import platform
import re
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import django
from django.db import connection
from django.utils import timezone

from bench.table import Table
from fabriek import VERSION

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("gunicorn", "django-ninja", "psycopg", "typer", "httpx")


def keep(
    tables: Sequence[Table], *, load: Sequence[float], paces: Sequence[float], took_s: float
) -> Path:
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{timezone.localdate()}-{_slug(_processor())}-{os.cpu_count()}-cores.md"
    head = [f"# Measured on {timezone.localdate()}", "", *_machine(load, paces, took_s), ""]
    path.write_text("\n".join([*head, *(table.markdown() for table in tables)]))
    return path


def _machine(load: Sequence[float], paces: Sequence[float], took_s: float) -> list[str]:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return [
        f"- Machine: {_processor()}, {os.cpu_count()} cores, {memory:.0f} GiB memory, "
        f"{platform.system()} {platform.release().partition('-')[0]}",
        f"- Others on the machine before the start: a load of {load[0]:.1f} (one minute), "
        f"{load[1]:.1f} (five). Above 0.5, times and CPU are too high.",
        f"- Pace: a million additions in Python took {min(paces):.0f} to {max(paces):.0f} ms "
        "of CPU between the rounds; on such a core alone it is the lowest of these or less",
        f"- Fabriek {VERSION}, Python {platform.python_version()}, Django "
        f"{django.get_version()}, {packages}, PostgreSQL {_postgres()} without fsync",
        "- One gunicorn worker (gthread, 8 threads) as `fabriek up` starts it, on loopback, "
        "asked one request at a time",
        f"- The whole took {took_s:.0f} seconds",
    ]


def _postgres() -> str:
    number = connection.pg_version
    return f"{number // 10_000}.{number % 10_000}"


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    named = (line.partition(":")[2] for line in lines if line.startswith("model name"))
    return next(named, platform.machine()).strip()


def _slug(words: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", words.lower()).strip("-")[:40]
