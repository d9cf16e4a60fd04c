"""What this machine lacks for running or developing a factory, and how to mend it."""

import importlib.util
import os
import shutil
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from fabriek.agreements import decision_log, ending
from fabriek.engines.base import EngineDown
from fabriek.kernel.origins import share_a_domain
from fabriek.lab import actions as lab
from fabriek.runs import engine
from fabriek.runs.models import Removal
from fabriek.serve import isolation, way_in
from fabriek.serve.findings import Finding

ROOM_NEEDED_BYTES = 5 * 2**30
STATED_WITHIN = timedelta(days=1)


def examine() -> list[Finding]:
    return [finding for look in LOOKS for finding in look()]


def _python() -> Iterator[Finding]:
    version = ".".join(str(part) for part in sys.version_info[:3])
    good = sys.version_info >= (3, 11)
    yield Finding(
        what="Python",
        verdict="good" if good else "lacking",
        said=version,
        mend="Install Python 3.11 or newer.",
    )


def _training() -> Iterator[Finding]:
    lacking = [name for name in ("torch", "transformers") if not importlib.util.find_spec(name)]
    yield Finding(
        what="Training on this machine",
        verdict="lacking" if lacking else "good",
        said=f"without {', '.join(lacking)}" if lacking else "torch and transformers",
        mend="pip install -c constraints.txt -e '.[train]'",
    )


def _folders() -> Iterator[Finding]:
    for what, folder in (("Store", settings.STORE_HOME), ("Run folders", settings.RUNS_HOME)):
        yield _folder(what, folder)


def _folder(what: str, folder: Path) -> Finding:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(folder).free
    except OSError as error:
        return Finding(
            what=what,
            verdict="lacking",
            said=str(error),
            mend=f"Make {folder} a folder that this user may write in.",
        )
    enough = os.access(folder, os.W_OK) and free > ROOM_NEEDED_BYTES
    return Finding(
        what=what,
        verdict="good" if enough else "lacking",
        said=f"{folder}, {free / 2**30:.0f} GiB free",
        mend="Make room, or choose another place with FABRIEK_STORE and FABRIEK_RUNS.",
    )


def _database() -> Iterator[Finding]:
    try:
        executor = MigrationExecutor(connection)
        behind = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except DatabaseError as error:
        yield Finding(
            what="Database",
            verdict="lacking",
            said=str(error).splitlines()[0],
            mend="Start the database, or correct FABRIEK_DATABASE.",
        )
        return
    yield Finding(
        what="Database",
        verdict="lacking" if behind else "good",
        said=f"{connection.vendor}, {len(behind)} steps behind"
        if behind
        else connection.vendor,
        mend="fabriek up (or python -m fabriek migrate)",
    )


def _engine() -> Iterator[Finding]:
    try:
        engine.engine().look(["fabriek-doctor"])
    except EngineDown as error:
        yield Finding(
            what="Engine",
            verdict="lacking",
            said=str(error),
            mend="See that the machine is up; look at FABRIEK_ENGINE and FABRIEK_ENGINE_HOME.",
        )
        return
    yield Finding(what="Engine", verdict="good", said=f"{settings.ENGINE}, computes on "
                  f"{engine.device()}")  # fmt: skip


def _safety() -> Iterator[Finding]:
    local = urlsplit(settings.FACTORY_URL).hostname in {"localhost", "127.0.0.1", "::1"}
    good = settings.HTTPS or local
    yield Finding(
        what="Address",
        verdict="good" if good else "lacking",
        said=settings.FACTORY_URL,
        mend="Serve over https and say so in FABRIEK_URL: cookies are then sent over it only.",
    )


def _lab() -> Iterator[Finding]:
    """Look at interactive work: it may be left off, but not half on."""
    mend = ""
    if settings.LAB and not lab.is_installed():
        mend = "pip install -c constraints.txt -e '.[lab]'"
    elif settings.LAB and not settings.LAB_URL:
        mend = "Set FABRIEK_LAB_URL; docs/operate says how."
    off = "off; FABRIEK_LAB=1 turns it on, where cases are kept apart or trust each other"
    yield Finding(
        what="Interactive work",
        verdict="lacking" if mend else "good" if settings.LAB else "optional",
        said=(settings.LAB_URL or "without an address") if settings.LAB else off,
        mend=mend or "See “Interactive work” in docs/operate.",
    )
    if settings.LAB and share_a_domain(settings.LAB_URL, settings.FACTORY_URL):
        yield Finding(
            what="Its address",
            verdict="optional",
            said=f"{settings.LAB_URL} shares a domain with {settings.FACTORY_URL}",
            mend="A domain of its own keeps what labs leave in cookies from your other sites.",
        )


def _decisions() -> Iterator[Finding]:
    """Look whether the decisions about data still fit together."""
    try:
        wrong = next(decision_log.broken(), "")
        stuck = Removal.objects.filter(done_at=None).exclude(trouble="").count()
        yesterday = timezone.now() - STATED_WITHIN
        unstated = ending.unsettled().filter(over_at__lt=yesterday).count()
    except DatabaseError:
        return  # of which the finding on the database tells
    yield Finding(
        what="Decisions about data",
        verdict="lacking" if wrong else "good",
        said=wrong or "all fit together",
        mend="Somebody wrote in the database by hand, or FABRIEK_SECRET_KEY is another one: "
        "python -m fabriek decisions --check",
    )
    if stuck:
        yield Finding(
            what="Copies of data",
            verdict="lacking",
            said=f"{stuck} could not be removed, though their agreement is over",
            mend="The log names them; give this user the right to remove them. It is tried "
            "again every ten minutes.",
        )
    if unstated:
        yield Finding(
            what="Statements of deletion",
            verdict="lacking",
            said=f"{unstated} were not made a day after their agreement was over",
            mend="Copies cannot be removed or seen, or a run is lost: the log names them.",
        )


def _developing() -> Iterator[Finding]:
    for what, programs, package in (
        ("Message catalogues", ("xgettext",), "gettext"),
        ("Browser tests", ("chromium",), "chromium"),
        ("Tests on PostgreSQL", ("initdb", "pg_ctlcluster"), "postgresql"),
    ):
        found = [path for program in programs if (path := shutil.which(program))]
        yield Finding(
            what=what,
            verdict="good" if found else "optional",
            said=found[0] if found else "not installed; only for developing Fabriek",
            mend=f"apt-get install {package}",
        )


LOOKS = (
    _python,
    _training,
    _folders,
    _database,
    _engine,
    isolation.look,
    _safety,
    way_in.look,
    _lab,
    _decisions,
    _developing,
)
