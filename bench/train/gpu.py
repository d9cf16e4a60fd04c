"""On one GPU: our loop beside TRL, LoRA on 8 billion weights and all of half a billion."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import torch

from bench.table import Cell, Table
from bench.train.on_gpu import REACHES
from bench.train.shapes import SHAPES
from bench.train.texts import lengths

WIDTH, STEPS, LIMIT_S = 4_096, 15, 300
# (model, method, texts, rows a step), and the ways in which TRL packs such texts.
TASKS = (
    ("8b", "lora", "full", 2, ("none",)),
    ("8b", "lora", "real", 2, ("wrapped", "bfd")),
    ("0.5b", "full", "full", 8, ("none",)),
)


def measured(home: Path) -> Table:
    """Run everything once; TRL must be installed beside the torch that runs this."""
    rows: list[list[Cell]] = []
    for shape, method, texts, rows_per_step, packings in TASKS:
        task = {"shape": shape, "method": method, "texts": texts}
        spec: dict[str, object] = {**task, "width": WIDTH, "rows_per_step": rows_per_step}
        spec["steps"] = STEPS
        for compiled in (True, False):
            who = "ours, compiled" if compiled else "ours"
            wish = json.dumps({**spec, "compiled": compiled})
            rows.append(_row(who, spec, _run(["-m", "bench.train.on_gpu", wish])))
        for packing in packings:
            peer = {**spec, "packing": packing, "liger": True, "home": str(home)}
            peer["checkout"] = str(Path(__file__).resolve().parents[2])
            script = str(Path(__file__).with_name("trl_peer.py"))
            rows.append(_row(f"TRL {packing}, liger", spec, _run([script, json.dumps(peer)])))
    return Table(
        title=f"Learning on one {torch.cuda.get_device_name()}",
        header=["model", "who", "tokens/s", "TFLOP/s", "share of 790", "peak GiB"],
        rows=rows,
        note="“full”: texts of 4,096 tokens; “real”: as long as rows of instructions are.",
    )


def _run(command: list[str]) -> dict[str, float] | None:
    environment = os.environ | {"PYTORCH_CUDA_ALLOC_CONF": "expandable_segments:True"}
    try:
        done = subprocess.run(
            [sys.executable, *command],
            env=environment,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=True,
        )
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        print(f"{command[0]} did not come to an end: {error}", file=sys.stderr)
        return None
    line = next(one for one in done.stdout.splitlines() if one.startswith("RESULT "))
    found: dict[str, float] = json.loads(line.removeprefix("RESULT "))
    return found


def _row(who: str, spec: dict[str, object], found: dict[str, float] | None) -> list[Cell]:
    model = f"{spec['shape']} {spec['method']} {spec['texts']}"
    if found is None:
        return [model, who, None, None, None, None]
    sizes = lengths(str(spec["texts"]), WIDTH, 2 * STEPS)
    length = sum(size * size for size in sizes) / sum(sizes)
    flop = SHAPES[str(spec["shape"])].flop_per_token(str(spec["method"]), length)
    speed = found["tokens_per_s"]
    share = f"{100 * speed * flop / REACHES:.0f} %"
    return [model, who, int(speed), speed * flop / 1e12, share, found.get("peak_gib")]
