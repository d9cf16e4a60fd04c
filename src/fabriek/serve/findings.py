"""What `fabriek doctor` found: one line each."""

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["good", "lacking", "optional"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One thing looked at. `mend` says what to do when it is not good."""

    what: str
    verdict: Verdict
    said: str
    mend: str = ""
