"""The training loop: packed steps, AdamW, a cosine rate, checkpoints, and a clean stop."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import torch
from pydantic import BaseModel
from safetensors import SafetensorError
from torch import nn
from transformers import PreTrainedModel

from fabriek_recipes.events import Json
from fabriek_recipes.training import checkpoints, pace, taking
from fabriek_recipes.training.checkpoints import Checkpoint
from fabriek_recipes.training.course import Course
from fabriek_recipes.training.device import peak_bytes, peak_flops
from fabriek_recipes.training.objective import NextToken, Objective
from fabriek_recipes.training.packing import Example
from fabriek_recipes.training.plan import Plan
from fabriek_recipes.training.process import Job
from fabriek_recipes.training.stalling import Watchdog
from fabriek_recipes.training.stopping import Stopped
from fabriek_recipes.training.trial import Trial
from fabriek_recipes.training.watching import Seen, Watch, Watcher
from fabriek_recipes.training.weights import Weights
from fabriek_recipes.words import Failed, Sentence, _

__all__ = ["Loop", "Plan"]

# As many points as a curve on a page can show.
CURVE_POINTS = 200
PROGRESS_EVERY_S = 0.5

K = TypeVar("K", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Asked:
    """What any of the processes was asked by a signal; all of them know it at the same step."""

    stop: bool
    save: bool


class Loop(Generic[K]):
    """One run of the loop: the weights that learn, their optimizer, and how far it is."""

    def __init__(
        self,
        job: Job[K],
        model: PreTrainedModel,
        plan: Plan,
        state: dict[str, Json],
        objective: Objective | None = None,
    ) -> None:
        """Prepare; `state` is kept in every checkpoint and must say which run it belongs to."""
        self.job, self.model, self.plan, self.state = job, model, plan, state
        self.objective = objective or NextToken()
        self.weights = Weights(model, plan, job.group)
        self.step = 0
        self.tokens = 0
        self.seconds = 0.0
        self.watcher: Watcher | None = None
        self.last_step = job.last_step(plan.steps)
        self._course = Course()
        self._told_at = 0.0

    @property
    def trained(self) -> dict[str, nn.Parameter]:
        """Give the weights that learn."""
        return self.weights.named

    def watch(self, watch: Watch) -> None:
        """Look at this while learning; a dry run, which only measures, does not."""
        if not self.job.is_dry:
            seen = Seen(model=self.model, objective=self.objective, fill=self.plan.fill)
            group = self.job.group
            self.watcher = Watcher(watch, seen, steps=self.plan.steps, group=group)

    def resume(self, found: Checkpoint) -> None:
        """Go back to where a checkpoint was made: weights, optimizer, place.

        Only the first process needs its tensors, and gives them to the others.
        """
        self.weights.resume(found)
        self.step = found.step
        self.tokens = int(str(found.state["tokens"]))
        self.seconds = float(str(found.state["seconds"]))
        self._course.resume(found.state)
        if self.watcher:
            self.watcher.resume(found.state)

    def run(self) -> None:
        """Do the steps that are left.

        Raises:
            Failed: `nan_loss`, when a step's loss is no number; `diverged`.
            Stopped: after saving, when the engine asked to stop.
            Tried: after the steps of a dry run.
        """
        self.model.train()
        self._tell_idle()
        ways = pace.choose(self.model, self._load())
        if ways.compiled and isinstance(self.objective, NextToken):
            self.objective.within = self.plan.frame(self._rows_of_one())
        with pace.learning(self.model, ways):
            self._go()
        self._take_best()
        self.model.eval()

    def _take_best(self) -> None:
        if self.watcher and not self._goes_on_later:
            run = self.state["run"]
            taking.take_best(self.job, self.watcher, self.trained, at=self.step, run=run)

    def ended(self) -> dict[str, Json]:
        """Tell a report at which step it ended, and which step the weights are of."""
        patient = self.watcher is not None and self.watcher.is_patient
        best = self.watcher.best_step if self.watcher and patient else 0
        return {
            "steps": self.plan.steps,
            "ended_at_step": self.step,
            "best_step": best or self.step,
        }

    def _load(self) -> pace.Load:
        """Say how much one process has to learn from in a step."""
        weights = sum(weight.numel() for weight in self.model.parameters())
        return pace.Load(
            tokens_per_step=self._rows_of_one() * self.plan.widest,
            steps=self.plan.steps,  # not what is left: a resumed run goes on in the same way
            flop_per_token=6 * weights,
            bytes_to_come=self.weights.bytes_to_come,
        )

    def _rows_of_one(self) -> int:
        return math.ceil(self.plan.rows_per_step / self.job.group.seat.size)

    def _go(self) -> None:
        watchdog = Watchdog(self.job)
        with watchdog.watching():
            self._do_steps(watchdog)

    def _do_steps(self, watchdog: Watchdog) -> None:
        every = max(1, self.plan.steps // CURVE_POINTS)
        trial = Trial(self.job.manifest.limits.steps_max, peak_bytes)
        while not self._is_over:
            started = time.monotonic()
            with watchdog.step(self.step + 1):
                loss, norm, tokens, asked = self._advance()
            took = time.monotonic() - started
            self.seconds += took
            self.tokens += tokens
            trial.note(took, tokens, is_last=self.step == self.plan.steps)
            if self.step % every == 0 or self.step == self.last_step:
                self.job.events.metrics(
                    self.step,
                    loss=loss,
                    learning_rate=self.plan.rate(self.step - 1),
                    gradient_norm=norm,
                    **self._measured(tokens / max(took, 1e-9)),
                )
            self._course.note(self.step, loss)
            self._tell()
            self._look(watchdog)
            self._save_if_due(asked)

    @property
    def _is_over(self) -> bool:
        return self._is_enough or self.step >= self.last_step

    @property
    def _is_enough(self) -> bool:
        return self.watcher is not None and self.watcher.is_enough

    @property
    def _goes_on_later(self) -> bool:
        """Whether it was asked for a part of its steps: the last weights are not its best."""
        return self.last_step < self.plan.steps and not self._is_enough

    def _measured(self, tokens_per_s: float) -> dict[str, float]:
        """Say how fast it goes, what memory that took, and how much of the chips it used."""
        found: dict[str, float] = {
            "tokens_per_s": round(tokens_per_s),
            "memory_bytes": peak_bytes(),
        }
        peak = peak_flops(self.model.device) * self.job.group.seat.size
        counted = self.watcher.watch.flop_per_token if self.watcher else 0
        if peak and counted:
            return {**found, "share_of_peak": round(tokens_per_s * counted / peak, 4)}
        return found

    def _look(self, watchdog: Watchdog) -> None:
        """Look, before the step is saved: so a run that goes on from there knows it too."""
        if self.watcher is None or not self.watcher.is_due(self.step):
            return
        with watchdog.look(self.step):
            loss, is_best = self.watcher.look(self.step, self.seconds, watchdog.get_on)
        if loss is not None:
            self.job.events.metrics(self.step, held_out_loss=loss)
        if is_best and self.watcher.is_patient:
            self._save(is_best=True)

    def _advance(self) -> tuple[float, float, int, Asked]:
        rows = self.plan.rows_of(self.step)
        loss, asked = self._agree(self._learn(rows))
        norm = self.weights.clip(self.plan.gradient_norm_max)
        if not math.isfinite(loss) or not math.isfinite(norm):
            raise Failed(
                "nan_loss",
                _("The loss stopped being a number at step %(step)s; lower the learning rate."),
                step=self.step + 1,
            )
        self.weights.step(self.plan.rate(self.step))
        self.step += 1
        return loss, norm, sum(len(example.ids) for row in rows for example in row), asked

    def _learn(self, rows: list[Sequence[Example]]) -> torch.Tensor:
        """Make the gradients of a step from this process's share of its rows.

        Each divides by what all learn from, so that the sum over the processes is the step of
        one process that has all rows. Gives this share of the step's loss.
        """
        seat = self.job.group.seat
        torch.manual_seed(self.plan.random_state(self.step, seat.rank))
        share = rows[seat.rank :: seat.size]
        counts = 1.0 if share else 0.0  # fewer rows than processes
        if not share and not self.weights.are_divided:
            return torch.zeros((), device=self.model.device)
        weight = max(1, self.objective.weight(rows))
        with self.job.group.reaching():
            # Who has no rows must still bring divided weights together with the others.
            total = self.objective.loss(self.model, share or rows[:1], self.plan.fill)
            loss = total / weight * counts
            loss.backward()  # type: ignore[no-untyped-call]
        return loss.detach()

    def _agree(self, loss: torch.Tensor) -> tuple[float, Asked]:
        """Add up gradients and loss over the processes, and what signals asked of any."""
        group, stop = self.job.group, self.job.stop
        self.weights.add_up()
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
        if now - self._told_at >= PROGRESS_EVERY_S or self.step == self.last_step:
            self._told_at = now
            self.job.events.progress(self.step, self.plan.steps, "steps")

    def _save_if_due(self, asked: Asked) -> None:
        last = self._is_over
        due = self.step % self.plan.checkpoint_every_steps == 0
        if asked.stop or asked.save or last or due:
            self._save()
        if asked.stop:
            raise Stopped

    def _save(self, *, is_best: bool = False) -> None:
        """Save what to go on from; of the best so far, only what was learned."""
        state = {**self.state, "tokens": self.tokens, "seconds": round(self.seconds, 3)}
        state |= self._course.state() | (self.watcher.state() if self.watcher else {})
        kept = Checkpoint(self.step, self.weights.kept(whole=not is_best), state)
        brought = self.weights.brought(kept.tensors) if self.weights.are_divided else None
        save = checkpoints.save_best if is_best else checkpoints.save
        if self.job.group.seat.leads:
            self._write(lambda: save(self.job.checkpoints, kept, brought))
        for _rest in brought or ():  # others have nothing to write, nor the first who cannot
            pass
        self.job.group.once(lambda: None)

    def _write(self, save: Callable[[], None]) -> None:
        """Save; a full disk costs this checkpoint only, the run goes on with the one before."""
        try:
            save()
        except (OSError, SafetensorError):
            text = _("Saving step %(step)s failed, perhaps the disk is full; the run goes on.")
            self.job.events.warning("no_checkpoint", Sentence(text, step=self.step))
