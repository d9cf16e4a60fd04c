"""Learns from preferences: read, ask the base model, learn, score, leave model and report."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import torch

from fabriek_recipes import evaluation
from fabriek_recipes.evaluation import Evaluation, Worst, cut
from fabriek_recipes.events import Json
from fabriek_recipes.pairs import Pair
from fabriek_recipes.prefer_lm.data import (
    EncodedPair,
    Likelihoods,
    Split,
    name_of,
    packed,
    split,
)
from fabriek_recipes.prefer_lm.knobs import Knobs, need
from fabriek_recipes.prefer_lm.scoring import Judged, judged
from fabriek_recipes.run_folder import write_whole
from fabriek_recipes.training import adapting, refusals, saving
from fabriek_recipes.training.base import Base
from fabriek_recipes.training.encoding import check_fits, context_of, dress, encode
from fabriek_recipes.training.held_out import Halves, halved
from fabriek_recipes.training.loop import Loop
from fabriek_recipes.training.plan import Plan, planned
from fabriek_recipes.training.preference import Preference
from fabriek_recipes.training.process import Job
from fabriek_recipes.training.run import Clock, choose_device, fingerprint, last_checkpoint
from fabriek_recipes.training.showing import show
from fabriek_recipes.training.watching import Watch, spread
from fabriek_recipes.words import _

REFERENCE = "reference.json"
WORST_KEPT = 20

# What the base model said of both answers of each pair.
Reference = Mapping[EncodedPair, tuple[float, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """What to learn from and to score on, in tokens, and the width they are packed to."""

    train: list[EncodedPair]
    held_out: list[EncodedPair]
    apart: Halves[EncodedPair]
    left_out: int
    width: int


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
    pairs = _pairs(job, base, dataset)
    reference = _reference(job, base, pairs)
    found = last_checkpoint(job)
    loop = Loop(
        job,
        base.model,
        _plan(job, base, pairs, reference),
        {"run": fingerprint(job)},
        Preference(beta=job.knobs.beta, doubt=job.knobs.doubt_percent / 100),
    )
    loop.watch(_watch(job, base, pairs, reference))
    if found:
        loop.resume(found)
    job.events.stage(_("Learning"))
    loop.run()
    told = _scored(job, base, pairs.apart.scored, reference)
    facts = _facts(job, base, loop, pairs)
    if not job.is_part:
        adapting.leave(job, base, added)
    facts["seconds"] = clock.seconds()
    job.group.once(lambda: _report(job, told, facts))


def _pairs(job: Job[Knobs], base: Base, dataset: Split) -> Pairs:
    most = min(job.knobs.tokens_per_row_max, context_of(base))
    made = [_encoded(part, base) for part in (dataset.train, dataset.held_out)]
    both = [example for part in made for pair in part for example in pair.examples]
    check_fits(base, [example.ids for example in both])
    train, held_out = ([pair for pair in part if pair.longest <= most] for part in made)
    if not train:
        raise refusals.all_too_long(most, asked=job.knobs.tokens_per_row_max)
    left = [pair.line for part in made for pair in part if pair.longest > most]
    if left:
        job.events.warning("rows_left_out", refusals.too_long(left, most))
    if not held_out:
        job.events.warning("no_held_out", refusals.none_held_out())
    longest = max(pair.tokens for pair in train)
    names = [name_of(pair.chosen.row) for pair in held_out]
    return Pairs(
        train=train,
        held_out=held_out,
        apart=halved(held_out, names, choosing=job.knobs.stop_after_looks > 0),
        left_out=len(left),
        width=adapting.width_for(longest),
    )


def _encoded(pairs: Sequence[Pair], base: Base) -> list[EncodedPair]:
    chosen, rejected = (
        encode(rows, base.tokenizer, every=False)
        for rows in ([pair.chosen for pair in pairs], [pair.rejected for pair in pairs])
    )
    return [
        EncodedPair(chosen=one, rejected=other)
        for one, other in zip(chosen, rejected, strict=True)
    ]


def _reference(job: Job[Knobs], base: Base, pairs: Pairs) -> Reference:
    """Ask the base model once how likely each answer is, and keep it beside the checkpoints.

    A resumed run reads it there: another machine might find something else in the last bit.
    A dry run measures steps, which take as long whatever was said.
    """
    every = pairs.train + pairs.held_out
    if job.is_dry:
        return dict.fromkeys(every, (0.0, 0.0))
    path, name = job.checkpoints / REFERENCE, fingerprint(job)

    def kept() -> list[list[float]] | None:
        try:
            found = json.loads(path.read_bytes())
        except (OSError, ValueError):
            return None
        return cast("list[list[float]]", found["told"]) if found["run"] == name else None

    told = job.group.once(kept)
    if told is None:
        job.events.stage(_("Asking the base model"))
        made = judged(job, base, every)
        text = json.dumps({"run": name, "told": made})
        job.group.once(lambda: write_whole(path, text))
        return dict(zip(every, made, strict=True))
    return dict(zip(every, ((chosen, rejected) for chosen, rejected in told), strict=True))


def _said(reference: Reference, pairs: Sequence[EncodedPair]) -> Likelihoods:
    return [reference[pair] for pair in pairs]


def _watch(job: Job[Knobs], base: Base, pairs: Pairs, reference: Reference) -> Watch:
    """Choose pairs to look at by the loss they are learned by, and a few questions."""
    knobs, looked_at = job.knobs, pairs.apart.looked_at
    tokens = sum(pair.tokens for pair in pairs.train) * knobs.epochs
    some = spread(looked_at, [pair.tokens for pair in looked_at], tokens=tokens)
    width = adapting.width_for(max((pair.tokens for pair in some), default=0))
    total = sum(weight.numel() for weight in base.model.parameters())
    asked = [pair.chosen for pair in looked_at]
    return Watch(
        rows=packed(some, _said(reference, some), width),
        flop_per_token=adapting.flop_per_token(knobs.method, total),
        patience=knobs.stop_after_looks,
        remark=pairs.apart.remark,
        show=(lambda step: show(job, base, asked, step=step)) if asked else None,
    )


def _plan(job: Job[Knobs], base: Base, pairs: Pairs, reference: Reference) -> Plan:
    knobs = job.knobs
    return planned(
        knobs,
        packed(pairs.train, _said(reference, pairs.train), pairs.width),
        rows_per_step=max(1, knobs.tokens_per_step // pairs.width),
        seed=job.manifest.seed,
        fill=base.fill,
    )


def _scored(
    job: Job[Knobs], base: Base, pairs: Sequence[EncodedPair], reference: Reference
) -> Judged | None:
    if not pairs:
        return None
    job.events.stage(_("Scoring after"))
    return Judged(
        pairs=pairs,
        before=_said(reference, pairs),
        after=judged(job, base, pairs),
        beta=job.knobs.beta,
        seed=job.manifest.seed,
    )


def _facts(job: Job[Knobs], base: Base, loop: Loop[Knobs], pairs: Pairs) -> dict[str, Json]:
    total = sum(weight.numel() for weight in base.model.parameters())
    per_token = adapting.flop_per_token(job.knobs.method, total)
    return {
        "rows_trained": len(pairs.train),
        **pairs.apart.facts(),
        "rows_left_out": pairs.left_out,
        "tokens_seen": loop.tokens,
        "parameters_trained": sum(weight.numel() for weight in loop.trained.values()),
        "parameters_total": total,
        "flop_estimate": per_token * loop.tokens,
        "learning_seconds": round(loop.seconds, 2),
        "device": base.model.device.type,
        **loop.ended(),
        "chat_template_sha256": dress(base.tokenizer),
    }


def _report(job: Job[Knobs], told: Judged | None, facts: dict[str, Json]) -> None:
    scores = told.scores() if told else []
    summary: dict[str, float | None] = {}
    for score in scores:
        if score.before is not None:
            summary[f"{score.name}_before"] = round(score.before, 4)
        summary[f"{score.name}_after"] = round(score.value, 4)
    if told:
        found = Evaluation(rows=len(told.pairs), scores=scores, worst=_worst(told))
        evaluation.save(job.folder, found)
    job.events.result(summary)
    saving.report(job.folder, {"scores": dict(summary), **facts})


def _worst(told: Judged) -> list[Worst]:
    """Show the pairs of which the model moved furthest the wrong way."""
    ranked = sorted(zip(told.margins(), told.pairs, strict=True), key=lambda each: each[0])
    return [
        Worst(
            row=str(pair.line),
            truth=cut(pair.chosen.row.completion),
            said=cut(pair.rejected.row.completion),
            distance=round(-margin, 6),
            shown=cut(pair.chosen.row.prompt, evaluation.SHOWN_CELLS_MAX),
        )
        for margin, pair in ranked[:WORST_KEPT]
        if margin <= 0
    ]
