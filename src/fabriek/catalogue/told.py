"""What is told of a dataset to one reader: plain facts, from which each format is written.

Nothing of the files stands in it where the reader may not know them.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from urllib.parse import quote, urlsplit

from django.conf import settings
from django.db.models import OuterRef, Subquery
from django.urls import reverse

from fabriek.agreements import odrl
from fabriek.agreements.models import Duty, Place, Product, Purpose
from fabriek.agreements.terms import LONGEST, Terms
from fabriek.catalogue import rules
from fabriek.catalogue.models import Record
from fabriek.catalogue.vocabulary import Access
from fabriek.people.models import Person
from fabriek.store.models import MAIN, File, Repository, Revision

# What XML cannot hold; titles of datasets are not held against that when they are typed.
UNWRITABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
# What may stand in an address as it is (RFC 3987); all else is written as %XX.
IN_ADDRESS = ":/?#[]@!$&'()*+,;=%-._~"
WORDS = (
    "theme",
    "maker",
    "contact_name",
    "contact_email",
    "place",
    "how_collected",
    "frequency",
    "source",
    "version_notes",
    "landing_page",
)
LISTS = ("keywords", "languages", "tasks")
MOST_FILES = 20_000
MOST_FILES_IN_A_LIST = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class ToldFile:
    path: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """`files` is None where this reader may not know them; `titles` and `texts` by language."""

    code: str
    url: str
    repo_id: str
    titles: Mapping[str, str]
    texts: Mapping[str, str]
    theme: str
    keywords: Sequence[str]
    languages: Sequence[str]
    tasks: Sequence[str]
    maker: str
    contact_name: str
    contact_email: str
    owner: str
    owner_url: str
    licence: str
    access: str
    period_from: date | None
    period_until: date | None
    place: str
    how_collected: str
    frequency: str
    source: str
    version_notes: str
    landing_page: str
    has_personal_data: bool
    is_open: bool
    created_at: datetime
    published_at: datetime | None
    modified_at: datetime
    revision: int | None
    commit_id: str = ""
    file_count: int = 0
    size_bytes: int = 0
    files: Sequence[ToldFile] | None = None
    policy: Mapping[str, object] | None = field(default=None, hash=False)

    @property
    def title(self) -> str:
        return next(iter(self.titles.values()))

    @property
    def text(self) -> str:
        return next(iter(self.texts.values()))


def address(path: str) -> str:
    """Give the whole address of a page of ours, as others need it."""
    return f"{settings.FACTORY_URL}{path}"


def web_address(text: str) -> str:
    """Give an address that may stand in any format, or nothing where it is no web address."""
    if not text.startswith(("http://", "https://")):
        return ""
    try:
        host = urlsplit(text).netloc
    except ValueError:  # what the record would no longer take
        return ""
    return quote(text, safe=IN_ADDRESS) if host else ""


def resolved(told: Told, path: str) -> str:
    """Give the address where clients of the Hub fetch this very file."""
    at = f"/datasets/{told.repo_id}/resolve/{told.commit_id}/"
    return address(at + quote(path))


def of(record: Record, person: Person | None) -> Told:
    """Tell one record to this reader, with its files as long as a list of them is of use."""
    return of_all([record], person, most_files=MOST_FILES)[0]


def of_all(
    records: Sequence[Record], person: Person | None, *, most_files: int = MOST_FILES_IN_A_LIST
) -> list[Told]:
    """Tell these records in two queries, and a decision for each about its files."""
    for record in records:
        # The same case: so that no decision has to fetch it again.
        record.dataset.repository.case = record.dataset.case
    repositories = [record.dataset.repository for record in records]
    newest = newest_revisions(repositories)
    shown = [
        newest[each.pk]
        for each in repositories
        if each.pk in newest and newest[each.pk].file_count <= most_files
        if rules.knows_files(person, each)
    ]
    files = _files(shown)
    return [
        _told(record, newest.get(record.dataset.repository_id), files) for record in records
    ]


def newest_revisions(repositories: Iterable[Repository]) -> dict[int, Revision]:
    """Give the newest revision of each repository that has one, by the repository's id."""
    revisions = Revision.objects.filter(repository=OuterRef("pk"), branch=MAIN)
    newest = Repository.objects.filter(pk__in=[each.pk for each in repositories]).values(
        newest=Subquery(revisions.order_by("-number").values("pk")[:1])
    )
    return {each.repository_id: each for each in Revision.objects.filter(pk__in=newest)}


def _files(revisions: Sequence[Revision]) -> dict[int, list[ToldFile]]:
    found: dict[int, list[ToldFile]] = {revision.pk: [] for revision in revisions}
    rows = File.objects.filter(revision__in=found).order_by("revision_id", "path")
    columns = ("revision_id", "path", "blob__size_bytes", "blob__sha256")
    for revision_id, path, size_bytes, sha256 in rows.values_list(*columns):
        found[revision_id].append(ToldFile(path=path, size_bytes=size_bytes, sha256=sha256))
    return found


def _told(
    record: Record, newest: Revision | None, files: Mapping[int, Sequence[ToldFile]]
) -> Told:
    dataset, repository = record.dataset, record.dataset.repository
    text = dataset.description or dataset.title
    changed = [record.changed_at] + ([newest.created_at] if newest else [])
    return Told(
        code=dataset.code,
        url=address(reverse("catalogue:detail", args=[dataset.code])),
        repo_id=repository.repo_id,
        titles=_by_language(record.title_nl, record.title_en, dataset.title),
        texts=_by_language(record.text_nl, record.text_en, text),
        owner=written(repository.organisation.name),
        owner_url=address(f"/catalogue/#owner-{repository.organisation_id}"),
        licence=dataset.licence,
        has_personal_data=dataset.has_personal_data,
        is_open=repository.is_open,
        created_at=dataset.created_at,
        published_at=record.published_at,
        modified_at=max(changed),
        policy=offer_of(record),
        **_words(record),
        access=access_of(record),
        **_of_revision(newest, files),
    )


def access_of(record: Record) -> str:
    """Say what is so of what is open, else what its owner says."""
    return str(Access.PUBLIC if record.dataset.repository.is_open else record.access)


def offer_of(record: Record) -> Mapping[str, object] | None:
    """Write what the owner usually agrees to as ODRL; the longest that an agreement can be."""
    if not (record.offer_purposes and record.offer_product and record.offer_place):
        return None
    agreed = Terms(
        purposes=frozenset(map(Purpose, record.offer_purposes)),
        product=Product(record.offer_product),
        place=Place(record.offer_place),
        duties=frozenset(map(Duty, record.offer_duties)),
        begins_at=record.changed_at,
        ends_at=record.changed_at + LONGEST,
    )
    page = address(reverse("catalogue:detail", args=[record.dataset.code]))
    owner = record.dataset.repository.organisation
    # Not the page itself: a reader of Croissant would take it for the dataset within itself.
    target = odrl.target_of(record.dataset.code)
    return odrl.offer(agreed, uid=f"{page}#offer", target=target, assigner=owner)


def _words(record: Record) -> dict[str, Any]:
    return {
        **{name: written(getattr(record, name)) for name in WORDS},
        **{name: tuple(map(written, getattr(record, name))) for name in LISTS},
        "period_from": record.period_from,
        "period_until": record.period_until,
    }


def _of_revision(
    newest: Revision | None, files: Mapping[int, Sequence[ToldFile]]
) -> dict[str, Any]:
    if newest is None:
        return {"revision": None}
    return {
        "revision": newest.number,
        "commit_id": newest.commit_id,
        "file_count": newest.file_count,
        "size_bytes": newest.size_bytes,
        "files": files.get(newest.pk),
    }


def _by_language(dutch: str, english: str, unsaid: str) -> dict[str, str]:
    """Give texts by their language; what the dataset itself has is taken for the factory's."""
    found = {"nl": dutch, "en": english}
    ours = settings.LANGUAGE_CODE[:2]
    if not found.get(ours):
        found[ours] = unsaid
    order = sorted(found, key=lambda language: language != ours)
    return {language: written(found[language]) for language in order if found[language]}


def written(text: str) -> str:
    """Leave out what no format could carry."""
    return UNWRITABLE.sub("", text)
