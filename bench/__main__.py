"""`python -m bench`: a throw-away factory on PostgreSQL, filled, measured and removed again.

This half knows no Django: it makes the surroundings and starts the other half inside them.
"""

import argparse
import os
import secrets
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from types import FrameType

import psycopg
from dev.postgres import cluster, server_binaries

PARTS = ("start", "pages", "export", "push", "ledger", "loop")
LIMIT_S = 900
GRACE_S = 20


def main() -> int:
    asked = _asked()
    binaries = server_binaries()
    if binaries is None:
        print("PostgreSQL is not on this machine. On Debian: apt-get install postgresql")
        return 1
    for number in (signal.SIGINT, signal.SIGTERM):  # a shell may start us deaf to Ctrl-C
        signal.signal(number, interrupt)
    try:
        with temporary() as home, cluster(binaries) as address:
            make_database(address)
            return _measure(asked, os.environ | surroundings(Path(home), address))
    except KeyboardInterrupt:
        print("Stopped; everything that was started is gone.")
        return 130


def temporary() -> "tempfile.TemporaryDirectory[str]":
    return tempfile.TemporaryDirectory(prefix="fabriek-bench-")


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--small", action="store_true", help="a twentieth: to try it out")
    parser.add_argument("--only", default=",".join(PARTS), help="some of: %(default)s")
    return parser.parse_args()


def interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def make_database(address: str) -> None:
    server = address.replace("/fabriek?", "/postgres?")
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute("CREATE DATABASE fabriek")


def surroundings(home: Path, address: str) -> dict[str, str]:
    return {
        "DJANGO_SETTINGS_MODULE": "fabriek.settings",
        "FABRIEK_DATABASE": address,
        "FABRIEK_HOME": str(home),
        "FABRIEK_ENGINE": "fake",
        "FABRIEK_SECRET_KEY": secrets.token_urlsafe(48),
        "FABRIEK_URL": "http://localhost:8000",
        "XDG_CONFIG_HOME": str(home / "config"),
    }


def _measure(asked: argparse.Namespace, environment: dict[str, str]) -> int:
    for command in (["migrate", "--verbosity=0"], ["seed"]):
        subprocess.run([sys.executable, "-m", "fabriek", *command], env=environment, check=True)
    words = [sys.executable, "-m", "bench.inside", "--only", asked.only]
    return watched([*words, "--small"] if asked.small else words, environment)


def watched(command: list[str], environment: dict[str, str], *, limit_s: int = LIMIT_S) -> int:
    """Run it in a session of its own: Ctrl-C reaches us, and we end the rest in order."""
    with subprocess.Popen(command, env=environment, start_new_session=True) as child:
        try:
            return child.wait(limit_s)
        except subprocess.TimeoutExpired:
            print(f"Stopped: it took longer than {limit_s} seconds.")
            return 1
        finally:
            _end(child)


def _end(child: "subprocess.Popen[bytes]") -> None:
    if child.poll() is None:
        child.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired, KeyboardInterrupt):
            child.wait(GRACE_S)
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main())
