"""What teaching a language model, a task or preferences, asks of what it is given."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Protocol

from fabriek_recipes import memory
from fabriek_recipes.facts import model_problems
from fabriek_recipes.kinds import Facts, Input
from fabriek_recipes.knobs import Method
from fabriek_recipes.leaks import leaks
from fabriek_recipes.memory import Need
from fabriek_recipes.row_problems import RowProblem, of_files
from fabriek_recipes.rows import NO_ROWS, PROBLEMS_MAX, files_of
from fabriek_recipes.words import Sentence, _

BASE_MODEL = Input(
    name="model",
    kind="model",
    title=_("Base model"),
    help=_("The model to start from, in Hugging Face format with safetensors."),
)


class Taught(Protocol):
    """The settings that decide what it takes."""

    @property
    def method(self) -> Method: ...
    @property
    def lora_rank(self) -> int: ...
    @property
    def tokens_per_step(self) -> int: ...


def problems(
    inputs: dict[str, Path],
    of_file: Callable[[Path], Iterable[RowProblem]],
    *,
    of_pairs: bool = False,
) -> tuple[Sentence, ...]:
    """Say what is wrong with the rows, each file looked at by `of_file`, or the base model."""
    found: list[Sentence] = []
    if dataset := inputs.get("dataset"):
        contents = files_of(dataset)
        if not contents.train:
            found.append(Sentence(NO_ROWS))
        files = contents.train + contents.held_out
        told = ((path, of_file(path)) for path in files)
        found += of_files(told, several=len(files) > 1)
        found += leaks(contents, of_pairs=of_pairs)
    if model := inputs.get("model"):
        found += model_problems(model)
    return tuple(found[:PROBLEMS_MAX])


def need(knobs: Taught, facts: Facts, *, width: int, scored: int = 0) -> Need:
    """Count what one of the GPUs takes, with rows so wide and so many tokens scored at once."""
    tokens = memory.tokens_of_one(knobs.tokens_per_step, width=width, gpus=facts.gpus)
    rank = knobs.lora_rank if knobs.method == "lora" else 0
    return memory.need_of_base(facts, lora_rank=rank, tokens=tokens, scored=scored)
