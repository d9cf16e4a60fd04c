"""Makes a model learn faster on a GPU: texts end to end, layers compiled, activations kept."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import torch
from torch import nn
from transformers import PreTrainedModel

from fabriek_recipes.training import attention, in_step

# Compiling takes about a minute, and makes a step a quarter to a half shorter.
COMPILE_FROM_S = 240.0
# What a GPU reaches without it, in operations per second (own measurement, one H100).
PLAIN_REACHES = 250e12
# Of the free memory, for what the estimate does not see.
SPARE = 0.9
# Where a module keeps what was compiled: its call with all around it, or its own work alone.
CALL, FORWARD = "_compiled_call_impl", "forward"


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What a process has to do in one step, and how often."""

    tokens_per_step: int
    steps: int
    flop_per_token: float
    bytes_to_come: int = 0
    """What a step needs beside activations and is not there yet, as gradients."""

    @property
    def plain_s(self) -> float:
        """About how long all of it takes when nothing is compiled."""
        return self.tokens_per_step * self.steps * self.flop_per_token / PLAIN_REACHES


@dataclass(frozen=True, slots=True, kw_only=True)
class Ways:
    """How the model works while it learns."""

    end_to_end: bool = False
    compiled: bool = False
    recomputed: bool = False


def choose(model: PreTrainedModel, load: Load) -> Ways:
    """Choose by what the model is, how long it will learn, and what memory there is."""
    if model.device.type != "cuda":
        return Ways()
    fits = attention.fits(model)
    compiled = fits and load.plain_s >= COMPILE_FROM_S
    free, _total = torch.cuda.mem_get_info(model.device)
    needed = activation_bytes(model, load.tokens_per_step) + load.bytes_to_come
    return Ways(end_to_end=fits, compiled=compiled, recomputed=needed > free * SPARE)


def activation_bytes(model: PreTrainedModel, tokens: int) -> int:
    """Estimate what is kept from the way there for the way back.

    Per token and layer in bf16, as measured: some eight vectors of the model's width and four
    of the inner one, of attention as many again as it has questions, keys and values.
    """
    config = model.config.get_text_config()
    width = int(config.hidden_size)
    inner = int(getattr(config, "intermediate_size", None) or 4 * width)
    vectors = 10 * width + 5 * inner
    return 2 * tokens * vectors * int(config.num_hidden_layers)


@contextmanager
def learning(model: PreTrainedModel, ways: Ways) -> Iterator[None]:
    """Let the model work this way for a while; before and after it is as it came."""
    with ExitStack() as stack:
        if ways.end_to_end:
            stack.enter_context(attention.end_to_end(model))
        if ways.recomputed:
            stack.enter_context(_recomputed(model))
        if ways.compiled:
            stack.enter_context(_compiled(model))
        yield


@contextmanager
def as_it_came(model: PreTrainedModel) -> Iterator[None]:
    """Let the model read and answer in its usual way for a moment, in the midst of learning.

    What is compiled is compiled for learning, and for one shape.
    """
    compiled = [
        (each, name, vars(each)[name])
        for each in model.modules()
        for name in _compiled_parts(model)
        if vars(each).get(name) is not None
    ]
    for each, name, _way in compiled:
        _undo(each, name)
    try:
        with attention.usual(model):
            yield
    finally:
        for each, name, way in compiled:
            setattr(each, name, way)


@contextmanager
def _recomputed(model: PreTrainedModel) -> Iterator[None]:
    model.activation_checkpointing_enable({"use_reentrant": False})
    try:
        yield
    finally:
        model.activation_checkpointing_disable()


@contextmanager
def _compiled(model: PreTrainedModel) -> Iterator[None]:
    """Compile one layer for all: they differ in nothing but their weights."""
    found = list(layers(model))
    for layer in found:
        if in_step.is_divided(model):
            # Not what brings its weights together and adds up their gradients around it.
            setattr(layer, FORWARD, torch.compile(layer.forward, dynamic=False))
        else:
            layer.compile(dynamic=False)
    try:
        yield
    finally:
        for layer in found:
            for name in _compiled_parts(model):
                _undo(layer, name)


def layers(model: PreTrainedModel) -> Iterator[nn.Module]:
    """Give the layers of a model, which are alike, in their order."""
    names = set(getattr(model, "_no_split_modules", None) or ())
    # A layer whose weights are divided is of a kind of its own, made of the kind it was.
    yield from (
        each
        for each in model.modules()
        if any(kind.__name__ in names for kind in type(each).__mro__)
    )


def _compiled_parts(model: PreTrainedModel) -> tuple[str, ...]:
    return (CALL, FORWARD) if in_step.is_divided(model) else (CALL,)


def _undo(module: nn.Module, name: str) -> None:
    """Take away what was compiled; torch has no word for it."""
    if name == CALL:
        module._compiled_call_impl = None  # noqa: SLF001
    elif name in vars(module):
        delattr(module, name)
