"""The shapes every recipe is described in: its inputs, its price, itself."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel

from fabriek_recipes.words import Sentence

InputKind = Literal["dataset", "model", "code"]
# What the files of a model are: see `registry/outputs.py` for what each must consist of.
Makeup = Literal["transformers", "tabular", "forecast"]
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
    gpu_memory_bytes: int = 0
    """Memory of one GPU; 0 where nobody said."""
    device: Device = "cuda"
    cores: int = 2
    flops_per_core: float | None = None
    """What a core multiplies per second in float32, where that was measured."""
    columns: int = 0
    """Columns of a table; 0 where the rows are no table."""
    different: tuple[tuple[str, int], ...] = ()
    """How many different words each column of a table holds in its first rows."""
    token_lengths: tuple[tuple[int, int], ...] = ()
    """Tokens of a row, and how many rows to learn from have so many; empty: not counted.

    Of a pair the longer of its two texts.
    """
    tokens: int = 0
    """All tokens of these rows, of a pair those of both texts; 0: not counted."""
    is_part: bool = False
    """It ends before its last step, to go on later: only its main score is measured."""
    vocabulary: int = 0
    """Pieces of words that the base model knows; 0 where it does not say."""
    has_general: bool = False
    """General text is mixed in."""
    files: int = 0
    """Files to learn from, where each is an example of its own (pictures)."""
    is_sampled: bool = False
    """There are so many files that only some were opened; the rest is as these."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What a run will cost: wall seconds times GPUs (at least one), start-up included."""

    gpu_seconds: int
    memory_bytes: int
    why: tuple[Sentence, ...]
    learning_s: float = 0.0
    """Of the wall seconds, those of learning; 0 where that is not told apart."""
    tokens: int = 0
    """Learned from, all passes together."""


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
    makeup: Makeup = "transformers"
    """Of which files that model consists."""
    library_name: str = "transformers"
    """By which library it is used, as the Hugging Face Hub names them."""
    pipeline_tag: str = "text-generation"
    """What it does, in the words of the same hub."""
    more_pipeline_tags: tuple[str, ...] = ()
    """What else it may do; the report of a run says which."""
    load: str = 'AutoModelForCausalLM.from_pretrained("%s")'
    """How one loads it in Python, with the place of its name."""
    count: Callable[[Mapping[str, Path], Facts], Facts] | None = None
    """Counts what an estimate needs; absent where `facts.look` counts the right things."""
    knob_checks: Callable[[Any, dict[str, Path]], tuple[Sentence, ...]] | None = None
    """Problems of settings and inputs together, such as a column that is not there."""
    input_checks: Callable[[Any, Collection[str]], tuple[Sentence, ...]] | None = None
    """Problems of settings and which inputs there are, by their names: no file is opened."""
    reads_chats: bool = False
    """It turns rows into tokens with the chat template of the input `model`."""
    reads_pairs: bool = False
    """Its rows are pairs: a question with a better and a worse answer."""
    counts: Literal["tokens", "pictures", "cells", "moments"] = "tokens"
    """What it learns from, as the tokens of its estimate and of its steps are called."""
    leaves_rows: bool = False
    """What it writes are rows of a dataset, in `outputs/answers`."""
    reads_texts: bool = False
    """It learns from plain text, with the tokenizer of the input `model` or one of its own."""
    starts_from_base: Callable[[dict[str, object]], bool] | None = None
    """Tells by its settings whether it starts from the input `model`; absent: it does."""
    keeps_rows: bool = False
    """What it did of its rows is kept as it goes, so that it may stop anywhere."""
    has_dry_run: bool = False
    """It stops after `steps_max` steps and says what they took."""
    is_interactive: bool = False
    """People work in it themselves; it lasts as long as they ask, and is offered apart."""
    is_own_code: bool = False
    """It starts a program of the user's own, which writes what it likes; offered apart too."""
    answers_only: bool = False
    """Interactive, but who is in gets answers of its models only: no file, no program."""

    @property
    def makes_model(self) -> bool:
        return bool(self.makes)

    @property
    def pipeline_tags(self) -> tuple[str, ...]:
        """All that its models may do."""
        return (self.pipeline_tag, *self.more_pipeline_tags)

    @property
    def lasts_as_asked(self) -> bool:
        """Nobody knows beforehand how long it takes: who asks for it says that."""
        return self.is_interactive or self.is_own_code

    @property
    def module(self) -> str:
        """What to start: `python -m <module> RUN_FOLDER`."""
        return f"fabriek_recipes.{self.name}"
