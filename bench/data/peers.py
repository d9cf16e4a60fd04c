"""Peers, each in an environment of its own: made once, kept beside the checkout."""

import subprocess
import sys
import venv
from functools import cache
from pathlib import Path

HOME = Path(__file__).resolve().parents[2] / ".bench-peers"
LIMIT_S = 1800
PACKAGES = {
    "dvc": ["dvc"],
    "tus": ["tuspyserver", "tuspy", "uvicorn", "fastapi"],
    "presidio": ["presidio-analyzer", "spacy"],
    "mlflow": ["mlflow", "psycopg2-binary"],
    "trl": ["trl==1.16.0", "torch==2.13.0", "peft", "datasets"],
    "datatrove": ["datatrove[processing]", "spacy", "orjson"],
    "llamafactory": ["llamafactory==0.9.5", "torch==2.11.0", "torchaudio==2.11.0"],
}


@cache
def python(peer: str) -> Path | None:
    """Give the interpreter of a peer; None when it cannot be had here."""
    home = HOME / peer
    ready = home / "ready"
    if not ready.exists():
        venv.create(home, with_pip=True, clear=True)
        command = [home / "bin" / "pip", "install", "--quiet", *PACKAGES[peer]]
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=LIMIT_S)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            print(f"{peer} cannot be had here: {error}", file=sys.stderr)
            return None
        ready.touch()
    return home / "bin" / "python"


def program(peer: str, name: str) -> Path | None:
    """Give a command of a peer, such as `dvc` of dvc."""
    found = python(peer)
    return found.with_name(name) if found else None
