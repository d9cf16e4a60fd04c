"""Our loop on one GPU: `python -m bench.train.on_gpu SPEC` prints one line, RESULT and JSON.

The loop itself, on a model that is made where it learns: writing 16 GB of random weights to a
disk first would measure the disk.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

START = time.monotonic()

import torch  # noqa: E402  the clock starts before what takes longest

from bench.train.shapes import SHAPES, Shape, made  # noqa: E402
from bench.train.texts import lengths  # noqa: E402
from fabriek_recipes.events import Silent  # noqa: E402
from fabriek_recipes.finetune_lm.knobs import Knobs  # noqa: E402
from fabriek_recipes.run_folder import Limits, Manifest  # noqa: E402
from fabriek_recipes.training import lora, pace  # noqa: E402
from fabriek_recipes.training.loop import Loop, Plan  # noqa: E402
from fabriek_recipes.training.packing import Example, pack  # noqa: E402
from fabriek_recipes.training.process import Job  # noqa: E402

# A matrix product of 8,192 x 8,192 x 8,192 in bf16 on an H200.
REACHES = 790e12


@dataclass(frozen=True, kw_only=True, slots=True)
class Spec:
    """What to train, and how much at once."""

    shape: str
    method: str
    texts: str
    width: int
    rows_per_step: int
    steps: int
    compiled: bool
    device: str = "cuda"

    @property
    def form(self) -> Shape:
        return SHAPES[self.shape]


class Unsaved(Loop[Knobs]):
    """The loop without its checkpoints: they would measure the disk."""

    def _save(self) -> None:
        """Leave it."""


class Steps(Silent):
    """Keeps when each step ended, and its loss."""

    def __init__(self) -> None:
        self.ended: list[float] = []
        self.loss = 0.0

    def metrics(self, step: int, **values: float) -> None:  # noqa: ARG002
        self.ended.append(time.monotonic())
        self.loss = values["loss"]


def main(spec: Spec) -> dict[str, object]:
    """Train, and tell how fast the last two thirds of the steps went."""
    pace.COMPILE_FROM_S = 0.0 if spec.compiled else float("inf")
    torch.manual_seed(1)
    frozen = spec.method == "lora"
    model = made(spec.form, spec.device, torch.bfloat16 if frozen else torch.float32)
    if frozen:
        lora.attach(model, lora.Lora(rank=16, alpha=32, dropout=0.0))
    sizes = lengths(spec.texts, spec.width, spec.rows_per_step * spec.steps)
    events = Steps()
    loop = Unsaved(_job(events), model, _plan(spec, sizes), {})
    began = time.monotonic()
    loop.run()
    length = sum(size * size for size in sizes) / sum(sizes)
    return _told(spec, loop, events, spec.form.flop_per_token(spec.method, length)) | {
        "ready_s": round(began - START, 1),
        "first_steps_s": round(events.ended[spec.steps // 3 - 1] - began, 1),
    }


def _told(spec: Spec, loop: Unsaved, events: Steps, flop: float) -> dict[str, object]:
    warm = spec.steps // 3
    tokens = sum(_tokens(loop, number) for number in range(warm, spec.steps))
    speed = tokens / (events.ended[-1] - events.ended[warm - 1])
    on_gpu = spec.device != "cpu"
    return {
        "tokens_per_s": round(speed),
        "tflops": round(speed * flop / 1e12, 1),
        "share": round(speed * flop / REACHES, 3),
        "peak_gib": round(torch.cuda.max_memory_allocated() / 2**30, 1) if on_gpu else None,
        "loss": round(events.loss, 4),
    }


def _tokens(loop: Unsaved, step: int) -> int:
    return sum(len(text.ids) for row in loop.plan.rows_of(step) for text in row)


def _plan(spec: Spec, sizes: list[int]) -> Plan:
    texts = [
        Example(torch.randint(0, spec.form.vocabulary, (size,), dtype=torch.int32), 0)
        for size in sizes
    ]
    return Plan(
        rows=pack(texts, spec.width)[: spec.rows_per_step * spec.steps],
        rows_per_step=spec.rows_per_step,
        epochs=1,
        fill=0,
        seed=1,
        learning_rate=1e-4,
        warmup_percent=5,
        weight_decay=0.01,
        gradient_norm_max=1.0,
        checkpoint_every_steps=10**6,
    )


def _job(events: Steps) -> Job[Knobs]:
    manifest = Manifest(
        key="bench",
        recipe="finetune_lm",
        knobs={},
        inputs={},
        seed=1,
        limits=Limits(gpus=1, timeout_s=3600),
        code_version="bench",
    )
    folder = Path(tempfile.mkdtemp())  # nothing is written there
    return Job(folder=folder, manifest=manifest, knobs=Knobs(), events=events)


if __name__ == "__main__":
    print("RESULT " + json.dumps(main(Spec(**json.loads(sys.argv[1])))), flush=True)
