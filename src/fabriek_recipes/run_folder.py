"""The one contract between portal and recipe: a folder, manifest in, events and outputs out.

| path            | written by | holds                                                         |
|-----------------|------------|---------------------------------------------------------------|
| `run.json`      | portal     | the manifest                                                  |
| `hub-key`       | portal     | by which the job reads from the facility, while the run lives |
| `ca.pem`        | portal     | whom it trusts, where the factory has an authority of its own |
| `inputs/<name>` | portal     | a dataset or model, read only                                 |
| `events.jsonl`  | recipe     | one JSON object a line, each with `at` and `kind`; only grows |
| `outputs/`      | recipe     | what was made, and `report.json` with the final facts         |
| `checkpoints/`  | recipe     | where to resume; gone once the run has ended well             |
| `log`, `exit`   | engine     | what the process said; its exit code                          |
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Literal, cast

from fabriek_recipes.events import Event, Events, read_events
from fabriek_recipes.words import Failed, _

__all__ = [
    "Event",
    "Events",
    "InputRef",
    "Limits",
    "Manifest",
    "read_events",
    "read_manifest",
    "write_manifest",
    "write_whole",
]

MANIFEST = "run.json"
HUB_KEY = "hub-key"
AUTHORITIES = "ca.pem"
INPUTS = "inputs"
EVENTS = "events.jsonl"
OUTPUTS = "outputs"
CHECKPOINTS = "checkpoints"
REPORT = "outputs/report.json"
LOG = "log"
EXIT = "exit"

FORMAT = 1

Knob = int | float | bool | str


@dataclass(frozen=True, slots=True, kw_only=True)
class InputRef:
    """Which revision lies where; `path` is relative to the run folder and stays inside it."""

    kind: Literal["dataset", "model", "code"]
    revision: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the engine will hold the run to."""

    gpus: int
    timeout_s: int
    steps_max: int = 0
    """Of a dry run, which only measures so many steps; 0 where it is none."""
    until_share: float = 1.0
    """How much of its steps it does before it ends for now, keeping where to go on from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What to run: enough to repeat it exactly."""

    key: str
    recipe: str
    knobs: Mapping[str, Knob]
    inputs: Mapping[str, InputRef]
    seed: int
    limits: Limits
    code_version: str
    continues: str = ""
    """Key of the run whose work goes on here; its folder lies beside this one."""
    format: int = field(default=FORMAT)


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write `run.json` whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / MANIFEST, json.dumps(asdict(manifest), indent=2, allow_nan=False))


def read_manifest(folder: Path) -> Manifest:
    """Read and check `run.json`.

    Raises:
        Failed: `bad_manifest`: missing, broken, of another format, or pointing outside.
    """
    try:
        raw = json.loads((folder / MANIFEST).read_bytes())
        if raw["format"] != FORMAT:
            raise _bad_manifest(_("the format is not the one this version reads"))
        return _manifest(raw)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as why:
        raise _bad_manifest(f"{type(why).__name__}: {why}") from why


def write_whole(path: Path, text: str) -> None:
    """Replace a file atomically: a reader sees the old text or the new, never half of it."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with temporary.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _manifest(raw: Mapping[str, object]) -> Manifest:
    inputs = cast("Mapping[str, Mapping[str, str]]", raw["inputs"])
    limits = cast("Mapping[str, int]", raw["limits"])
    return Manifest(
        key=str(raw["key"]),
        recipe=str(raw["recipe"]),
        knobs=dict(cast("Mapping[str, Knob]", raw["knobs"])),
        inputs={name: _input(ref) for name, ref in inputs.items()},
        seed=int(cast("int", raw["seed"])),
        limits=Limits(
            gpus=int(limits["gpus"]),
            timeout_s=int(limits["timeout_s"]),
            steps_max=int(limits.get("steps_max", 0)),
            until_share=_share(limits.get("until_share", 1.0)),
        ),
        code_version=str(raw["code_version"]),
        continues=_key(raw.get("continues", "")),
    )


def _input(raw: Mapping[str, str]) -> InputRef:
    kind, path = raw["kind"], PurePosixPath(raw["path"])
    if kind not in {"dataset", "model", "code"}:
        raise ValueError(f"unknown kind of input: {kind}")
    if path.is_absolute() or ".." in path.parts:
        raise ValueError(f"an input outside the run folder: {path}")
    return InputRef(
        kind=cast("Literal['dataset', 'model', 'code']", kind),
        revision=str(raw["revision"]),
        path=str(path),
    )


def _share(raw: object) -> float:
    share = float(cast("float", raw))
    if not 0 < share <= 1:
        raise ValueError(f"no share of the steps: {share}")
    return share


def _key(raw: object) -> str:
    key = str(raw)
    if PurePosixPath(key).name != key or key == "..":
        raise ValueError(f"no key of a run: {key}")
    return key


def _bad_manifest(why: str) -> Failed:
    return Failed(
        "bad_manifest",
        _("The run folder's run.json cannot be used (%(why)s); start the run again."),
        why=why,
    )
