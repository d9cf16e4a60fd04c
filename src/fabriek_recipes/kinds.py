"""The shapes every recipe is described in: its inputs, its price, itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel

from fabriek_recipes.words import Sentence

InputKind = Literal["dataset", "model"]
Device = Literal["cpu", "cuda"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """One thing a recipe reads, found in the run folder as `inputs/<name>`."""

    name: str
    kind: InputKind
    title: str
    help: str
    required: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known before a run starts; `facts.py` counts them without loading anything."""

    rows: int
    text_bytes: int
    base_parameters: int = 0
    """Parameters of the base model; 0 where the recipe starts from nothing."""
    longest_row_bytes: int = 0
    gpus: int = 1
    device: Device = "cuda"
    cores: int = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What a run will cost: wall seconds times GPUs (at least one), start-up included."""

    gpu_seconds: int
    memory_bytes: int
    why: tuple[Sentence, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """One way to make something on the engine; page form, API schema and CLI derive from it.

    Titles and helps are English msgids: translate them where they are shown. A knob that is
    chosen from words has `labels` in its schema: what people read for each of these words.
    """

    name: str
    title: str
    summary: str
    when_to_use: str
    knobs: type[BaseModel]
    inputs: tuple[Input, ...]
    # Any: each recipe's estimate takes its own knobs class, and `Callable` is contravariant.
    estimate: Callable[[Any, Facts], Estimate]
    checks: Callable[[dict[str, Path]], tuple[Sentence, ...]]
    """Problems of the inputs (name to file or folder), at most some twenty; empty is good."""
    makes: str = ""
    """What kind of model comes out, as the end of its title; empty where none does."""
    is_interactive: bool = False
    """People work in it themselves; it lasts as long as they ask, and is offered apart."""

    @property
    def makes_model(self) -> bool:
        return bool(self.makes)

    @property
    def module(self) -> str:
        """What to start: `python -m <module> RUN_FOLDER`."""
        return f"fabriek_recipes.{self.name}"
