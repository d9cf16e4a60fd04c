"""The training loop: packed steps, AdamW, a cosine rate, checkpoints, and a clean stop."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar, cast

import torch
from pydantic import BaseModel
from safetensors import SafetensorError
from torch import nn
from transformers import PreTrainedModel

from fabriek_recipes.events import Json
from fabriek_recipes.training import checkpoints
from fabriek_recipes.training.checkpoints import Checkpoint
from fabriek_recipes.training.packing import Example, batch, order
from fabriek_recipes.training.prediction import loss_sum
from fabriek_recipes.training.process import Job
from fabriek_recipes.training.stopping import Stopped
from fabriek_recipes.words import Failed, Sentence, _

# As many points as a curve on a page can show.
CURVE_POINTS = 200
PROGRESS_EVERY_S = 0.5

K = TypeVar("K", bound=BaseModel)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to learn from, in which steps, and how fast."""

    rows: Sequence[Sequence[Example]]
    rows_per_step: int
    epochs: int
    fill: int
    seed: int
    learning_rate: float
    warmup_percent: int
    weight_decay: float
    gradient_norm_max: float
    checkpoint_every_steps: int

    @property
    def steps_per_epoch(self) -> int:
        """Steps in one pass over the data."""
        return math.ceil(len(self.rows) / self.rows_per_step)

    @property
    def steps(self) -> int:
        """Steps in all."""
        return self.steps_per_epoch * self.epochs

    def rate(self, step: int) -> float:
        """Give a step's learning rate: a straight rise, then half a cosine down to zero."""
        warmup = max(1, self.steps * self.warmup_percent // 100)
        if step < warmup:
            return self.learning_rate * (step + 1) / warmup
        done = (step - warmup) / max(1, self.steps - warmup)
        return self.learning_rate * 0.5 * (1 + math.cos(math.pi * done))

    def rows_of(self, step: int) -> list[Sequence[Example]]:
        """Give a step's rows; they depend on seed and step alone, so a resumed run agrees."""
        epoch, place = divmod(step, self.steps_per_epoch)
        shuffled = order(len(self.rows), seed=self.seed, epoch=epoch)
        start = place * self.rows_per_step
        return [self.rows[index] for index in shuffled[start : start + self.rows_per_step]]

    def random_state(self, step: int, rank: int) -> int:
        """Give what a step's dropout starts from; after a resume it is the same again."""
        name = f"{self.seed}:{step}:{rank}".encode()
        return int.from_bytes(hashlib.sha256(name).digest()[:8])


@dataclass(frozen=True, slots=True)
class Asked:
    """What any of the processes was asked by a signal; all of them know it at the same step."""

    stop: bool
    save: bool


class Loop(Generic[K]):
    """One run of the loop: the weights that learn, their optimizer, and how far it is."""

    def __init__(
        self, job: Job[K], model: PreTrainedModel, plan: Plan, state: dict[str, Json]
    ) -> None:
        """Prepare; `state` is kept in every checkpoint and must say which run it belongs to."""
        self.job, self.model, self.plan, self.state = job, model, plan, state
        self.trained = {
            name: weight for name, weight in model.named_parameters() if weight.requires_grad
        }
        self.optimizer = _optimizer(self.trained, plan)
        self.step = 0
        self.tokens = 0
        self.seconds = 0.0
        self._told_at = 0.0
        # Other machines may differ in a bit; from here on all must be equal.
        job.group.spread(list(self.trained.values()))

    def resume(self, found: Checkpoint) -> None:
        """Go back to where a checkpoint was made: weights, optimizer, place.

        Only the first process needs its tensors, and gives them to the others.
        """
        for name, weight in self.trained.items():
            mean, square = torch.zeros_like(weight), torch.zeros_like(weight)
            if self.job.group.seat.leads:
                weight.detach().copy_(found.tensors[f"weight.{name}"])
                mean.copy_(found.tensors[f"mean.{name}"])
                square.copy_(found.tensors[f"square.{name}"])
            self.job.group.spread([weight, mean, square])
            step = torch.tensor(float(found.step))
            self.optimizer.state[weight] = {
                # The fused optimizer wants its count where the weights are.
                "step": step.to(weight.device) if weight.is_cuda else step,
                "exp_avg": mean,
                "exp_avg_sq": square,
            }
        self.step = found.step
        self.tokens = int(str(found.state["tokens"]))
        self.seconds = float(str(found.state["seconds"]))

    def run(self) -> None:
        """Do the steps that are left.

        Raises:
            Failed: `nan_loss`, when a step's loss is no number.
            Stopped: after saving, when the engine asked to stop.
        """
        self.model.train()
        self._tell_idle()
        every = max(1, self.plan.steps // CURVE_POINTS)
        while self.step < self.plan.steps:
            started = time.monotonic()
            loss, norm, tokens, asked = self._advance()
            took = time.monotonic() - started
            self.seconds += took
            self.tokens += tokens
            if self.step % every == 0 or self.step == self.plan.steps:
                rate = self.plan.rate(self.step - 1)
                speed = tokens / max(took, 1e-9)
                self.job.events.metrics(
                    self.step,
                    loss=loss,
                    learning_rate=rate,
                    gradient_norm=norm,
                    tokens_per_s=round(speed),
                )
            self._tell()
            self._save_if_due(asked)
        self.model.eval()

    def _advance(self) -> tuple[float, float, int, Asked]:
        for group in self.optimizer.param_groups:
            group["lr"] = self.plan.rate(self.step)
        rows = self.plan.rows_of(self.step)
        loss, asked = self._agree(self._learn(rows))
        norm = nn.utils.clip_grad_norm_(
            self.trained.values(), self.plan.gradient_norm_max
        ).item()
        if not math.isfinite(loss) or not math.isfinite(norm):
            raise Failed(
                "nan_loss",
                _("The loss stopped being a number at step %(step)s; lower the learning rate."),
                step=self.step + 1,
            )
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.step += 1
        return loss, norm, sum(len(example.ids) for row in rows for example in row), asked

    def _learn(self, rows: list[Sequence[Example]]) -> torch.Tensor:
        """Make the gradients of a step from this process's share of its rows.

        Each divides by what all learn from, so that the sum over the processes is the step of
        one process that has all rows. Gives this share of the step's loss.
        """
        seat = self.job.group.seat
        torch.manual_seed(self.plan.random_state(self.step, seat.rank))
        learned = sum(example.learned for row in rows for example in row)
        share = rows[seat.rank :: seat.size]
        if not share:  # fewer rows than processes
            return torch.zeros((), device=self.model.device)
        step = batch(share, self.plan.fill).to(self.model.device)
        loss = loss_sum(self.model, step) / max(1, learned)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss.detach()

    def _agree(self, loss: torch.Tensor) -> tuple[float, Asked]:
        """Add up gradients and loss over the processes, and what signals asked of any of them.

        DistributedDataParallel would send while it still computes. It needs one `forward` that
        makes the loss, which ours (logits for the labelled tokens only) is not, takes a mean
        where we need a sum, and waits for a process without rows. See docs/adr/0013.
        """
        group, stop = self.job.group, self.job.stop
        if group.seat.size > 1:
            for weight in self.trained.values():
                if weight.grad is None:
                    weight.grad = torch.zeros_like(weight)
            group.add_up([cast("torch.Tensor", each.grad) for each in self.trained.values()])
        asked = torch.tensor([float(stop.asked), float(stop.take_save())])
        told = torch.cat([loss.reshape(1), asked.to(loss.device)]).double()
        group.add_up([told])
        total, stops, saves = told.tolist()
        return total, Asked(stop=stops > 0, save=saves > 0)

    def _tell_idle(self) -> None:
        size = self.job.group.seat.size
        if size > self.plan.rows_per_step:
            text = _(
                "A step is enough for %(enough)s of the %(size)s processes and the others "
                "stand idle; raise “Tokens per step” to use all."
            )
            sentence = Sentence(text, enough=self.plan.rows_per_step, size=size)
            self.job.events.warning("idle_processes", sentence)

    def _tell(self) -> None:
        now = time.monotonic()
        if now - self._told_at >= PROGRESS_EVERY_S or self.step == self.plan.steps:
            self._told_at = now
            self.job.events.progress(self.step, self.plan.steps, "steps")

    def _save_if_due(self, asked: Asked) -> None:
        last = self.step == self.plan.steps
        due = self.step % self.plan.checkpoint_every_steps == 0
        if asked.stop or asked.save or last or due:
            self.job.group.once(self._save)
        if asked.stop:
            raise Stopped

    def _save(self) -> None:
        """Save; a full disk costs this checkpoint only, the run goes on with the one before."""
        try:
            checkpoints.save(self.job.checkpoints, self._checkpoint())
        except (OSError, SafetensorError):
            text = _("Saving step %(step)s failed, perhaps the disk is full; the run goes on.")
            self.job.events.warning("no_checkpoint", Sentence(text, step=self.step))

    def _checkpoint(self) -> Checkpoint:
        tensors = {}
        for name, weight in self.trained.items():
            moments = self.optimizer.state[weight]
            tensors[f"weight.{name}"] = weight.detach().contiguous()
            tensors[f"mean.{name}"] = moments["exp_avg"]
            tensors[f"square.{name}"] = moments["exp_avg_sq"]
        state = {**self.state, "tokens": self.tokens, "seconds": round(self.seconds, 3)}
        return Checkpoint(self.step, tensors, state)


def _optimizer(trained: dict[str, nn.Parameter], plan: Plan) -> torch.optim.AdamW:
    # Decay pulls on matrices only; norms and biases have no large values to guard against.
    matrices = [weight for weight in trained.values() if weight.dim() > 1]
    others = [weight for weight in trained.values() if weight.dim() <= 1]
    groups = [
        {"params": matrices, "weight_decay": plan.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=plan.learning_rate, betas=(0.9, 0.95), fused=True)
