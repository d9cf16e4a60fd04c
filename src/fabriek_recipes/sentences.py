"""Every sentence that recipes can say; whoever says something else is no recipe of ours."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

from fabriek_recipes.words import IN_FILE


@cache
def known() -> frozenset[str]:
    """Read them from the sources, as xgettext does; the first time takes half a second."""
    sources = Path(__file__).resolve().parent.rglob("*.py")
    return frozenset(text for path in sources for text in _marked(path))


def is_known(msgid: str) -> bool:
    """Tell whether a recipe can say this, of a file or by itself."""
    return msgid.removeprefix(IN_FILE) in known()


def _marked(path: Path) -> list[str]:
    calls = (one for one in ast.walk(ast.parse(path.read_bytes())) if isinstance(one, ast.Call))
    given = [one.args[0] for one in calls if _is_mark(one.func) and one.args]
    texts = [one.value for one in given if isinstance(one, ast.Constant)]
    return [text for text in texts if isinstance(text, str)]


def _is_mark(called: ast.expr) -> bool:
    return isinstance(called, ast.Name) and called.id == "_"
