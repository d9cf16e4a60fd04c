"""How a row becomes what a model reads, and which part of that it learns from; light."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fabriek_recipes.rows import Row

# For a base model without a template: question, new line, answer.
PLAIN_TEMPLATE = (
    "{% if bos_token %}{{ bos_token }}{% endif %}{% for message in messages %}"
    "{% if message['role'] == 'assistant' %}{{ message['content'] + eos_token }}"
    "{% else %}{{ message['content'] + '\\n' }}{% endif %}{% endfor %}"
)

Messages = list[dict[str, object]]
# The messages, and whether the sign that an answer begins is to follow them.
Render = Callable[[Messages, bool], str]


class BadTemplate(Exception):
    """The template cannot render a row, or hides where the answer begins."""


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of what the model reads: turned into tokens by itself."""

    text: str
    learned: bool


def parts(row: Row, render: Render, end: str, *, every: bool = True) -> tuple[Part, ...]:
    """Split a row into what a server would be asked, an answer, what it is asked next, and on.

    The last piece is the last answer. `every`: the answers before it are learned too, but for
    what stands before the first question. `render` must know the row's tools.

    Raises:
        BadTemplate: an answer does not follow its question, or something is left out.
    """
    messages: Messages = [dict(message.told()) for message in row.messages]
    whole = render(messages, False)
    check_tools(row, whole)
    found: list[Part] = []
    at = 0
    for turn in _turns(row, every=every):
        prompt = render(messages[:turn], True)
        is_last = turn == len(messages) - 1
        answered = (whole if is_last else render(messages[: turn + 1], False)).rstrip()
        if not (answered.startswith(prompt) and whole.startswith(answered)):
            raise BadTemplate("the answer does not follow the question")
        if len(answered) == len(prompt):
            raise BadTemplate("it leaves out an answer")
        if is_last and not answered.endswith(end):
            answered += end
        found += [Part(whole[at : len(prompt)], learned=False)]
        found += [Part(answered[len(prompt) :], learned=True)]
        at = len(answered)
    return tuple(found)


def _turns(row: Row, *, every: bool) -> list[int]:
    """Find the answers to learn: the last, or all after a question but those of weight 0."""
    asked = next(place for place, each in enumerate(row.messages) if each.role == "user")
    last = len(row.messages) - 1
    return [
        place
        for place, each in enumerate(row.messages)
        if each.role == "assistant"
        and place > asked
        and (place == last or (every and each.learned))
    ]


def learned_marks(row: Row, marks: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Leave out what marks answers of weight 0; give none where these cannot be told apart."""
    learned = [each.learned for each in row.messages if each.role == "assistant"]
    if all(learned):
        return list(marks)
    if len(learned) != len(marks):
        return []
    return [mark for mark, is_learned in zip(marks, learned, strict=True) if is_learned]


def check_tools(row: Row, whole: str) -> None:
    """Look whether a template wrote the tools down: many leave them out without a word.

    Raises: BadTemplate.
    """
    called = {call.name for message in row.messages for call in message.calls}
    offered = {tool["function"]["name"] for tool in json.loads(row.tools or "[]")}
    for name in sorted(called | offered):
        if name not in whole:
            raise BadTemplate(f"it leaves out the tool {name[:60]}")
