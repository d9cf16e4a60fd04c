"""One line of what happened to something, as pages tell it."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Happening:
    at: datetime
    sentence: str
    by: str = ""
    note: str = ""
    tone: str = ""
