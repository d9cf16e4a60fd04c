"""Why something was allowed or denied, in words: what is wrong, and what to do about it."""

from collections.abc import Mapping
from datetime import UTC, datetime

from django.utils.functional import lazy
from django.utils.translation import gettext_lazy as _

from fabriek.kernel import words
from fabriek.kernel.errors import Text

NOT_YOURS = "not_yours"
LOG_NOTE: Text = _(
    "A decision stands for an hour, or until the answer changes: who fetches a thousand files "
    "in that hour stands here once."
)

SENTENCES: Mapping[str, Text] = {
    # Allowed.
    "open": _("It is open to everybody."),
    "own": _("It belongs to a case that you take part in."),
    "listed": _("Its owner lets everybody see that it exists."),
    "party": _("You are a party to agreement %(agreement)s on it."),
    "reviewer": _(
        "It was made of data of your organisation, which decides whether it goes out."
    ),
    "agreed": _("Agreement %(agreement)s allows it."),
    "agreed_secure": _("Agreement %(agreement)s allows it, on the secure part of the machine."),
    "rights_kept": _("It was made under agreement %(agreement)s, which allows it."),
    # Denied.
    NOT_YOURS: _("This does not exist, or it is not yours to see. Check the code."),
    "not_agreed": _(
        "Your case has no agreement on this data. Ask its owner for access, and say what you "
        "want to use it for."
    ),
    "not_signed": _(
        "Agreement %(agreement)s on this data is not signed by both sides yet. Sign it, or ask "
        "the owner of the data for an answer."
    ),
    "not_begun": _(
        "Agreement %(agreement)s begins on %(begins_at)s. Wait until then, or ask the owner of "
        "the data for an earlier day."
    ),
    "ended": _(
        "Agreement %(agreement)s ended on %(ends_at)s. Ask the owner of the data to prolong it."
    ),
    "revoked": _(
        "The owner of the data revoked agreement %(agreement)s. Read why on its page, and ask "
        "the owner what is needed for a new one."
    ),
    "not_named": _(
        "The agreement on this data is for other organisations of your case. Ask the owner of "
        "the data to name yours as well."
    ),
    "stays_here": _(
        "Agreement %(agreement)s lets this data be used on the machine of the factory only, so "
        "its files cannot be fetched or opened in a session. Start a run on it, or ask the "
        "owner of the data for more."
    ),
    "no_own_code": _(
        "Agreement %(agreement)s does not let this data leave the machine, and code of "
        "your own could print or keep all of it. Use a recipe on it, or ask the owner of "
        "the data for more."
    ),
    "looked_at_first": _(
        "Under agreement %(agreement)s the owner of this data looks at results before they go "
        "out, and what code of your own makes is with your people at once. Use a recipe, or "
        "ask the owner for another agreement."
    ),
    "not_beside": _(
        "Not everybody of this case may have this data in hands, and others of it can reach "
        "what this run fetches. Stop it, and give the data as an input of a new run."
    ),
    "no_secure_place": _(
        "Agreement %(agreement)s lets this data be used in a secure part of the machine only, "
        "and this factory has none yet. Ask the owner of the data for another place."
    ),
    "stays_secure": _(
        "Agreement %(agreement)s lets this data be used in the secure part of the machine "
        "only, so nobody can see or fetch its files, or open them in a session. Start a run on "
        "it, or ask the owner of the data for another place."
    ),
    "other_purpose": _(
        "Agreement %(agreement)s does not allow this kind of work with the data. Choose other "
        "work, or ask the owner to add this purpose."
    ),
    "only_research": _(
        "Agreement %(agreement)s is for scientific research only, and this case has not said "
        "that it is that. Answer the five questions of the case, or ask the owner of the data "
        "to add this purpose."
    ),
    "makes_too_much": _(
        "Agreement %(agreement)s lets less be made of this data than this work makes. Choose "
        "work that makes less, or ask the owner to allow more."
    ),
    "would_outlast": _(
        "This could take until %(until)s, and agreement %(agreement)s ends on %(ends_at)s. "
        "Give it less time, or ask the owner of the data to prolong the agreement."
    ),
    "weights_stay": _(
        "This was made from data under agreement %(agreement)s, which does not let its weights "
        "leave the factory. Use it here, or ask the owner of the data to allow more."
    ),
    "made_secure": _(
        "This was made in the secure part of the machine from data under agreement "
        "%(agreement)s, and stays in that part until it may go out. Use it there in a run, or "
        "ask the owner of the data to look at it."
    ),
    "waits_for_review": _(
        "This was made from data under agreement %(agreement)s, and the owner of that data "
        "decides on each result before it goes out. The owner has been told; ask them when."
    ),
    "held_back": _(
        "The owner of the data under agreement %(agreement)s holds this back: “%(note)s”. Ask "
        "the owner what has to change."
    ),
}
# Of what was made under an agreement of others, to people who are no party to that.
UNNAMED: Mapping[str, Text] = {
    "rights_kept": _("It was made under an agreement of another case, which allows it."),
    "other_purpose": _(
        "This was made from data under an agreement of another case, which does not allow this "
        "kind of work. Choose other work, or ask who made it."
    ),
    "only_research": _(
        "This was made from data under an agreement of another case, for scientific research "
        "only, and this case has not said that it is that. Answer the five questions of the "
        "case, or ask who made it."
    ),
    "makes_too_much": _(
        "This was made from data under an agreement of another case, which lets less be made "
        "of it than this work makes. Choose work that makes less, or ask who made it."
    ),
    "weights_stay": _(
        "This was made from data under an agreement of another case, which does not let its "
        "weights leave the factory. Use it here, or ask who made it."
    ),
    "made_secure": _(
        "This was made in the secure part of the machine from data under an agreement of "
        "another case, and stays in that part until it may go out. Use it there in a run, or "
        "ask who made it."
    ),
    "waits_for_review": _(
        "This was made from data under an agreement of another case, and the owner of that "
        "data decides on each result before it goes out. The owner has been told."
    ),
    "held_back": _(
        "This was made from data under an agreement of another case, and the owner of that "
        "data holds it back. Ask who made it what has to change."
    ),
}
ALLOWED = frozenset(
    {"open", "own", "listed", "party", "reviewer", "agreed", "agreed_secure", "rights_kept"}
)
DENIED = frozenset(SENTENCES) - ALLOWED
# Of several reasons against something, the one that is nearest to a yes is said.
NEARNESS = (
    "not_agreed",
    "not_named",
    "ended",
    "revoked",
    "not_signed",
    "not_begun",
    "no_secure_place",
    "stays_secure",
    "stays_here",
    "no_own_code",
    "looked_at_first",
    "other_purpose",
    "only_research",
    "makes_too_much",
    "would_outlast",
)
MOMENTS = frozenset({"begins_at", "ends_at", "until"})
# Words for a table, where the whole sentence is too long.
ASKED: Mapping[str, Text] = {
    "see": _("saw the record"),
    "read": _("read the files"),
    "run": _("ran on it"),
    "release": _("took the result along"),
}
REFUSED: Mapping[str, Text] = {
    "see": _("wanted to see it"),
    "read": _("wanted to read the files"),
    "run": _("wanted to run on it"),
    "release": _("wanted to take the result along"),
}


def said(code: str, facts: Mapping[str, str]) -> str:
    """Say a reason in the reader's language; a code of another version as it is."""
    sentence = SENTENCES.get(code) if facts else UNNAMED.get(code, SENTENCES.get(code))
    if sentence is None:
        return code
    shown = {name: _shown(name, value) for name, value in facts.items()}
    try:
        return str(sentence) % shown if shown else str(sentence)
    except KeyError:
        return code


def sentence(code: str, facts: Mapping[str, str]) -> Text:
    """Give the reason as words that are chosen when they are shown."""
    return _lazily(code, facts)


_lazily = lazy(said, str)


def _shown(name: str, value: str) -> str:
    """Name the clock of a moment: who reads why may be far away, or read it later in a log."""
    if name not in MOMENTS:
        return value
    moment = datetime.fromisoformat(value)
    return words.moment_there(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
