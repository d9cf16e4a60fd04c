"""What learning from a table costs: cells that trees go through, and rows they answer."""

from __future__ import annotations

import math
from math import ceil
from typing import TYPE_CHECKING

from fabriek_recipes.cost import core_speed, slowness
from fabriek_recipes.kinds import Estimate, Facts
from fabriek_recipes.words import Sentence, _

if TYPE_CHECKING:
    from fabriek_recipes.tabular.knobs import Knobs

# Own measurement (2026-11-27, a core of 138 GFLOP/s, LightGBM 4.7, 60,000 rows of 21 columns):
# cells of the table a tree goes through per second, bytes of memory a cell; the least a tree
# takes.
CELLS_PER_S_CORE = 50e6
CELL_BYTES = 70
TREE_S = 0.002
# And on one core of 129 (2026-11-28): start; cells read per second; trees asked about rows per
# second, which is most of scoring and of the effects. Tables of 60, 500, 5,000 and 60,000 rows
# took 1.2, 1.6, 4.7 and 36 seconds of processor; 5,000 with six labels 6.9.
START_S = 1.5
READ_CELLS_PER_S = 300e3
ASKED_PER_S = 15e6
# As `effects.py` asks: rows, of each column so many times, and along the first columns.
EFFECT_ROWS, EFFECT_TIMES, ALONG_ROWS, ALONG_COLUMNS, ALONG_POINTS = 2_000, 3, 300, 6, 12
# How many rounds gain anything grows with the rows, and there are fewer where each has many
# trees: 47, 230, 351 and 676 in those tables, and 116 with six labels.
ROUNDS, ROUNDS_GROW, RATE = 12, 0.4, 0.05
# The plain model: rows it learns from, features made of them, bytes of each and of its copy.
WIDE_ROWS_MAX, WIDE_MAX, WIDE_BYTES = 50_000, 2_000, 16
NUMBERS_FROM = 20


def estimate(knobs: Knobs, facts: Facts) -> Estimate:
    """Price a run by the cells of the table and the trees that look at them."""
    cells = facts.rows * max(1, facts.columns)
    times = slowness(facts)
    tree_s = times * (TREE_S + cells / (CELLS_PER_S_CORE * facts.cores))
    each = _trees_a_round(knobs, facts)
    gaining = _rounds(knobs, facts, each)
    rounds = min(knobs.rounds_max, gaining + knobs.patience)
    learn_s = rounds * each * tree_s
    asked = _rows_asked(knobs, facts) * min(rounds, gaining) * each
    wall_s = learn_s + times * (START_S + cells / READ_CELLS_PER_S + asked / ASKED_PER_S)
    memory = 500_000_000 + cells * CELL_BYTES + facts.text_bytes * 2
    memory += min(facts.rows, WIDE_ROWS_MAX) * min(WIDE_MAX, 50 * facts.columns) * WIDE_BYTES
    return Estimate(
        gpu_seconds=ceil(wall_s * max(1, facts.gpus)),
        memory_bytes=memory,
        learning_s=learn_s,
        tokens=rounds * cells,
        why=(
            Sentence(
                _("The table has %(rows)s rows and %(columns)s columns."),
                rows=facts.rows,
                columns=facts.columns,
            ),
            Sentence(
                _(
                    "About %(trees)s trees take about %(learn)s s on %(cores)s processor "
                    "cores; start, reading and scoring about %(other)s s."
                ),
                trees=rounds * each,
                learn=ceil(learn_s),
                cores=facts.cores,
                other=ceil(wall_s - learn_s),
            ),
            core_speed(facts),
            Sentence(_("It learns on the processor: a GPU makes it no faster.")),
        ),
    )


def _rounds(knobs: Knobs, facts: Facts, trees_each: int) -> int:
    """Guess how many rounds gain anything: only learning tells."""
    usual = ROUNDS * math.pow(facts.rows, ROUNDS_GROW) / math.sqrt(trees_each)
    return min(knobs.rounds_max, ceil(usual * RATE / knobs.learning_rate))


def _rows_asked(knobs: Knobs, facts: Facts) -> int:
    """Count how often the trees answer a row: to score it, and for the effects of columns."""
    apart = ceil(facts.rows * knobs.held_out_percent / 100)
    along = min(apart, ALONG_ROWS) * min(facts.columns, ALONG_COLUMNS) * ALONG_POINTS
    return apart + min(apart, EFFECT_ROWS) * facts.columns * EFFECT_TIMES + along


def _trees_a_round(knobs: Knobs, facts: Facts) -> int:
    """Count the trees of a round: of more than two labels each has its own."""
    labels = dict(facts.different).get(knobs.target_name, 0)
    is_number = knobs.task == "number" or (knobs.task == "auto" and labels > NUMBERS_FROM)
    return 1 if is_number or labels <= 2 else labels  # noqa: PLR2004
