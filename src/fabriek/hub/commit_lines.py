"""The lines of a commit as clients send them: one JSON object each, read one at a time."""

import base64
import binascii
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from fabriek.hub import refusals
from fabriek.store.paths import shortened

# What `preupload` lets in here is 1 MiB at most, of which base64 makes 1.4.
LINE_BYTES_MAX = 2 * 2**20
# A longer line must be of the shape that clients send: some words, in one object in another.
# Of a list of two million empty lists Python makes sixty times as much.
SHAPELESS_BYTES_MAX = 2**16
_TEXT = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_WORD = rb"(?:" + _TEXT + rb"|[-+.0-9eE]{1,40}|true|false|null)"
_PAIR, _COMMA = _TEXT + rb"\s*+:\s*+%b", rb"\s*+,\s*+"
_INNER = _PAIR % _WORD
_INSIDE = rb"\{\s*+(?:%b(?:%b%b){0,15}+)?+\s*+\}" % (_INNER, _COMMA, _INNER)
_OUTER = _PAIR % (rb"(?:%b|%b)" % (_WORD, _INSIDE))
_ALL = rb"\s*+\{\s*+%b(?:%b%b){0,7}+\s*+\}\s*+" % (_OUTER, _COMMA, _OUTER)
SHAPE = re.compile(_ALL, re.DOTALL)
TOO_LONG = gettext_lazy(
    "A file inside this commit is larger than 1 MiB. Send it as a large file (LFS or Xet): "
    "clients do that by themselves when they are of this year."
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Header:
    summary: str
    description: str
    parent: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Small:
    """A file whose bytes stand in the commit itself."""

    path: str
    content: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class Large:
    """A file whose bytes were sent before."""

    path: str
    sha256: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Gone:
    """A file or a folder that is left out from now on."""

    path: str
    is_folder: bool


Line = Header | Small | Large | Gone


def read(lines: Iterable[bytes]) -> Iterator[Line]:
    """Understand line after line. Raises: Unreadable."""
    for number, line in enumerate(lines, start=1):
        try:
            told = _loaded(line)
            yield _understood(told["key"], told["value"])
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise refusals.unreadable(
                _("Line %(number)s of the commit could not be read. Nothing was saved.")
                % {"number": number}
            ) from error


def _loaded(line: bytes) -> dict[str, Any]:
    """Raise: ValueError."""
    if len(line) > SHAPELESS_BYTES_MAX and not SHAPE.fullmatch(line):
        raise ValueError(len(line))
    told: dict[str, Any] = json.loads(line)
    return told


def _understood(key: object, value: dict[str, Any]) -> Line:
    """Make something of it. Raises: ValueError, KeyError, TypeError."""
    if key == "header":
        return Header(
            summary=_text(value.get("summary") or ""),
            description=_text(value.get("description") or ""),
            parent=_text(value.get("parentCommit") or ""),
        )
    path = _text(value["path"])
    if key == "file":
        return Small(path=path, content=_content(path, value))
    if key == "lfsFile" and value.get("algo", "sha256") == "sha256":
        return Large(path=path, sha256=_text(value["oid"]))
    if key in {"deletedFile", "deletedFolder"}:
        return Gone(path=path, is_folder=key == "deletedFolder")
    raise ValueError(key)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value


def _content(path: str, value: dict[str, Any]) -> bytes:
    if value.get("encoding") == "utf-8":
        return _text(value["content"]).encode()
    try:
        return base64.b64decode(_text(value["content"]), validate=True)
    except binascii.Error as error:
        raise refusals.unreadable(
            _("The bytes of “%(path)s” are no base64. Nothing was saved.")
            % {"path": shortened(path)}
        ) from error
