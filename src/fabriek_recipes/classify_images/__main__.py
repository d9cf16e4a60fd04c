"""Starts the recipe: `python -m fabriek_recipes.classify_images RUN_FOLDER`."""

from __future__ import annotations

import sys

from fabriek_recipes.classify_images.knobs import Knobs
from fabriek_recipes.training.process import main

if __name__ == "__main__":
    sys.exit(main("classify_images", Knobs, sys.argv[1:]))
