"""Conversations as rows hold them: turns, calls of tools and answers, in OpenAI's form."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import cast

from fabriek_recipes.events import Json
from fabriek_recipes.row_problems import RowProblem, is_half, problem, text_problem
from fabriek_recipes.words import _

MESSAGES_MIN = 2
# Of an answer, in OpenAI's form: 0 is read and not learned from.
WEIGHTS = (0, 1)
ROLES = ("system", "user", "assistant", "tool")
# What one hands a template must not nest without end; OpenAI's own bound on tools is 128.
TOOLS_MAX = 128


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call by the assistant; `arguments` is the JSON of an object."""

    id: str
    name: str
    arguments: str

    def told(self) -> dict[str, Json]:
        """Give it as chat templates and servers do: with the arguments as an object."""
        called: dict[str, Json] = {"name": self.name, "arguments": json.loads(self.arguments)}
        return {"id": self.id, "type": "function", "function": called}


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation; `calls` are the assistant's, `answers` a tool's: an id.

    `learned`: false where OpenAI's `weight` is 0, so that an answer is only read.
    """

    role: str
    content: str
    calls: tuple[ToolCall, ...] = ()
    answers: str = ""
    name: str = ""
    learned: bool = True

    def told(self) -> dict[str, Json]:
        """Give it as a chat template takes it, without what it has not."""
        told: dict[str, Json] = {"role": self.role, "content": self.content}
        if self.calls:
            told["tool_calls"] = [call.told() for call in self.calls]
        if self.answers:
            told["tool_call_id"] = self.answers
        if self.name:
            told["name"] = self.name
        return told


@dataclass(frozen=True, slots=True)
class Row:
    """One example: what is asked, and the answer (the last message) that is learned from."""

    line: int
    messages: tuple[Message, ...]
    tools: str = ""
    """The JSON of the list of tools; empty for none."""

    @property
    def completion(self) -> str:
        """The answer to learn, as text for people."""
        return _shown(self.messages[-1])

    @property
    def prompt(self) -> str:
        """What comes before the answer, as text for people."""
        return "\n".join(_shown(message) for message in self.messages[:-1])


@dataclass(slots=True)
class _Calls:
    """Which calls of a conversation still wait for their answer."""

    names: frozenset[str]
    open: dict[str, str] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)


def conversation(number: int, raw: dict[str, Json], *, ends: bool = True) -> Row | RowProblem:
    """Read `messages` and `tools` of a row; `ends`: it must end with the assistant's answer."""
    tools = _tools(number, raw.get("tools"))
    if isinstance(tools, RowProblem):
        return tools
    found = messages(number, raw["messages"], _Calls(frozenset(tools)))
    if isinstance(found, RowProblem):
        return found
    if (wrong := _order_problem(number, found, ends=ends)) is not None:
        return wrong
    return Row(number, found, _written(raw["tools"]) if tools else "")


def messages(number: int, raw: Json, calls: _Calls) -> tuple[Message, ...] | RowProblem:
    """Read a list of turns, checking that calls and their answers fit."""
    if not isinstance(raw, list) or not raw:
        return problem(
            number,
            _("Line %(line)s needs a list of at least two messages: a question and an answer."),
        )
    found: list[Message] = []
    for item in raw:
        message = _weight_problem(number, item) or _message(number, item, calls)
        if isinstance(message, RowProblem):
            return message
        found.append(message)
    return tuple(found)


def _order_problem(number: int, found: tuple[Message, ...], *, ends: bool) -> RowProblem | None:
    if ends and len(found) < MESSAGES_MIN:
        return problem(
            number,
            _("Line %(line)s needs a list of at least two messages: a question and an answer."),
        )
    if ends and found[-1].role != "assistant":
        return problem(
            number,
            _("Line %(line)s does not end with a message by the assistant; add the answer."),
        )
    if ends and not found[-1].learned:
        text = _("Line %(line)s ends with an answer of weight 0, to learn nothing; remove it.")
        return problem(number, text)
    if any(message.role == "system" for message in found[1:]):
        return problem(
            number, _("Line %(line)s has a system message that is not the first; move it up.")
        )
    if not any(message.role == "user" for message in found):
        return problem(number, _("Line %(line)s has no message by the user; add the question."))
    return None


def _weight_problem(number: int, raw: Json) -> RowProblem | None:
    if isinstance(raw, dict) and raw.get("weight", 1) not in WEIGHTS:
        return problem(number, _("Line %(line)s has a weight that is not 0 or 1; mend it."))
    return None


def _message(number: int, raw: Json, calls: _Calls) -> Message | RowProblem:
    if not isinstance(raw, dict) or raw.get("role") not in ROLES:
        return problem(
            number,
            _("Line %(line)s has a role that is not system, user, assistant or tool; mend it."),
        )
    role = cast("str", raw["role"])
    if role == "tool":
        return _answer(number, raw, calls)
    if calls.open:
        text = _("In line %(line)s the call “%(id)s” has no answer by a tool; add it.")
        return problem(number, text, id=next(iter(calls.open)))
    if raw.get("tool_calls"):
        return _calling(number, raw, calls)
    if (wrong := text_problem(number, "content", raw.get("content"))) is not None:
        return wrong
    return Message(role, cast("str", raw["content"]), learned=_is_learned(raw))


def _answer(number: int, raw: dict[str, Json], calls: _Calls) -> Message | RowProblem:
    called = raw.get("tool_call_id")
    if not isinstance(called, str) or called not in calls.open:
        text = _(
            "Line %(line)s has an answer by a tool to the call “%(id)s”, which the assistant "
            "did not make just before; mend its tool_call_id."
        )
        return problem(number, text, id=str(called)[:60])
    content = raw.get("content")
    # An empty answer is one too: many tools have nothing to say.
    if not isinstance(content, str) or is_half(content):
        return text_problem(number, "content", content) or problem(
            number, _("In line %(line)s %(name)s is not text; put it between quotes."), name=""
        )
    return Message("tool", content, answers=called, name=calls.open.pop(called))


def _calling(number: int, raw: dict[str, Json], calls: _Calls) -> Message | RowProblem:
    content = raw.get("content") or ""
    listed = raw["tool_calls"]
    if raw["role"] != "assistant" or not isinstance(listed, list):
        text = _("Line %(line)s has tool_calls that are no list of an assistant; mend them.")
        return problem(number, text)
    if not isinstance(content, str) or is_half(content):
        return text_problem(number, "content", content or 0) or _no_call(number)
    made: list[ToolCall] = []
    for item in listed:
        call = _call(number, item, calls)
        if isinstance(call, RowProblem):
            return call
        made.append(call)
        calls.seen.add(call.id)
        calls.open[call.id] = call.name
    return Message("assistant", content, tuple(made), learned=_is_learned(raw))


def _is_learned(raw: dict[str, Json]) -> bool:
    return raw["role"] != "assistant" or raw.get("weight", 1) != 0


def _call(number: int, raw: Json, calls: _Calls) -> ToolCall | RowProblem:
    function = raw.get("function") if isinstance(raw, dict) else None
    if not isinstance(raw, dict) or not isinstance(function, dict):
        return _no_call(number)
    called, name = raw.get("id"), function.get("name")
    if not isinstance(called, str) or not isinstance(name, str) or not _is_id(called):
        return _no_call(number)
    if called in calls.seen:
        text = _("Line %(line)s has two calls with the id “%(id)s”; give each its own.")
        return problem(number, text, id=called[:60])
    if name not in calls.names:
        text = _("Line %(line)s calls “%(name)s”, which is not in its list of tools; add it.")
        return problem(number, text, name=name[:60])
    told = _arguments(number, name, function.get("arguments"))
    return told if isinstance(told, RowProblem) else ToolCall(called, name, told)


def _is_id(text: str) -> bool:
    return text.isprintable() and text != ""


def _arguments(number: int, name: str, raw: Json) -> str | RowProblem:
    """Take them as OpenAI writes them, JSON in a text, or as the object itself."""
    try:
        found = json.loads(raw) if isinstance(raw, str) else raw
        if isinstance(found, dict) and (written := _written(found)):
            return written
    except (ValueError, RecursionError):
        pass
    text = _("In line %(line)s the arguments of “%(name)s” are no JSON object; mend them.")
    return problem(number, text, name=name[:60])


def _tools(number: int, raw: Json) -> list[str] | RowProblem:
    """Give the names of the tools, or what is wrong with their list."""
    if raw is None or raw == []:
        return []
    if not isinstance(raw, list) or len(raw) > TOOLS_MAX or not _written(raw):
        return _no_tool(number)
    names: list[str] = []
    for item in raw:
        function = item.get("function") if isinstance(item, dict) else None
        name = function.get("name") if isinstance(function, dict) else None
        parameters = function.get("parameters", {}) if isinstance(function, dict) else None
        if not isinstance(name, str) or not name or not isinstance(parameters, dict):
            return _no_tool(number)
        names.append(name)
    return names


def _written(value: Json) -> str:
    """Write JSON that a template can say; nothing when it holds what text cannot."""
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    except (ValueError, RecursionError):
        return ""
    return "" if is_half(text) else text


def _no_call(number: int) -> RowProblem:
    text = _(
        "Line %(line)s has a call of a tool without an id or the name of a function; write "
        '{"id": "…", "type": "function", "function": {"name": "…", "arguments": "{}"}}.'
    )
    return problem(number, text)


def _no_tool(number: int) -> RowProblem:
    text = _(
        "Line %(line)s has tools that are no list of functions; write "
        '[{"type": "function", "function": {"name": "…", "parameters": {}}}].'
    )
    return problem(number, text)


def _shown(message: Message) -> str:
    calls = [f"{call.name}({call.arguments})" for call in message.calls]
    return "\n".join([part for part in (message.content, *calls) if part])
