"""`python -m bench.track`: a throw-away factory on each database, beside `mlflow server`."""

import sys

from bench import surroundings

ROUNDS = "logging,drawing"
LIMIT_S = 1800

if __name__ == "__main__":
    sys.exit(
        surroundings.main(
            "bench.track", told=__doc__, rounds=ROUNDS, small="a tenth", limit_s=LIMIT_S
        )
    )
