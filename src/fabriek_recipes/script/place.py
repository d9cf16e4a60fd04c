"""Where own code works in the folder of its run, and what it is told of that."""

from __future__ import annotations

import hashlib
import math
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fabriek_recipes.run_folder import CHECKPOINTS, HUB_KEY, INPUTS, OUTPUTS, Manifest
from fabriek_recipes.script.knobs import DATASETS
from fabriek_recipes.words import Failed, _

WORK, PART = "code", ".code.part"
FIGURES = "figures.jsonl"
MODEL = f"{OUTPUTS}/model"
# Outside the outputs, where a program writes what it likes, also a report.json of its own.
ENDED = ".ended"
# Of which nothing is for the user's program: they are how we and the engine talk.
OURS = frozenset({"FABRIEK_STOP_AFTER_SIGNAL", "FABRIEK_ENVIRONMENTS", "FABRIEK_PACKAGE_INDEX"})
WAIT_S, LOOK_EVERY_S = 600.0, 0.5
# Of a port from which torchrun's own store is reached, where somebody starts torchrun itself.
FIRST_PORT, PORTS = 20_000, 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """Which of the machines of this run this is."""

    number: int = 0
    count: int = 1
    first: str = "127.0.0.1"

    @property
    def leads(self) -> bool:
        """Whether it lays out the folder and tells the events."""
        return self.number == 0


def this_node() -> Node:
    """Read what the engine says."""
    given = os.environ
    return Node(
        number=int(given.get("FABRIEK_NODE", "0")),
        count=int(given.get("FABRIEK_NODES", "1")),
        first=given.get("FABRIEK_FIRST", "127.0.0.1"),
    )


def lay_out(folder: Path, node: Node, *, is_over: Callable[[], bool]) -> Path:
    """Give the copy of the code that the program may write in; made once, by the first node.

    A copy and no link: what lies in `inputs` is the store's own.
    """
    work = folder / WORK
    if node.leads:
        for name in (CHECKPOINTS, MODEL):
            (folder / name).mkdir(parents=True, exist_ok=True)
        if not work.exists():
            part = folder / PART
            shutil.rmtree(part, ignore_errors=True)
            _copy(folder / INPUTS / "code", part)
            part.rename(work)
    wait_for(work, within_s=WAIT_S, is_over=is_over)
    return work


def end_together(folder: Path, node: Node, *, is_over: Callable[[], bool]) -> None:
    """Let the first node go on once all have ended well: it clears away what they share.

    By files whose names differ at each start. Without a limit of our own: one node may have
    far more to do than another, the run has its own limit, and the engine ends all when one is
    lost.

    Raises:
        Failed: the run is over before all have ended.
    """
    start = Path(os.environ.get("FABRIEK_MEETING", "alone")).name
    if not node.leads:
        (folder / f".ended-{start}-{node.number}").touch()
        return
    for number in range(1, node.count):
        marker = folder / f".ended-{start}-{number}"
        wait_for(marker, within_s=math.inf, is_over=is_over)
        marker.unlink(missing_ok=True)


def wait_for(path: Path, *, within_s: float, is_over: Callable[[], bool]) -> None:
    """Wait until another node has made it.

    Raises:
        Failed: it is not there in time, or `is_over`: the run was asked to stop.
    """
    until = time.monotonic() + within_s
    while not path.exists():
        if is_over() or time.monotonic() > until:
            raise Failed("not_together", _("The machines of this run did not find each other."))
        time.sleep(LOOK_EVERY_S)


def _copy(source: Path, target: Path) -> None:
    """Copy the bytes alone: files of the store are for reading, and for nobody to start."""
    for at, _folders, names in os.walk(source):
        place = target / Path(at).relative_to(source)
        place.mkdir(parents=True)
        for name in names:
            copied = Path(shutil.copyfile(Path(at) / name, place / name))
            with copied.open("rb") as file:
                if file.read(2) == b"#!":
                    copied.chmod(0o750)


def told(folder: Path, manifest: Manifest, node: Node) -> dict[str, str]:
    """Give the environment of the program: the engine's, without what is ours, and the places.

    The engine gives nothing of the portal's. Its key for the facility is its own, and is good
    for as long as the run lives.
    """
    given = {name: value for name, value in os.environ.items() if name not in OURS}
    given |= {
        "FABRIEK_RUN": manifest.key,
        "FABRIEK_OUTPUT": str(folder / OUTPUTS),
        "FABRIEK_MODEL": str(folder / MODEL),
        "FABRIEK_CHECKPOINTS": str(folder / CHECKPOINTS),
        "FABRIEK_FIGURES": str(folder / FIGURES),
        "FABRIEK_SEED": str(manifest.seed),
        "FABRIEK_TIMEOUT_S": str(manifest.limits.timeout_s),
        "FABRIEK_NODES": str(node.count),
        "FABRIEK_NODE": str(node.number),
    }
    given |= _inputs(folder, manifest)
    given |= _of_torchrun(manifest, node)
    return given | _of_facility(folder, manifest)


def _inputs(folder: Path, manifest: Manifest) -> dict[str, str]:
    names = {
        "dataset": "FABRIEK_DATA",
        **{name: f"FABRIEK_DATA_{name.removeprefix('dataset_')}" for name in DATASETS[1:]},
        "model": "FABRIEK_BASE_MODEL",
    }
    return {
        names[name]: str(folder / ref.path)
        for name, ref in manifest.inputs.items()
        if name in names
    }


def _of_torchrun(manifest: Manifest, node: Node) -> dict[str, str]:
    """Give what `torchrun train.py` reads by itself, so that nobody need write it out."""
    number = int(hashlib.sha256(manifest.key.encode()).hexdigest(), 16)
    port = str(FIRST_PORT + number % PORTS)
    return {
        "PET_NNODES": str(node.count),
        "PET_NODE_RANK": str(node.number),
        "PET_NPROC_PER_NODE": str(max(1, manifest.limits.gpus // node.count)),
        "PET_MASTER_ADDR": node.first,
        "PET_MASTER_PORT": port,
    }


def _of_facility(folder: Path, manifest: Manifest) -> dict[str, str]:
    """Tell clients of MLflow which run this is; those of the hub know it from the engine."""
    try:
        key = (folder / HUB_KEY).read_text().strip()
    except OSError:
        return {}
    address = os.environ.get("HF_ENDPOINT", "")
    if not key or not address:
        return {}
    return {
        "MLFLOW_TRACKING_URI": address,
        "MLFLOW_TRACKING_TOKEN": key,
        "MLFLOW_RUN_ID": manifest.key.rpartition("-")[2],
    }
