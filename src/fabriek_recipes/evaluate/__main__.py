"""Starts the recipe: `python -m fabriek_recipes.evaluate RUN_FOLDER`."""

from __future__ import annotations

import sys

from fabriek_recipes.evaluate.knobs import Knobs
from fabriek_recipes.training.process import main

if __name__ == "__main__":
    sys.exit(main("evaluate", Knobs, sys.argv[1:], text_only=True))
