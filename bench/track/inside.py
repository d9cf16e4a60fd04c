"""The half of the bench that knows Django; started inside the surroundings of the other."""

import sys

import django

django.setup()

from bench.track.rounds import main  # noqa: E402  models can be read only once Django is set up

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
