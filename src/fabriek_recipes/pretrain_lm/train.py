"""Trains from nothing: tokenizer, packed texts, the loop, the loss on text kept apart."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from tokenizers import Tokenizer
from transformers import (
    GenerationConfig,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

from fabriek_recipes.events import Json
from fabriek_recipes.pretrain_lm import tokenizer as pieces
from fabriek_recipes.pretrain_lm.knobs import SHAPES, Knobs, rows_per_step
from fabriek_recipes.rows import RowProblem, files_of, read_texts
from fabriek_recipes.training import saving
from fabriek_recipes.training.base import Base
from fabriek_recipes.training.group import ALONE
from fabriek_recipes.training.loop import Loop, Plan
from fabriek_recipes.training.packing import Example, pack
from fabriek_recipes.training.prediction import answers, mean_loss
from fabriek_recipes.training.process import Job
from fabriek_recipes.training.run import (
    Clock,
    choose_device,
    fingerprint,
    last_checkpoint,
    refuse,
)
from fabriek_recipes.training.watching import Watch, some
from fabriek_recipes.words import Failed, Sentence, _

# With fewer texts than this, each line counts as one: the file has hardly any blank lines.
TEXTS_MIN = 20
SAMPLES = 3
SAMPLE_PROMPT_TOKENS, SAMPLE_ANSWER_TOKENS = 12, 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Corpus:
    """Texts to learn from and texts to score on."""

    train: list[str]
    held_out: list[str]


def train(job: Job[Knobs]) -> None:
    """Run the recipe in the job's folder, from its last checkpoint when it has one."""
    clock = Clock()
    device = choose_device(job)
    torch.manual_seed(job.manifest.seed)
    job.events.stage(_("Reading the text"))
    corpus = _corpus(job.input("dataset"), job.knobs)
    job.stop.check()
    tokenizer = _tokenizer(job, corpus)
    model = _model(job.knobs, tokenizer).to(device)
    base = Base(model=model, tokenizer=tokenizer, dtype=torch.float32)
    held_out = _examples(corpus.held_out, tokenizer, job.knobs.context_tokens)
    found = last_checkpoint(job)
    before = found.state["before"] if found else _loss(base, held_out, job)
    plan = _plan(job, base, _examples(corpus.train, tokenizer, job.knobs.context_tokens))
    loop = Loop(job, model, plan, {"run": fingerprint(job), "before": before})
    loop.watch(_watch(job, base, plan, held_out))
    if found:
        loop.resume(found)
    job.events.stage(_("Learning"))
    loop.run()
    job.events.stage(_("Scoring after"))
    after = _loss(base, held_out, job)
    _show(job, base, held_out, "after")
    job.events.stage(_("Saving"))
    job.group.once(lambda: saving.model(job.outputs / "model", model, tokenizer, torch.float32))
    facts: dict[str, Json] = {"before": before, "after": after, "s": clock.seconds()}
    job.group.once(lambda: _report(job, corpus, loop, facts))


def _tokenizer(job: Job[Knobs], corpus: Corpus) -> PreTrainedTokenizerFast:
    job.events.stage(_("Making the tokenizer"))
    path = job.checkpoints / "tokenizer.json"
    job.group.once(lambda: pieces.make(path, corpus.train, job.knobs.vocabulary))
    made = pieces.dressed(Tokenizer.from_file(str(path)), job.knobs.context_tokens)
    job.stop.check()
    return made


def _corpus(dataset: Path, knobs: Knobs) -> Corpus:
    """Read every text; keep apart the held-out files, or the texts with the lowest hash."""
    contents = files_of(dataset, plain=True)
    if not contents.train:
        raise Failed("no_rows", _("The dataset has no .txt or .jsonl file; add your text."))
    texts = _texts(contents.train)
    if contents.held_out:
        return Corpus(train=texts, held_out=_texts(contents.held_out))
    wanted = math.ceil(len(texts) * knobs.held_out_percent / 100) if len(texts) > 1 else 0
    apart = set(sorted({_hash(text) for text in texts})[:wanted])
    return Corpus(
        train=[text for text in texts if _hash(text) not in apart],
        held_out=[text for text in texts if _hash(text) in apart],
    )


def _texts(files: Sequence[Path]) -> list[str]:
    texts = [text for path in files for text in _read(path)]
    if len(texts) >= TEXTS_MIN:
        return texts
    return [line for text in texts for line in text.splitlines() if line.strip()]


def _read(path: Path) -> Iterator[str]:
    for item in read_texts(path):
        if isinstance(item, RowProblem):
            raise refuse(item, path.name)
        yield item


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _examples(
    texts: Sequence[str], tokenizer: PreTrainedTokenizerFast, width: int
) -> list[Example]:
    """Turn texts into tokens with an end each; a long text is cut into windows."""
    end = tokenizer.eos_token
    encoded = tokenizer([text + end for text in texts])["input_ids"] if texts else []
    return [
        Example(window, 1)
        for ids in encoded
        for window in torch.split(torch.tensor(ids, dtype=torch.int32), width)
        if len(window) > 1
    ]


def _model(knobs: Knobs, tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    shape = SHAPES[knobs.size]
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=shape.width,
        intermediate_size=shape.inner,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.heads,
        head_dim=shape.width // shape.heads,
        max_position_embeddings=knobs.context_tokens,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        attn_implementation="sdpa",
    )
    model = LlamaForCausalLM(config)
    model.generation_config = GenerationConfig(
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id
    )
    return model


def _plan(job: Job[Knobs], base: Base, examples: list[Example]) -> Plan:
    if not examples:
        raise Failed("no_rows", _("The text is too short to learn from; add more."))
    knobs = job.knobs
    return Plan(
        rows=pack(examples, knobs.context_tokens),
        rows_per_step=rows_per_step(knobs),
        epochs=knobs.epochs,
        fill=base.fill,
        seed=job.manifest.seed,
        learning_rate=knobs.learning_rate,
        warmup_percent=knobs.warmup_percent,
        weight_decay=knobs.weight_decay,
        gradient_norm_max=knobs.gradient_norm_max,
        checkpoint_every_steps=knobs.checkpoint_every_steps,
    )


def _loss(base: Base, held_out: list[Example], job: Job[Knobs]) -> float | None:
    if job.is_dry:
        return None
    if not held_out:
        text = _(
            "No text was kept apart, so this run has no score; add text or a held-out file."
        )
        job.events.warning("no_held_out", Sentence(text))
        return None
    rows = pack(held_out, job.knobs.context_tokens)
    return mean_loss(base, rows, size=1, stop=job.stop, group=job.group)


def _watch(job: Job[Knobs], base: Base, plan: Plan, held_out: list[Example]) -> Watch:
    tokens = sum(len(each.ids) for row in plan.rows for each in row) * job.knobs.epochs
    return Watch(
        base=base,
        rows=some(held_out, width=job.knobs.context_tokens, tokens=tokens),
        flop_per_token=_flop_per_token(job.knobs, _weights(base.model)),
        patience=job.knobs.stop_after_looks,
        show=lambda step: _show(job, base, held_out, step),
    )


def _weights(model: PreTrainedModel) -> int:
    return sum(weight.numel() for weight in model.parameters())


def _flop_per_token(knobs: Knobs, weights: int) -> int:
    shape = SHAPES[knobs.size]
    return 6 * (weights + shape.layers * shape.width * knobs.context_tokens)


def _show(
    job: Job[Knobs], base: Base, held_out: list[Example], when: Literal["after"] | int
) -> None:
    """Let the model go on from the beginnings of a few texts it has not seen."""
    chosen = [each for each in held_out if len(each.ids) > 2 * SAMPLE_PROMPT_TOKENS][:SAMPLES]
    if not chosen:
        return
    prompts = [each.ids[:SAMPLE_PROMPT_TOKENS].tolist() for each in chosen]
    found = answers(
        base.model,
        prompts,
        stops=base.stops,
        tokens_max=SAMPLE_ANSWER_TOKENS,
        check=job.stop.check if when == "after" else lambda: None,
        group=job.group if when == "after" else ALONE,  # the others do not write meanwhile
    )
    for each, prompt, answer in zip(chosen, prompts, found, strict=True):
        rest = each.ids[SAMPLE_PROMPT_TOKENS:][:SAMPLE_ANSWER_TOKENS].tolist()
        texts = [
            base.tokenizer.decode(ids, skip_special_tokens=True)
            for ids in (prompt, rest, answer)
        ]
        job.events.sample(texts[0], texts[1], texts[2], when)


def _report(job: Job[Knobs], corpus: Corpus, loop: Loop[Knobs], found: dict[str, Json]) -> None:
    total = _weights(loop.model)
    scores: dict[str, float | None] = {}
    for when in ("before", "after"):
        value = found[when]
        scores[f"loss_{when}"] = round(value, 4) if isinstance(value, float) else None
    report: dict[str, Json] = {
        "scores": dict(scores),
        "rows_trained": len(corpus.train),
        "rows_held_out": len(corpus.held_out),
        "tokens_seen": loop.tokens,
        "parameters_trained": total,
        "parameters_total": total,
        "flop_estimate": _flop_per_token(job.knobs, total) * loop.tokens,
        "learning_seconds": round(loop.seconds, 2),
        "seconds": found["s"],
        "device": loop.model.device.type,
        **loop.ended(),
    }
    job.events.result(scores)
    saving.report(job.folder, report)
