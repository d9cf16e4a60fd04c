"""`python -m bench`: a throw-away factory on PostgreSQL, filled, measured and removed again."""

import sys

from bench import surroundings

ROUNDS = "start,pages,export,push,ledger,loop"

if __name__ == "__main__":
    sys.exit(surroundings.main("bench", told=__doc__, rounds=ROUNDS, small="a twentieth"))
