"""Reads rows of a better and a worse answer to the same question; light for the portal.

| form          | fields                                                                       |
|---------------|------------------------------------------------------------------------------|
| texts         | `prompt`, `chosen`, `rejected`                                               |
| messages      | `messages` or `prompt` (a list), `chosen` and `rejected` (a message or list) |
| conversations | `chosen` and `rejected`, each with the question they share                   |
| OpenAI        | `input` with `messages`, `preferred_output`, `non_preferred_output`          |
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath

from fabriek_recipes.conversations import Row, conversation
from fabriek_recipes.events import Json
from fabriek_recipes.field_names import ASKED, BETTER, PAIRS, WORSE, asked, named
from fabriek_recipes.row_problems import RowProblem, problem, text_problem
from fabriek_recipes.rows import PROBLEMS_MAX, read_as
from fabriek_recipes.words import _

ANSWERS = {"chosen": BETTER, "rejected": WORSE}
OPENAI = {"chosen": "preferred_output", "rejected": "non_preferred_output"}


@dataclass(frozen=True, slots=True)
class Pair:
    """One question with the answer people prefer and one they do not."""

    chosen: Row
    rejected: Row

    @property
    def line(self) -> int:
        """Where it stands."""
        return self.chosen.line


def read_pairs(
    path: Path, *, named: PurePath | None = None, every: int = 1
) -> Iterator[Pair | RowProblem]:
    """Give each pair, or what is wrong with its line; `named` and `every` as rows are read."""
    return read_as(path, pair, wanted=PAIRS, named=named, every=every)


def check_pairs(path: Path, limit: int = PROBLEMS_MAX) -> list[RowProblem]:
    """Collect the first `limit` problems of a file."""
    problems: list[RowProblem] = []
    for item in read_pairs(path):
        if isinstance(item, RowProblem):
            problems.append(item)
            if len(problems) >= limit:
                break
    return problems


def pair(number: int, raw: Json) -> Pair | RowProblem:
    """Read one row in any of the forms."""
    if isinstance(raw, dict) and OPENAI["chosen"] in raw:
        raw = _as_messages(raw)
    if not isinstance(raw, dict) or not any(named(raw, some) for some in ANSWERS.values()):
        return _no_pair(number)
    told = _told(number, raw)
    if isinstance(told, RowProblem):
        return told
    rows: list[Row] = []
    for messages in told:
        row = conversation(number, {"messages": messages, "tools": raw.get("tools")})
        if isinstance(row, RowProblem):
            return row
        rows.append(row)
    return _checked(number, *rows)


def _checked(number: int, chosen: Row, rejected: Row) -> Pair | RowProblem:
    if chosen.messages == rejected.messages:
        text = _("In line %(line)s both answers are the same; there is nothing to prefer.")
        return problem(number, text)
    if chosen.messages[:-1] != rejected.messages[:-1]:
        text = _(
            "In line %(line)s chosen and rejected do not answer the same question; they may "
            "differ in their last message only."
        )
        return problem(number, text)
    return Pair(chosen, rejected)


def _as_messages(raw: dict[str, Json]) -> dict[str, Json]:
    """Give OpenAI's names the ones everybody else uses."""
    asked = raw.get("input")
    given = asked if isinstance(asked, dict) else {}
    return {
        "prompt": given.get("messages"),
        "tools": given.get("tools"),
        **{name: raw.get(theirs) for name, theirs in OPENAI.items()},
    }


def _told(number: int, raw: dict[str, Json]) -> list[list[Json]] | RowProblem:
    name = _question_in(raw)
    question = asked(raw, name) if name else None
    if name and isinstance(question, str):
        if (wrong := text_problem(number, name, question)) is not None:
            return wrong
        question = [{"role": "user", "content": question}]
    told: list[list[Json]] = []
    for usual, some in ANSWERS.items():
        own = named(raw, some) or usual
        answer = _answer(number, own, raw.get(own))
        if isinstance(answer, RowProblem):
            return answer
        told.append([*question, *answer] if isinstance(question, list) else answer)
    return told


def _question_in(raw: dict[str, Json]) -> str | None:
    """Say which field holds the question; beside whole conversations `prompt` alone does."""
    usual = next((name for name in ("messages", "prompt") if name in raw), None)
    better = named(raw, BETTER)
    is_text = better is not None and isinstance(raw[better], str)
    return usual or (named(raw, ASKED) if is_text else None)


def _answer(number: int, name: str, raw: Json) -> list[Json] | RowProblem:
    if isinstance(raw, list) and raw:
        return raw
    if isinstance(raw, dict):
        return [raw]
    if (wrong := text_problem(number, name, raw or None)) is not None:
        return wrong
    return [{"role": "assistant", "content": raw}]


def _no_pair(number: int) -> RowProblem:
    text = _(
        "Line %(line)s has no pair of answers; write "
        '{"prompt": "…", "chosen": "…", "rejected": "…"}.'
    )
    return problem(number, text)
