"""Where learning begins and ends in a row, by the rule that training has."""

import json
from functools import partial

from fabriek.quality.worker.job import Trouble
from fabriek.runs.worker.reading import Found
from fabriek.runs.worker.template import CLOSES, OPENS, UNMARKED, Chat
from fabriek_recipes.chat import BadTemplate, Messages, Part, Render, learned_marks, parts
from fabriek_recipes.conversations import Row


def split(found: Found, chat: Chat, *, every: bool) -> tuple[Part, ...]:
    """Split it. Raises: Trouble, naming the line that the template does not go with."""
    row = found.row
    tools = json.loads(row.tools or "null")
    render = partial(chat.render, tools=tools)
    try:
        return parts(row, render, chat.end, every=every)
    except BadTemplate as why:
        if every and chat.marks and (marked := _marked(row, chat, render, tools)):
            return marked
        if every and _is_stable(row, render, chat.end):
            raise Trouble("only_last", file=found.place.file, line=row.line) from why
        place = {"file": found.place.file, "line": row.line}
        raise Trouble("template_fails", why=str(why), **place) from why


def _marked(row: Row, chat: Chat, render: Render, tools: object) -> tuple[Part, ...]:
    """Split where the template itself marks what the assistant says; empty where it does not.

    Many templates drop what a model thought once its answer is no longer the last.
    """
    messages: Messages = [dict(message.told()) for message in row.messages]
    asked, text = render(messages[:-1], True), chat.marked(messages, False, tools=tools)
    whole = text.translate(UNMARKED).rstrip()
    if OPENS not in text or not whole.startswith(asked):
        return ()
    found: list[Part] = []
    at = 0
    marks = learned_marks(row, _places(text))
    for start, stop in marks[:-1]:
        ends = stop + len(chat.end) if whole.startswith(chat.end, stop) else stop
        found += [Part(whole[at:start], learned=False), Part(whole[start:ends], learned=True)]
        at = ends
    answer = whole[len(asked) :]
    last = answer if answer.endswith(chat.end) else answer + chat.end
    found += [Part(whole[at : len(asked)], learned=False), Part(last, learned=True)]
    return tuple(found) if marks and at <= len(asked) else ()


def _places(text: str) -> list[tuple[int, int]]:
    """Say where marked pieces stand once the marks are gone."""
    found, start, gone = [], 0, 0
    for at, letter in enumerate(text):
        if letter == OPENS:
            start = at - gone
            gone += 1
        elif letter == CLOSES:
            found.append((start, at - gone))
            gone += 1
    return found


def _is_stable(row: Row, render: Render, end: str) -> bool:
    try:
        parts(row, render, end, every=False)
    except BadTemplate:
        return False
    return True
