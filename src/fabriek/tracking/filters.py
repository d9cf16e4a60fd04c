"""The language in which clients search: comparisons joined by AND, and what to order by.

`metrics.loss < 0.5 AND params."model" = 'small' AND attributes.status = 'FINISHED'`
"""

import fnmatch
import math
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from django.utils.translation import gettext as _

from fabriek.tracking import refusals

Value = str | float | None
Words = Mapping[str, Mapping[str, Value]]  # what a run has: {"metrics": {"loss": 0.5}, ...}

KINDS = {
    "metric": "metrics",
    "metrics": "metrics",
    "param": "params",
    "params": "params",
    "parameter": "params",
    "parameters": "params",
    "tag": "tags",
    "tags": "tags",
    "attribute": "attributes",
    "attributes": "attributes",
    "attr": "attributes",
    "run": "attributes",
}
# What clients call them, beside their own names.
ATTRIBUTES = {
    "run_id": "run_id",
    "id": "run_id",
    "run_name": "run_name",
    "run name": "run_name",
    "name": "run_name",
    "status": "status",
    "user_id": "user_id",
    "start_time": "start_time",
    "started": "start_time",
    "created": "start_time",
    "end_time": "end_time",
    "artifact_uri": "artifact_uri",
}
NUMBERS = frozenset({"start_time", "end_time"})
COMPARE: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "=": operator.eq,
    "!=": operator.ne,
}
FILTER_MAX = 4_000
ORDERS_MAX = 10
PATTERN_MAX = 200  # each sign of it may be tried at each sign of a long text
LIKE = {"%": "*", "_": "?", "*": "[*]", "?": "[?]", "[": "[[]"}
TOKEN = re.compile(
    r"""\s*(?:
      (?P<sign><=|>=|!=|<>|=|<|>|\(|\)|,)
    | (?P<text>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")
    | (?P<ticked>`[^`]*`)
    | (?P<number>[-+]?(?:\d{1,60}(?:\.\d{0,60})?(?:[eE][-+]?\d{1,4})?|\.\d{1,60})(?![\w./-]))
    | (?P<name>[A-Za-z_][\w/:@\-]*)
    | (?P<dot>\.)
    )""",
    re.VERBOSE,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Condition:
    kind: str
    name: str
    sign: str
    values: tuple[str | float, ...]

    def holds(self, words: Words) -> bool:
        found = words.get(self.kind, {}).get(self.name)
        if found is None:
            return False  # as in SQL: what is not there compares with nothing
        if isinstance(found, str):
            return _text_holds(found, self.sign, [str(value) for value in self.values])
        return COMPARE[self.sign](found, float(self.values[0]))


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    kind: str
    name: str
    descending: bool


def conditions(text: str) -> list[Condition]:
    """Read a filter. Raises: Wrong, saying what can be asked."""
    tokens = _tokens(text)
    found = []
    while tokens:
        found.append(_condition(tokens))
        if tokens and _word(tokens.pop(0)) != "AND":
            raise _not_understood(text)
    return found


def orders(told: Sequence[str]) -> list[Order]:
    """Read what to order by. Raises: Wrong."""
    if len(told) > ORDERS_MAX:
        raise refusals.Wrong(
            _("Runs can be ordered by %(most)s things at most.") % {"most": ORDERS_MAX}
        )
    found = []
    for text in told:
        tokens = _tokens(text)
        kind, name = _key(tokens, text)
        way = _word(tokens.pop(0)) if tokens else "ASC"
        if tokens or way not in {"ASC", "DESC"}:
            raise _not_understood(text)
        found.append(Order(kind=kind, name=name, descending=way == "DESC"))
    return found


def _condition(tokens: list[tuple[str, str]]) -> Condition:
    kind, name = _key(tokens, "")
    sign = _sign(tokens)
    values = _values(tokens, sign)
    if kind == "metrics" or (kind == "attributes" and name in NUMBERS):
        if sign not in COMPARE or not all(isinstance(value, float) for value in values):
            raise refusals.Wrong(
                _("“%(name)s” is a number: compare it by = != < <= > >= with a number.")
                % {"name": name[: refusals.SHOWN]}
            )
    elif sign in {"<", "<=", ">", ">="} or not all(isinstance(v, str) for v in values):
        raise refusals.Wrong(
            _("“%(name)s” is a text: compare it by =, !=, LIKE, ILIKE, IN or NOT IN with a "
              "text in quotes.")
            % {"name": name[: refusals.SHOWN]}
        )  # fmt: skip
    elif sign in {"LIKE", "ILIKE"} and len(str(values[0])) > PATTERN_MAX:
        raise refusals.Wrong(
            _("A pattern of LIKE or ILIKE has %(most)s signs at most. Search for a part.")
            % {"most": PATTERN_MAX}
        )
    return Condition(kind=kind, name=name, sign=sign, values=values)


def _tokens(text: str) -> list[tuple[str, str]]:
    if len(text) > FILTER_MAX:
        raise _not_understood(text)
    tokens, at = [], 0
    text = text.strip()
    while at < len(text):
        match = TOKEN.match(text, at)
        if not match or not match.lastgroup:
            raise _not_understood(text)
        tokens.append((match.lastgroup, match[match.lastgroup]))
        at = match.end()
    return tokens


def _key(tokens: list[tuple[str, str]], text: str) -> tuple[str, str]:
    """Read `metrics.loss`, `params."learning rate"`, or the bare name of an attribute."""
    if not tokens or tokens[0][0] != "name":
        raise _not_understood(text)
    first = tokens.pop(0)[1]
    if not tokens or tokens[0][0] != "dot":
        return "attributes", _attribute(first)
    parts = []
    while tokens and tokens[0][0] == "dot":
        tokens.pop(0)
        if not tokens or tokens[0][0] not in {"name", "text", "ticked", "number"}:
            raise _not_understood(text)
        parts.append(_bare(*tokens.pop(0)))
    kind, name = KINDS.get(first.lower()), ".".join(parts)
    if kind is None:
        raise _not_understood(first)
    return kind, _attribute(name) if kind == "attributes" else name


def _attribute(name: str) -> str:
    found = ATTRIBUTES.get(name.lower())
    if found is None:
        raise refusals.Wrong(
            _("Runs have no attribute “%(name)s”. They have: %(all)s.")
            % {
                "name": name[: refusals.SHOWN],
                "all": ", ".join(sorted(set(ATTRIBUTES.values()))),
            }
        )
    return found


def _sign(tokens: list[tuple[str, str]]) -> str:
    if not tokens:
        raise _not_understood("")
    sign = _word(tokens.pop(0))
    if sign == "NOT" and tokens:
        sign = f"NOT {_word(tokens.pop(0))}"
    sign = "!=" if sign == "<>" else sign
    if sign not in COMPARE and sign not in {"LIKE", "ILIKE", "IN", "NOT IN"}:
        raise _not_understood(sign)
    return sign


def _values(tokens: list[tuple[str, str]], sign: str) -> tuple[str | float, ...]:
    if sign not in {"IN", "NOT IN"}:
        if not tokens:
            raise _not_understood(sign)
        return (_value(tokens.pop(0)),)
    if not tokens or tokens.pop(0)[1] != "(":
        raise _not_understood(sign)
    found: list[str | float] = []
    while tokens:
        kind, text = tokens.pop(0)
        if text == ")" and kind == "sign":
            return tuple(found)
        if text != "," or kind != "sign":
            found.append(_value((kind, text)))
    raise _not_understood(sign)


def _value(token: tuple[str, str]) -> str | float:
    kind, text = token
    if kind == "number":
        return float(text)
    if kind != "text":
        raise _not_understood(text)
    return _bare(kind, text)


def _bare(kind: str, text: str) -> str:
    if kind == "text":
        return re.sub(r"\\(.)", r"\1", text[1:-1])
    return text.strip("`") if kind == "ticked" else text


def _word(token: tuple[str, str]) -> str:
    return token[1].upper() if token[0] in {"name", "sign"} else ""


def _text_holds(found: str, sign: str, values: list[str]) -> bool:
    match sign:
        case "IN":
            return found in values
        case "NOT IN":
            return found not in values
        case "LIKE":
            return bool(like(values[0]).fullmatch(found))
        case "ILIKE":
            return bool(like(values[0].lower()).fullmatch(found.lower()))
        case _equal:
            return (found == values[0]) is (sign == "=")


@lru_cache(maxsize=FILTER_MAX // len("a LIKE '' AND "))  # all of the longest filter
def like(pattern: str) -> re.Pattern[str]:
    # Through fnmatch, whose patterns never look back: `%a%a%a…` would think for hours.
    shell = "".join(LIKE.get(sign, sign) for sign in pattern)
    return re.compile(fnmatch.translate(shell))


def _not_understood(text: str) -> refusals.Wrong:
    return refusals.Wrong(
        _("The search “%(text)s” is not understood. Join comparisons by AND, such as: "
          "metrics.loss < 0.5 AND params.model = 'small' AND tags.kind LIKE 'a%%' AND "
          "attributes.status = 'FINISHED'. OR, brackets and datasets are not known here.")
        % {"text": text[: refusals.SHOWN]},
        code="filter",
    )  # fmt: skip


def sort_key(words: Words, order: Order) -> tuple[bool, Value]:
    """Give what to sort by: what is not there, or no number, comes last either way."""
    found = words.get(order.kind, {}).get(order.name)
    if found is None or (isinstance(found, float) and math.isnan(found)):
        return (not order.descending, 0.0)
    return (order.descending, found)
