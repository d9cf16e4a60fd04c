"""In which of the two languages of a record a text is written: by its small words.

The finder that the look at data uses knows 97 languages, and takes 100 MB and half a second to
begin: too much for a page, where only two are asked for.
"""

import re
from collections.abc import Iterable, Sequence

DUTCH, ENGLISH = "nl", "en"
# Words that stand in nearly each sentence of the one language, and not in the other.
_DUTCH = """aan aantal al alle alleen als bij dat de deze die dit door dus een eerste elk elke
en er geen gemaakt haar hebben heeft het hier hij hoe hun ik je kan kunnen maar meer met mijn
moet na naar niet nog nu ook om ons onze onder op over per staat tot tussen uit uw van veel
voor waar waarin wat werd werden wie wij wordt worden zich zij zijn zoals ze"""
_ENGLISH = """about all also an and any are as at be been between by can contains could each
first for from has have he her his how if into it its made may more most must my no not on
only or other our per she should some such than that the their them then there these they this
those through to under up used we what when where which who will with without would you
your"""
_SMALL = {DUTCH: frozenset(_DUTCH.split()), ENGLISH: frozenset(_ENGLISH.split())}
SMALL = {DUTCH: _SMALL[DUTCH] - _SMALL[ENGLISH], ENGLISH: _SMALL[ENGLISH] - _SMALL[DUTCH]}
WORD = re.compile(r"[^\W\d_]+")
BLANK_LINE = re.compile(r"\n\s*\n")
LOOKED_AT = 20_000  # characters; a text of a record is shorter
# A smaller part than this is a quotation, unless the card says that both are there.
LEAST_SHARE = 0.25


def of(text: str) -> str:
    """Give `nl` or `en`; nothing where the text does not tell, or is in neither."""
    words = WORD.findall(text[:LOOKED_AT].casefold())
    counts = {
        language: sum(word in small for word in words) for language, small in SMALL.items()
    }
    if counts[DUTCH] == counts[ENGLISH]:
        return ""
    return max(counts, key=lambda language: counts[language])


def apart(text: str, *, said: Sequence[str]) -> dict[str, str]:
    """Divide a text over the languages that it is in, each time one block of paragraphs.

    `said`: the languages that its card names. They are those of the data, which may have a card
    in another; so the text itself goes first, and they decide where it does not tell.
    """
    paragraphs = [one for one in BLANK_LINE.split(text) if one.strip()]
    ours = [language for language in (DUTCH, ENGLISH) if language in said]
    unsaid = ours[0] if len(ours) == 1 else ENGLISH
    whole = of(text) or unsaid
    blocks = _blocks(paragraphs, whole)
    if [language for language, _block in blocks] not in ([DUTCH, ENGLISH], [ENGLISH, DUTCH]):
        return {whole: text} if paragraphs else {}
    found = {language: "\n\n".join(block) for language, block in blocks}
    smallest = min(map(len, found.values())) / sum(map(len, found.values()))
    if smallest < LEAST_SHARE and len(ours) != len(SMALL):
        return {whole: text}
    return found


def _blocks(paragraphs: Iterable[str], otherwise: str) -> list[tuple[str, list[str]]]:
    """Put paragraphs of one language together; one that does not tell stays with the last."""
    blocks: list[tuple[str, list[str]]] = []
    waiting: list[str] = []
    for paragraph in paragraphs:
        language = of(paragraph) or (blocks[-1][0] if blocks else "")
        if not language:
            waiting.append(paragraph)
        elif blocks and blocks[-1][0] == language:
            blocks[-1][1].append(paragraph)
        else:
            blocks.append((language, [*waiting, paragraph]))
            waiting = []
    return blocks or [(otherwise, waiting)]
