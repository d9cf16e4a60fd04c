"""Pretrains: count and split the text, make rows of tokens, read before, learn, read after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

import torch
from torch import nn

from fabriek_recipes import evaluation
from fabriek_recipes.events import Json
from fabriek_recipes.pretrain_lm import corpus, estimating, scoring, started
from fabriek_recipes.pretrain_lm.corpus import Corpus, Split, Surveyed
from fabriek_recipes.pretrain_lm.encoding import encoder
from fabriek_recipes.pretrain_lm.knobs import Knobs
from fabriek_recipes.pretrain_lm.making import Maker
from fabriek_recipes.pretrain_lm.scoring import Pair, Read, Text
from fabriek_recipes.pretrain_lm.survey import hash_of
from fabriek_recipes.pretrain_lm.telling import facts_of, show
from fabriek_recipes.training import adapting, lora, refusals, saving, shards
from fabriek_recipes.training.base import Base
from fabriek_recipes.training.held_out import Halves, halved
from fabriek_recipes.training.loop import Loop
from fabriek_recipes.training.process import Job
from fabriek_recipes.training.run import Clock, choose_device, fingerprint, last_checkpoint
from fabriek_recipes.training.streaming import Stream, Streamed
from fabriek_recipes.training.watching import Watch, some
from fabriek_recipes.words import Sentence, _

OWN, GENERAL = "dataset", "general"
# Of general text that is much larger than what is needed of it, so much more is taken.
SPARE = 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Texts:
    """One corpus: its rows, and the texts kept apart in tokens. `seed` is of its order."""

    made: Corpus
    apart: Halves[Text]

    def stream(self, seed: str) -> Stream:
        """Give the rows as a run goes through them."""
        return Stream(rows=self.made.rows, seed=seed, most_texts=self.made.made.most_texts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """What a run starts from: both corpora, the model, and what is added to it."""

    base: Base
    width: int
    own: Texts
    general: Texts | None
    added: lora.Lora | None
    fertility: dict[str, Json] = field(default_factory=dict)

    def corpora(self) -> dict[str, Texts]:
        """Give the corpora that there are."""
        return {OWN: self.own, **({GENERAL: self.general} if self.general else {})}


def train(job: Job[Knobs]) -> None:
    """Run the recipe in the job's folder, from its last checkpoint when it has one."""
    clock = Clock()
    device = choose_device(job)
    start = _start(job, device)
    found = last_checkpoint(job)
    before = _of_state(found.state["before"], start, job.manifest.seed) if found else {}
    before = before or _read(job, start, "before")
    loop = _loop(job, start, before)
    if found:
        loop.resume(found)
    job.events.stage(_("Learning"))
    loop.run()
    after = _read(job, start, "after")
    trained = sum(weight.numel() for weight in loop.trained.values())
    if not job.is_part:
        show(job, start.base, start.own.apart.scored, "after")
        _save(job, start)
    pairs = {name: Pair(before=before.get(name), after=read) for name, read in after.items()}
    facts = _facts(job, start, loop, trained) | {"seconds": clock.seconds()}
    job.group.once(lambda: _report(job, pairs, facts))


# --- before learning ---------------------------------------------------------------------
def _start(job: Job[Knobs], device: torch.device) -> Start:
    job.events.stage(_("Reading the text"))
    split = Split(percent=job.knobs.held_out_percent, most=job.knobs.held_out_texts_max)
    own = corpus.surveyed(job, OWN, split)
    general = _general(job, split, own)
    # Twins of what is scored are not learned from, whichever corpus they stand in.
    apart = own.apart | (general.apart if general else frozenset())
    base, added = started.base_for(job, own, device, apart=apart)
    width = started.width_of(job, base)
    encode = encoder(base.tokenizer)
    maker = Maker(
        encode=encode,
        width=width,
        apart=apart,
        by_line=own.by_line,
        seed=job.manifest.seed,
        told=lambda _size: None,
    )
    job.events.stage(_("Turning text into tokens"))
    made = _texts(job, own, maker)
    mixed = _texts(job, general, maker) if general else None
    for one in (made, mixed):
        if one:
            _check_fits(base, one.made.made.highest)
    _say_apart(job, made)
    return Start(
        base=base,
        width=width,
        own=made,
        general=mixed,
        added=added,
        fertility=started.fertility(job, encode, made.made),
    )


def _general(job: Job[Knobs], split: Split, own: Surveyed) -> Surveyed | None:
    """Survey as much general text as will be mixed in, if there is any."""
    percent = job.knobs.mixed_percent
    if GENERAL not in job.manifest.inputs or not percent:
        return None
    needed = own.counted.text_bytes * job.knobs.epochs * percent / (100 - percent)
    return corpus.surveyed(job, GENERAL, split, bytes_max=int(SPARE * needed) + 2**20)


def _texts(job: Job[Knobs], found: Surveyed, maker: Maker) -> Texts:
    made = corpus.made(job, found, maker, texts_max=job.knobs.held_out_texts_max)
    names = [hash_of(text) for text in made.held_out]
    apart = scoring.texts_of(made.held_out, names, maker.encode, maker.width)
    choosing = job.knobs.stop_after_looks > 0 and found.name == OWN
    named = [str(text.name) for text in apart]
    return Texts(made=made, apart=halved(apart, named, choosing=choosing))


def _check_fits(base: Base, highest: int) -> None:
    known = int(base.model.get_input_embeddings().weight.shape[0])
    if highest >= known:
        raise refusals.bad_tokenizer(known=known, highest=highest)


def _say_apart(job: Job[Knobs], own: Texts) -> None:
    if not own.apart.scored and not job.is_dry:
        text = _(
            "No text was kept apart, so this run has no score; add text or a held-out file."
        )
        job.events.warning("no_held_out", Sentence(text))


# --- learning ----------------------------------------------------------------------------
def _loop(job: Job[Knobs], start: Start, before: Mapping[str, Read]) -> Loop[Knobs]:
    kept: dict[str, Json] = {
        name: cast("Json", list(read.losses)) for name, read in before.items()
    }
    plan = _plan(job, start)
    loop = Loop(job, start.base.model, plan, {"run": fingerprint(job), "before": kept})
    loop.watch(_watch(job, start, plan))
    return loop


def _plan(job: Job[Knobs], start: Start) -> Streamed:
    knobs, seed = job.knobs, job.manifest.seed
    return Streamed(
        rows=start.own.made.rows,
        stream=start.own.stream(f"{seed}"),
        mixed_in=start.general.stream(f"{seed}:{GENERAL}") if start.general else None,
        mixed_percent=knobs.mixed_percent,
        rows_per_step=max(1, knobs.tokens_per_step // start.width),
        epochs=knobs.epochs,
        fill=start.base.fill,
        seed=seed,
        learning_rate=_rate(job, start.base),
        warmup_percent=knobs.warmup_percent,
        weight_decay=knobs.weight_decay,
        gradient_norm_max=knobs.gradient_norm_max,
        checkpoint_every_steps=knobs.checkpoint_every_steps,
    )


def _rate(job: Job[Knobs], base: Base) -> float:
    return estimating.rate(job.knobs, base_parameters=_weights(base.model))


def _watch(job: Job[Knobs], start: Start, plan: Streamed) -> Watch:
    looked_at = start.own.apart.looked_at
    windows = [window for text in looked_at for window in text.windows]
    tokens = start.own.made.made.tokens * job.knobs.epochs
    return Watch(
        rows=some(windows, width=plan.widest, tokens=tokens),
        flop_per_token=_flop_per_token(job, start.base),
        patience=job.knobs.stop_after_looks,
        remark=start.own.apart.remark,
        show=lambda step: show(job, start.base, looked_at, step),
    )


def _flop_per_token(job: Job[Knobs], base: Base) -> int:
    return estimating.flop_per_token(job.knobs, _weights(base.model))


def _weights(model: nn.Module) -> int:
    return sum(weight.numel() for weight in model.parameters())


# --- scores ------------------------------------------------------------------------------
def _read(job: Job[Knobs], start: Start, when: str) -> dict[str, Read]:
    """Read all texts kept apart; a part of a run does not score its base: the rest does."""
    if job.is_dry or (job.is_part and when == "before") or not start.own.apart.scored:
        return {}
    job.events.stage(_("Scoring before") if when == "before" else _("Scoring after"))
    return {
        name: scoring.read(job, start.base, one.apart.scored)
        for name, one in start.corpora().items()
        if one.apart.scored
    }


def _of_state(kept: Json, start: Start, seed: int) -> dict[str, Read]:
    told = cast("dict[str, list[float]]", kept)
    return {
        name: Read(texts=one.apart.scored, losses=told[name], seed=seed)
        for name, one in start.corpora().items()
        if name in told
    }


# --- after learning ----------------------------------------------------------------------
def _save(job: Job[Knobs], start: Start) -> None:
    if job.knobs.goes_on:
        adapting.leave(job, start.base, start.added)
        return
    job.events.stage(_("Saving"))
    base, place = start.base, job.outputs / "model"
    whole = shards.together(base.model)
    job.group.once(lambda: saving.model(place, whole, base.tokenizer, base.dtype))


def _facts(job: Job[Knobs], start: Start, loop: Loop[Knobs], trained: int) -> dict[str, Json]:
    base = start.base
    total = trained if not job.knobs.goes_on else _weights(base.model)
    found = facts_of(loop, start.own.made, start.general.made if start.general else None)
    return {
        **found,
        **start.own.apart.facts(),
        **start.fertility,
        "parameters_trained": trained,
        "parameters_total": total,
        "flop_estimate": _flop_per_token(job, base) * loop.tokens,
        "learning_rate": loop.plan.learning_rate,
        "device": base.model.device.type,
        **loop.ended(),
    }


def _report(job: Job[Knobs], pairs: Mapping[str, Pair], facts: dict[str, Json]) -> None:
    own, general = pairs.get(OWN), pairs.get(GENERAL)
    scores = _scores(own, general)
    if own:
        found = scoring.evaluation(own, general, goes_on=job.knobs.goes_on)
        evaluation.save(job.folder, found)
    job.events.result(scores)
    saving.report(job.folder, {"scores": dict(scores), **facts})


def _scores(own: Pair | None, general: Pair | None) -> dict[str, float | None]:
    reads: Sequence[tuple[str, Read | None]] = (
        ("before", own.before if own else None),
        ("after", own.after if own else None),
    )
    scores: dict[str, float | None] = {}
    for when, read in reads:
        scores[f"loss_{when}"] = round(read.loss, 4) if read else None
    if own:
        scores |= own.scores("text")
    if general:
        scores |= general.scores("general")
    for when, read in reads:
        scores[f"bits_per_byte_{when}"] = round(read.bits_per_byte, 4) if read else None
    return scores
