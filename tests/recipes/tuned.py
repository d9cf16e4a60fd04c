"""A tiny model that was taught with an addition, kept as the registry keeps it."""

import shutil
from pathlib import Path

from tests.recipes.conftest import prepare, rows, write_rows

KNOBS = {"epochs": 3, "tokens_per_row_max": 64, "tokens_per_step": 256, "lora_rank": 4}


def taught(place: Path, base: Path) -> Path:
    """Teach `base` forty rows; give the folder of the whole model, with `adapter/` in it."""
    data = write_rows(place / "data", rows(40))
    run = prepare(place / "run", "finetune_lm", KNOBS, {"dataset": data, "model": base})
    assert run.start() == 0
    shutil.copytree(run.folder / "outputs/model", place / "model")
    shutil.copytree(run.folder / "outputs/adapter", place / "model/adapter")
    return place / "model"
