"""Read the phrase files and turn one phrase into one sentence."""

import random
import re
from pathlib import Path

PHRASES = Path(__file__).resolve().parent / "phrases"
Sections = dict[str, list[str]]

QUESTION_START = re.compile(
    r"(hoe|wat|waar|wanneer|wie|welke|waarom|hoeveel|kan|kunt|kunnen|mag|mogen|moet|moeten|is"
    r"|zijn|wordt|gaat|geldt|gelden|krijgt|komt|bestaat|leveren|reizen|rijden|zit|staat|vergoedt"
    r"|hebt|geven|op welke|tot hoe laat)\b"
)
# A last clause can begin like a question and still go on telling ("is even weg geweest").
QUESTION_END = re.compile(
    r"(en )?((hoe|wat nu|waar|wanneer|wie|welke|waarom|doen jullie)\b"
    r"|(is|kan|mag|moet|staat|doet|bestaat|krijgt|komen|hebt|regelen|weet|ligt|wordt|zijn) "
    r"(dat|die|het|er|daar|ik|iemand|u|jullie|de huisarts)\b)"
)


def sections(name: str) -> Sections:
    """Read `# heading` blocks of one phrase per line."""
    found: Sections = {}
    for line in (PHRASES / f"{name}.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("# "):
            current = found.setdefault(line[2:].strip(), [])
        elif line.strip():
            current.append(line.strip())
    return found


SLOTS = sections("_slots")
TOPICS = {name: lines for name, lines in sections("_topics").items() if name != "zinnen"}


def fill(phrase: str, dice: random.Random, **given: str) -> str:
    """Choose one of each `[a|b]` and one value for each `{slot}`, however often it is named."""
    chosen = re.sub(r"\[([^\]]*)\]", lambda match: dice.choice(match[1].split("|")), phrase)
    values = dict(given)
    for name in re.findall(r"\{(\w+)\}", chosen):
        if name not in values:
            values[name] = slot(name, dice)
    return re.sub(r"\{(\w+)\}", lambda match: values[match[1]], chosen)


def often(dice: random.Random, share: float) -> bool:
    return dice.random() < share


def slot(name: str, dice: random.Random) -> str:
    if name.rstrip("2") == "topic":
        return dice.choice([topic for topics in TOPICS.values() for topic in topics])
    options = SLOTS.get(name) or SLOTS.get(name.lower()) or SLOTS[name.rstrip("2")]
    value = dice.choice(options)
    return capital(value) if name[0].isupper() else value


def sentence(text: str) -> str:
    """Give a phrase its capital and its full stop or question mark."""
    if text[-1] in ".?!,:":
        return capital(text)
    return capital(text) + ("?" if is_question(text) else ".")


def is_question(text: str) -> bool:
    last = text.rpartition(", ")[2]
    return bool(QUESTION_START.match(text) or (last != text and QUESTION_END.match(last)))


def capital(text: str) -> str:
    return text[:1].upper() + text[1:]
