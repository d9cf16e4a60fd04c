"""Starts the recipe: `python -m fabriek_recipes.batch_predict RUN_FOLDER`."""

from __future__ import annotations

import sys

from fabriek_recipes.batch_predict.knobs import Knobs
from fabriek_recipes.training.process import main

if __name__ == "__main__":
    sys.exit(main("batch_predict", Knobs, sys.argv[1:], text_only=True))
