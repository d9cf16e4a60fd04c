"""Names where a row stands, and how long it is, in the reader's language."""

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from fabriek.kernel.words import number
from fabriek.runs.look import Looked


def place(looked: Looked, at: int, line: int) -> str:
    said = {"line": number(line), "file": file_of(looked, at)}
    return _("line %(line)s of %(file)s") % said


def file_of(looked: Looked, at: object) -> str:
    known = isinstance(at, int) and at < len(looked.files)
    return looked.files[at] if known and isinstance(at, int) else "?"


def tokens(count: int) -> str:
    return ngettext("%(n)s token", "%(n)s tokens", count) % {"n": number(count)}
