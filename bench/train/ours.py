"""Our recipe as the engine starts it, in a run folder; tells what the events and report say."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from bench.train.timed import Timed, timed
from bench.train.world import TOKENS_MAX
from fabriek.engines import local_pace
from fabriek_recipes.facts import look
from fabriek_recipes.finetune_lm.knobs import RECIPE
from fabriek_recipes.kinds import Facts
from fabriek_recipes.run_folder import InputRef, Limits, Manifest, read_events, write_manifest

SOURCES = Path(__file__).resolve().parents[2] / "src"


def run(home: Path, folder: Path, *, method: str, tokens_per_step: int) -> dict[str, float]:
    """Train once over the rows of `home`; nothing is kept apart, so that nothing is scored."""
    for name, place in (("model", "base"), ("dataset", "data")):
        (folder / "inputs").mkdir(parents=True, exist_ok=True)
        (folder / "inputs" / name).symlink_to(home / place)
    write_manifest(folder, _manifest(method, tokens_per_step))
    said = _estimated(home, method, tokens_per_step)
    environment = os.environ | {"PYTHONPATH": str(SOURCES), "OMP_NUM_THREADS": "1"}
    began = time.time()
    took = timed(
        [sys.executable, "-m", "fabriek_recipes.finetune_lm", str(folder)], environment
    )
    return _told(folder, began, took) | said


def _told(folder: Path, began: float, took: Timed) -> dict[str, float]:
    events, _offset = read_events(folder / "events.jsonl", max_bytes=10**9)
    if took.exit_code:
        raise subprocess.CalledProcessError(took.exit_code, "finetune_lm")
    steps = [one for one in events if one.kind == "metrics"]
    learning = next(one.at for one in events if one.fields.get("name") == "Learning")
    report = json.loads((folder / "outputs" / "report.json").read_text())
    return {
        "tokens_per_s": round(report["tokens_seen"] / report["learning_seconds"]),
        "first_step_s": round(learning - began, 1),
        "peak_mb": took.peak_mb,
        "seconds": took.seconds,
        "tokens": report["tokens_seen"],
        "steps": len(steps),
    }


def _estimated(home: Path, method: str, tokens_per_step: int) -> dict[str, float]:
    """Ask what the page says beforehand, of the one core that it has here.

    The machine is measured as the loop does that, and kept as long.
    """
    inputs = {"model": home / "base", "dataset": home / "data"}
    engine = home / "engine"
    local_pace.measure(engine)
    of_machine = Facts(
        rows=0, text_bytes=0, device="cpu", cores=1, flops_per_core=local_pace.kept(engine)
    )
    facts = look(inputs, of_machine)
    knobs = RECIPE.knobs.model_validate(_knobs(method, tokens_per_step))
    said = RECIPE.estimate(knobs, facts)
    return {"estimated_s": said.gpu_seconds, "estimated_mb": said.memory_bytes / 1e6}


def _knobs(method: str, tokens_per_step: int) -> dict[str, object]:
    return {
        "method": method,
        "epochs": 1,
        "tokens_per_row_max": TOKENS_MAX,
        "tokens_per_step": tokens_per_step,
        "held_out_percent": 0,
        "checkpoint_every_steps": 100_000,
    }


def _manifest(method: str, tokens_per_step: int) -> Manifest:
    return Manifest(
        key="bench",
        recipe="finetune_lm",
        knobs=_knobs(method, tokens_per_step),
        inputs={
            "model": InputRef(kind="model", revision="bench", path="inputs/model"),
            "dataset": InputRef(kind="dataset", revision="bench", path="inputs/dataset"),
        },
        seed=1,
        limits=Limits(gpus=0, timeout_s=3600),
        code_version="bench",
    )
