"""A throw-away PostgreSQL server in a temporary folder, reached by a socket only."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

WHERE_DEBIAN_KEEPS_IT = "/usr/lib/postgresql/*/bin"


def server_binaries() -> Path | None:
    found = shutil.which("initdb")
    if found:
        return Path(found).parent
    installed = sorted(Path("/").glob(f"{WHERE_DEBIAN_KEEPS_IT[1:]}/initdb"))
    return installed[-1].parent if installed else None


@contextmanager
def cluster(binaries: Path, *, is_durable: bool = False) -> Iterator[str]:
    """Start a server that is thrown away; yields its address.

    `is_durable`: it flushes what it writes, as one that is kept does; tests need not wait.
    """
    with tempfile.TemporaryDirectory(prefix="fabriek-pg-") as name:
        home = Path(name)
        if os.geteuid() == 0:
            shutil.chown(home, "postgres")
        data = str(home / "data")
        initdb = [str(binaries / "initdb"), "-D", data, "-U", "fabriek", "-A", "trust", "-N"]
        subprocess.run(_as_postgres([*initdb, "-E", "UTF8", "--locale=C.UTF-8"]), check=True,
                       stdout=subprocess.DEVNULL)  # fmt: skip
        control = [str(binaries / "pg_ctl"), "-D", data, "-w", "-l", str(home / "log")]
        options = f"-c listen_addresses='' -k {home} -c max_connections=60"
        if not is_durable:
            options += " -c fsync=off -c synchronous_commit=off -c full_page_writes=off"
        start = _as_postgres([*control, "-o", options, "start"])
        try:
            subprocess.run(start, check=True, stdout=subprocess.DEVNULL, cwd=home)
            yield f"postgresql://fabriek@/fabriek?host={home}"
        finally:
            stop = _as_postgres([*control, "-m", "immediate", "stop"])
            subprocess.run(stop, check=False, stdout=subprocess.DEVNULL, cwd=home)


def _as_postgres(command: list[str]) -> list[str]:
    """PostgreSQL refuses to run as root, so root lends it another user."""
    return ["runuser", "-u", "postgres", "--", *command] if os.geteuid() == 0 else command
