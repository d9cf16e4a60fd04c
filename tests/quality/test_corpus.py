"""How often the rules are right, on made-up text: real kinds, and what only looks like them.

Rules and corpus have one author, so a high figure says little about real text; a lower one than
here says that a change of the rules made them worse.
"""

import random

from fabriek.quality.worker import rules
from tests.quality.made_up import FILL, NEAR_MISSES, counted


def test_the_rules_find_what_is_there_and_little_else():
    found_in = counted(random.Random(7))

    recall = {kind: right / there for kind, (right, _found, there) in found_in.items() if there}
    precision = {
        kind: right / found for kind, (right, found, _there) in found_in.items() if found
    }

    assert min(recall.values()) >= 0.97, recall
    assert min(precision.values()) >= 0.95, precision


def test_numbers_that_only_look_like_it_raise_no_alarm():
    chance = random.Random(8)
    texts = [
        f"{chance.choice(FILL)} {miss(chance)}" for miss in NEAR_MISSES for _at in range(200)
    ]

    alarms = [text for text in texts if rules.current().hits(text)]

    assert len(alarms) <= len(texts) // 200, alarms[:10]
