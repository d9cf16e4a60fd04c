"""A lead opens a model of their organisation to everybody, or closes it again.

Only where all that it was made of lets it: terms of lent data that bind nobody to anything,
and else nothing that is closed and of others.
"""

from dataclasses import dataclass

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Max
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from fabriek.catalogue import open_models
from fabriek.kernel import journal, text
from fabriek.kernel.errors import Invalid, NotAllowed, Text, WrongState
from fabriek.kernel.models import Entry
from fabriek.people.models import Person
from fabriek.registry import for_everybody, obstacles, open_names
from fabriek.registry.models import Model
from fabriek.registry.obstacles import standing
from fabriek.store import actions as store
from fabriek.store.models import Repository, Revision

__all__ = [
    "Said",
    "close",
    "close_by_terms",
    "close_held_back",
    "may_open",
    "open_up",
    "require_open",
    "require_still",
    "standing",
    "tell",
]

WHY_CHARACTERS = 500
TEXT_CHARACTERS = 2000
LAST: Text = gettext_lazy(
    "Whoever fetches a copy keeps it: to close it later changes nothing for copies already "
    "made. All its revisions go out, with README.md, which may name your case and its data, "
    "and a model may repeat what it learned. Read its files and try it first."
)

journal.describe(
    {
        "registry.open": gettext_lazy("opened a model to everybody"),
        "registry.close": gettext_lazy("closed a model again"),
        "registry.close_held_back": gettext_lazy(
            "A model was closed again: the owner of data behind it has not let it go out."
        ),
        "registry.close_by_terms": gettext_lazy(
            "A model was closed again: an agreement on data behind it does not let it be open."
        ),
    }
)


def may_open(person: Person, model: Model) -> bool:
    """Only a lead of the organisation that made it; staff bring in open ones, and no others."""
    return model.case_id is not None and person.leads(model.repository.organisation_id)


def require_open(person: Person, model: Model) -> None:
    if not may_open(person, model):
        raise NotAllowed(
            _(
                "Only a lead of the organisation that made this model opens or closes it. Ask "
                "one of its leads."
            )
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Said:
    """What a lead says on opening a model.

    `title`: what everybody reads; by itself that of its data or its case. `name`: how programs
    call it, where that told of a confidential case; by itself made of the title. `about`: what
    it is for, in a few sentences. `why`: what makes it right although there is personal data in
    what it learned from; kept in the journal. `tells`: README.md may tell of the case.
    """

    sure: bool = False
    title: str = ""
    name: str = ""
    about: str = ""
    why: str = ""
    tells: bool = False


@transaction.atomic
def open_up(model: Model, said: Said, *, by: Person) -> Model:
    """Let everybody find the model in the catalogue and have its files. Safe to repeat.

    Raises:
        NotAllowed: `by` does not lead the organisation that made it.
        Refused: what it was made of does not let it, or its licence does not; or its files
            and their history show names that are for nobody else.
        Invalid: there is personal data and no reason; a confidential case that title, name or
            README.md tell of; or nobody said to be sure.
    """
    require_open(by, model)
    _require_plain(said.why, "why", WHY_CHARACTERS)
    _require_plain(said.about, "about", TEXT_CHARACTERS)
    held = _held(model)
    if held.repository.is_open:
        return held
    found = standing(held)
    for obstacle in (*found.obstacles, *for_everybody.obstacles(held)):
        raise obstacle
    why = text.line(said.why)
    if found.has_personal_data and not why:
        sentence = _(
            "It learned from personal data. Say why everybody may have it all the same."
        )
        raise Invalid(sentence, code="personal_data", fields={"why": sentence})
    _retitle(held, text.line(said.title))
    _keep_case_unknown(held, said)
    if not said.sure:
        sentence = _("Say that you are sure.")
        raise Invalid(f"{LAST} {sentence}", code="not_sure", fields={"sure": sentence})
    _set(held, is_open=True)
    tell(held, about=text.prose(said.about))
    journal.record("registry.open", held, by=by, code=held.code, note=why)
    return held


@transaction.atomic
def close(model: Model, *, by: Person) -> Model:
    """Take it out of the catalogue, and let nobody new have it. Safe to repeat.

    Raises: NotAllowed.
    """
    require_open(by, model)
    held = _held(model)
    if held.repository.is_open:
        _take_back(held)
        journal.record("registry.close", held, by=by, note=held.code)
    return held


@transaction.atomic
def close_held_back(model: Model) -> None:
    """Close an open model that an owner who looks at it holds back, or has not seen yet."""
    held = _held(model)
    if held.repository.is_open and not obstacles.was_let_out(held.repository):
        _take_back(held)
        journal.record("registry.close_held_back", held, by=None, note=held.code)


@transaction.atomic
def close_by_terms(model: Model) -> None:
    """Close an open model of data that an agreement does not let out, however it came to be."""
    held = _held(model)
    if held.repository.is_open and not obstacles.terms_let_it(held):
        _take_back(held)
        journal.record("registry.close_by_terms", held, by=None, note=held.code)


def require_still(repository: Repository) -> None:
    """Refuse what is being saved in an open model where it could not be open with that.

    Call it in the transaction that saves, once it holds the repository. Raises: WrongState.
    """
    rows = Model.objects.select_related("repository", "revision", "case", "run")
    is_open = rows.filter(repository=repository, repository__is_open=True)
    model = is_open.exclude(case=None).first()
    if model is None:
        return
    found = standing(model)
    why = next((str(one) for one in found.obstacles), "") or _said_of_newest(model)
    if not why and found.has_personal_data and not _was_weighed(model):
        why = _("It was made of personal data now, and nobody said why everybody may have it.")
    if not why and for_everybody.begins_to_tell(model):
        why = _("README.md tells of your case now, which is confidential.")
    if why:
        sentence = _(
            "This model is open to everybody, and with this it could not be. Nothing was "
            "saved. %(why)s Leave that out, or close the model first."
        ) % {"why": why}
        raise WrongState(sentence, code="open_to_all")


def tell(model: Model, *, about: str, words: str = "") -> None:
    """Let the catalogue show an open model as it is now."""
    told = open_models.ToldModel(
        title=model.title,
        licence=model.licence,
        revision=model.revision.number,
        text=about,
        words=words,
    )
    open_models.tell(model.repository, told)


def _said_of_newest(model: Model) -> str:
    """Say what its newest revision, of any branch, shows that is not for everybody."""
    newest = Revision.objects.filter(repository=model.repository_id).aggregate(n=Max("number"))
    found = for_everybody.obstacles(model, since=newest["n"] or 0)
    return next((str(one) for one in found), "")


def _was_weighed(model: Model) -> bool:
    """Tell whether its lead gave a reason why personal data is no obstacle."""
    rows = Entry.objects.filter(
        verb="registry.open", subject_kind=model._meta.label_lower, subject_id=model.pk
    )
    last = rows.order_by("-pk").first()
    return last is not None and bool(last.details.get("note"))


def _require_plain(words: str, name: str, most: int) -> None:
    said: Text = ""
    if len(words) > most:
        said = _("This text is longer than %(most)d characters. Make it shorter.") % {
            "most": most
        }
    try:
        text.PLAIN(words)
    except ValidationError as error:
        said = str(error.message)
    if said:
        raise Invalid(said, fields={name: said})


def _retitle(model: Model, title: str) -> None:
    """Give it the title for everybody. Its own may be that of a case nobody may know of."""
    if not title:
        if model.run_id and model.case and model.case.is_confidential:
            sentence = _(
                "Your case is confidential, and this title may come from it: “%(title)s”. Give "
                "the title that everybody may read."
            ) % {"title": model.title}
            raise Invalid(sentence, code="no_title", fields={"title": sentence})
        return
    if title != model.title:
        model.title = title
        text.check(model, ["title"])
        model.save(update_fields=["title"])
        store.name_repository(model.repository, code=model.code, title=title)


def _keep_case_unknown(model: Model, said: Said) -> None:
    """Take the name out of a case that nobody may know of; ask about the card, which stays."""
    seen = for_everybody.of(model)
    if seen.readme_tells and not said.tells:
        sentence = _(
            "Your case is confidential, and README.md tells of it, in this or in an older "
            "revision. Say that everybody may read that, or do not open this model."
        )
        raise Invalid(sentence, code="tells_of_case", fields={"tells": sentence})
    if seen.name_tells:
        open_names.give(model, text.line(said.name) or model.title)
    told = {"title": model.title, "name": model.repository.repo_id, "about": said.about}
    for field, words in told.items():
        if sentence := for_everybody.why_not_said(model, words):
            raise Invalid(sentence, code="tells_of_case", fields={field: sentence})


def _held(model: Model) -> Model:
    """Lock its repository: what is pushed meanwhile waits, or is seen."""
    Repository.objects.select_for_update().get(pk=model.repository_id)
    rows = Model.objects.select_related("repository", "revision", "case", "run")
    return rows.get(pk=model.pk)


def _take_back(model: Model) -> None:
    _set(model, is_open=False)
    open_models.forget(model.repository)


def _set(model: Model, *, is_open: bool) -> None:
    listed = Repository.Listed.EVERYBODY if is_open else Repository.Listed.NOBODY
    rows = Repository.objects.filter(pk=model.repository_id)
    rows.update(is_open=is_open, listed_for=listed)
    model.repository.is_open, model.repository.listed_for = is_open, listed
