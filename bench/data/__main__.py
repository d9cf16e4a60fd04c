"""`python -m bench.data`: a throw-away factory and its data facility, beside their peers.

This half knows no Django: it makes the surroundings and starts the other half inside them.
"""

import argparse
import os
import signal
import subprocess
import sys
from pathlib import Path

from dev.postgres import cluster, server_binaries

from bench.__main__ import interrupt, make_database, surroundings, temporary, watched

ROUNDS = ("store", "pushed", "resumable", "hub", "xet", "profile", "privacy", "policy")
LIMIT_S = 3600


def main() -> int:
    asked = _asked()
    binaries = server_binaries()
    if binaries is None:
        print("PostgreSQL is not on this machine. On Debian: apt-get install postgresql")
        return 1
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupt)
    try:
        with temporary() as home, cluster(binaries) as address:
            make_database(address)
            Path(home, "static").mkdir()
            return _measure(asked, os.environ | surroundings(Path(home), address))
    except KeyboardInterrupt:
        print("Stopped; everything that was started is gone.")
        return 130


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.data", description=__doc__)
    parser.add_argument("--small", action="store_true", help="a sixteenth: to try it out")
    parser.add_argument("--only", default=",".join(ROUNDS), help="some of: %(default)s")
    return parser.parse_args()


def _measure(asked: argparse.Namespace, environment: dict[str, str]) -> int:
    for command in (["migrate", "--verbosity=0"], ["seed"]):
        subprocess.run([sys.executable, "-m", "fabriek", *command], env=environment, check=True)
    words = [sys.executable, "-m", "bench.data.inside", "--only", asked.only]
    words = [*words, "--small"] if asked.small else words
    return watched(words, environment, limit_s=LIMIT_S)


if __name__ == "__main__":
    sys.exit(main())
