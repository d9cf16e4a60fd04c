"""Which Slurm `fabriek demo --engine slurm` uses, told to the server by its environment."""

import os
from collections.abc import Mapping
from pathlib import Path

NONE_IS_UP = "No Slurm was found: run dev/slurm up, or set FABRIEK_SLURM_CONF."
USUAL = Path("/etc/slurm/slurm.conf")
NAMED_BY = ("FABRIEK_SLURM_CONF", "FABRIEK_SLURM_SSH", "SLURM_CONF")


class NoCluster(Exception):
    pass


def surroundings(told: Mapping[str, str]) -> dict[str, str]:
    """Give what the environment lacks: the cluster of `dev/slurm up` where none is named.

    The demo on Slurm has a home of its own, since a run is known to one engine only.

    Raises: NoCluster.
    """
    emulated = Path(told.get("FABRIEK_SLURM_STATE", "/run/fabriek-slurm")) / "slurm.conf"
    found = {"FABRIEK_HOME": "var/slurm"}
    if not any(told.get(name) for name in NAMED_BY):
        if emulated.exists():
            found["FABRIEK_SLURM_CONF"] = str(emulated)
        elif not USUAL.exists():
            raise NoCluster(NONE_IS_UP)
    named = found.get("FABRIEK_SLURM_CONF") or told.get("FABRIEK_SLURM_CONF")
    # Its GPUs are names only; estimates must not be those of the GPUs that it plays.
    if named == str(emulated) and not Path("/dev/nvidia0").exists():
        found["FABRIEK_SLURM_DEVICE"] = "cpu"
    return {"FABRIEK_ENGINE": "slurm"} | {
        name: value for name, value in found.items() if not told.get(name)
    }


def choose(engine: str) -> None:
    """Let the server that is started next have this engine; "" leaves what is set."""
    if engine == "slurm":
        os.environ.update(surroundings(os.environ))
    elif engine:
        os.environ["FABRIEK_ENGINE"] = engine
