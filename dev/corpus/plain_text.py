"""Compose the unlabelled text on which the little base model learns its Dutch."""

import random

from grammar import TOPICS, capital, fill, often, sections
from messages import SEED, is_held_out, message, situations

COPIES = 2
EXPLAIN, ANSWER = sections("_text_explain"), sections("_text_answer")
WORLD = sections("_text_world")


def plain_text() -> str:
    """Give paragraphs in mixed order; what is held out occurs in none."""
    dice = random.Random(SEED + 1)  # noqa: S311 - repeatable, not secret
    paragraphs = exchanges(dice)
    paragraphs += [explanation(dice) for _ in range(600)]
    paragraphs += [some(WORLD["tijden"], dice, 2, 4) for _ in range(200)]
    paragraphs += [some(WORLD["beschrijving"], dice, 2, 4) for _ in range(260)]
    paragraphs += [some(WORLD["verslag"], dice, 2, 4) for _ in range(200)]
    paragraphs += [some(WORLD["les"], dice, 2, 4) for _ in range(60)]
    kept = list(dict.fromkeys(paragraphs))
    dice.shuffle(kept)
    return "\n\n".join(kept) + "\n"


def exchanges(dice: random.Random) -> list[str]:
    """Retell the training situations as messages, some of them with the desk's answer."""
    made = []
    for file, urgency, number, situation in situations():
        if is_held_out(number):
            continue
        for _ in range(COPIES):
            asked = message(file, urgency, situation, dice=dice, apart=False)
            made.append(
                asked if often(dice, 0.5) else f"{asked}\n{answer(file, urgency, dice)}"
            )
    return made


def answer(file: str, urgency: str, dice: random.Random) -> str:
    desk = dice.choice(ANSWER[f"loket_{file}"])
    lower = desk[0].lower() + desk[1:]
    parts = [dice.choice(ANSWER["begin"])] if often(dice, 0.6) else []
    parts.append(fill(dice.choice(ANSWER["loketzin"]), dice, loket=desk, loket2=lower))
    parts.append(fill(dice.choice(ANSWER[urgency]), dice))
    if often(dice, 0.5):
        parts.append(fill(dice.choice(ANSWER["slot"]), dice))
    return " ".join(parts)


def explanation(dice: random.Random) -> str:
    """Join a few things that are known of one department."""
    file = dice.choice(list(EXPLAIN))
    lines = dice.sample(EXPLAIN[file], dice.randint(2, 4))
    if often(dice, 0.3):
        topic = dice.choice(TOPICS[file])
        lines.insert(0, f"{capital(topic)}: wat moet u weten?")
    return " ".join(fill(line, dice) for line in lines)


def some(lines: list[str], dice: random.Random, least: int, most: int) -> str:
    balie = dice.choice(WORLD["balie"])
    chosen = dice.sample(lines, dice.randint(least, most))
    return " ".join(fill(line, dice, balie=balie) for line in chosen)
