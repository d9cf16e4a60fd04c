"""One row as the model reads it: token by token, whose words they are, what is learned from."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from fabriek.quality.worker import rules
from fabriek.quality.worker.job import Json
from fabriek.runs.worker.pieces import Pieces, Span
from fabriek.runs.worker.reading import Found
from fabriek.runs.worker.signs import others, spans
from fabriek_recipes.chat import Part
from fabriek_recipes.rows import Row

# A row is cut in the middle: how it begins and how it ends tells most.
FIRST_TOKENS, LAST_TOKENS = 240, 120
SIGNS = "signs"  # what the template puts around the words
LETTERS_MAX = 200  # of one token; some tokenizers make one of a whole text
LEARNED = "learned"
HIDDEN = "•"

Roles = list[tuple[int, int, str]]
Token = tuple[str, str, str]  # its letters, whose they are, whether it is learned from


@dataclass(frozen=True, slots=True, kw_only=True)
class Laid:
    """A row in tokens, of which the last answer begins at `answer_at`."""

    tokens: list[Token]
    answer_at: int
    size: int
    learned: int


def laid(
    row: Row,
    texts: tuple[Part, ...],
    pieces: Pieces,
    *,
    hide: frozenset[str],
    signs: tuple[str, ...] = (),
) -> Laid:
    """Cut a row into tokens, and say of each whose words it is and whether it is learned.

    `hide`: the roles whose words hold personal data; what looks like it is hidden anywhere.
    Then all is hidden but the words of other roles, and `signs`: what the template writes
    whatever a row says. A template may rewrite words, and a call of a tool holds some too.
    """
    whole = "".join(part.text for part in texts)
    roles, learned = _roles(row, whole), _learned(texts)
    secret = [(hit.start, hit.end) for hit in rules.current().hits(whole)]
    if hide:
        open_ = [(start, end) for start, end, role in roles if role not in hide]
        secret += others([*open_, *spans(signs, whole)], len(whole))
    begins = len(whole) - len(texts[-1].text)
    asked = pieces.spans(whole[:begins])
    answer = [(begins + a, begins + b) for a, b in pieces.spans(texts[-1].text)]
    tokens: list[Token] = [
        (said(whole, span, secret), _role_at(roles, span[0]), _role_at(learned, span[0]))
        for span in together(asked + answer)
    ]
    return Laid(
        tokens=tokens,
        answer_at=len(together(asked)),
        size=len(asked) + len(answer),
        learned=sum(_role_at(learned, start) == LEARNED for start, _end in asked + answer),
    )


def shown(found: Found, answers: Sequence[Laid], *, why: str) -> Json:
    """Lay a row out in runs of tokens that have the same role.

    Of a pair (two `answers`) the question, which both share, and each answer by itself.
    """
    first = answers[0]
    told: Json = {
        "file": found.place.file,
        "line": found.place.line,
        "why": why,
        "is_apart": found.is_apart,
        "tokens": max(one.size for one in answers),
        "learned": sum(one.learned for one in answers),
    }
    if len(answers) == 1:
        left_out = max(0, len(first.tokens) - FIRST_TOKENS - LAST_TOKENS)
        return told | {"left_out": left_out, "runs": _runs(first.tokens)}
    return told | {
        "left_out": 0,
        "runs": _runs(first.tokens[: first.answer_at]),
        "answers": [_runs(one.tokens[one.answer_at :]) for one in answers],
    }


def _runs(tokens: list[Token]) -> list[Json]:
    if len(tokens) <= FIRST_TOKENS + LAST_TOKENS:
        return list(_grouped(tokens))
    left_out = len(tokens) - FIRST_TOKENS - LAST_TOKENS
    gap: Json = {"role": "gap", "learned": False, "tokens": [str(left_out)]}
    return [*_grouped(tokens[:FIRST_TOKENS]), gap, *_grouped(tokens[-LAST_TOKENS:])]


def _grouped(tokens: Iterable[Token]) -> Iterable[Json]:
    for (role, learned), some in groupby(tokens, key=lambda one: one[1:]):
        letters = [one[0] for one in some]
        yield {"role": role, "learned": learned == LEARNED, "tokens": letters}


def _roles(row: Row, whole: str) -> Roles:
    """Find each message in what the template made of it; what lies between is its signs."""
    found: Roles = []
    at = 0
    for message in row.messages:
        words = message.content if isinstance(message.content, str) else ""
        start = whole.find(words, at)
        if start < 0:
            words = words.strip()
            start = whole.find(words, at)
        if words and start >= 0:
            at = start + len(words)
            found.append((start, at, message.role))
    return found


def _learned(texts: tuple[Part, ...]) -> Roles:
    found: Roles = []
    at = 0
    for part in texts:
        if part.learned:
            found.append((at, at + len(part.text), LEARNED))
        at += len(part.text)
    return found


def _role_at(roles: Roles, letter: int) -> str:
    at = bisect_right(roles, letter, key=lambda one: one[0]) - 1
    return roles[at][2] if at >= 0 and letter < roles[at][1] else SIGNS


def together(spans: list[Span]) -> list[Span]:
    """Put tokens together that are bytes of one letter: they cannot be shown apart."""
    merged: list[Span] = []
    for start, end in spans:
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def said(whole: str, span: Span, secret: list[Span]) -> str:
    """Give the letters of a token; of what is secret none."""
    start, end = span
    if any(start < stop and end > begin for begin, stop in secret):
        return HIDDEN
    letters = whole[start:end]
    return letters if len(letters) <= LETTERS_MAX else f"{letters[:LETTERS_MAX]}…"
