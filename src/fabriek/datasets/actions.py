"""Everything that can be done to a dataset; called alike by pages, API and command line."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from fabriek.agreements import blind, descent
from fabriek.cases.models import Case
from fabriek.datasets import rows_check, rules
from fabriek.datasets.models import Dataset
from fabriek.datasets.refusals import empty
from fabriek.kernel import journal, text
from fabriek.kernel.codes import give_code
from fabriek.kernel.errors import Invalid
from fabriek.people.models import Person
from fabriek.store import actions as store
from fabriek.store import paths, queries
from fabriek.store.incoming import Received, Source, chunks_of
from fabriek.store.models import Blob, File, Repository, Revision

FACTS = ("title", "description", "licence", "has_personal_data")

journal.describe(
    {
        "datasets.create": gettext_lazy("made a dataset"),
        "datasets.edit": gettext_lazy("changed the description of a dataset"),
        "datasets.download": gettext_lazy("downloaded a file of a dataset"),
    }
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Download:
    """A file on its way to somebody; whoever takes it closes it."""

    content: BinaryIO
    name: str
    size_bytes: int


@transaction.atomic
def create(
    case: Case,
    *,
    by: Person,
    title: str,
    description: str,
    licence: str,
    has_personal_data: bool,
) -> Dataset:
    """Describe a dataset of an open case; files come later.

    Raises:
        NotAllowed: `by` is not of the consortium.
        WrongState: the case is not open.
        Invalid: a fact is missing or wrong.
    """
    rules.require_part(by, case)
    rules.require_open(case)
    dataset = Dataset(case=case, created_by=by)
    _describe(dataset, title, description, licence, has_personal_data=has_personal_data)
    dataset.repository = store.create_repository(
        kind=Repository.Kind.DATASET,
        case=case,
        organisation=case.organisation,
        is_open=False,
        by=by,
    )
    dataset.save()
    give_code(dataset, "D")
    _name_repository(dataset)
    journal.record("datasets.create", dataset, by=by, code=dataset.code, title=dataset.title)
    return dataset


@transaction.atomic
def edit(
    dataset: Dataset,
    *,
    by: Person,
    title: str,
    description: str,
    licence: str,
    has_personal_data: bool,
) -> Dataset:
    """Describe the dataset anew; its revisions stay as they are.

    Raises:
        NotAllowed: also where the licence changes and `by` does not lead the owner.
        WrongState: also where it is open and the licence would not be, or personal data begin.
        Invalid: as for `create`.
    """
    rules.require_part(by, dataset.case)
    rules.require_open(dataset.case)
    if licence != dataset.licence:
        rules.require_license(by, dataset)
        rules.require_fit(dataset, licence)
    if has_personal_data and not dataset.has_personal_data:
        rules.require_not_open(dataset)
    before = {name: getattr(dataset, name) for name in FACTS}
    _describe(dataset, title, description, licence, has_personal_data=has_personal_data)
    changed = [name for name in FACTS if getattr(dataset, name) != before[name]]
    if changed:
        dataset.save(update_fields=changed)
        _name_repository(dataset)
        journal.record("datasets.edit", dataset, by=by, code=dataset.code, changed=changed)
    return dataset


def add_file(
    dataset: Dataset,
    path: str,
    source: Source | Path,
    *,
    by: Person,
    expected_sha256: str | None = None,
) -> Blob:
    """Take in the bytes of one file; no revision names them before `commit`.

    A `Path` is a file on our own disk, which becomes the store's without a second copy.

    Raises:
        NotAllowed, WrongState: `by` may not add to this dataset, or the case is not open.
        Invalid: the path breaks a rule, the file is empty, or it is not what was announced.
        TooLarge, StorageFull: nothing is left behind.
    """
    rules.require_part(by, dataset.case)
    rules.require_open(dataset.case)
    path = paths.clean(path)
    if isinstance(source, Path):
        if source.is_file() and not source.stat().st_size:
            raise empty(path)
        return store.adopt(dataset.repository, source, by=by)
    return store.store_bytes(
        dataset.repository, _filled(source, path), by=by, expected_sha256=expected_sha256
    )


def take_in(dataset: Dataset, file: Path, *, by: Person, known: Received | None = None) -> Blob:
    """Take in a file of our own disk that no name was given yet; `known` saves reading it.

    Raises: as `add_file`.
    """
    rules.require_part(by, dataset.case)
    rules.require_open(dataset.case)
    return store.adopt(dataset.repository, file, by=by, known=known)


def commit(
    dataset: Dataset,
    files: Mapping[str, Blob | str],
    *,
    message: str,
    by: Person,
    parent: Revision | None = None,
    delete: Collection[str] = (),
) -> Revision:
    """Save a revision of files that were sent before; files of rows are read through first.

    Raises:
        NotAllowed: as for `add_file`; and where it is open and `by` does not lead its owner.
        WrongState: as for `add_file`; and where it is open and would be bound by terms.
        Invalid: bytes were never sent, a row is broken, or a name breaks a rule.
        Refused: somebody saved another revision after `parent`, or it was removed.
    """
    rules.require_part(by, dataset.case)
    rules.require_open(dataset.case)
    rules.require_save(by, dataset.repository)
    sent = store.named(files)
    blind.require_sent(dataset.repository, sent, by=by)
    rows_check.require_new_sound(dataset.repository, sent)
    inside = descent.looked_into(dataset.repository, sent, by=by)
    change = store.Change(
        files=sent,
        message=text.line(message),
        parent=parent,
        delete=delete,
        even_if_same=blind.is_blind(by, dataset.repository),
    )
    with transaction.atomic():
        # To read through what was sent may have taken an hour.
        rules.require_part(rules.still(by), dataset.case)
        rules.require_open(dataset.case)
        saved = store.save(dataset.repository, change, by=by)
        rules.require_there(dataset)
        rules.require_save(by, dataset.repository)
        descent.pass_terms_on(saved, sent, by=by, inside=inside)
        return saved


def remove(
    dataset: Dataset,
    names: Collection[str],
    *,
    by: Person,
    message: str,
    parent: Revision,
) -> Revision:
    """Save a revision without some files; older revisions keep them.

    Raises:
        NotAllowed, WrongState: as for `add_file`.
        Invalid: one of them is not there, or none would be left.
        Refused: somebody saved another revision after `parent`.
    """
    said = message or _("%(count)d file(s) removed") % {"count": len(set(names))}
    return commit(dataset, {}, message=said, by=by, parent=parent, delete=set(names))


def push_files(
    dataset: Dataset, files: Mapping[str, Source | Path], *, message: str, by: Person
) -> Revision:
    """Send several files and save them as one revision, or none of them.

    All names are looked at before the first byte is read. When all is there already, the
    newest revision is given as it is.

    Raises:
        NotAllowed, WrongState, Invalid, TooLarge, StorageFull: see `add_file` and `commit`.
    """
    if not files:
        raise Invalid(
            _("No file was sent. Choose one or more files, then send them."), code="no_files"
        )
    rules.require_save(by, dataset.repository)
    there = queries.listing(queries.latest(dataset.repository))
    paths.check_together(there.keys() | set(paths.clean_all(files).values()))
    blobs = {path: add_file(dataset, path, source, by=by) for path, source in files.items()}
    return commit(dataset, blobs, message=message, by=by)


def missing(dataset: Dataset, sha256s: Collection[str], *, by: Person) -> list[str]:
    """Name the bytes that must still be sent before a revision can hold them."""
    rules.require_part(by, dataset.case)
    rules.require_open(dataset.case)
    return blind.missing(dataset.repository, sha256s, by=by)


def sizes_here(dataset: Dataset, sizes: Collection[int], *, by: Person) -> set[int]:
    """Say which files may have been sent already, by their size alone: see the store's."""
    rules.require_part(by, dataset.case)
    rules.require_open(dataset.case)
    if blind.is_blind(by, dataset.repository):
        return set()
    return queries.sizes_here(dataset.repository, sizes)


def download(dataset: Dataset, file: File, *, by: Person) -> Download:
    """Open one file for somebody who may read it, and write down who took it.

    Raises: NotAllowed, with the reason in words.
    """
    rules.require_read(by, dataset, revision=file.revision.number)
    blob = file.blob
    content = queries.the_store().open(blob)
    journal.record(
        "datasets.download",
        dataset,
        by=by,
        code=dataset.code,
        path=file.path,
        revision=file.revision.number,
        sha256=blob.sha256,
    )
    name = file.path.rpartition("/")[2]
    return Download(content=content, name=name, size_bytes=blob.size_bytes)


def _describe(
    dataset: Dataset, title: str, description: str, licence: str, *, has_personal_data: bool
) -> None:
    dataset.title = text.line(title)
    dataset.description = text.prose(description)
    dataset.licence = licence
    dataset.has_personal_data = has_personal_data
    text.check(dataset, FACTS)


def _name_repository(dataset: Dataset) -> None:
    """Let earlier stages name the dataset without knowing this one."""
    store.name_repository(dataset.repository, code=dataset.code, title=dataset.title)


def _filled(source: Source, path: str) -> Iterator[bytes]:
    chunks = chunks_of(source)
    first = next(chunks, b"")
    if not first:
        raise empty(path)
    return chain([first], chunks)
