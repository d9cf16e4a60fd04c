"""Two small models that say other things to the same, and what each says by itself."""

from pathlib import Path

import torch

from fabriek_recipes.conversations import Message
from fabriek_recipes.training.base import load
from fabriek_recipes.training.writing import Manner, asked, written
from tests.recipes.bigram import a_bigram_model

CPU = torch.device("cpu")


def two_models(place: Path) -> tuple[Path, Path]:
    """Make a base, and a model that has its shape but chooses other letters."""
    torch.manual_seed(1)
    base, tuned = (a_bigram_model(place / name) for name in ("base", "tuned"))
    found = load(tuned, CPU, frozen=False)
    with torch.no_grad():
        found.model.lm_head.weight[:, 1:] *= -1
    found.model.save_pretrained(tuned)
    return base, tuned


def said(folder: Path, prompt: str, *, tokens: int) -> str:
    found = load(folder, CPU, frozen=True)
    given = asked(found, [Message("user", prompt)])
    ids = written(found.model, given, stops=found.stops, manner=Manner(tokens_max=tokens))
    return found.tokenizer.decode(list(ids), skip_special_tokens=True).strip()
