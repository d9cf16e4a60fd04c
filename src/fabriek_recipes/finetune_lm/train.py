"""Fine-tunes: read, score, learn, score again, leave the model and the report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, cast

import torch

from fabriek_recipes.events import Json
from fabriek_recipes.finetune_lm.data import Encoded, encode, split
from fabriek_recipes.finetune_lm.knobs import WIDTH_MIN, Knobs
from fabriek_recipes.finetune_lm.scoring import Scores, is_right, score
from fabriek_recipes.rows import Row
from fabriek_recipes.training import lora, saving
from fabriek_recipes.training.base import Base, load
from fabriek_recipes.training.loop import Loop, Plan
from fabriek_recipes.training.packing import pack
from fabriek_recipes.training.process import Job
from fabriek_recipes.training.run import Clock, choose_device, fingerprint, last_checkpoint
from fabriek_recipes.words import Failed, Sentence, _

SAMPLES_SHOWN = 5
WRONG_KEPT = 20
WIDTH_STEP = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """What to learn from and to score on, in tokens, and the width they are packed to."""

    train: list[Encoded]
    held_out: list[Encoded]
    left_out: int
    width: int


def train(job: Job[Knobs]) -> None:
    """Run the recipe in the job's folder, from its last checkpoint when it has one."""
    clock = Clock()
    device = choose_device(job)
    torch.manual_seed(job.manifest.seed)
    job.events.stage(_("Reading the rows"))
    dataset = split(job.input("dataset"), job.knobs)
    job.stop.check()
    job.events.stage(_("Loading the model"))
    base = load(job.input("model"), device, frozen=job.knobs.method == "lora")
    rows = _rows(job, base, (dataset.train, dataset.held_out))
    found = last_checkpoint(job)
    kept = found.state if found else {}
    before = _scores_of(kept) if found else _scored(job, base, rows, "before")
    addition = _addition(job.knobs)
    if addition:
        lora.attach(base.model, addition)
    state = {"run": fingerprint(job), "before": _state_of(before)}
    loop = Loop(job, base.model, _plan(job, base, rows), state)
    if found:
        loop.resume(found)
    job.events.stage(_("Learning"))
    loop.run()
    after = _scored(job, base, rows, "after")
    facts = _facts(job, base, loop)
    job.group.once(lambda: _save(job, base, addition))
    facts["seconds"] = clock.seconds()
    job.group.once(lambda: _report(job, rows, (before, after), facts))


def _addition(knobs: Knobs) -> lora.Lora | None:
    if knobs.method == "full":
        return None
    return lora.Lora(rank=knobs.lora_rank, alpha=knobs.lora_alpha, dropout=knobs.lora_dropout)


def _rows(job: Job[Knobs], base: Base, rows: tuple[Sequence[Row], Sequence[Row]]) -> Rows:
    context = int(getattr(base.model.config, "max_position_embeddings", 0) or 1 << 30)
    most = min(job.knobs.tokens_per_row_max, context)
    train, held_out = (encode(part, base.tokenizer, most) for part in rows)
    left_out = len(rows[0]) + len(rows[1]) - len(train) - len(held_out)
    if not train:
        raise Failed(
            "rows_too_long",
            _("Every row is longer than %(most)s tokens; shorten them or raise “Longest row”."),
            most=most,
        )
    if left_out:
        text = _("%(count)s rows are longer than %(most)s tokens and were left out.")
        job.events.warning("rows_left_out", Sentence(text, count=left_out, most=most))
    if not held_out:
        text = _(
            "No rows were kept apart, so this run has no score; add rows or a held-out file."
        )
        job.events.warning("no_held_out", Sentence(text))
    longest = max(len(each.example.ids) for each in train + held_out)
    width = max(WIDTH_MIN, -(-longest // WIDTH_STEP) * WIDTH_STEP)
    return Rows(train=train, held_out=held_out, left_out=left_out, width=width)


def _scored(
    job: Job[Knobs], base: Base, rows: Rows, when: Literal["before", "after"]
) -> Scores | None:
    if not rows.held_out:
        return None
    job.events.stage(_("Scoring before") if when == "before" else _("Scoring after"))
    scores = score(
        base,
        rows.held_out,
        answer_tokens_max=job.knobs.answer_tokens_max,
        width=rows.width,
        stop=job.stop,
        group=job.group,
    )
    for each, answer in list(zip(rows.held_out, scores.answers, strict=True))[:SAMPLES_SHOWN]:
        job.events.sample(each.row.prompt, each.row.completion, answer, when)
    return scores


def _plan(job: Job[Knobs], base: Base, rows: Rows) -> Plan:
    knobs = job.knobs
    return Plan(
        rows=pack([each.example for each in rows.train], rows.width),
        rows_per_step=max(1, knobs.tokens_per_step // rows.width),
        epochs=knobs.epochs,
        fill=base.fill,
        seed=job.manifest.seed,
        learning_rate=knobs.learning_rate,
        warmup_percent=knobs.warmup_percent,
        weight_decay=knobs.weight_decay,
        gradient_norm_max=knobs.gradient_norm_max,
        checkpoint_every_steps=knobs.checkpoint_every_steps,
    )


def _state_of(scores: Scores | None) -> Json:
    if scores is None:
        return None
    return {"exact_match": scores.exact_match, "loss": scores.loss}


def _scores_of(state: dict[str, Json]) -> Scores | None:
    kept = cast("dict[str, float] | None", state["before"])
    return Scores(answers=(), **kept) if kept else None


def _facts(job: Job[Knobs], base: Base, loop: Loop[Knobs]) -> dict[str, Json]:
    trained = sum(weight.numel() for weight in loop.trained.values())
    total = sum(weight.numel() for weight in base.model.parameters())
    per_token = 6 * total if job.knobs.method == "full" else 4 * total
    return {
        "tokens_seen": loop.tokens,
        "parameters_trained": trained,
        "parameters_total": total,
        "flop_estimate": per_token * loop.tokens,
        "learning_seconds": round(loop.seconds, 2),
        "device": base.model.device.type,
    }


def _save(job: Job[Knobs], base: Base, addition: lora.Lora | None) -> None:
    job.events.stage(_("Saving"))
    name = job.manifest.inputs["model"].revision
    if addition:
        saving.whole(
            job.outputs / "adapter",
            lambda aside: lora.save(base.model, aside, lora=addition, base=name),
        )
        lora.merge(base.model)
    saving.model(job.outputs / "model", base.model, base.tokenizer, base.dtype)


def _report(
    job: Job[Knobs],
    rows: Rows,
    scores: tuple[Scores | None, Scores | None],
    facts: dict[str, Json],
) -> None:
    before, after = scores
    summary: dict[str, float | None] = {}
    for when, found in (("before", before), ("after", after)):
        summary[f"exact_match_{when}"] = round(found.exact_match, 4) if found else None
        summary[f"loss_{when}"] = round(found.loss, 4) if found else None
    report: dict[str, Json] = {
        "scores": dict(summary),
        "rows_trained": len(rows.train),
        "rows_held_out": len(rows.held_out),
        "rows_left_out": rows.left_out,
        "wrong": _wrong(rows, after),
        **facts,
    }
    job.events.result(summary)
    saving.report(job.folder, report)


def _wrong(rows: Rows, after: Scores | None) -> Json:
    if after is None:
        return []
    pairs = zip(rows.held_out, after.answers, strict=True)
    wrong: list[Json] = [
        {"prompt": each.row.prompt, "expected": each.row.completion, "answer": answer}
        for each, answer in pairs
        if not is_right(each, answer)
    ]
    return wrong[:WRONG_KEPT]
