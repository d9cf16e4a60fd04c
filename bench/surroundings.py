"""What starts a bench, and knows no Django: a throw-away factory, the other half inside it."""

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

LIMIT_S = 900
GRACE_S = 20


def main(
    bench: str, *, told: str | None, rounds: str, small: str, limit_s: int = LIMIT_S
) -> int:
    """Bring up PostgreSQL and a factory, measure inside them with `bench`.inside, remove both.

    `rounds`: those there are, with commas between; `small`: what is less when it is tried out.
    """
    asked = _asked(bench, told=told, rounds=rounds, small=small)
    binaries = server_binaries()
    if binaries is None:
        print("PostgreSQL is not on this machine. On Debian: apt-get install postgresql")
        return 1
    for number in (signal.SIGINT, signal.SIGTERM):  # a shell may start us deaf to Ctrl-C
        signal.signal(number, interrupt)
    try:
        with (
            tempfile.TemporaryDirectory(prefix="fabriek-bench-") as home,
            cluster(binaries, is_durable=True) as address,
        ):
            make_database(address, "fabriek")
            Path(home, "static").mkdir()
            environment = os.environ | _surroundings(Path(home), address)
            return _measure(bench, asked, environment, limit_s=limit_s)
    except KeyboardInterrupt:
        print("Stopped; everything that was started is gone.")
        return 130


def _asked(bench: str, *, told: str | None, rounds: str, small: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=f"python -m {bench}", description=told)
    parser.add_argument("--small", action="store_true", help=f"{small}: to try it out")
    parser.add_argument("--only", default=rounds, help="some of: %(default)s")
    return parser.parse_args()


def interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def make_database(address: str, name: str) -> None:
    """Make a database of this name on the server of the factory's."""
    with psycopg.connect(beside(address, "postgres"), autocommit=True) as connection:
        connection.execute(
            psycopg.sql.SQL("CREATE DATABASE {}").format(psycopg.sql.Identifier(name))
        )


def beside(address: str, name: str) -> str:
    """Give the address of another database of the same server."""
    return address.replace("/fabriek?", f"/{name}?")


def _surroundings(home: Path, address: str) -> dict[str, str]:
    return {
        "DJANGO_SETTINGS_MODULE": "fabriek.settings",
        "FABRIEK_DATABASE": address,
        "FABRIEK_HOME": str(home),
        "FABRIEK_ENGINE": "fake",
        "FABRIEK_SECRET_KEY": secrets.token_urlsafe(48),
        "FABRIEK_URL": "http://localhost:8000",
        "XDG_CONFIG_HOME": str(home / "config"),
    }


def _measure(
    bench: str, asked: argparse.Namespace, environment: dict[str, str], *, limit_s: int
) -> int:
    make_ready(environment)
    words = [sys.executable, "-m", f"{bench}.inside", "--only", asked.only]
    return watched([*words, "--small"] if asked.small else words, environment, limit_s=limit_s)


def make_ready(environment: dict[str, str]) -> None:
    """Let the factory make its tables and what it begins with."""
    for command in (["migrate", "--verbosity=0"], ["seed"]):
        subprocess.run([sys.executable, "-m", "fabriek", *command], env=environment, check=True)


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
