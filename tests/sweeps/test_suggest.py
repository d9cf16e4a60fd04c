"""What is tried next: within its range, the same for the same rows, and better than luck."""

import subprocess
import sys
from statistics import median

import pytest

from fabriek.sweeps.suggest import Tried, suggest
from fabriek_recipes.searches import Range

RANGES = [
    Range(name="rate", kind="number", low=1e-5, high=1e-2, log=True),
    Range(name="rank", kind="integer", low=4, high=64, log=True),
    Range(name="method", kind="choice", choices=("lora", "full")),
]


def tried(count, *, score, seed=1):
    found = []
    for _ in range(count):
        knobs = suggest(RANGES, found, is_lower_better=True, seed=seed)
        found.append(Tried(knobs=knobs, score=score(knobs)))
    return found


def far_from_best(knobs):
    return abs(knobs["rate"] - 0.001) * 1000 + (knobs["method"] == "lora")


def test_all_lie_within_their_ranges_and_none_comes_twice():
    found = [one.knobs for one in tried(20, score=far_from_best)]

    assert all(1e-5 <= one["rate"] <= 1e-2 for one in found)
    assert all(4 <= one["rank"] <= 64 and isinstance(one["rank"], int) for one in found)
    assert {one["method"] for one in found} == {"lora", "full"}
    assert len({tuple(one.items()) for one in found}) == 20


def test_the_same_rows_and_seed_give_the_same():
    known = tried(7, score=far_from_best)

    first, second, other = (
        suggest(RANGES, known, is_lower_better=True, seed=seed) for seed in (3, 3, 4)
    )

    assert first == second
    assert other != first


def test_it_learns_from_what_is_known():
    searches = [tried(25, score=far_from_best, seed=seed) for seed in (1, 2, 3, 4)]

    early = median(one.score for found in searches for one in found[:5])
    late = median(one.score for found in searches for one in found[10:])
    assert late < early


def test_one_that_failed_or_still_runs_is_no_hindrance():
    known = [
        *tried(6, score=far_from_best),
        Tried(knobs={"rate": 0.009, "rank": 9, "method": "lora"}, has_failed=True),
        Tried(knobs={"rate": 0.008, "rank": 8, "method": "full"}),
    ]

    assert suggest(RANGES, known, is_lower_better=False, seed=1)


def test_when_all_was_tried_it_says_so():
    both = [Range(name="method", kind="choice", choices=("lora", "full"))]
    known = [Tried(knobs={"method": name}, score=1.0) for name in ("lora", "full")]

    assert suggest(both, known, is_lower_better=True, seed=1) is None


@pytest.mark.parametrize("module", ["fabriek.urls", "fabriek.cli.sweep"])
def test_no_page_and_no_command_imports_optuna(module):
    source = (
        "import os, sys; os.environ['DJANGO_SETTINGS_MODULE'] = 'fabriek.settings'\n"
        "if 'urls' in sys.argv[1]:\n    import django; django.setup()\n"
        "__import__(sys.argv[1])\n"
        "print([name for name in sys.modules if name in ('optuna', 'sqlalchemy')])"
    )

    told = subprocess.run(
        [sys.executable, "-c", source, module], capture_output=True, text=True, check=True
    )

    assert told.stdout.strip() == "[]"


def test_the_loop_never_imports_the_storage_of_optuna():
    source = (
        "import sys, fabriek.sweeps.suggest as one\n"
        "from fabriek_recipes.searches import Range\n"
        "one.suggest([Range(name='a', kind='number', low=0.0, high=1.0)], [],"
        " is_lower_better=True, seed=1)\n"
        "print('sqlalchemy' in sys.modules)"
    )
    prelude = "import os; os.environ['DJANGO_SETTINGS_MODULE'] = 'fabriek.settings'\n"
    setup = "import django; django.setup()\n"

    told = subprocess.run(
        [sys.executable, "-c", prelude + setup + source],
        capture_output=True,
        text=True,
        check=True,
    )

    assert told.stdout.strip() == "False"
