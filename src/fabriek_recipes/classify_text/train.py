"""Teaches labels of texts: read, yardstick, learn, score, leave the model and the report."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from fabriek_recipes import evaluation
from fabriek_recipes.classify_text import split, yardstick
from fabriek_recipes.classify_text.knobs import Knobs
from fabriek_recipes.classify_text.rows import Text
from fabriek_recipes.classify_text.split import Rows
from fabriek_recipes.evaluation import Evaluation
from fabriek_recipes.events import Json
from fabriek_recipes.facts import model_problems
from fabriek_recipes.training import adapting, labelled_base, lora, measuring, saving
from fabriek_recipes.training.labels import (
    Compared,
    Feed,
    Labelled,
    LabelLoop,
    LabelLoss,
    chances,
    evaluated,
    labelled_facts,
    report,
    watched,
)
from fabriek_recipes.training.plan import Plan, planned
from fabriek_recipes.training.process import Job
from fabriek_recipes.training.run import (
    Clock,
    choose_device,
    fingerprint,
    last_checkpoint,
)
from fabriek_recipes.words import Failed, Sentence, _, counted

WIDTH_STEP = 8
LORA_SCALE = 2
COUNTED_LATER = ("roberta", "camembert", "longformer", "mpnet", "xmod")


def train(job: Job[Knobs]) -> None:
    """Run the recipe in the job's folder, from its last checkpoint when it has one."""
    clock = Clock()
    device = choose_device(job)
    job.events.stage(_("Reading the rows"))
    rows = split.divided(job)
    job.stop.check()
    job.events.stage(_("Loading the model"))
    tokenizer, model = _base(job, rows, device)
    learn, held_out, looked_at = _examples(job, rows, (tokenizer, model))
    feed = _feed(model, tokenizer)
    if job.knobs.method == "lora":
        _attach(model, job.knobs)
    loop = LabelLoop(job, model, _plan(job, learn), {"run": fingerprint(job)}, LabelLoss(feed))
    flop_per_token = _flop_per_token(job, model)
    remark = rows.apart.remark
    loop.watch(watched(job, looked_at, learn, flop_per_token=flop_per_token, remark=remark))
    if found := last_checkpoint(job):
        loop.resume(found)
    job.events.stage(_("Learning"))
    loop.run()
    job.events.stage(_("Scoring after"))
    compared = _compared(job, rows, chances(job, model, held_out, feed))
    told = _evaluated(job, rows, compared)
    job.stop.check()
    if not job.is_part:
        job.group.once(lambda: _save(job, model, tokenizer))
    job.group.once(lambda: evaluation.save(job.folder, told))
    facts: dict[str, Json] = {
        **labelled_facts(loop, rows.apart, labels=len(rows.labels), learned=len(learn)),
        "tokens_seen": loop.tokens,
        "flop_estimate": flop_per_token * loop.tokens,
        "seconds": clock.seconds(),
    }
    job.group.once(lambda: report(job, told, facts))


# --- the model ---------------------------------------------------------------------------
def _base(
    job: Job[Knobs], rows: Rows, device: torch.device
) -> tuple[PreTrainedTokenizerBase, PreTrainedModel]:
    folder = job.input("model")
    for problem in model_problems(folder):
        raise Failed("bad_model", problem.msgid, **dict(problem.values))
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, ImportError) as why:
        raise labelled_base.bad_model(str(why)) from why
    model = labelled_base.load(
        AutoModelForSequenceClassification,
        folder,
        rows.labels,
        device,
        seed=job.manifest.seed,
    )
    if tokenizer.pad_token is None:
        # Models that write have none; what fills up is never looked at.
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token
    model.config.pad_token_id = tokenizer.pad_token_id
    return tokenizer, model


def _examples(
    job: Job[Knobs], rows: Rows, base: tuple[PreTrainedTokenizerBase, PreTrainedModel]
) -> tuple[list[Labelled], list[Labelled], list[Labelled]]:
    """Turn texts into tokens: those to learn from, to score on, and to look at meanwhile."""
    learn, held_out = (_encoded(job, part, rows, base) for part in (rows.train, rows.held_out))
    if rows.apart.is_shared:
        return learn, held_out, held_out
    return learn, held_out, _encoded(job, rows.apart.looked_at, rows, base)


def _flop_per_token(job: Job[Knobs], model: PreTrainedModel) -> int:
    every = sum(weight.numel() for weight in model.parameters())
    return adapting.flop_per_token(job.knobs.method, every)


def _encoded(
    job: Job[Knobs],
    texts: Sequence[Text],
    rows: Rows,
    base: tuple[PreTrainedTokenizerBase, PreTrainedModel],
) -> list[Labelled]:
    tokenizer, model = base
    most = _most(job.knobs.tokens_per_text_max, tokenizer, model)
    found = tokenizer([text.text for text in texts], truncation=True, max_length=most)
    cut = sum(len(ids) >= most for ids in found["input_ids"])
    if cut:
        said = counted(
            _("%(count)s text is %(most)s tokens or longer; what comes after is not read."),
            _("%(count)s texts are %(most)s tokens or longer; what comes after is not read."),
            count=cut,
            most=most,
        )
        job.events.warning("texts_cut", said)
    return [
        Labelled(torch.tensor(ids, dtype=torch.int32), 0, place=place, label=label)
        for place, (ids, label) in enumerate(
            zip(found["input_ids"], rows.numbers(texts), strict=True)
        )
    ]


def _most(asked: int, tokenizer: PreTrainedTokenizerBase, model: PreTrainedModel) -> int:
    """Give the most tokens of a text; a tokenizer may not say what its model can hold."""
    most = min(asked, int(tokenizer.model_max_length or asked))
    places = getattr(model.config, "max_position_embeddings", None)
    if not isinstance(places, int) or places <= 0:
        return most
    # These count places from behind the one that fills up.
    is_later = any(name in str(model.config.model_type) for name in COUNTED_LATER)
    return min(most, places - (int(tokenizer.pad_token_id or 0) + 1 if is_later else 0))


def _feed(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> Feed:
    fill = int(tokenizer.pad_token_id or 0)

    def feed(examples: Sequence[Labelled]) -> dict[str, torch.Tensor]:
        longest = max(len(one.ids) for one in examples)
        width = -(-longest // WIDTH_STEP) * WIDTH_STEP
        width = min(width, int(getattr(model.config, "max_position_embeddings", width)))
        ids = torch.full((len(examples), max(width, longest)), fill)
        mask = torch.zeros_like(ids)
        for place, one in enumerate(examples):
            ids[place, : len(one.ids)] = one.ids.long()
            mask[place, : len(one.ids)] = 1
        return {"input_ids": ids.to(model.device), "attention_mask": mask.to(model.device)}

    return feed


def _attach(model: PreTrainedModel, knobs: Knobs) -> None:
    """Train an addition to what reads, and all of the new last layer."""
    head = [name for name, _weight in model.named_parameters()]
    body = f"{model.base_model_prefix}."
    rank = knobs.lora_rank
    lora.attach(model.base_model, lora.Lora(rank=rank, alpha=LORA_SCALE * rank, dropout=0.0))
    for name in head:
        if not name.startswith(body):
            model.get_parameter(name).requires_grad_(True)


def _plan(job: Job[Knobs], learn: Sequence[Labelled]) -> Plan:
    return planned(
        job.knobs,
        [[one] for one in learn],
        rows_per_step=job.knobs.rows_per_step,
        seed=job.manifest.seed,
    )


# --- what came of it ---------------------------------------------------------------------
def _compared(job: Job[Knobs], rows: Rows, said: np.ndarray) -> Compared:
    job.events.stage(_("Measuring the yardstick"))
    labels = rows.numbers(rows.train)
    count = len(rows.labels)
    made = yardstick.chances(
        [text.text for text in rows.train],
        labels,
        [text.text for text in rows.held_out],
        count,
    )
    return Compared(
        truth=np.array(rows.numbers(rows.held_out), dtype=np.int64),
        model=said,
        yardstick=made,
        constant=yardstick.shares(labels, len(rows.held_out), count),
    )


def _evaluated(job: Job[Knobs], rows: Rows, compared: Compared) -> Evaluation:
    def worst(place: int) -> tuple[str, str]:
        return str(rows.held_out[place].line), rows.held_out[place].text

    told = evaluated(compared, names=rows.labels, seed=job.manifest.seed, worst=worst)
    if measuring.is_beaten(told.scores, "macro_f1"):
        first = told.remarks[0]
        job.events.warning("yardstick", Sentence(first.msgid))
    return told


def _save(job: Job[Knobs], model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
    job.events.stage(_("Saving"))
    if job.knobs.method == "lora":
        lora.merge(model)
    saving.model(job.outputs / "model", model, tokenizer, torch.float32)
