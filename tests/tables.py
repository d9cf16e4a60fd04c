"""The tables as the migrations make them, made once and copied from then on.

To migrate takes a processor ten seconds, and each part of the tests would do it again, and each
factory that a test starts. What is copied was made by the migrations themselves; that a factory
makes its own at its first start is asked in `serve/test_supervisor.py`.
"""

import fcntl
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parents[1]
KEPT = ROOT / ".venv" / f"tables-{os.geteuid()}"  # root tests the clusters, beside others
OURS = ROOT / "src" / "fabriek"
OF_OTHERS = ("django", "django-allauth")


def give(home: Path) -> None:
    """Let a factory in this folder, which has none yet, begin with the tables."""
    home.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(ready(), home / "fabriek.sqlite3")
    (home / "fabriek.sqlite3").chmod(0o600)


def ready() -> Path:
    """Give the SQLite file; whoever asks first makes it, others wait for that."""
    path = KEPT / f"{_digest()}.sqlite3"
    if not path.exists():
        KEPT.mkdir(parents=True, exist_ok=True)
        with (KEPT / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not path.exists():
                _make(path)
    return path


def _digest() -> str:
    """Sum up what the tables come from: the migrations, the models, and those of others."""
    digest = sha256()
    for name in OF_OTHERS:
        digest.update(f"{name} {version(name)}\n".encode())
    for path in sorted([*OURS.glob("*/migrations/*.py"), *OURS.glob("*/models*.py")]):
        digest.update(f"{path.relative_to(OURS)} {path.stat().st_size}\n".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _make(path: Path) -> None:
    with TemporaryDirectory(dir=KEPT) as home:
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(OURS.parent),
            "FABRIEK_HOME": home,
        }
        command = [sys.executable, "-m", "fabriek", "migrate", "--verbosity=0"]
        subprocess.run(command, env=environment, check=True)
        made = Path(home) / "fabriek.sqlite3"
        with closing(sqlite3.connect(made)) as database:
            database.execute("PRAGMA journal_mode=DELETE")  # one file, without a log beside it
        made.replace(path)
