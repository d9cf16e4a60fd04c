"""Starts the recipe: `python -m fabriek_recipes.tabular RUN_FOLDER`."""

from __future__ import annotations

import sys

from fabriek_recipes.tabular.knobs import Knobs
from fabriek_recipes.training.process import main

if __name__ == "__main__":
    sys.exit(main("tabular", Knobs, sys.argv[1:]))
