"""Compose labelled messages: a situation, and around it what people write besides."""

import random
from dataclasses import dataclass

from grammar import TOPICS, Sections, capital, fill, often, sections, sentence
from noise import as_typed

SEED = 20_261
RENDERINGS = 3
HELD_OUT_EVERY = 4
MOST_WORDS = 55
DEPARTMENTS = {
    "huisarts": "huisarts",
    "thuiszorg": "thuiszorg",
    "medicatie": "medicatie",
    "wegbeheer": "wegbeheer",
    "ov": "openbaar vervoer",
    "parkeren": "parkeren",
    "brandveiligheid": "brandveiligheid",
    "handhaving": "handhaving",
    "cyber": "cyberveiligheid",
}
URGENCIES = ("laag", "midden", "hoog")
# The part of the messages that says, besides the situation itself: how bad it is, whose world
# it is in, a mood, something off the subject.
SIGN_SHARE, CONTEXT_SHARE, TONE_SHARE, ASIDE_SHARE = 0.75, 0.9, 0.1, 0.1
WRITTEN_OUT_SHARE = 0.3

OPENINGS, CLOSINGS = sections("_openings"), sections("_closings")
TONES, SIGNS = sections("_tone")["toon"], sections("_signs")
COMPOSED = sections("_signs_composed")
ASIDES = sections("_topics")["zinnen"]
CONTEXTS, DESKS = sections("_context"), sections("_desks")


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    prompt: str
    completion: str
    department: str
    urgency: str
    situation: str


def rows() -> tuple[list[Row], list[Row]]:
    """Give training and held-out rows; they share no situation, sign of urgency or context."""
    dice = random.Random(SEED)  # noqa: S311 - repeatable, not secret
    training: list[Row] = []
    held_out: list[Row] = []
    for file, urgency, number, situation in situations():
        if is_held_out(number):
            held_out.append(row(file, urgency, situation, dice=dice, apart=True))
        else:
            training += distinct(file, urgency, situation, dice=dice)
    dice.shuffle(training)
    dice.shuffle(held_out)
    return training, held_out


def situations() -> list[tuple[str, str, int, str]]:
    files: dict[str, Sections] = {file: sections(file) for file in DEPARTMENTS}
    return [
        (file, urgency, number, situation)
        for file in DEPARTMENTS
        for urgency in URGENCIES
        for number, situation in enumerate(files[file][urgency])
    ]


def is_held_out(number: int) -> bool:
    return number % HELD_OUT_EVERY == HELD_OUT_EVERY - 1


def distinct(file: str, urgency: str, situation: str, *, dice: random.Random) -> list[Row]:
    made: dict[str, Row] = {}
    while len(made) < RENDERINGS:
        new = row(file, urgency, situation, dice=dice, apart=False)
        made.setdefault(new.prompt, new)
    return list(made.values())


def row(file: str, urgency: str, situation: str, *, dice: random.Random, apart: bool) -> Row:
    department = DEPARTMENTS[file]
    return Row(
        prompt=message(file, urgency, situation, dice=dice, apart=apart),
        completion=f"afdeling: {department}; urgentie: {urgency}",
        department=department,
        urgency=urgency,
        situation=situation,
    )


def message(
    file: str, urgency: str, situation: str, *, dice: random.Random, apart: bool
) -> str:
    register = dice.choices(("formeel", "gewoon", "kort"), (30, 45, 25))[0]
    core = [sentence(fill(situation, dice))]
    if often(dice, SIGN_SHARE):
        core.append(sign(urgency, dice=dice, apart=apart))
    if often(dice, CONTEXT_SHARE):
        core.insert(dice.choice((0, len(core))), context(file, dice=dice, apart=apart))
    if often(dice, TONE_SHARE):
        core.insert(dice.randrange(len(core) + 1), fill(dice.choice(TONES), dice))
    if often(dice, ASIDE_SHARE):
        core.append(aside(file, dice))
    whole = joined([*before(register, dice), *core, *after(register, dice)])
    text = whole if len(whole.split()) <= MOST_WORDS else joined(core)
    return as_typed(text, register=register, dice=dice)


def joined(parts: list[str]) -> str:
    """Set the parts in one line; after "Hallo," the next goes on without a capital."""
    text = ""
    for part in parts:
        goes_on = text.endswith(",") and part[1:2].islower()
        text += " " + (part[0].lower() + part[1:] if goes_on else part)
    return text.strip()


def own_side(phrases: list[str], *, apart: bool) -> list[str]:
    return [phrase for number, phrase in enumerate(phrases) if is_held_out(number) is apart]


def after(register: str, dice: random.Random) -> list[str]:
    return [fill(dice.choice(CLOSINGS[register]), dice)] if often(dice, 0.3) else []


def before(register: str, dice: random.Random) -> list[str]:
    opening = [dice.choice(OPENINGS[register])] if often(dice, 0.4) else []
    origin = [fill(dice.choice(OPENINGS["herkomst"]), dice)] if often(dice, 0.12) else []
    return opening + origin


def sign(urgency: str, *, dice: random.Random, apart: bool) -> str:
    if often(dice, WRITTEN_OUT_SHARE):
        return fill(dice.choice(own_side(SIGNS[urgency], apart=apart)), dice)
    who, what = own_pair(COMPOSED["wie"], COMPOSED[urgency], dice=dice, apart=apart)
    return f"{capital(who)} {what}."


def context(file: str, *, dice: random.Random, apart: bool) -> str:
    if often(dice, WRITTEN_OUT_SHARE):
        return fill(dice.choice(own_side(CONTEXTS[file], apart=apart)), dice)
    desk, frame = own_pair(DESKS[file], DESKS["hoort hier"], dice=dice, apart=apart)
    return fill(frame, dice, desk=desk, Desk=capital(desk))


def own_pair(
    firsts: list[str], seconds: list[str], *, dice: random.Random, apart: bool
) -> tuple[str, str]:
    """Choose a pair; training and held-out rows know all the parts, but share no pair."""
    return dice.choice(
        [
            (first, second)
            for place, first in enumerate(firsts)
            for number, second in enumerate(seconds)
            if is_held_out(place + number) is apart
        ]
    )


def aside(file: str, dice: random.Random) -> str:
    """Name something of another department, so that a single word decides nothing."""
    other = dice.choice([name for name in DEPARTMENTS if name != file])
    if often(dice, 0.5):
        desk = dice.choice(DESKS[other])
        return fill(dice.choice(DESKS["hoort elders"]), dice, desk=desk, Desk=capital(desk))
    return fill(dice.choice(ASIDES), dice, topic=dice.choice(TOPICS[other]))
