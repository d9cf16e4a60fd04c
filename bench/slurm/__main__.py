"""`python -m bench.slurm`: a Slurm and an empty factory, measured and removed again.

This half knows no Django: it makes the surroundings and starts the other half inside them.
"""

import argparse
import os
import secrets
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.surroundings import interrupt, make_ready, watched

DEV = Path(__file__).resolve().parents[2] / "dev" / "slurm"
STATE = Path(os.environ.get("FABRIEK_SLURM_STATE", "/run/fabriek-slurm"))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.slurm", description=__doc__)
    parser.add_argument("--small", action="store_true", help="a tenth: to try it out")
    asked = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupt)
    was_up = _dev("status", quiet=True) == 0
    try:
        if _dev("up"):
            return 1
        with tempfile.TemporaryDirectory(prefix="fabriek-bench-") as home:
            Path(home).chmod(0o711)  # the case's own account must reach its runs
            return _measure(asked, os.environ | _surroundings(Path(home)))
    except KeyboardInterrupt:
        print("Stopped; everything that was started is gone.")
        return 130
    finally:
        if not was_up:
            _dev("down")


def _dev(act: str, *, quiet: bool = False) -> int:
    out = subprocess.DEVNULL if quiet else None
    command = [sys.executable, DEV, act]
    return subprocess.run(command, stdout=out, stderr=out, check=False).returncode


def _surroundings(home: Path) -> dict[str, str]:
    return {
        "DJANGO_SETTINGS_MODULE": "fabriek.settings",
        "FABRIEK_DATABASE": "",
        "FABRIEK_HOME": str(home),
        "FABRIEK_ENGINE": "slurm",
        "FABRIEK_SLURM_ACCOUNT": "fabriek-bench",
        "FABRIEK_SLURM_CONF": str(STATE / "slurm.conf"),
        "FABRIEK_SLURM_DEVICE": "cpu",
        "FABRIEK_SLURM_PARTITION": "bench",
        "FABRIEK_UNIX_PREFIX": f"b{secrets.token_hex(4)}-",
        "FABRIEK_SECRET_KEY": secrets.token_urlsafe(48),
        "FABRIEK_URL": "http://localhost:8000",
        "SLURM_CONF": str(STATE / "slurm.conf"),
    }


def _measure(asked: argparse.Namespace, environment: dict[str, str]) -> int:
    Path(environment["FABRIEK_HOME"], "static").mkdir()
    make_ready(environment)
    words = [sys.executable, "-m", "bench.slurm.inside"]
    return watched([*words, "--small"] if asked.small else words, environment)


if __name__ == "__main__":
    sys.exit(main())
