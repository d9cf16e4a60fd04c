"""On the processor: one pass over the same rows with the same small model, on one thread."""

from __future__ import annotations

import json
import os
import statistics
from collections.abc import Callable, Mapping
from pathlib import Path

from bench.data.peers import python
from bench.table import Table
from bench.train import ours, world
from bench.train.timed import timed

TOKENS_PER_STEP = 2_048
Figures = Mapping[str, float]
# Goals: so many times as quick as TRL packed in either way, and started within so long.
BFD_TIMES, WRAPPED_TIMES, START_S = 2.5, 1.2, 4.0
ESTIMATE_TIMES = 1.5  # of time and of memory
FACTORY = "LLaMA-Factory neat packing, lora"
RESULT = "RESULT "


def measured(home: Path, *, rounds: int, small: bool) -> Table:
    """Train with each in turn, `rounds` times; the best of each is told, and the middle."""
    told = world.make(home, rows=200 if small else world.ROWS)
    works = _works(home)
    found: dict[str, list[Figures]] = {name: [] for name in works}
    for turn in range(rounds):
        for name, work in works.items():
            if (figures := work(turn)) is not None:
                found[name].append(figures)
    rows = [_row(name, figures) for name, figures in found.items()]
    note, ok = _judged(found)
    return Table(
        title=f"Learning on one thread of a processor: {told}",
        header=["who", "tokens/s best", "middle", "start s", "peak MB", "whole s", "estimated"],
        rows=rows,
        note=note,
        ok=ok or small,
    )


def _works(home: Path) -> dict[str, Callable[[int], Figures | None]]:
    works: dict[str, Callable[[int], Figures | None]] = {}
    for method in ("lora", "full"):
        works[f"ours, {method}"] = _ours(home, method)
    for packing in ("bfd", "wrapped", "none"):
        works[f"TRL {packing}, lora"] = _trl(home, "lora", packing)
    works["TRL bfd, full"] = _trl(home, "full", "bfd")
    works[FACTORY] = _peer("llamafactory", _spec(home, "factory"))
    return works


def _ours(home: Path, method: str) -> Callable[[int], Figures]:
    def work(turn: int) -> Figures:
        folder = home / f"ours-{method}-{turn}"
        return ours.run(home, folder, method=method, tokens_per_step=TOKENS_PER_STEP)

    return work


def _trl(home: Path, method: str, packing: str) -> Callable[[int], Figures | None]:
    spec = _spec(home, f"trl-{method}-{packing}")
    return _peer("trl", spec | {"method": method, "packing": packing, "device": "cpu"})


def _spec(home: Path, name: str) -> dict[str, object]:
    return {
        "base": str(home / "base"),
        "rows": str(home / "data" / "rows.jsonl"),
        "home": str(home / name),
        "width": world.TOKENS_MAX,
        "rows_per_step": TOKENS_PER_STEP // world.TOKENS_MAX,
        "save": True,
    }


def _peer(name: str, spec: Mapping[str, object]) -> Callable[[int], Figures | None]:
    """Give what runs a peer, in the environment and by the script that are called after it."""

    def work(_turn: int) -> Figures | None:
        interpreter = python(name)
        if interpreter is None:
            return None
        script = Path(__file__).with_name(f"{name}_peer.py")
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        took = timed([str(interpreter), str(script), json.dumps(spec)], environment)
        line = next((one for one in took.written.splitlines() if one.startswith(RESULT)), None)
        if line is None:
            return None
        figures: dict[str, float] = json.loads(line.removeprefix(RESULT))
        return figures | {"peak_mb": took.peak_mb, "seconds": took.seconds}

    return work


def _row(name: str, figures: list[Figures]) -> list[str | float | int | None]:
    if not figures:
        return [name, None, None, None, None, None, None]
    speeds = [one["tokens_per_s"] for one in figures]
    return [
        name,
        int(max(speeds)),
        int(statistics.median(speeds)),
        min(one["first_step_s"] for one in figures),
        int(min(one["peak_mb"] for one in figures)),
        min(one["seconds"] for one in figures),
        _estimated(figures[0]),
    ]


def _estimated(figures: Figures) -> str | None:
    if "estimated_s" not in figures:
        return None
    return f"{figures['estimated_s']:.0f} s, {figures['estimated_mb']:.0f} MB"


def _is_near(figures: Figures) -> bool:
    """Whether what was said beforehand was right within the factor that we promise."""
    of = ((figures["estimated_s"], figures["seconds"]),
          (figures["estimated_mb"], figures["peak_mb"]))  # fmt: skip
    return all(1 / ESTIMATE_TIMES <= said / found <= ESTIMATE_TIMES for said, found in of)


def _beside_factory(ours: float, theirs: float) -> str:
    if not theirs:
        return "LLaMA-Factory could not be installed or did not end."
    return f"{ours / theirs:.1f} times LLaMA-Factory, whose packed texts do not see each other."


def _judged(found: Mapping[str, list[Figures]]) -> tuple[str, bool]:
    def best(name: str) -> float:
        return max((one["tokens_per_s"] for one in found[name]), default=0.0)

    def least(name: str, what: str) -> float:
        return min((one[what] for one in found[name]), default=0.0)

    mine = best("ours, lora")
    bfd, wrapped = (mine / max(1.0, best(f"TRL {way}, lora")) for way in ("bfd", "wrapped"))
    start = least("ours, lora", "first_step_s")
    memory, theirs = least("ours, lora", "peak_mb"), least("TRL bfd, lora", "peak_mb")
    note = (
        f"LoRA, ours beside TRL: {bfd:.1f} times bfd (goal {BFD_TIMES}), {wrapped:.1f} times "
        f"wrapped, which lets texts see each other (goal {WRAPPED_TIMES}); start {start} s "
        f"(goal {START_S}); {memory:.0f} MB beside {theirs:.0f}. “none” fills rows up instead "
        f"of packing them. {_beside_factory(mine, best(FACTORY))}"
    )
    near = all(_is_near(one) for name in ("ours, lora", "ours, full") for one in found[name])
    note += f" Estimates {'right' if near else 'not right'} within {ESTIMATE_TIMES} times."
    met = near and bfd >= BFD_TIMES and wrapped >= WRAPPED_TIMES and start <= START_S
    return note, met and memory < theirs
