"""Divides a tiny model over the processes that our torchrun started, and tells what came of it.

`python divided.py OUT`: the first process writes there, as JSON, what the test looks at.
"""

import copy
import functools
import json
import os
import sys
from pathlib import Path

import torch
from transformers import (
    GraniteConfig,
    GraniteForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
)

from fabriek_recipes.training import in_step, lora, pace, prediction, shards
from fabriek_recipes.training.group import ALONE, GOOD, End, seat_given
from fabriek_recipes.training.objective import NextToken, laid
from fabriek_recipes.training.packing import Example
from fabriek_recipes.training.plan import Plan
from fabriek_recipes.training.prediction import answers, losses
from fabriek_recipes.training.stopping import Stop
from fabriek_recipes.training.together import join
from fabriek_recipes.training.weights import Weights

CPU = torch.device("cpu")
ROWS = 5
FILL = 0


def made(
    *, tied: bool = False, added: bool = False, own_logits: bool = False, halved: bool = False
) -> PreTrainedModel:
    torch.manual_seed(3)
    kind, more = (GraniteConfig, {"logits_scaling": 2.0}) if own_logits else (LlamaConfig, {})
    config = kind(
        vocab_size=101,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=64,
        tie_word_embeddings=tied,
        attn_implementation="sdpa",
        **more,
    )
    model = (GraniteForCausalLM if own_logits else LlamaForCausalLM)(config)
    if halved:
        model.to(torch.bfloat16)
    if added:
        lora.attach(model, lora.Lora(rank=4, alpha=8, dropout=0.0))
        for name, weight in model.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(weight, std=0.1)
    return model


def rows() -> list[list[Example]]:
    lot = torch.Generator().manual_seed(5)
    return [
        [Example(torch.randint(1, 101, (7 + 3 * place,), generator=lot, dtype=torch.int32), 1)]
        for place in range(ROWS)
    ]


def plan() -> Plan:
    return Plan(
        rows=rows(),
        rows_per_step=ROWS,
        epochs=1,
        fill=FILL,
        seed=1,
        learning_rate=0.01,
        warmup_percent=0,
        weight_decay=0.1,
        gradient_norm_max=0.5,
        checkpoint_every_steps=1,
    )


def learn(model, group, *, spoilt: bool = False) -> float:
    """Make the gradients of one step; gives this process's share of the loss."""
    mine = rows()[group.seat.rank :: group.seat.size]
    loss = NextToken().loss(model, mine, FILL) / NextToken().weight(rows())
    if spoilt and group.seat.rank == 1:
        loss = loss * float("nan")
    loss.backward()
    return float(loss.detach())


def step_of_one(model) -> tuple[dict[str, torch.Tensor], float, dict[str, torch.Tensor]]:
    """Give gradients, their norm and the weights after a step, of one process with all rows."""
    alone = copy.deepcopy(model)
    loss = NextToken().loss(alone, rows(), FILL) / NextToken().weight(rows())
    loss.backward()
    gradients = {
        name: weight.grad.clone()
        for name, weight in alone.named_parameters()
        if weight.grad is not None
    }
    weights = Weights(alone, plan(), ALONE)
    norm = weights.clip(plan().gradient_norm_max)
    weights.step(0.01)
    return gradients, norm, {name: weight.detach() for name, weight in weights.named.items()}


def compared(group, ways: pace.Ways | None = None, **kind: bool) -> dict[str, float]:
    """Do a step divided, and say how far it is from that of one process."""
    model = made(**kind)
    gradients, norm, after = step_of_one(model)
    whole_bytes = sum(weight.nbytes for weight in model.parameters())
    shards.divide(model, CPU, group)
    here = sum(shards.part(weight).nbytes for weight in model.parameters())
    weights = Weights(model, plan(), group)
    model.train()
    with pace.learning(model, ways or pace.Ways()):
        learn(model, group)
        with torch.no_grad(), pace.as_it_came(model):
            group.share(3, lambda _number: float(NextToken().loss(model, rows()[:1], FILL)))
    found = {name: shards.whole(weight.grad) for name, weight in weights.named.items()}
    apart = max(float((found[name] - gradients[name]).abs().max()) for name in gradients)
    many_norm = weights.clip(plan().gradient_norm_max)
    weights.step(0.01)
    kept = weights.kept(whole=True)
    now = dict(zip(kept, weights.brought(kept), strict=True))
    moved = [float((now[f"weight.{name}"] - after[name]).abs().max()) for name in after]
    return {
        "share": here / whole_bytes,
        "gradients": apart,
        "norm": abs(many_norm - norm),
        "weights": max(moved),
        "learning": float(len(found) == len(gradients) == len(after)),
    }


def as_on_a_gpu(group, **kind: bool) -> dict[str, float]:
    """Do a step in the numbers of a GPU, whose own way to send them cannot be tried here."""
    kept = shards.precision_of, prediction.precision
    shards.precision_of = lambda _device: shards.MixedPrecisionPolicy(
        torch.bfloat16, torch.float32
    )
    prediction.precision = lambda _device: torch.autocast("cpu", dtype=torch.bfloat16)
    try:
        return compared(group, **kind)
    finally:
        shards.precision_of, prediction.precision = kept


def answered(group) -> dict[str, object]:
    """Let the first process write alone, then all in uneven shares; then say what is whole."""
    model = made().eval()
    alone = copy.deepcopy(model)
    prompts = [[5, 6, 7], [8, 9]]
    how = {"stops": {1}, "tokens_max": 6, "check": lambda: None}
    wanted = answers(alone, prompts, **how)
    with torch.no_grad():
        of_one = float(losses(alone, first_row(alone))[0].sum())
    shards.divide(model, CPU, group)
    told = group.beside(lambda: answers(model, prompts, **how) if group.seat.leads else wanted)
    with torch.no_grad():
        shared = group.share(5, lambda _at: float(losses(model, first_row(model))[0].sum()))
    weight = next(iter(model.parameters()))
    value = torch.full(weight.shape, 0.5) if group.seat.leads else None
    shards.give(weight, value, group)
    with torch.no_grad():
        seen = in_step.asked(model, lambda: float(model.get_input_embeddings().weight.sum()))
    whole = shards.together(model)
    return {
        "written": told == wanted,
        "shared": max(abs(one - of_one) for one in shared),
        "put_back": seen == 0.5 * weight.numel(),
        "kind": type(whole).__name__,
        "whole": not group.seat.leads
        or all(
            torch.equal(one, other)
            for (name, one), (_name, other) in zip(
                alone.named_parameters(), whole.named_parameters(), strict=True
            )
            if "embed" not in name
        ),
    }


def first_row(model):
    return laid(model, rows()[:1], FILL)


def spoilt(group) -> bool:
    """Say whether every process sees that one of them has no number."""
    model = made()
    shards.divide(model, CPU, group)
    weights = Weights(model, plan(), group)
    learn(model, group, spoilt=True)
    norm = torch.tensor([weights.clip(1.0)])
    seen = norm.isnan().float()
    group.add_up([seen])
    return bool(seen == group.seat.size)


def main(out: Path) -> None:
    group = join(seat_given(), Stop(), lambda _end: None)
    # What is compiled is the same; who compiles it for a processor takes a minute.
    torch.compile = functools.partial(torch.compile, backend="eager")
    told = {
        "every weight": compared(group),
        "tied": compared(group, tied=True),
        "an addition": compared(group, added=True),
        "recomputed": compared(group, pace.Ways(recomputed=True)),
        "compiled": compared(group, pace.Ways(compiled=True)),
        "both": compared(group, pace.Ways(compiled=True, recomputed=True), added=True),
        "own logits": compared(group, own_logits=True),
        "gpu": as_on_a_gpu(group),
        "gpu, an addition": as_on_a_gpu(group, added=True, halved=True),
        "answers": answered(group),
        "spoilt": spoilt(group),
    }
    group.once(lambda: out.write_text(json.dumps(told)))
    # As a recipe ends: what listens to the others would wait on.
    os._exit(group.part(End(GOOD)))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
