"""The tone of a state: which of five signs stands beside its word."""

from enum import StrEnum


class Tone(StrEnum):
    GOOD = "good"
    ATTENTION = "attention"
    WRONG = "wrong"
    BUSY = "busy"
    NEUTRAL = "neutral"


WORDS: dict[Tone, frozenset[str]] = {
    Tone.GOOD: frozenset(
        "accepted active approved available awarded complete completed done eligible "
        "feasible finished fulfilled granted intact paid passed positive published ready "
        "registered settled signed succeeded valid verified".split()
    ),
    Tone.ATTENTION: frozenset(
        "attention awaiting_applicant awaiting_response due expiring incomplete invited lost "
        "overdue paused returned suspended unknown unverified waiting".split()
    ),
    Tone.WRONG: frozenset(
        "broken declined error expired failed infeasible ineligible invalid negative "
        "not_eligible not_feasible refused rejected revoked".split()
    ),
    Tone.BUSY: frozenset(
        "assessed assessing asked busy cancelling checking current held in_assessment in_review "
        "pending preparing queued reviewing running starting stopping submitted "
        "under_review uploading".split()
    ),
}


def tone_of(state: str) -> Tone:
    """Give the tone of a state's word; a word nobody listed is neutral."""
    return next((tone for tone, words in WORDS.items() if state.lower() in words), Tone.NEUTRAL)
