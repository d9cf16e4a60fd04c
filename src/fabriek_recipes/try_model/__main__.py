"""Starts the recipe: `python -m fabriek_recipes.try_model RUN_FOLDER`."""

from __future__ import annotations

import sys

from fabriek_recipes.training.process import main
from fabriek_recipes.try_model.knobs import Knobs

if __name__ == "__main__":
    sys.exit(main("try_model", Knobs, sys.argv[1:], text_only=True))
