"""Everything that can be done to a record; all faces and the loop call it alike."""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from fabriek.agreements import inheritance
from fabriek.catalogue import card, checks, index, keeping, queries, readme, rules, told
from fabriek.catalogue.models import Record
from fabriek.catalogue.vocabulary import Language
from fabriek.datasets import actions as datasets
from fabriek.datasets import rules as reading
from fabriek.datasets.models import Dataset
from fabriek.kernel import journal, text
from fabriek.kernel.errors import Invalid, Refused, Text
from fabriek.people.models import Person
from fabriek.store import held
from fabriek.store.models import Blob, Repository, Revision

Names = tuple[str, ...]
LINES: Names = ("title_nl", "title_en", "maker", "contact_name", "contact_email", "place")
LINES += ("source", "landing_page")
TEXTS = ("text_nl", "text_en", "how_collected", "version_notes")
CHOICES = ("theme", "access", "frequency", "offer_product", "offer_place")
LISTS = ("keywords", "languages", "tasks", "offer_purposes", "offer_duties")
DAYS = ("period_from", "period_until")
FIELDS = (*LINES, *TEXTS, *CHOICES, *LISTS, *DAYS)
# What is told to others in the name of the owner.
BINDING = frozenset({"offer_purposes", "offer_product", "offer_place", "offer_duties"})

Value = str | list[str] | date | None

journal.describe(
    {
        "catalogue.edit": gettext_lazy("changed the record of a dataset"),
        "catalogue.fill": gettext_lazy("filled in the record from README.md"),
        "catalogue.list": gettext_lazy("decided who may find a dataset"),
    }
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Filled:
    """`names`: the columns that were empty and now have what README.md says."""

    names: tuple[str, ...] = ()
    problem: Text = ""


@transaction.atomic
def edit(dataset: Dataset, *, by: Person, changes: Mapping[str, Value]) -> Record:
    """Change what is told of a dataset; what `changes` does not name stays.

    Raises:
        NotAllowed, WrongState: `by` may not change this dataset, or its case is not open; what
            the owner usually agrees to is for its leads. Access to what is open cannot change.
        Invalid: a value will not do, or would take away what the public catalogue needs.
    """
    rules.require_edit(by, dataset)
    record = keeping.locked(dataset)
    names = _put(record, changes)
    if not names:
        return record
    if not BINDING.isdisjoint(names):
        rules.require_bind(by, dataset)
    if "access" in names:
        keeping.require_closed(record)
    _check(record, names)
    if record.dataset.repository.listed_for == Repository.Listed.EVERYBODY:
        keeping.require_complete(record)
    keeping.save(record, names)
    journal.record("catalogue.edit", dataset, by=by, code=dataset.code, changed=names)
    return record


def swap_languages(dataset: Dataset, *, by: Person) -> Record:
    """Put what stands as Dutch under English and the other way round: the guess was wrong.

    Raises: as for `edit`.
    """
    there = queries.record_of(dataset)
    changes = {
        f"{name}_{language}": str(getattr(there, f"{name}_{other}"))
        for name in ("title", "text")
        for language, other in (("nl", "en"), ("en", "nl"))
    }
    return edit(dataset, by=by, changes=changes)


@transaction.atomic
def list_for(dataset: Dataset, *, by: Person, listed_for: str) -> Record:
    """Decide who finds the dataset in the catalogue; its files stay with who has them.

    Raises:
        NotAllowed: `by` does not lead the organisation that owns it.
        WrongState: it is open to everybody, and then found by everybody.
        Invalid: there is no such choice, or the public catalogue needs more than is there.
    """
    rules.require_list(by, dataset)
    if listed_for not in Repository.Listed.values:
        sentence = _("Choose one of: %(choices)s.") % {
            "choices": ", ".join(Repository.Listed.values)
        }
        raise Invalid(sentence, fields={"listed_for": sentence})
    record = keeping.locked(dataset)
    repository = record.dataset.repository
    if repository.listed_for == listed_for:
        return record
    keeping.require_closed(record)
    names = []
    if listed_for == Repository.Listed.EVERYBODY:
        names = keeping.publish(record)
    Repository.objects.filter(pk=repository.pk).update(listed_for=listed_for)
    repository.listed_for = dataset.repository.listed_for = listed_for
    keeping.save(record, names)
    journal.record(
        "catalogue.list", dataset, by=by, code=dataset.code, listed_for=str(listed_for)
    )
    return record


@transaction.atomic
def fill_from_readme(dataset: Dataset, readme_text: str, *, by: Person | None) -> Filled:
    """Fill what is empty in the record with what the README says; nothing is overwritten.

    `by` is None where the factory does it by itself after somebody sent a README.

    Raises:
        NotAllowed, WrongState: as for `edit`.
    """
    if by is not None:
        rules.require_edit(by, dataset)
    if len(readme_text) > card.LONGEST_README_BYTES:
        return _fill(keeping.locked(dataset), card.Card(problem="too_long"), by=by)
    return _fill(keeping.locked(dataset), card.read(readme_text), by=by)


def gather(dataset: Dataset) -> Record:
    """Bring the record up to date with what changed in the rooms before this one.

    Reads a README that came since, and makes the index anew. Harmless to repeat. One beside
    data for some of a case is left to people: all of it would read here what it says.
    """
    # Found from now on, whatever becomes of its README.
    keeping.make(dataset)
    blob = None if inheritance.is_for_some(dataset.repository) else readme.of_newest(dataset)
    found = readme.read(blob) if blob and _is_new(dataset, blob.sha256) else None
    with transaction.atomic():
        record = keeping.locked(dataset)
        if found and blob:
            record.readme_sha256 = blob.sha256
            record.save(update_fields=["readme_sha256"])
            _fill(record, found, by=None)
        index.refresh(record)
    return record


def card_of(dataset: Dataset, *, by: Person) -> str:
    """Write the card as README.md would be: with all that stands in it already.

    Raises:
        NotAllowed: there is a README, and `by` may not read the files of this dataset.
        Invalid: the README that is there cannot be read, and would be lost.
    """
    return _written(dataset, readme.of_newest(dataset), by=by)


def _written(dataset: Dataset, blob: Blob | None, *, by: Person) -> str:
    if blob:
        reading.require_read(by, dataset)
    old = readme.read(blob) if blob else card.Card()
    if old.problem:
        raise Invalid(card.PROBLEMS[old.problem], code="bad_readme")
    return card.written(told.of(queries.record_of(dataset), by), old)


def write_card(dataset: Dataset, *, by: Person) -> Revision:
    """Save README.md with the card as a new revision of the dataset.

    Raises:
        NotAllowed, WrongState: as for `edit`.
        Invalid: see `card_of`.
        Refused: another README.md came in since it was read here, and would be lost.
    """
    rules.require_edit(by, dataset)
    reading.require_save(by, dataset.repository)
    old = readme.of_newest(dataset)
    content = io.BytesIO(_written(dataset, old, by=by).encode())
    blob = datasets.add_file(dataset, card.NAME, content, by=by)
    with transaction.atomic():
        # Who saves at this moment is waited for; who comes after finds ours.
        held.to_save(dataset.repository)
        if readme.of_newest(dataset) != old:
            raise _other_readme()
        return datasets.commit(
            dataset, {card.NAME: blob}, message=_("The card, written from the record"), by=by
        )


def _other_readme() -> Refused:
    return Refused(
        _(
            "Somebody saved another README.md while the card was written, so yours was not "
            "saved and theirs stays. Look at it, then write the card again."
        ),
        code="stale_readme",
    )


# --- changing ------------------------------------------------------------------------------
def _put(record: Record, changes: Mapping[str, Value]) -> list[str]:
    """Put the values in, tidy; name the columns that changed."""
    for name in changes:
        if name not in FIELDS:
            raise Invalid(
                _("A record has no “%(name)s”. It has: %(names)s.")
                % {"name": name[:40], "names": ", ".join(FIELDS)},
                fields={name[:40]: _("There is no such field.")},
            )
    wanted = {name: _tidy(name, value) for name, value in changes.items()}
    names = [name for name in wanted if getattr(record, name) != wanted[name]]
    for name in names:
        setattr(record, name, wanted[name])
    return names


def _tidy(name: str, value: Value) -> Value:
    if isinstance(value, str):
        return text.prose(value) if name in TEXTS else text.line(value)
    if isinstance(value, list):
        words = (text.line(each) if isinstance(each, str) else each for each in value)
        return list(dict.fromkeys(each for each in words if each))
    if value is None and name not in DAYS:
        return [] if name in LISTS else ""
    return value


def _check(record: Record, names: list[str]) -> None:
    text.check(record, names)
    if "source" in names and checks.is_broken_address(record.source):
        sentence = _("This address cannot be read. Correct it, or name the source in words.")
        raise Invalid(sentence, fields={"source": sentence})
    begin, end = record.period_from, record.period_until
    if begin and end and end < begin:
        sentence = _("The last day is before the first one. Change one of them.")
        raise Invalid(sentence, fields={"period_until": sentence})


# --- filling from a README -----------------------------------------------------------------
def _is_new(dataset: Dataset, sha256: str) -> bool:
    return not Record.objects.filter(dataset=dataset, readme_sha256=sha256).exists()


def _fill(record: Record, found: card.Card, *, by: Person | None) -> Filled:
    licence = card.licence_of(found.matter)
    if (record.readme_problem, record.readme_licence) != (found.problem, licence):
        record.readme_problem, record.readme_licence = found.problem, licence
        record.save(update_fields=["readme_problem", "readme_licence"])
    if found.problem:
        return Filled(problem=card.PROBLEMS[found.problem])
    names = []
    facts = card.facts(found)
    for name in [name for name in facts if _is_empty(record, name)]:
        value = facts[name]
        fitting = _fitting(record, name, value)
        if fitting:
            names.append(name)
            setattr(record, name, fitting)
    if names:
        keeping.save(record, names)
        journal.record(
            "catalogue.fill", record.dataset, by=by, code=record.dataset.code, filled=names
        )
    return Filled(names=tuple(names))


def _is_empty(record: Record, name: str) -> bool:
    """Look at a text and a title in both languages at once: what is there says it already."""
    if name.startswith("text_"):
        return not record.text
    if name.startswith("title_"):
        return not (record.title_en or record.title_nl)
    return not getattr(record, name)


def _fitting(record: Record, name: str, value: Value) -> Value:
    """Take what a record can hold of it: a card may say more, and other things."""
    if name.startswith("title_") and value == record.dataset.title:
        return ""
    if name == "languages" and isinstance(value, list):
        short = [each.partition("-")[0].lower() for each in value]
        return [each for each in dict.fromkeys(short) if each in Language.values]
    if isinstance(value, list):
        words = [each for each in value if len(each) <= checks.LONGEST_KEYWORD]
        value = words[: checks.MOST_KEYWORDS]
    trial = Record(dataset=record.dataset)
    setattr(trial, name, value)
    try:
        text.check(trial, [name])
    except Invalid:
        return ""
    return value
