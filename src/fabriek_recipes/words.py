"""Sentences for people: marked for translation here, translated by whoever shows them."""

from __future__ import annotations

from collections.abc import Mapping

Value = str | int | float
# Before a sentence: the file it is about. Whoever shows it translates what follows.
IN_FILE = "%(file)s: "


def _(msgid: str) -> str:
    """Mark a string for xgettext; the engine itself speaks English only."""
    return msgid


class Sentence(str):
    """A finished English sentence that still knows its template, so a page can translate it."""

    __slots__ = ("msgid", "values")
    msgid: str
    values: Mapping[str, Value]

    def __new__(cls, msgid: str, /, **values: Value) -> Sentence:
        """Fill the `%(name)s` places of `msgid`; pass numbers rounded as they are shown."""
        sentence = super().__new__(cls, msgid % values)
        sentence.msgid = msgid
        sentence.values = values
        return sentence


def counted(one: str, several: str, *, count: int, **values: Value) -> Sentence:
    """Say `one` of exactly one, and `several` of any other number: `%(count)s` in both."""
    return Sentence(one if count == 1 else several, count=count, **values)


class Failed(Exception):
    """An expected failure of a run: one sentence that says what to do, and a stable code."""

    def __init__(self, code: str, msgid: str, **values: Value) -> None:
        """Keep the sentence with its template."""
        self.code = code
        self.sentence = Sentence(msgid, **values)
        super().__init__(self.sentence)
