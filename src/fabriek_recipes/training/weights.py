"""The weights that learn and their optimizer: whole in each process, or in parts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import nn
from transformers import PreTrainedModel

from fabriek_recipes.training import in_step, shards
from fabriek_recipes.training.checkpoints import Checkpoint
from fabriek_recipes.training.group import Group
from fabriek_recipes.training.plan import Plan
from fabriek_recipes.training.sums import Sums

# As torch adds it when it shortens a step.
SMALL = 1e-6
MOMENTS = {"mean": "exp_avg", "square": "exp_avg_sq"}


class Weights:
    """What a run changes, step by step."""

    def __init__(self, model: PreTrainedModel, plan: Plan, group: Group) -> None:
        """Take all weights of the model that learn."""
        self.named = {
            name: weight for name, weight in model.named_parameters() if weight.requires_grad
        }
        self.are_divided = in_step.is_divided(model)
        self._model, self._group = model, group
        self._optimizer = _optimizer(self.named, plan)
        self._sums: Sums | None = None
        if not self.are_divided:
            # Other machines may differ in a bit; from here on all must be equal.
            group.spread(list(self.named.values()))
            self._sums = Sums(list(self.named.values())) if group.seat.size > 1 else None

    def resume(self, found: Checkpoint) -> None:
        """Go back to a checkpoint. Only the first process needs its tensors."""
        leads = self._group.seat.leads
        for name, weight in self.named.items():
            step = torch.tensor(float(found.step))
            # The fused optimizer wants its count where the weights are.
            state = {"step": step.to(weight.device) if weight.is_cuda else step}
            state |= {theirs: torch.zeros_like(weight) for theirs in MOMENTS.values()}
            places = {"weight": weight} | {ours: state[its] for ours, its in MOMENTS.items()}
            for kind, place in places.items():
                value = found.tensors[f"{kind}.{name}"] if leads else None
                shards.give(place, value, self._group)
            self._optimizer.state[weight] = state

    def kept(self, *, whole: bool) -> dict[str, torch.Tensor]:
        """Give what a checkpoint keeps; not `whole`, without the optimizer."""
        found = {}
        for name, weight in self.named.items():
            found[f"weight.{name}"] = weight.detach().contiguous()
            if whole:
                state = self._optimizer.state[weight]
                found |= {f"{ours}.{name}": state[theirs] for ours, theirs in MOMENTS.items()}
        return found

    def brought(self, kept: Mapping[str, torch.Tensor]) -> Iterator[torch.Tensor]:
        """Bring what is kept together, one after the other; all processes must go to the end.

        Not a copy of all is made: one tensor is whole at a time.
        """
        for tensor in kept.values():
            with self._group.reaching():
                found = shards.whole(tensor)
            yield found

    def add_up(self) -> None:
        """Wait for the gradients of all processes, which are added up on the way back."""
        if self._sums:
            with self._group.reaching():
                self._sums.finish()

    def clip(self, most: float) -> float:
        """Shorten the step to `most`; gives how long it was, of all weights together."""
        if not self.are_divided:
            return float(nn.utils.clip_grad_norm_(self.named.values(), most).item())
        found = [weight.grad for weight in self.named.values() if weight.grad is not None]
        parts = [shards.part(gradient) for gradient in found]
        square = nn.utils.get_total_norm(parts).double() ** 2
        self._group.add_up([square])
        norm = square.sqrt()
        shorter = (most / (norm + SMALL)).clamp(max=1.0)
        for each in parts:
            each.mul_(shorter.to(each.dtype))
        return float(norm)

    def step(self, rate: float) -> None:
        """Make the step."""
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)

    @property
    def bytes_to_come(self) -> int:
        """Count what a step will need beside activations and is not there yet."""
        times = 1 if self._optimizer.state else 1 + len(MOMENTS)
        here = sum(shards.part(weight).nbytes for weight in self.named.values())
        return times * here + (shards.bytes_whole(self._model) if self.are_divided else 0)


def _optimizer(trained: dict[str, nn.Parameter], plan: Plan) -> torch.optim.AdamW:
    # Decay pulls on matrices only; norms and biases have no large values to guard against.
    matrices = [weight for weight in trained.values() if weight.dim() > 1]
    others = [weight for weight in trained.values() if weight.dim() <= 1]
    groups = [
        {"params": matrices, "weight_decay": plan.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=plan.learning_rate, betas=(0.9, 0.95), fused=True)
