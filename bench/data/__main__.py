"""`python -m bench.data`: a throw-away factory and its data facility, beside their peers."""

import sys

from bench import surroundings

ROUNDS = "store,pushed,pushed_large,resumable,hub,xet,profile,near,privacy,policy"
LIMIT_S = 3600

if __name__ == "__main__":
    sys.exit(
        surroundings.main(
            "bench.data", told=__doc__, rounds=ROUNDS, small="a sixteenth", limit_s=LIMIT_S
        )
    )
