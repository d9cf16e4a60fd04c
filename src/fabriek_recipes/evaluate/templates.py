"""The part of Jinja that tasks may use: fields, conditions and a few words; no loops, no code.

What a template may hold is named here one by one, and the rest is refused before it runs.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from jinja2 import StrictUndefined, TemplateError, nodes
from jinja2.environment import TemplateExpression
from jinja2.sandbox import ImmutableSandboxedEnvironment

from fabriek_recipes.events import Json

PLAIN = (
    nodes.Template,
    nodes.Output,
    nodes.TemplateData,
    nodes.Name,
    nodes.Const,
    nodes.Getattr,
    nodes.Getitem,
    nodes.List,
    nodes.Tuple,
    nodes.Slice,
    nodes.If,
    nodes.CondExpr,
    nodes.Compare,
    nodes.Operand,
    nodes.And,
    nodes.Or,
    nodes.Not,
    nodes.Neg,
    nodes.Add,
    nodes.Sub,
    nodes.Concat,
)
FILTERS = {
    "capitalize",
    "default",
    "first",
    "float",
    "int",
    "join",
    "last",
    "length",
    "list",
    "lower",
    "replace",
    "string",
    "title",
    "tojson",
    "trim",
    "upper",
}
METHODS = {
    "capitalize",
    "endswith",
    "index",
    "lower",
    "lstrip",
    "replace",
    "rstrip",
    "split",
    "startswith",
    "strip",
    "title",
    "upper",
}
TESTS = {"defined", "undefined", "none", "string", "number"}
TEMPLATE_CHARACTERS_MAX = 20_000
# Jinja makes Python of it by recursion, some calls a level.
DEPTH_MAX = 50
WRONG = (
    TemplateError,
    ArithmeticError,
    LookupError,
    TypeError,
    ValueError,
    RecursionError,
)

_ENVIRONMENT = ImmutableSandboxedEnvironment(
    undefined=StrictUndefined, keep_trailing_newline=True
)


class BadTask(ValueError):
    """What a template cannot do, or a row does not give it; the words name it."""


@dataclass(frozen=True, slots=True)
class Template:
    """One text with places for the fields of a row."""

    source: str

    def render(self, row: Mapping[str, Json]) -> str:
        """Fill it. Raises: BadTask."""
        try:
            return _ENVIRONMENT.from_string(self.source).render(row)
        except WRONG as why:
            raise BadTask(str(why)[:200]) from why

    def value(self, row: Mapping[str, Json]) -> Json:
        """Give what it says: a list or number where it is but one of these. Raises: BadTask."""
        if (single := _single(self.source)) is not None:
            try:
                found: Json = single(row)
            except WRONG as why:
                raise BadTask(str(why)[:200]) from why
            if found is None:
                raise BadTask("a field is missing")
            return found
        text = self.render(row)
        try:
            written: Json = ast.literal_eval(text.strip())
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return text
        return written if isinstance(written, list | int) else text


def made(source: str) -> Template:
    """Read a template.

    Raises:
        BadTask: it uses something that is not named above.
    """
    if len(source) > TEMPLATE_CHARACTERS_MAX:
        raise BadTask("it is too long")
    try:
        tree = _ENVIRONMENT.parse(source)
    except (TemplateError, RecursionError) as why:
        raise BadTask(str(why)[:200]) from why
    for node in _all(tree):
        if (wrong := _wrong(node)) is not None:
            raise BadTask(wrong)
    return Template(source)


def _all(tree: nodes.Node) -> Iterator[nodes.Node]:
    """Give each node. Raises: BadTask, for what nests so deep that filling it would fail."""
    left = [(tree, 0)]
    while left:
        node, depth = left.pop()
        if depth > DEPTH_MAX:
            raise BadTask("it nests too deep")
        yield node
        left += [(child, depth + 1) for child in node.iter_child_nodes()]


def _wrong(node: nodes.Node) -> str | None:
    if isinstance(node, nodes.Filter):
        return None if node.name in FILTERS else f"the filter “{node.name}”"
    if isinstance(node, nodes.Test):
        return None if node.name in TESTS else f"the test “{node.name}”"
    if isinstance(node, nodes.Call):
        called = node.node
        is_known = isinstance(called, nodes.Getattr) and called.attr in METHODS
        return None if is_known else "a call"
    if isinstance(node, nodes.Getattr) and node.attr.startswith("_"):
        return f"the name “{node.attr}”"
    return None if isinstance(node, PLAIN) else f"“{type(node).__name__.lower()}”"


def _single(source: str) -> TemplateExpression | None:
    """Compile a template that is one expression and nothing else."""
    inner = source.strip()
    if not (inner.startswith("{{") and inner.endswith("}}")):
        return None
    if len(_ENVIRONMENT.parse(inner).body) != 1 or inner.count("{{") != 1:
        return None
    return _ENVIRONMENT.compile_expression(inner[2:-2].strip("-"), undefined_to_none=True)
