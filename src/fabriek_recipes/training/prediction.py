"""Asks a model for its loss on a batch and for its greedy answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil
from typing import cast

import torch
from torch import nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint
from transformers import DynamicCache, PreTrainedModel

from fabriek_recipes.training import attention, in_step
from fabriek_recipes.training.base import Base
from fabriek_recipes.training.device import precision
from fabriek_recipes.training.group import ALONE, Group
from fabriek_recipes.training.head import LOGITS_MAX, head_loss
from fabriek_recipes.training.packing import Batch, Example, batch
from fabriek_recipes.training.stopping import Stop

# Chooses the next token of each row; the numbers say which of the texts the rows are.
Pick = Callable[[torch.Tensor, Sequence[int]], torch.Tensor]
# Models that do something of their own to the logits; for these the whole model is asked.
OWN_LOGITS = (
    "final_logit_softcapping",
    "logit_scale",
    "logits_scaling",
    "output_multiplier_scale",
)


def loss_sum(model: PreTrainedModel, step: Batch) -> torch.Tensor:
    """Give the summed cross-entropy of the labelled tokens, making logits for those only."""
    return in_step.asked(model, lambda: _loss_sum(model, step))


def _loss_sum(model: PreTrainedModel, step: Batch) -> torch.Tensor:
    with precision(step.ids_BT.device):
        labels_N = step.labels_BT.flatten()[step.wanted_N]
        head = model.get_output_embeddings()
        plain = isinstance(head, nn.Linear) and head.bias is None
        if not plain or any(getattr(model.config, name, None) for name in OWN_LOGITS):
            logits_NV = _call(model, step).logits.flatten(0, 1)[step.wanted_N]
            return functional.cross_entropy(logits_NV.float(), labels_N, reduction="sum")
        hidden_ND = _call(model.base_model, step).last_hidden_state.flatten(0, 1)
        # Its norm gives fp32 also where the rest works in half of it.
        hidden_ND = _at_work(hidden_ND[step.wanted_N])
        return head_loss(hidden_ND, head.weight, labels_N, compiled=step.is_fixed)


def losses(model: PreTrainedModel, step: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    """Give the cross-entropy of each labelled token, and whether it is the likeliest.

    In the order of `wanted_N`; for whoever weighs tokens or texts differently.
    """
    return in_step.asked(model, lambda: _losses(model, step))


def _losses(model: PreTrainedModel, step: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    with precision(step.ids_BT.device):
        labels_N = step.labels_BT.flatten()[step.wanted_N]
        head = cast("nn.Module", model.get_output_embeddings())
        if any(getattr(model.config, name, None) for name in OWN_LOGITS):
            return _judged(_call(model, step).logits.flatten(0, 1)[step.wanted_N], labels_N)
        hidden_ND = _call(model.base_model, step).last_hidden_state.flatten(0, 1)

        def of(part_ND: torch.Tensor, part_N: torch.Tensor) -> tuple[torch.Tensor, ...]:
            return _judged(head(part_ND), part_N)

        size = max(1, LOGITS_MAX // cast("torch.Tensor", head.weight).shape[0])
        pieces = (torch.split(each, size) for each in (hidden_ND[step.wanted_N], labels_N))
        parts = zip(*pieces, strict=True)
        # What is made for one piece is made again on the way back: all together do not fit.
        found = [checkpoint(of, *part, use_reentrant=False) for part in parts]
    return torch.cat([each[0] for each in found]), torch.cat([each[1] for each in found])


def _judged(
    logits_NV: torch.Tensor, labels_N: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    losses_N = functional.cross_entropy(logits_NV.float(), labels_N, reduction="none")
    return losses_N, logits_NV.argmax(-1) == labels_N


def added_up(values_N: torch.Tensor, rows: Sequence[Sequence[Example]]) -> torch.Tensor:
    """Add up what was found for each token to predict, text by text."""
    counts = torch.tensor([each.learned for row in rows for each in row])
    owners_N = torch.repeat_interleave(torch.arange(len(counts)), counts)
    totals_E = values_N.new_zeros(len(counts))
    return totals_E.index_add(0, owners_N.to(values_N.device), values_N)


@torch.no_grad()
def text_losses(
    base: Base, rows: Sequence[Sequence[Example]], *, size: int, stop: Stop, group: Group
) -> list[float]:
    """Give the summed loss of each text, in the order in which they stand in the rows.

    `size` rows at a time, shared over the group.
    """

    def part(number: int) -> list[float]:
        stop.check()
        chosen = rows[number * size : (number + 1) * size]
        step = batch(chosen, base.fill).to(base.model.device)
        losses_N, _likeliest_N = losses(base.model, step)
        found: list[float] = added_up(losses_N, chosen).tolist()
        return found

    return [loss for part in group.share(ceil(len(rows) / size), part) for loss in part]


def answers(  # noqa: PLR0913  # one call for all who let a model write
    model: PreTrainedModel,
    prompts: Sequence[list[int]],
    *,
    stops: set[int],
    tokens_max: int,
    check: Callable[[], None],
    group: Group = ALONE,
    pick: Pick | None = None,
    ended: Callable[[list[int]], bool] | None = None,
) -> list[list[int]]:
    """Continue each prompt greedily up to a stop token or `tokens_max`, like lengths together.

    `pick` chooses each token otherwise, and is told which prompts the rows are of.
    `ended` tells of an answer so far that nothing more of it is wanted.
    `check` is called between steps, and may raise to end it. The processes of `group` share the
    work in the batches that one alone would make, so that each answer is the same to the bit.
    """
    by_length = sorted(range(len(prompts)), key=lambda index: len(prompts[index]))
    found: list[list[int]] = [[] for _prompt in prompts]
    size = 64
    batches = [by_length[start : start + size] for start in range(0, len(by_length), size)]

    def continued(number: int) -> list[list[int]]:
        places = batches[number]
        chosen = [prompts[index] for index in places]

        def next_of(logits_BV: torch.Tensor, live: Sequence[int]) -> torch.Tensor:
            if pick is None:
                return logits_BV.argmax(-1)
            return pick(logits_BV, [places[row] for row in live])

        return _continued(model, chosen, (stops, tokens_max, ended), check, next_of)

    for chosen, texts in zip(batches, group.share(len(batches), continued), strict=True):
        for index, text in zip(chosen, texts, strict=True):
            found[index] = text
    return found


@torch.no_grad()
def _continued(
    model: PreTrainedModel,
    prompts: list[list[int]],
    until: tuple[set[int], int, Callable[[list[int]], bool] | None],
    check: Callable[[], None],
    next_of: Pick,
) -> list[list[int]]:
    """Continue one batch; filling stands left, so the next token is in the last column."""
    device = model.device
    stops, tokens_max, ended = until
    width = max(len(prompt) for prompt in prompts)
    ids_BT = torch.tensor([[0] * (width - len(each)) + each for each in prompts], device=device)
    lengths_B = torch.tensor([len(each) for each in prompts], device=device)
    seen_BT = torch.arange(width, device=device)[None] >= width - lengths_B[:, None]
    positions_BT = (seen_BT.long().cumsum(-1) - 1).clamp(min=0)
    cache = DynamicCache(config=model.config)
    found: list[list[int]] = [[] for _prompt in prompts]
    live = list(range(len(prompts)))
    for _step in range(tokens_max):
        check()
        given = {"input_ids": ids_BT, "attention_mask": seen_BT.long()}
        given["position_ids"] = positions_BT
        logits_B1V = _logits(model, given, cache)
        next_B = next_of(logits_B1V[:, -1], live)
        keep = _note(live, next_B.tolist(), stops, found)
        if ended is not None:
            keep = [row for row in keep if not ended(found[live[row]])]
        if not keep:
            break
        ids_BT, positions_BT = next_B[:, None], positions_BT[:, -1:] + 1
        seen_BT = functional.pad(seen_BT, (0, 1), value=True)
        # Finished rows are dropped once they are half: dropping copies the cache.
        if len(keep) <= len(live) // 2:
            rows = torch.tensor(keep, device=device)
            cache.batch_select_indices(rows)
            ids_BT, positions_BT, seen_BT = ids_BT[rows], positions_BT[rows], seen_BT[rows]
            live = [live[row] for row in keep]
    return [_until(text, stops) for text in found]


def _logits(
    model: PreTrainedModel, given: dict[str, torch.Tensor], cache: DynamicCache
) -> torch.Tensor:
    """Give the logits after the last tokens, (B, 1, V)."""

    def work() -> torch.Tensor:
        with precision(model.device):
            told = model(**given, past_key_values=cache, use_cache=True, logits_to_keep=1)
        return cast("_Output", told).logits

    return in_step.asked(model, work)


def _note(
    live: list[int], tokens: list[int], stops: set[int], found: list[list[int]]
) -> list[int]:
    """Write down the new tokens; give the rows that are not finished."""
    keep = []
    for row, (index, token) in enumerate(zip(live, tokens, strict=True)):
        found[index].append(token)
        if stops.isdisjoint(found[index]):
            keep.append(row)
    return keep


def _until(text: list[int], stops: set[int]) -> list[int]:
    end = next((place for place, token in enumerate(text) if token in stops), len(text))
    return text[:end]


def _at_work(tensor: torch.Tensor) -> torch.Tensor:
    kind = tensor.device.type
    return (
        tensor.to(torch.get_autocast_dtype(kind)) if torch.is_autocast_enabled(kind) else tensor
    )


def _call(module: nn.Module, step: Batch) -> _Output:
    where: dict[str, object] = {"attention_mask": None}
    if step.ends_T is None:
        model = cast("PreTrainedModel", module)
        where["attention_mask"] = attention.masks(model, step.mask_B1TT)
    else:
        # Of four dimensions, so that transformers leaves it as it is; nobody looks at it.
        where["attention_mask"] = step.ids_BT.new_zeros((1, 1, 1, 1))
        where |= {"cu_seq_lens_q": step.ends_T, "cu_seq_lens_k": step.ends_T}
        where |= {"max_length_q": step.longest, "max_length_k": step.longest}
    return cast(
        "_Output",
        module(input_ids=step.ids_BT, position_ids=step.positions_BT, use_cache=False, **where),
    )


class _Output:
    """The part of what a model gives that is used here."""

    last_hidden_state: torch.Tensor
    logits: torch.Tensor
