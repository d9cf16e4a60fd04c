"""The lines of a commit as clients send them: one JSON object each, read one at a time."""

import base64
import binascii
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from fabriek.hub import refusals
from fabriek.store.paths import shortened

# Ten MiB of a file become fourteen as base64; what is larger goes beside the commit.
LINE_BYTES_MAX = 15 * 2**20
TOO_LONG = gettext_lazy(
    "A file inside this commit is larger than 10 MiB. Send it as a large file (LFS or Xet): "
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
            told = json.loads(line)
            yield _understood(told["key"], told["value"])
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise refusals.unreadable(
                _("Line %(number)s of the commit could not be read. Nothing was saved.")
                % {"number": number}
            ) from error


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
