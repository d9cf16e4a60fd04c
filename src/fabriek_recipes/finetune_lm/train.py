"""Fine-tunes: read, score, learn, score again, leave the model and the report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, cast

import torch

from fabriek_recipes import evaluation
from fabriek_recipes.events import Json
from fabriek_recipes.finetune_lm.data import Split, name_of, split
from fabriek_recipes.finetune_lm.judging import judged
from fabriek_recipes.finetune_lm.knobs import Knobs, need
from fabriek_recipes.finetune_lm.scoring import Scores, score
from fabriek_recipes.training import adapting, refusals, saving
from fabriek_recipes.training.base import Base
from fabriek_recipes.training.encoding import (
    Encoded,
    check_fits,
    context_of,
    dress,
    encode,
)
from fabriek_recipes.training.held_out import Halves, halved
from fabriek_recipes.training.loop import Loop
from fabriek_recipes.training.packing import pack
from fabriek_recipes.training.plan import Plan, planned
from fabriek_recipes.training.process import Job
from fabriek_recipes.training.run import Clock, choose_device, fingerprint, last_checkpoint
from fabriek_recipes.training.showing import show
from fabriek_recipes.training.watching import Watch, some
from fabriek_recipes.words import _

SAMPLES_SHOWN = 5
WRONG_KEPT = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """What to learn from and to score on, in tokens, and the width they are packed to."""

    train: list[Encoded]
    apart: Halves[Encoded]
    left_out: int
    width: int

    @property
    def held_out(self) -> Sequence[Encoded]:
        """Those to score on."""
        return self.apart.scored


def train(job: Job[Knobs]) -> None:
    """Run the recipe in the job's folder, from its last checkpoint when it has one."""
    clock = Clock()
    device = choose_device(job)
    torch.manual_seed(job.manifest.seed)
    job.events.stage(_("Reading the rows"))
    dataset = split(job.input("dataset"), job.knobs)
    if dataset.by:
        job.events.warning("split_column", dataset.by.sentence)
    job.stop.check()
    job.events.stage(_("Loading the model"))
    base, added = adapting.prepared(job, job.knobs, device, need)
    rows = _rows(job, base, dataset)
    found = last_checkpoint(job)
    kept = found.state if found else {}
    # A part of a run does not score its base, so that the rest of it does.
    before = _scores_of(kept) if found else None
    before = before or _scored(job, base, rows, "before")
    state = {"run": fingerprint(job), "before": _state_of(before)}
    loop = Loop(job, base.model, _plan(job, base, rows), state)
    loop.watch(_watch(job, base, rows))
    if found:
        loop.resume(found)
    job.events.stage(_("Learning"))
    loop.run()
    after = _scored(job, base, rows, "after")
    facts = _facts(job, base, loop)
    if not job.is_part:
        adapting.leave(job, base, added)
    facts["seconds"] = clock.seconds()
    job.group.once(lambda: _report(job, rows, (before, after), facts))


def _rows(job: Job[Knobs], base: Base, rows: Split) -> Rows:
    most = min(job.knobs.tokens_per_row_max, context_of(base))
    every = job.knobs.answers_learned == "all"
    made = [encode(part, base.tokenizer, every=every) for part in (rows.train, rows.held_out)]
    check_fits(base, [each.example.ids for part in made for each in part])
    train, held_out = (
        [each for each in part if len(each.example.ids) <= most] for part in made
    )
    if not train:
        raise refusals.all_too_long(most, asked=job.knobs.tokens_per_row_max)
    left = [each.row.line for part in made for each in part if len(each.example.ids) > most]
    if left:
        job.events.warning("rows_left_out", refusals.too_long(left, most))
    if not held_out:
        job.events.warning("no_held_out", refusals.none_held_out())
    longest = max(len(each.example.ids) for each in train + held_out)
    width = adapting.width_for(longest)
    names = [name_of(each.row) for each in held_out]
    apart = halved(held_out, names, choosing=job.knobs.stop_after_looks > 0)
    return Rows(train=train, apart=apart, left_out=len(left), width=width)


def _watch(job: Job[Knobs], base: Base, rows: Rows) -> Watch:
    """Choose the rows to look at, and the first few questions."""
    knobs, looked_at = job.knobs, rows.apart.looked_at
    tokens = sum(len(each.example.ids) for each in rows.train) * knobs.epochs
    total = sum(weight.numel() for weight in base.model.parameters())

    def write(step: int) -> None:
        show(job, base, looked_at, step=step, tokens_max=knobs.answer_tokens_max)

    return Watch(
        rows=some([each.example for each in looked_at], width=rows.width, tokens=tokens),
        flop_per_token=adapting.flop_per_token(knobs.method, total),
        patience=knobs.stop_after_looks,
        remark=rows.apart.remark,
        show=write if looked_at else None,
    )


def _scored(
    job: Job[Knobs], base: Base, rows: Rows, when: Literal["before", "after"]
) -> Scores | None:
    if not rows.held_out or job.is_dry or (job.is_part and when == "before"):
        return None
    job.events.stage(_("Scoring before") if when == "before" else _("Scoring after"))
    scores = score(
        base,
        rows.held_out,
        # Writing answers takes longest, and what a part tells is its loss.
        answer_tokens_max=0 if job.is_part else job.knobs.answer_tokens_max,
        width=rows.width,
        stop=job.stop,
        group=job.group,
    )
    if job.is_part:
        return scores
    told = zip(rows.held_out, scores.expected, scores.answers, strict=True)
    for each, expected, answer in list(told)[:SAMPLES_SHOWN]:
        job.events.sample(each.row.prompt, expected, answer, when)
    return scores


def _plan(job: Job[Knobs], base: Base, rows: Rows) -> Plan:
    knobs = job.knobs
    return planned(
        knobs,
        pack([each.example for each in rows.train], rows.width),
        rows_per_step=max(1, knobs.tokens_per_step // rows.width),
        seed=job.manifest.seed,
        fill=base.fill,
    )


def _state_of(scores: Scores | None) -> Json:
    if scores is None:
        return None
    return {"exact_match": scores.exact_match, "loss": scores.loss}


def _scores_of(state: dict[str, Json]) -> Scores | None:
    kept = cast("dict[str, float] | None", state["before"])
    return Scores(exact_match=kept["exact_match"], loss=kept["loss"]) if kept else None


def _facts(job: Job[Knobs], base: Base, loop: Loop[Knobs]) -> dict[str, Json]:
    trained = sum(weight.numel() for weight in loop.trained.values())
    total = sum(weight.numel() for weight in base.model.parameters())
    per_token = adapting.flop_per_token(job.knobs.method, total)
    return {
        "tokens_seen": loop.tokens,
        "parameters_trained": trained,
        "parameters_total": total,
        "flop_estimate": per_token * loop.tokens,
        "learning_seconds": round(loop.seconds, 2),
        "device": base.model.device.type,
        **loop.ended(),
        "answers_learned": job.knobs.answers_learned,
        "chat_template_sha256": dress(base.tokenizer),
    }


def _report(
    job: Job[Knobs],
    rows: Rows,
    scores: tuple[Scores | None, Scores | None],
    facts: dict[str, Json],
) -> None:
    before, after = scores
    summary: dict[str, float | None] = {}
    for when, found in (("before", before), ("after", after)):
        if not job.is_part:
            summary[f"exact_match_{when}"] = round(found.exact_match, 4) if found else None
        summary[f"loss_{when}"] = round(found.loss, 4) if found else None
    report: dict[str, Json] = {
        "scores": dict(summary),
        "rows_trained": len(rows.train),
        **rows.apart.facts(),
        "rows_left_out": rows.left_out,
        "wrong": _wrong(rows, after),
        **facts,
    }
    if before and after and not job.is_part:
        judgement = judged(rows.held_out, before, after, seed=job.manifest.seed)
        evaluation.save(job.folder, judgement)
    job.events.result(summary)
    saving.report(job.folder, report)


def _wrong(rows: Rows, after: Scores | None) -> Json:
    if after is None or not after.answers:
        return []
    told = zip(rows.held_out, after.expected, after.answers, strict=True)
    wrong: list[Json] = [
        {"prompt": each.row.prompt, "expected": expected, "answer": answer}
        for each, expected, answer in told
        if answer != expected
    ]
    return wrong[:WRONG_KEPT]
