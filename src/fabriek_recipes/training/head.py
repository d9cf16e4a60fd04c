"""The loss of predicting the next token, without ever holding the logits of all tokens.

Shapes: N tokens to predict, D model width, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import cast

import torch
from torch.nn import functional

# As many logits at once: 1 GB in fp32.
LOGITS_MAX = 2**28
# A processor is quicker over what stays in its cache.
LOGITS_MAX_CPU = 2**24


def head_loss(
    hidden_ND: torch.Tensor,
    weight_VD: torch.Tensor,
    labels_N: torch.Tensor,
    *,
    compiled: bool = False,
) -> torch.Tensor:
    """Give the summed cross-entropy of `labels_N` under the logits `hidden @ weight.T`.

    The gradient is made together with the loss, piece by piece: nothing is computed twice, and
    what stays in memory is as large as the input.
    """
    if not torch.is_grad_enabled():  # the function below would still make slopes
        hidden_ND, weight_VD = hidden_ND.detach(), weight_VD.detach()
    found = _HeadLoss.apply(hidden_ND, weight_VD, labels_N, compiled)  # type: ignore[no-untyped-call]
    return cast("torch.Tensor", found)


class _HeadLoss(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: torch.autograd.function.FunctionCtx,
        hidden_ND: torch.Tensor,
        weight_VD: torch.Tensor,
        labels_N: torch.Tensor,
        compiled: bool,
    ) -> torch.Tensor:
        weight = weight_VD.to(hidden_ND.dtype)
        wants_hidden, wants_weight = ctx.needs_input_grad[:2]  # type: ignore[attr-defined]
        slope_ND = torch.empty_like(hidden_ND) if wants_hidden else None
        slope_VD = torch.zeros_like(weight_VD) if wants_weight else None
        wants = wants_hidden or wants_weight
        slopes = _compiled() if compiled and wants else _loss_and_slope
        total = hidden_ND.new_zeros((), dtype=torch.float32)
        for start in range(0, len(hidden_ND), _piece(weight)):
            part = slice(start, start + _piece(weight))
            hidden_PD, labels_P = hidden_ND[part], labels_N[part]
            logits_PV = hidden_PD @ weight.T
            if not wants:
                total += _loss(logits_PV, labels_P)
                continue
            loss, slope_PV = slopes(logits_PV, labels_P)
            total += loss
            if slope_ND is not None:
                torch.mm(slope_PV, weight, out=slope_ND[part])
            if slope_VD is not None:
                slope_VD += slope_PV.T @ hidden_PD
        ctx.save_for_backward(slope_ND, slope_VD)  # type: ignore[arg-type]  # None may be kept
        return total

    @staticmethod
    def backward(
        ctx: torch.autograd.function.FunctionCtx, given: torch.Tensor
    ) -> tuple[torch.Tensor | None, torch.Tensor | None, None, None]:
        slope_ND, slope_VD = ctx.saved_tensors  # type: ignore[attr-defined]
        return (
            None if slope_ND is None else slope_ND.mul_(given.to(slope_ND.dtype)),
            None if slope_VD is None else slope_VD.mul_(given.to(slope_VD.dtype)),
            None,
            None,
        )


def _piece(weight_VD: torch.Tensor) -> int:
    most = LOGITS_MAX if weight_VD.is_cuda else LOGITS_MAX_CPU
    return max(1, most // weight_VD.shape[0])


def _loss(logits_PV: torch.Tensor, labels_P: torch.Tensor) -> torch.Tensor:
    return functional.cross_entropy(logits_PV.float(), labels_P, reduction="sum")


def _loss_and_slope(
    logits_PV: torch.Tensor, labels_P: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Give the loss and its slope to each logit: its probability, less one for the label."""
    shares_PV = torch.log_softmax(logits_PV, -1, dtype=torch.float32)
    labels_P1 = labels_P[:, None]
    loss = -shares_PV.gather(1, labels_P1).sum()
    slope_PV = shares_PV.exp_()
    slope_PV.scatter_add_(1, labels_P1, slope_PV.new_full((1, 1), -1).expand_as(labels_P1))
    return loss, slope_PV.to(logits_PV.dtype)


@cache
def _compiled() -> Callable[[torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]:
    return torch.compile(_in_one_go, dynamic=True)


def _in_one_go(
    logits_PV: torch.Tensor, labels_P: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Do the same in a form that a compiler makes one pass of."""
    kind, logits_PV = logits_PV.dtype, logits_PV.float()
    log_P1 = logits_PV.logsumexp(-1, keepdim=True)
    places_V = torch.arange(logits_PV.shape[1], device=logits_PV.device)
    is_label_PV = places_V == labels_P[:, None]
    loss = (log_P1[:, 0] - logits_PV.gather(1, labels_P[:, None])[:, 0]).sum()
    slope_PV = (logits_PV - log_P1).exp() - is_label_PV.float()
    return loss, slope_PV.to(kind)
