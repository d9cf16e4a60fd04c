"""Starts the recipe: `python -m fabriek_recipes.forecast RUN_FOLDER`."""

from __future__ import annotations

import os
import sys

from fabriek_recipes.forecast.knobs import Knobs
from fabriek_recipes.training.process import main

if __name__ == "__main__":
    # Before numpy is there. Its products are of a few dozen figures: two threads took six times
    # the work of one (14 beside 2.2 seconds of processor, ten series of 72 months, 2026-11-28).
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    sys.exit(main("forecast", Knobs, sys.argv[1:]))
