"""What a program sends to be kept: figures, parameters and tags, read and held to the limits.

The limits are those of MLflow's own server, so that a program that works there works here.
"""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext as _

from fabriek.tracking import refusals
from fabriek.tracking.packing import Points

METRICS_MAX = 1000
PARAMS_MAX = 100
TAGS_MAX = 100
ALTOGETHER_MAX = 1000
KEY_MAX = 250
PARAM_VALUE_MAX = 6000
TAG_VALUE_MAX = 8000
INTEGER_MAX = 2**63 - 1
# How a program in JSON says what is no number there.
SAID = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}

WHOLE = re.compile(r"-?\d+")

Body = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Batch:
    metrics: Mapping[str, Points] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def points(self) -> int:
        return sum(map(len, self.metrics.values()))


def read(body: Body) -> Batch:
    """Read the body of `log-batch`. Raises: Wrong, saying what is; nothing is kept then."""
    metrics = _listed(body, "metrics", METRICS_MAX)
    params = _listed(body, "params", PARAMS_MAX)
    tags = _listed(body, "tags", TAGS_MAX)
    if len(metrics) + len(params) + len(tags) > ALTOGETHER_MAX:
        raise _too_many(_("figures, parameters and tags together"), ALTOGETHER_MAX)
    return Batch(
        metrics=read_metrics(metrics), params=read_params(params), tags=read_tags(tags)
    )


def read_metrics(told: Iterable[Body]) -> dict[str, Points]:
    """Put the figures of each name together, in their order."""
    found: dict[str, Points] = {}
    for one in told:
        name = one.get("key")
        points = found.get(name) if isinstance(name, str) else None
        if points is None:
            points = found[read_key(name)] = Points()
        value = one.get("value")
        if type(value) is not float:
            value = _figure(value)
        step, at = one.get("step", 0), one.get("timestamp", 0)
        if type(step) is not int or not -INTEGER_MAX <= step <= INTEGER_MAX:
            step = _whole("step", step)
        if type(at) is not int or not 0 <= at <= INTEGER_MAX:
            at = _moment(at)
        points.add(step, at, value)
    return found


def read_params(told: Iterable[Body]) -> dict[str, str]:
    """Read parameters. Raises: Wrong, also when one of them is given two values."""
    found: dict[str, str] = {}
    for one in told:
        key, value = read_key(one.get("key")), read_text("value", one, most=PARAM_VALUE_MAX)
        if found.setdefault(key, value) != value:
            raise set_already(key, found[key], value)
    return found


def read_tags(told: Iterable[Body]) -> dict[str, str]:
    return {
        read_key(one.get("key")): read_text("value", one, most=TAG_VALUE_MAX) for one in told
    }


def read_key(key: object) -> str:
    """Read the name of a figure, parameter or tag. Raises: Wrong."""
    if not isinstance(key, str) or not key.strip():
        raise refusals.missing("key")
    if len(key) > KEY_MAX:
        raise refusals.Wrong(
            _("The name “%(name)s…” is longer than %(most)s signs. Shorten it.")
            % {"name": key[: refusals.SHOWN], "most": KEY_MAX}
        )
    if not key.isprintable():  # no zero byte, half sign or line end: it stands in tables
        raise refusals.Wrong(
            _("A name holds a sign that cannot be shown. Use letters, digits and / _ - . : @")
        )
    return key


def read_text(name: str, body: Body, *, most: int) -> str:
    """Read a value, cut off where it is too long, as MLflow does. Raises: Wrong."""
    value = body.get(name, "")
    if isinstance(value, bool | int | float):
        value = str(value)
    if not isinstance(value, str):
        raise refusals.missing(name)
    # Half of a sign and the zero byte: no database keeps them.
    return value[:most].encode("utf-8", "replace").decode().replace("\0", "")


def read_moment(name: str, body: Body, *, otherwise: int) -> int:
    value = body.get(name)
    return otherwise if value is None else _moment(value)


def set_already(key: str, before: str, after: str) -> refusals.Wrong:
    return refusals.Wrong(
        _("The parameter “%(key)s” was set to “%(before)s” and cannot become “%(after)s”: what "
          "a run began with does not change. Log it under another name, or begin another run.")
        % {
            "key": key[: refusals.SHOWN],
            "before": before[: refusals.SHOWN],
            "after": after[: refusals.SHOWN],
        },
        code="param_set",
    )  # fmt: skip


def _listed(body: Body, name: str, most: int) -> list[Body]:
    found = body.get(name) or []
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise refusals.Wrong(_("“%(name)s” is no list of objects.") % {"name": name})
    if len(found) > most:
        raise _too_many(name, most)
    return found


def _too_many(what: str, most: int) -> refusals.Wrong:
    return refusals.Wrong(
        _("This call brings more than %(most)s %(what)s. Send them in several calls.")
        % {"most": most, "what": what}
    )


def _figure(value: object) -> float:
    if isinstance(value, str):
        value = SAID.get(value, value)
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise _no_figure(value)
    try:
        return float(value)
    except (ValueError, OverflowError) as error:
        raise _no_figure(value) from error


def _no_figure(value: object) -> refusals.Wrong:
    return refusals.Wrong(
        _("“%(value)s” is no figure. Log a number.") % {"value": str(value)[: refusals.SHOWN]}
    )


def _whole(name: str, value: object) -> int:
    """Read a whole number, which some programs write as text or with a point."""
    if isinstance(value, str) and len(value) < 24:  # noqa: PLR2004  longer is none of 64 bits
        value = int(value) if WHOLE.fullmatch(value) else value
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if type(value) is not int or not -INTEGER_MAX <= value <= INTEGER_MAX:
        raise refusals.Wrong(
            _("“%(name)s” is no whole number, or too large a one.") % {"name": name}
        )
    return value


def _moment(value: object) -> int:
    return max(0, _whole("timestamp", value))
