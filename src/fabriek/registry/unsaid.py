"""Names that are for nobody else, and whether words hold one, however it is written.

What is looked for is a slip, by people and programs: a name in another case, run together,
with marks or signs that nobody sees inside, or with letters that only look alike. Who means to
tell, tells.
"""

import html
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from django.utils.text import slugify

from fabriek.cases.models import Case
from fabriek.catalogue import stems
from fabriek.kernel.models import Entry

NO_WORD = re.compile(r"[\W_]+")
# Shorter ones stand inside other words by chance, as `zwaan` does.
LONG = 8
FORMER = "was"  # of a journal entry: the title before
JSON_SIGN = re.compile(r"\\u([0-9a-fA-F]{4})")
MARKS = re.compile(r"[*_~`]+|<[^<>]{0,500}>")
TAGS = re.compile(r"<[^<>]{0,500}>")
CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
# Letters of Unicode's confusables.txt (17.0, 2025-09) that look like a Latin one in most fonts.
LOOKS_LIKE = str.maketrans(
    "авсԁеɡһіјкӏмнорԛѕтυѵԝхуαεικνορτχγ",
    "abcdeghijklmhopqstuvwxyaeikvoptxy",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Names:
    """`words` stand by themselves in a text, `inside` anywhere in its letters."""

    words: frozenset[str] = frozenset()
    inside: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.words)

    def are_in(self, text: str) -> bool:
        return bool(self) and any(self._found(form) for form in _forms(text))

    def _found(self, form: str) -> bool:
        said = f" {_plain(form)} "
        if any(f" {one} " in said for one in self.words):
            return True
        letters = said.replace(" ", "")
        return any(one in letters for one in self.inside)


def names(given: Iterable[str]) -> Names:
    # Names are made of it too: `Zoë's plan` is `zoes-plan` there.
    plain = {_plain(form) for one in given for form in (one, slugify(one))} - {""}
    whole = {one.replace(" ", "") for one in plain}
    # A code has few letters, and digests many: it has to stand by itself.
    return Names(
        words=frozenset(plain | whole),
        inside=frozenset(one for one in whole if len(one) >= LONG),
    )


def of_case(case: Case | None) -> Names:
    """Name a case that nobody may know of: its code and its title, also former ones."""
    if case is None or not case.is_confidential:
        return Names()
    entries = Entry.objects.filter(
        verb="cases.edit", subject_kind=case._meta.label_lower, subject_id=case.pk
    )
    told = (entry.details.get(FORMER) for entry in entries)
    return names([case.code, case.title, *(str(one) for one in told if one)])


def _forms(text: str) -> Iterator[str]:
    """Give a text as it stands, and as it reads once it is shown."""
    text = JSON_SIGN.sub(lambda found: chr(int(found[1], 16)), text)
    shown = html.unescape(text)
    forms = (text, TAGS.sub(" ", shown), MARKS.sub("", shown), CAMEL.sub(" ", shown))
    yield from dict.fromkeys(forms)


def _plain(text: str) -> str:
    """Write `**Zoë's** plan` and `zoe-s-plan` alike."""
    if not text.isascii():
        seen = (sign for sign in text if unicodedata.category(sign) != "Cf")
        text = unicodedata.normalize("NFKC", "".join(seen)).casefold().translate(LOOKS_LIKE)
    return NO_WORD.sub(" ", stems.plain(text) if not text.isascii() else text.lower()).strip()
