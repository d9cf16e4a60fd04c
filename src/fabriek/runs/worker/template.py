"""A model's chat template, rendered in a sandbox with a bound on what it may write."""

import json
import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar

from jinja2 import Template, TemplateError, nodes
from jinja2.exceptions import SecurityError
from jinja2.ext import Extension
from jinja2.parser import Parser
from jinja2.runtime import Macro
from jinja2.sandbox import ImmutableSandboxedEnvironment

from fabriek.quality.worker.job import Trouble
from fabriek.runs.worker.asked import SETTINGS, SIGNS_FILE, TEMPLATE_FILE
from fabriek_recipes.chat import PLAIN_TEMPLATE, BadTemplate, Messages

FILE_BYTES_MAX = 32 * 2**20
# The longest row is a mebibyte; a template that makes much more of it is not a template.
CHARACTERS_MAX = 4 * 2**20
# Around what a template marks as said by the assistant; of private use, so that no text has it.
OPENS, CLOSES = "\ue0f1", "\ue0f2"
UNMARKED = {ord(OPENS): None, ord(CLOSES): None}
MARKED = re.compile(r"\{%-?\s*generation\s*-?%\}")
REPEATED_MAX = 10_000
WHY_CHARACTERS = 200


class Chat:
    """What turns messages into text as a server would, and the sign that ends an answer."""

    def __init__(self, files: Mapping[str, Path]) -> None:
        """Read it. Raises: Trouble, when the template is no template."""
        settings = _read_object(files.get(SETTINGS))
        self.signs = _signs(_read_object(files.get(SIGNS_FILE))) | _signs(settings)
        self.end = self.signs.get("eos_token", "")
        own, with_tools = _templates_of(files, settings)
        self.is_plain = not own
        self.marks = bool(MARKED.search(own + with_tools))
        try:
            self._template = _sandbox().from_string(own or PLAIN_TEMPLATE)
            # As in the library of models: one for rows that have tools, where there is one.
            self._with_tools = _sandbox().from_string(with_tools) if with_tools else None
        except (TemplateError, RecursionError, ValueError) as why:
            raise Trouble("bad_template", why=str(why)[:WHY_CHARACTERS]) from why

    def render(self, messages: Messages, begins_answer: bool, *, tools: object = None) -> str:
        """Give the text.

        Raises: BadTemplate, with what went wrong; Trouble, when it writes without end.
        """
        return self.marked(messages, begins_answer, tools=tools).translate(UNMARKED)

    def marked(self, messages: Messages, begins_answer: bool, *, tools: object = None) -> str:
        """Render with a mark around each answer that the template names one."""
        context: dict[str, Any] = {
            **self.signs,
            "messages": messages,
            "tools": tools,
            "documents": None,
            "add_generation_prompt": begins_answer,
        }
        try:
            return _bounded(self._chosen(tools), context)
        except (TemplateError, TypeError, ValueError, ArithmeticError, LookupError,
                AttributeError, RecursionError) as why:  # fmt: skip
            raise BadTemplate(str(why)[:WHY_CHARACTERS]) from why

    def _chosen(self, tools: object) -> Template:
        return self._with_tools if tools is not None and self._with_tools else self._template


class _Sandbox(ImmutableSandboxedEnvironment):
    """Also bound what fills memory, or keeps the processor busy, in one single step."""

    intercepted_binops: ClassVar[frozenset[str]] = frozenset({"*", "**"})  # type: ignore[misc]

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:  # noqa: ANN401
        numbers = [one for one in (left, right) if isinstance(one, int)]
        if operator == "**" or (
            len(numbers) == 1 and not isinstance(left, float) and numbers[0] > REPEATED_MAX
        ):
            raise SecurityError("a number is too large")
        return super().call_binop(context, operator, left, right)


class _Generation(Extension):
    """`{% generation %}`: what stands in it is said by the assistant."""

    tags: ClassVar[set[str]] = {"generation"}  # type: ignore[misc]

    def parse(self, parser: Parser) -> nodes.Node:
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        said = self.call_method("_said")
        return nodes.CallBlock(said, [], [], body).set_lineno(line)

    def _said(self, caller: Macro) -> str:
        return f"{OPENS}{caller()}{CLOSES}"


def _sandbox() -> ImmutableSandboxedEnvironment:
    made = _Sandbox(
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=[_Generation, "jinja2.ext.loopcontrols"],
    )
    made.filters["tojson"] = _as_json
    made.globals["raise_exception"] = _refuse
    made.globals["strftime_now"] = _now
    return made


def _bounded(template: Template, context: Mapping[str, Any]) -> str:
    pieces, size = [], 0
    for piece in template.generate(**context):
        size += len(piece)
        if size > CHARACTERS_MAX:
            raise Trouble("template_too_long")
        pieces.append(piece)
    return "".join(pieces)


def _as_json(value: object, indent: int | None = None, **_more: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent)


def _refuse(why: object) -> None:
    raise TemplateError(str(why))


def _now(form: str) -> str:
    return datetime.now().strftime(form)  # noqa: DTZ005  what the library of models gives


def _templates_of(files: Mapping[str, Path], settings: Mapping[str, Any]) -> tuple[str, str]:
    """Give the template, and the one for rows with tools if that is another."""
    if path := files.get(TEMPLATE_FILE):
        return _text(path), ""
    found = settings.get("chat_template")
    if not isinstance(found, list):
        return (found if isinstance(found, str) else ""), ""
    pairs = [one for one in found if isinstance(one, dict)]  # several, by name
    named = {str(one.get("name")): one.get("template") for one in pairs}
    own, with_tools = (named.get(name) for name in ("default", "tool_use"))
    return str(own or ""), str(with_tools or "")


def _signs(told: Mapping[str, Any]) -> dict[str, str]:
    signs: dict[str, str] = {}
    for name, value in told.items():
        text = value.get("content") if isinstance(value, dict) else value
        if name.endswith("_token") and isinstance(text, str):
            signs[name] = text
    return signs


def _read_object(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        found = json.loads(_text(path))
    except (ValueError, RecursionError) as why:
        raise Trouble("bad_settings") from why
    return found if isinstance(found, dict) else {}


def _text(path: Path) -> str:
    if path.stat().st_size > FILE_BYTES_MAX:
        raise Trouble("bad_settings")
    return path.read_text(encoding="utf-8", errors="replace")
