"""Attention over texts that lie end to end: no text sees another, and nothing is filled up.

Shapes: B rows (one here), H heads, T tokens of all texts together, N texts, D width of a head.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import cast

import torch
from torch import nn
from torch.nn.attention import varlen
from transformers import AttentionInterface, PreTrainedConfig, PreTrainedModel

NAME = "texts_end_to_end"
# Transformers' name for scores, mask and shares one after the other.
STEP_BY_STEP = "eager"
# And for layers that see everything before a token, or what stands near.
FULL, NEAR = "full_attention", "sliding_attention"
Masks = dict[str, torch.Tensor]
# What these models do to attention, the kernel below does not know.
UNLIKE = ("attn_logit_softcapping", "sink", "attention_sink")
HEAD_WIDTH_MAX = 256
# By the model that attends end to end now: how it did before.
_USUAL: dict[int, str] = {}

_KNOWN = inspect.signature(varlen.varlen_attn).parameters
# Older versions of torch call it otherwise, and want as many keys as questions.
_CAUSAL: dict[str, object] = (
    {"window_size": (-1, 0)} if "window_size" in _KNOWN else {"is_causal": True}
)
_SHARES_KEYS = "enable_gqa" in _KNOWN
_ATTEND = cast("Callable[..., torch.Tensor]", varlen.varlen_attn)


def fits(model: PreTrainedModel) -> bool:
    """Say whether a model can attend this way: on a GPU, and with attention like others."""
    config = model.config.get_text_config()
    return (
        model.device.type == "cuda"
        and takes_masks(model)
        and not any(getattr(config, name, None) for name in UNLIKE)
        and not _is_linear(config)
        and _head_width(config) <= HEAD_WIDTH_MAX
    )


@contextmanager
def end_to_end(model: PreTrainedModel) -> Iterator[None]:
    """Let the model attend this way for a while; answers are written in the usual one."""
    before = _way(model)
    model.set_attn_implementation(NAME)
    _USUAL[id(model)] = before
    try:
        yield
    finally:
        model.set_attn_implementation(_USUAL.pop(id(model)))


@contextmanager
def usual(model: PreTrainedModel) -> Iterator[None]:
    """Let a model that attends end to end do so in its usual way for a moment."""
    before = _USUAL.get(id(model))
    if before is None:
        yield
        return
    model.set_attn_implementation(before)
    try:
        yield
    finally:
        model.set_attn_implementation(NAME)


def is_end_to_end(model: PreTrainedModel) -> bool:
    """Say whether the model attends this way now."""
    return _way(model) == NAME


def is_step_by_step(model: PreTrainedModel) -> bool:
    """Say whether the model adds its mask to the scores, instead of giving it to a kernel."""
    return _way(model) == STEP_BY_STEP


def takes_masks(model: PreTrainedModel) -> bool:
    """Say whether a model attends as all others do, and leaves a mask as it comes."""
    return bool(getattr(model, "_supports_attention_backend", False))


def masks(model: PreTrainedModel, mask_B1TT: torch.Tensor) -> torch.Tensor | Masks:
    """Give what each token may look at as the model takes it.

    Some look less far back, in all layers or in some, for which they take a mask of each kind.
    """
    config = model.config.get_text_config()
    kinds = set(getattr(config, "layer_types", None) or ())
    window = int(getattr(config, "sliding_window", None) or 0)
    is_known = not kinds or (NEAR in kinds and kinds <= {FULL, NEAR})
    if not is_known or not 0 < window < mask_B1TT.shape[-1]:
        return _as_taken(model, mask_B1TT)
    near = _as_taken(model, torch.triu(mask_B1TT, 1 - window))
    return {FULL: _as_taken(model, mask_B1TT), NEAR: near} if kinds else near


def _as_taken(model: PreTrainedModel, mask_B1TT: torch.Tensor) -> torch.Tensor:
    if not is_step_by_step(model):
        return mask_B1TT
    least = torch.finfo(torch.float32).min
    return torch.zeros_like(mask_B1TT, dtype=torch.float32).masked_fill(~mask_B1TT, least)


def attend(  # noqa: PLR0913  # as transformers calls it
    _module: nn.Module,
    query_BHTD: torch.Tensor,
    key_BHTD: torch.Tensor,
    value_BHTD: torch.Tensor,
    _attention_mask: torch.Tensor | None,
    *,
    scaling: float | None = None,
    sliding_window: int | None = None,
    cu_seq_lens_q: torch.Tensor,
    max_length_q: int,
    **_others: object,
) -> tuple[torch.Tensor, None]:
    """Attend as transformers asks it; where texts begin and end stands in `cu_seq_lens_q`."""
    query, key, value = (
        part[0].transpose(0, 1).to(torch.bfloat16)
        for part in (query_BHTD, key_BHTD, value_BHTD)
    )
    ends, longest = cu_seq_lens_q, max_length_q
    given = dict(_CAUSAL)
    if sliding_window and "window_size" in given:
        given["window_size"] = (sliding_window - 1, 0)
    if (times := query.shape[1] // key.shape[1]) > 1:
        if _SHARES_KEYS:
            given["enable_gqa"] = True
        else:
            key, value = (part.repeat_interleave(times, dim=1) for part in (key, value))
    if scaling is not None and "scale" in _KNOWN:
        given["scale"] = scaling
    found = _ATTEND(query, key, value, ends, ends, longest, longest, **given)
    return found.to(query_BHTD.dtype)[None], None


def _way(model: PreTrainedModel) -> str:
    return str(model.config._attn_implementation)  # noqa: SLF001  # has no public name


def _head_width(config: PreTrainedConfig) -> int:
    width = getattr(config, "head_dim", None)
    return int(width or config.hidden_size // config.num_attention_heads)


def _is_linear(config: PreTrainedConfig) -> bool:
    """Say whether some layers remember instead of attending, and need to be told more."""
    kinds = getattr(config, "layer_types", None) or ()
    return any(kind not in {FULL, NEAR} for kind in kinds)


AttentionInterface.register(NAME, attend)
