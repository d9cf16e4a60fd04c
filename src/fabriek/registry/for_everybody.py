"""What everybody reads once a model is open, and names in it that are for nobody else.

The title and the code of a confidential case stand there by themselves: the namespace of a
case is its code, and the card of a run names the case. It names lent data too, and whoever
lent that was asked what may be made of it, not whether everybody may know of it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.utils.text import Truncator
from django.utils.translation import gettext as _

from fabriek.agreements import descent, inheritance
from fabriek.cases.models import Case
from fabriek.kernel.errors import Invalid, WrongState
from fabriek.registry import shown_texts, unsaid
from fabriek.registry.models import Model
from fabriek.registry.shown_texts import Shown
from fabriek.registry.unsaid import Names
from fabriek.store import front_matter
from fabriek.store.models import Blob, File, Repository

PLACES_SHOWN = 10
QUOTED_CHARACTERS = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """`readme`: the newest one; `older` counts its other texts in older revisions.

    `name_tells`, `readme_tells`: of which confidential case it is, also in older revisions.
    """

    repo_id: str
    readme: str
    older: int
    name_tells: bool
    readme_tells: bool


def of(model: Model) -> Seen:
    cards = _cards(model)
    return Seen(
        repo_id=model.repository.repo_id if model.repository.name else "",
        readme=descent.readme(cards[0]) if cards else "",
        older=max(len(cards) - 1, 0),
        name_tells=tells(model.case, model.repository.repo_id),
        readme_tells=any(_tell(model, cards)),
    )


def begins_to_tell(model: Model) -> bool:
    """Say whether README.md tells of a confidential case, and none before it did."""
    newest, *older = [*_tell(model, _cards(model))] or [False]
    return newest and not any(older)


def tells(case: Case | None, words: str) -> bool:
    """Say whether these words hold the title or the code of a case nobody may know of."""
    return unsaid.of_case(case).are_in(words)


def obstacles(model: Model, *, since: int = 0) -> list[WrongState]:
    """Say where names stand that are for nobody else, in what all of its revisions show.

    Not what README.md tells of its own case, which its lead may let everybody read. `since`:
    only what revisions from that number on brought.
    """
    case, lent = unsaid.of_case(model.case), _lent(model)
    if not case and not lent:
        return []
    of_case: list[str] = []
    of_lent: dict[str, list[str]] = {}
    unread: list[str] = []
    for shown in shown_texts.of(model, since=since):
        if shown.words is None:
            unread.append(shown.where)
            continue
        if not shown.is_readme and case.are_in(shown.words):
            of_case.append(shown.where)
        for code in _named(lent, shown):
            of_lent.setdefault(code, []).append(shown.where)
    return [*_said_of_case(of_case), *_said_of_lent(of_lent), *_said_of_unread(unread)]


def told_already(model: Model) -> str:
    """Say what tells of its case by now, which was perhaps not confidential when it opened."""
    names = unsaid.of_case(model.case)
    if not names or not model.repository.is_open:
        return ""
    there = model.repository
    places = [
        words for words in (model.title, there.repo_id, there.title) if names.are_in(words)
    ]
    if any(_tell(model, _cards(model))):
        places.append(front_matter.README)
    return _joined(list(dict.fromkeys(places)))


def why_not_said(model: Model, words: str) -> str:
    """Say why everybody may not read these words, as far as they hold such a name."""
    if tells(model.case, words):
        return asks_for_others(words)
    if any(names.are_in(words) for names in _lent(model).values()):
        return _(
            "“%(words)s” names data that was lent, and its owner does not show it to "
            "everybody. Choose other words."
        ) % {"words": Truncator(words).chars(QUOTED_CHARACTERS)}
    return ""


def require_unsaid(repository: Repository, *said: str) -> None:
    """Refuse such names in what is written beside an open model. Raises: Invalid."""
    rows = Model.objects.select_related("repository", "case")
    is_open = rows.filter(repository=repository.pk, repository__is_open=True)
    model = is_open.exclude(case=None).first()
    if model is None:
        return
    for words in said:
        if sentence := why_not_said(model, words):
            raise Invalid(sentence, code="tells_of_case")


def asks_for_others(words: str) -> str:
    """Say that these words will not do."""
    return _("Your case is confidential, and “%(words)s” tells of it. Choose other words.") % {
        "words": Truncator(words).chars(QUOTED_CHARACTERS)
    }


# --- names -------------------------------------------------------------------------------
def _lent(model: Model) -> dict[str, Names]:
    """Give the names of lent data that its owner does not show to everybody, by its code."""
    found: dict[str, Names] = {}
    for row in inheritance.terms_of(model.repository):
        data, agreement = row.agreement.repository, row.agreement
        if data.organisation_id == model.repository.organisation_id or _is_shown(data):
            continue
        code = data.code or agreement.code
        # A title of one short word says nothing by itself, and stands everywhere.
        told = [code, agreement.code, data.repo_id if data.name else ""]
        title = data.title if len(data.title) >= unsaid.LONG else ""
        found[code] = unsaid.names([*told, title])
    return found


def _is_shown(data: Repository) -> bool:
    return data.is_open or data.listed_for == Repository.Listed.EVERYBODY


def _named(lent: dict[str, Names], shown: Shown) -> Iterator[str]:
    yield from (code for code, names in lent.items() if names.are_in(shown.words or ""))


def _tell(model: Model, cards: Sequence[Blob]) -> Iterator[bool]:
    if names := unsaid.of_case(model.case):
        yield from (names.are_in(descent.readme(card)) for card in cards)


def _cards(model: Model) -> list[Blob]:
    """Give each text that README.md ever had, the newest first."""
    rows = File.objects.filter(
        revision__repository=model.repository_id, path=front_matter.README
    )
    rows = rows.select_related("blob").order_by("-revision__number")
    return list({row.blob_id: row.blob for row in rows}.values())


# --- sentences ---------------------------------------------------------------------------
def _said_of_case(places: list[str]) -> Iterator[WrongState]:
    if places:
        sentence = _(
            "Your case is confidential, and everybody could read its title or its code here: "
            "%(places)s. A branch or a tag you can remove. What stands in a revision stays "
            "there: push the model to a new place without it, and open that one."
        ) % {"places": _joined(places)}
        yield WrongState(sentence, code="tells_of_case")


def _said_of_lent(places: dict[str, list[str]]) -> Iterator[WrongState]:
    for code, where in places.items():
        sentence = _(
            "%(code)s was lent to your case, its owner does not show it to everybody, and "
            "everybody could read its name here: %(places)s. Ask its owner to let everybody "
            "find it in the catalogue; or push the model to a new place without these names, "
            "and open that one."
        ) % {"code": code, "places": _joined(where)}
        yield WrongState(sentence, code="tells_of_lent")


def _said_of_unread(places: list[str]) -> Iterator[WrongState]:
    if places:
        sentence = _(
            "There are names behind this model that are not for everybody, and this is too "
            "much to look for them: %(places)s. Push the model to a new place without it, and "
            "open that one."
        ) % {"places": _joined(places)}
        yield WrongState(sentence, code="too_much_to_look_at")


def _joined(places: list[str]) -> str:
    shown, more = "; ".join(places[:PLACES_SHOWN]), len(places) - PLACES_SHOWN
    if more <= 0:
        return shown
    return _("%(places)s; and %(more)d more") % {"places": shown, "more": more}
