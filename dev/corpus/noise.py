"""Write a clean message the way people type it: hasty, on a telephone, or neatly."""

import random
import re

from grammar import often

SHORTEST_TO_SLIP = 5

SHORT = {
    "even": "ff",
    "eigenlijk": "eig",
    "in plaats van": "ipv",
    "alstublieft": "aub",
    "met": "mt",
    "ik weet niet": "kweet nie",
    "het is": "tis",
    "niet": "nie",
    "misschien": "miss",
    "vandaag": "vndg",
    "wat": "wa",
    "een": "n",
}
MISTAKES = {
    "wordt": "word",
    "houdt": "houd",
    "meteen": "metteen",
    "onmiddellijk": "onmidelijk",
    "gebeurt": "gebeurd",
    "sinds": "sins",
    "appartement": "apartement",
    "hun": "hen",
    "verzekering": "verzekring",
    "medicijnen": "medecijnen",
    "direct": "dierekt",
    "fietsers": "fietsres",
    "verkeerslicht": "verkeerslich",
    "abonnement": "abbonement",
    "gisteren": "gistere",
    "vanochtend": "vanochted",
    "benauwd": "benauwt",
    "gewond": "gewont",
    "auto's": "autos",
}


def as_typed(text: str, *, register: str, dice: random.Random) -> str:
    if register == "kort":
        text = hasty(text, dice)
    if often(dice, 0.12 if register == "formeel" else 0.4):
        text = misspelt(text, dice)
    if often(dice, 0.02):
        text = text.upper()
    return re.sub(r"\s+", " ", text).strip()


def hasty(text: str, dice: random.Random) -> str:
    if often(dice, 0.7):
        text = text.lower()
    if often(dice, 0.5):
        text = re.sub(r"[.,](?=\s|$)", "", text)
    for long, short in SHORT.items():
        if often(dice, 0.3):
            text = re.sub(rf"\b{long}\b", short, text)
    return text


def misspelt(text: str, dice: random.Random) -> str:
    for right, wrong in MISTAKES.items():
        if often(dice, 0.5):
            text = re.sub(rf"\b{right}\b", wrong, text)
    words = text.split(" ")
    for _ in range(dice.randint(1, 2)):
        place = dice.randrange(len(words))
        words[place] = slip(words[place], dice)
    return " ".join(words)


def slip(word: str, dice: random.Random) -> str:
    """Swap, drop or double one letter inside a longer word."""
    if len(word) < SHORTEST_TO_SLIP:
        return word
    at = dice.randrange(1, len(word) - 2)
    kind = dice.choice(("swap", "drop", "double"))
    if kind == "swap":
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    return word[:at] + ("" if kind == "drop" else word[at] * 2) + word[at + 1 :]
