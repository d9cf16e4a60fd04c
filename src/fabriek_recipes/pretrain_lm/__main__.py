"""Starts the recipe: `python -m fabriek_recipes.pretrain_lm RUN_FOLDER`."""

from __future__ import annotations

import sys

from fabriek_recipes.pretrain_lm.knobs import Knobs
from fabriek_recipes.training.process import main

if __name__ == "__main__":
    sys.exit(main("pretrain_lm", Knobs, sys.argv[1:], text_only=True))
