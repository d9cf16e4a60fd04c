"""The tone of a state: which of five signs stands beside its word."""

from enum import StrEnum


class Tone(StrEnum):
    GOOD = "good"
    ATTENTION = "attention"
    WRONG = "wrong"
    BUSY = "busy"
    NEUTRAL = "neutral"


# Only words that stages use; a word nobody listed is neutral (draft, closed, withdrawn ...).
TONES: dict[str, Tone] = {
    "accepted": Tone.GOOD,
    "active": Tone.GOOD,
    "awarded": Tone.GOOD,
    "eligible": Tone.GOOD,
    "feasible": Tone.GOOD,
    "in_force": Tone.GOOD,
    "open": Tone.GOOD,
    "published": Tone.GOOD,
    "ready": Tone.GOOD,
    "succeeded": Tone.GOOD,
    "expiring": Tone.ATTENTION,
    "invited": Tone.ATTENTION,
    "lost": Tone.ATTENTION,
    "overdue": Tone.ATTENTION,
    "returned": Tone.ATTENTION,
    "declined": Tone.WRONG,
    "expired": Tone.WRONG,
    "failed": Tone.WRONG,
    "refused": Tone.WRONG,
    "revoked": Tone.WRONG,
    "asked": Tone.BUSY,
    "offered": Tone.BUSY,
    "queued": Tone.BUSY,
    "reviewed": Tone.BUSY,
    "running": Tone.BUSY,
    "submitted": Tone.BUSY,
    "waiting": Tone.BUSY,
}


def tone_of(state: str) -> Tone:
    return TONES.get(state.lower(), Tone.NEUTRAL)
