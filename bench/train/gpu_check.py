"""Is the way of the GPU right: texts end to end beside rows with a mask, loss and gradients.

`python -m bench.train.gpu_check` on a machine with a GPU.
"""

from __future__ import annotations

import torch
from transformers import PreTrainedModel

from bench.train.shapes import SHAPES, made
from fabriek_recipes.training import attention, lora
from fabriek_recipes.training.packing import Batch, Example, batch, end_to_end, frame
from fabriek_recipes.training.prediction import loss_sum

LENGTHS = ((5, 90, 300), (400, 44), (511,))


def main() -> None:
    """Print the losses and how far the gradients lie apart."""
    torch.manual_seed(0)
    model = made(SHAPES["0.5b"], "cuda", torch.float32, num_hidden_layers=4).train()
    lora.attach(model, lora.Lora(rank=8, alpha=16, dropout=0.0))
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.02)
    rows = [[_text(length) for length in row] for row in LENGTHS]
    loss, slope = _learned(model, batch(rows, 0))
    for within in (None, frame(rows, 4)):
        with attention.end_to_end(model):
            other, slope_of_other = _learned(model, end_to_end(rows, 0, within))
        apart = (slope - slope_of_other).norm() / slope.norm()
        print(f"loss {loss:.2f} and {other:.2f}, gradients {apart:.4f} apart")


def _text(length: int) -> Example:
    return Example(torch.randint(0, 150_000, (length,), dtype=torch.int32), 1)


def _learned(model: PreTrainedModel, laid: Batch) -> tuple[float, torch.Tensor]:
    loss = loss_sum(model, laid.to(model.device))
    loss.backward()  # type: ignore[no-untyped-call]
    slopes = [each.grad.flatten() for each in model.parameters() if each.grad is not None]
    model.zero_grad()
    return loss.item(), torch.cat(slopes)


if __name__ == "__main__":
    main()
