"""Divides a model over the processes (FSDP2): each keeps a part of every weight, and learns it.

A layer is whole only while it works, and the sums of gradients go on while the next is at work.
So a process cannot ask such a model alone: all do so at the same moment, as often. While they
learn they do by themselves; where each has work of its own, those that are done go on asking
for nothing until the last is done (`beside`).
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from types import MethodType
from typing import TypeVar, cast

import torch
from torch import distributed, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import (
    FSDPModule,
    MixedPrecisionPolicy,
    fully_shard,
    register_fsdp_forward_method,
)
from torch.distributed.tensor import DTensor, Shard, distribute_tensor
from transformers import PreTrainedModel

from fabriek_recipes.training import in_step, pace
from fabriek_recipes.training.device import precision
from fabriek_recipes.training.group import Group

# The way in that FSDP knows as a use of the whole model, beside its `forward`.
USE = "used_whole"
# A layer and the one after it, which is fetched meanwhile.
LAYERS_WHOLE = 2

T = TypeVar("T")
_SHARDS: dict[nn.Module, Shards] = {}


def divide(model: PreTrainedModel, device: torch.device, group: Group) -> None:
    """Leave each process its part of every weight, on its device.

    The model lies in the memory of the processor, the same in all processes; what counts is
    that of the first. On a GPU a layer works in bf16, and gradients are added up in fp32.
    """
    _SHARDS[model] = shards = Shards(model, group)
    in_step.note(model, shards.use)
    given = {name: weight.data for name, weight in model.named_parameters()}
    mesh = init_device_mesh(device.type, (group.seat.size,))
    policy = precision_of(device)
    for part in (*pace.layers(model), model):
        fully_shard(part, mesh=mesh, mp_policy=policy)
        # A sum over all rows of the step, as everywhere here, and no mean over processes.
        divided = cast("FSDPModule", part)
        divided.set_force_sum_reduction_for_comms(True)
        divided.set_gradient_divide_factor(1.0)
    cast("FSDPModule", model).set_reduce_scatter_unused_params(True)
    setattr(model, USE, MethodType(_use, model))
    register_fsdp_forward_method(model, USE)
    for name, weight in model.named_parameters():
        give(weight, given.pop(name), group)
    group.spread(list(model.buffers()))


def precision_of(device: torch.device) -> MixedPrecisionPolicy:
    """Say in what numbers a layer works and in what gradients are added up."""
    if device.type == "cuda":
        return MixedPrecisionPolicy(torch.bfloat16, torch.float32)
    return MixedPrecisionPolicy()


class Shards:
    """A model that is divided, as one process sees it."""

    def __init__(self, model: PreTrainedModel, group: Group) -> None:
        """Keep the shape of the model: in it the whole is put together at the end."""
        self._model, self._group = model, group
        self._hollow = _hollow(model) if group.seat.leads else None
        self._tells = False
        group.keep_in_step(self)

    def use(self, work: Callable[[], T]) -> T:
        """Do work with the weights outside the layers whole, all at the same time."""
        with self._group.reaching():
            if self._tells:
                self._is_asked(mine=True)
            return cast("T", getattr(self._model, USE)(work))

    def beside(self, work: Callable[[], T]) -> T:
        """Do work that may ask the model, and ask with the others until all are done."""
        self._tells = True
        try:
            found = work()
        finally:
            self._tells = False
        with self._group.reaching():
            while self._is_asked(mine=False):
                self._ask_for_nothing()
            # What was whole would not know of weights that are put back.
            cast("FSDPModule", self._model).reshard()
        return found

    def together(self) -> PreTrainedModel:
        """Give the first process the whole model, in the memory of its processor.

        The others get their part back.
        """
        empty = dict(self._hollow.named_parameters()) if self._hollow else {}
        with self._group.reaching():
            for name, weight in self._model.named_parameters():
                found = whole(weight.detach())
                if empty:
                    empty[name].data = found.cpu()
        return self._hollow or self._model

    def _is_asked(self, *, mine: bool) -> bool:
        asking = torch.tensor([float(mine)])
        distributed.all_reduce(asking)
        return bool(asking)

    @torch.no_grad()
    def _ask_for_nothing(self) -> None:
        one_B1 = torch.zeros((1, 1), dtype=torch.long, device=self._model.device)
        with precision(self._model.device):
            getattr(self._model, USE)(lambda: self._model(input_ids=one_B1, use_cache=False))


def together(model: PreTrainedModel) -> PreTrainedModel:
    """Give the first process a model whole, for saving; all must ask.

    It then lies in the memory of the processor: as many bytes as all its weights.
    """
    shards = _SHARDS.get(model)
    return model if shards is None else shards.together()


def whole(weight: torch.Tensor) -> torch.Tensor:
    """Bring a weight together, or anything divided as one; all processes must ask.

    As FSDP itself does, and not by `full_tensor`: what that asks of gloo (torch 2.13) spoiled
    the memory of a process once in some hundred thousand times.
    """
    if not isinstance(weight, DTensor):
        return weight
    # Each part is as long as the first; the last ones may be shorter, or nothing.
    assert weight.placements == (Shard(0),)
    mine, size = weight.to_local(), weight.device_mesh.size()
    rows, row = weight.shape[0], weight.shape[1:]
    longest = math.ceil(rows / size)
    padded = mine.new_zeros((longest, *row))
    padded[: len(mine)] = mine
    found = mine.new_empty((longest * size, *row))
    distributed.all_gather_single(found, padded, group=weight.device_mesh.get_group())
    return found if len(found) == rows else found[:rows].clone()


def part(weight: torch.Tensor) -> torch.Tensor:
    """Give what this process has of a weight."""
    return weight.to_local() if isinstance(weight, DTensor) else weight


@torch.no_grad()
def give(weight: torch.Tensor, value: torch.Tensor | None, group: Group) -> None:
    """Put what the first process has in a weight of all, or in everyone's part of it."""
    if not isinstance(weight, DTensor):
        if group.seat.leads and value is not None:
            weight.copy_(value)
        group.spread([weight])
        return
    mine = part(weight)
    if value is None or not group.seat.leads:
        value = torch.empty(weight.shape, dtype=weight.dtype, device=mine.device)
    with group.reaching():
        found = distribute_tensor(
            value.to(mine.device, weight.dtype), weight.device_mesh, weight.placements
        )
    mine.copy_(found.to_local())


def bytes_whole(model: PreTrainedModel) -> int:
    """Count what is whole for a moment: what stands outside the layers, and two layers."""
    layers = [_bytes(layer) for layer in pace.layers(model)]
    return _bytes(model) - sum(layers) + LAYERS_WHOLE * max(layers, default=0)


def _bytes(module: nn.Module) -> int:
    """Count bytes at work, with those of the gradient of what learns."""
    return sum(
        weight.numel() * (2 + 2 * weight.requires_grad) for weight in module.parameters()
    )


def _use(_model: PreTrainedModel, work: Callable[[], T]) -> T:
    return work()


def _hollow(model: PreTrainedModel) -> PreTrainedModel:
    """Copy a model without its weights: what is shared in one is shared in the other."""
    known: dict[int, object] = {
        id(weight): nn.Parameter(weight.new_empty(0), requires_grad=False)
        for weight in model.parameters()
    }
    known |= {id(buffer): buffer for buffer in model.buffers()}
    return copy.deepcopy(model, known)
