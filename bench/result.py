"""Keep what was measured, with the date and the machine in words: no host name, no path."""

import os
import platform
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import django
from django.db import connection
from django.utils import timezone

from bench.table import Table
from fabriek import VERSION
from fabriek.serve import supervisor

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("gunicorn", "django-ninja", "psycopg", "typer", "httpx")


@dataclass(frozen=True, kw_only=True, slots=True)
class Moment:
    """How it was on the machine while it was measured."""

    load: Sequence[float]
    paces: Sequence[float]
    took_s: float


def keep(tables: Sequence[Table], moment: Moment, *, conditions: str, kind: str = "") -> Path:
    """Write the file of this day, machine and kind of bench anew."""
    RESULTS.mkdir(exist_ok=True)
    name = f"{timezone.localdate()}-{_slug(_processor())}-{os.cpu_count()}-cores"
    path = RESULTS / f"{name}{kind and '-'}{kind}.md"
    head = [f"# Measured on {timezone.localdate()}", "", *_machine(moment, conditions), ""]
    path.write_text("\n".join([*head, *(table.markdown() for table in tables)]))
    return path


def portal() -> str:
    """Say how the portal was served and with what."""
    number = connection.pg_version
    with connection.cursor() as cursor:
        cursor.execute("SHOW fsync")
        (fsync,) = cursor.fetchone()
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return (
        f"{packages}, PostgreSQL {number // 10_000}.{number % 10_000}, fsync {fsync}\n"
        f"- One gunicorn worker (gthread, {supervisor.THREADS} threads) as `fabriek up` starts "
        "it, on loopback, "
        "asked one request at a time"
    )


def _machine(moment: Moment, conditions: str) -> list[str]:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    load, paces = moment.load, moment.paces
    return [
        f"- Machine: {_processor()}, {os.cpu_count()} cores, {memory:.0f} GiB memory, "
        f"{platform.system()} {platform.release().partition('-')[0]}",
        f"- Others on the machine before the start: a load of {load[0]:.1f} (one minute), "
        f"{load[1]:.1f} (five). Above 0.5, times and CPU are too high.",
        f"- Pace: a million additions in Python took {min(paces):.0f} to {max(paces):.0f} ms "
        "of CPU between the rounds; on such a core alone it is the lowest of these or less",
        f"- Fabriek {VERSION}, Python {platform.python_version()}, Django "
        f"{django.get_version()}, {conditions}",
        f"- The whole took {moment.took_s:.0f} seconds",
    ]


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    named = (line.partition(":")[2] for line in lines if line.startswith("model name"))
    return next(named, platform.machine()).strip()


def _slug(words: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", words.lower()).strip("-")[:40]
