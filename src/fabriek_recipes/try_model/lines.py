"""Questions and answers of a session, as lines in its run folder; light, for both sides.

| file              | written by | holds                                                    |
|-------------------|------------|----------------------------------------------------------|
| `questions.jsonl` | portal     | `ask`: a question; `stop`: no more of its answer         |
| `answers.jsonl`   | recipe     | `piece`: more of an answer; `over`: its end; `refused`   |

Both only grow while the session lasts, and go when it ends. Neither side believes the other: a
line that is no such line is passed over.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from fabriek_recipes.events import Event, Events, Json
from fabriek_recipes.words import Sentence, _

QUESTIONS, ANSWERS = "questions.jsonl", "answers.jsonl"
Side = Literal["base", "model"]
SIDES: tuple[Side, ...] = ("base", "model")

# Together they stay within one line of LINE_BYTES_MAX, also where each sign takes four bytes.
PROMPT_CHARACTERS_MAX, SYSTEM_CHARACTERS_MAX = 12_000, 2_000
TOKENS_MAX = 2_048
TEMPERATURE_MAX = 2.0
SEED_MAX = 2**31 - 1
# What is kept of an answer, and of all together, whatever a job writes.
ANSWER_CHARACTERS_MAX = 40_000
QUESTIONS_MAX = 200
WHY_CHARACTERS_MAX = 200

# Why there is no answer, by its code: no sentence of a job's own is ever filled in or shown.
REFUSALS: Mapping[str, str] = {
    "too_long": _(
        "This question is %(tokens)s pieces of words long, and this model can look at "
        "%(most)s together. Ask something shorter."
    ),
    "talk_too_long": _(
        "With all that was said before, this is %(tokens)s pieces of words long, and this "
        "model can look at %(most)s together. Begin a new conversation, or ask something "
        "shorter."
    ),
    "bad_template": _(
        "This model's chat template cannot take this question (%(why)s). Leave the "
        "instruction empty, or ask differently."
    ),
    "bad_tokenizer": _(
        "This model does not know all pieces of words of its own tokenizer: they do not "
        "belong together. Take the tokenizer that came with the model."
    ),
    "no_memory": _("There was too little memory for this answer. Ask something shorter."),
    "broken": _("This model could not answer (%(why)s). Ask something else."),
}

# Why an answer ended: by itself, at the most tokens that were asked for, where the model can
# look at no more, or it was stopped.
ENDED, CUT, FULL, STOPPED = "ended", "cut", "full", "stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked. `temperature` 0: the likeliest token each time.

    `since`: the question with which its conversation began; its own number: it is the first,
    with nothing before it to go on with; 0: it was to begin a new one.
    """

    number: int
    prompt: str
    system: str = ""
    temperature: float = 0.0
    tokens_max: int = 256
    seed: int = 1
    since: int = 0

    @property
    def begun_with(self) -> int:
        """The number of the question with which its conversation began."""
        return self.since or self.number

    @property
    def goes_on(self) -> bool:
        """Whether what was said before belongs to it."""
        return self.begun_with < self.number

    def told(self) -> dict[str, Json]:
        """Give it as its line holds it."""
        return {
            "number": self.number,
            "prompt": self.prompt,
            "system": self.system,
            "temperature": self.temperature,
            "tokens_max": self.tokens_max,
            "seed": self.seed,
            "since": self.since,
        }


@dataclass(slots=True, kw_only=True)
class Said:
    """What one side said so far. `why` is empty while it goes on, `refusal` if it cannot."""

    text: str = ""
    tokens: int = 0
    prompt_tokens: int = 0
    seconds: float = 0.0
    why: str = ""
    refusal: Sentence | None = None

    @property
    def is_over(self) -> bool:
        """Whether nothing more comes."""
        return bool(self.why) or self.refusal is not None


@dataclass(slots=True, kw_only=True)
class Asked:
    """The questions as they were read, and of which the answer is to be stopped."""

    questions: list[Question] = field(default_factory=list)
    stopped: set[int] = field(default_factory=set)

    def take(self, events: Iterable[Event]) -> None:
        """Take in more lines."""
        for event in events:
            number = _count(event.fields.get("number"))
            if event.kind == "stop":
                self.stopped.add(number)
            elif event.kind == "ask" and (asked := _question(number, event.fields)):
                self.questions.append(asked)


def conversation(
    question: Question, asked: Iterable[Question], said: Mapping[int, str]
) -> list[tuple[str, str]]:
    """Give what one side is asked, as roles and texts: with its own earlier answers.

    `said`: what it answered, by number. A question that it gave no word to is left out: it
    would stand there as one that nobody answered.
    """
    told = [("system", question.system)] if question.system else []
    before = range(question.begun_with, question.number)
    for one in asked:
        if one.number in before and (answer := said.get(one.number, "")):
            told += [("user", one.prompt), ("assistant", answer)]
    return [*told, ("user", question.prompt)]


class Answers(Events):
    """The writer of answers: each line is at once visible, also on a disk that is shared."""

    def piece(self, number: int, side: Side, *, kept: int, text: str, said: Said) -> None:
        """Tell more: after the first `kept` characters of what was told comes `text`."""
        self._line("piece", number, side, {"kept": kept, "text": text, **_figures(said)})

    def over(self, number: int, side: Side, said: Said) -> None:
        """Tell that an answer is whole, or why it is not."""
        self._line("over", number, side, {"why": said.why, **_figures(said)})

    def refused(
        self,
        number: int,
        side: Side,
        code: str,
        *,
        tokens: int = 0,
        most: int = 0,
        why: str = "",
    ) -> None:
        """Tell why there is no answer, by a code of `REFUSALS`."""
        told: dict[str, Json] = {"code": code, "tokens": tokens, "most": most, "why": why[:200]}
        self._line("refused", number, side, told)

    def _line(self, kind: str, number: int, side: Side, fields: Mapping[str, Json]) -> None:
        self._write(kind, number=number, side=side, **fields)
        os.fsync(self.descriptor)


def said_in(events: Iterable[Event]) -> dict[int, dict[Side, Said]]:
    """Put together what was said to each question, from the lines of answers."""
    found: dict[int, dict[Side, Said]] = {}
    for event in events:
        number, side = _count(event.fields.get("number")), event.fields.get("side")
        # By our own words: nothing that a job made up becomes a key.
        known = next((one for one in SIDES if one == side), None)
        if known and 0 < number <= QUESTIONS_MAX:
            _take(found.setdefault(number, {}).setdefault(known, Said()), event)
    return found


def _take(said: Said, event: Event) -> None:
    fields = event.fields
    said.tokens = _count(fields.get("tokens", said.tokens))
    said.prompt_tokens = _count(fields.get("prompt_tokens", said.prompt_tokens))
    said.seconds = _number(fields.get("seconds", said.seconds))
    if event.kind == "piece":
        whole = said.text[: _count(fields.get("kept"))] + _text(fields.get("text"))
        said.text = whole[:ANSWER_CHARACTERS_MAX]
    elif event.kind == "over":
        why = fields.get("why")
        said.why = str(why) if why in (ENDED, CUT, FULL, STOPPED) else ENDED
    elif event.kind == "refused":
        said.refusal = _sentence(fields)


def _figures(said: Said) -> dict[str, Json]:
    return {
        "tokens": said.tokens,
        "prompt_tokens": said.prompt_tokens,
        "seconds": round(said.seconds, 3),
    }


def _question(number: int, fields: Mapping[str, Json]) -> Question | None:
    if not 0 < number <= QUESTIONS_MAX:
        return None
    return Question(
        number=number,
        prompt=_text(fields.get("prompt")),
        system=_text(fields.get("system")),
        temperature=min(_number(fields.get("temperature")), TEMPERATURE_MAX),
        tokens_max=min(max(1, _count(fields.get("tokens_max"))), TOKENS_MAX),
        seed=min(_count(fields.get("seed")), SEED_MAX),
        since=min(_count(fields.get("since")), number),
    )


def _sentence(fields: Mapping[str, Json]) -> Sentence:
    code = fields.get("code")
    msgid = REFUSALS.get(code if isinstance(code, str) else "", REFUSALS["broken"])
    return Sentence(
        msgid,
        tokens=_count(fields.get("tokens")),
        most=_count(fields.get("most")),
        why=_text(fields.get("why"))[:WHY_CHARACTERS_MAX],
    )


def _text(value: Json) -> str:
    """Keep what a page can show: no half characters, no zero byte."""
    text = value if isinstance(value, str) else ""
    return text.encode("utf-8", "replace").decode().replace("\0", "")


def _count(value: Json) -> int:
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return min(max(0, int(value)), SEED_MAX) if is_number else 0  # type: ignore[arg-type]


def _number(value: Json) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return min(max(0.0, float(value)), 1e9) if is_number else 0.0  # type: ignore[arg-type]
