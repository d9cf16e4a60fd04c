"""Datasets with two revisions each, and the open base model that everybody tunes."""

from dataclasses import dataclass
from hashlib import sha256
from io import BytesIO

from django.conf import settings

from bench.world.people import People
from bench.world.size import Making, keep
from fabriek.cases.models import Case
from fabriek.datasets.models import Dataset
from fabriek.registry.models import Model
from fabriek.store.files import FolderStore
from fabriek.store.models import Blob, File, Repository, Revision

DATASETS_A_CASE = 2
REVISIONS = 2
SHOWN = "train.jsonl"  # its bytes are really there: the page of a dataset shows its first rows
FILES = ("README.md", "herkomst.md")
ROWS = b'{"prompt": "De lift staat stil.", "completion": "beheer, hoog"}\n' * 400
TITLES = ("Berichten aan het loket", "Antwoorden van medewerkers")


@dataclass(frozen=True, kw_only=True, slots=True)
class Data:
    newest: dict[int, Revision]  # of the first dataset of each case
    base: Model


def make(making: Making, people: People, cases: list[Case]) -> Data:
    wanted = [(case, turn) for case in cases for turn in range(DATASETS_A_CASE)]
    repositories = keep(
        Repository,
        (
            Repository(
                code=making.code("D", number),
                title=TITLES[turn],
                kind="dataset",
                case=case,
                organisation=case.organisation,
            )
            for number, (case, turn) in enumerate(wanted, 1)
        ),
    )
    keep(Dataset, (_dataset(one) for one in repositories))
    revisions = keep(Revision, (row for one in repositories for row in _revisions(one)))
    _put_files(revisions)
    firsts = [one for one in revisions if one.number == REVISIONS]
    newest = {one.repository.case_id: one for one in firsts[::DATASETS_A_CASE]}
    return Data(newest=newest, base=_base(making, people))


def _dataset(repository: Repository) -> Dataset:
    return Dataset(
        code=repository.code,
        case=repository.case,
        repository=repository,
        title=repository.title,
        description="Berichten van twee jaar, zonder namen.",
        licence="consortium-only",
        has_personal_data=repository.pk % 3 == 0,
        created_by=repository.case.created_by,
        created_at=repository.case.proposed_at,
    )


def _revisions(repository: Repository):
    for number in range(1, REVISIONS + 1):
        yield Revision(
            repository=repository,
            number=number,
            digest=_digest(f"{repository.code}@{number}"),
            message="nieuwe berichten",
            author=repository.case.created_by if repository.case else None,
            file_count=len(FILES) + 1,
            size_bytes=3 * 2**20,
        )


def _put_files(revisions: list[Revision]) -> None:
    rows = _rows_of({revision.repository.organisation_id for revision in revisions})
    named = [(revision, name) for revision in revisions for name in FILES]
    blobs = keep(
        Blob,
        (
            Blob(
                organisation_id=revision.repository.organisation_id,
                sha256=_digest(f"{revision.digest}/{name}"),
                size_bytes=2**20,
            )
            for revision, name in named
        ),
    )
    pairs = zip(named, blobs, strict=True)
    keep(File, (File(revision=one, path=name, blob=blob) for (one, name), blob in pairs))
    keep(
        File,
        (
            File(revision=one, path=SHOWN, blob=rows[one.repository.organisation_id])
            for one in revisions
        ),
    )


def _rows_of(organisations: set[int]) -> dict[int, Blob]:
    store = FolderStore(settings.STORE_HOME)
    received = {
        pk: store.receive(pk, BytesIO(ROWS), limit_bytes=len(ROWS))
        for pk in sorted(organisations)
    }
    Blob.objects.bulk_create(
        (
            Blob(organisation_id=pk, sha256=one.sha256, size_bytes=one.size_bytes)
            for pk, one in received.items()
        ),
        ignore_conflicts=True,  # the base model's organisation may have pushed them before
    )
    kept = Blob.objects.filter(sha256=sha256(ROWS).hexdigest(), organisation__in=received)
    return {blob.organisation_id: blob for blob in kept}


def _base(making: Making, people: People) -> Model:
    repository = Repository.objects.create(
        code=making.code("M", 1),
        title="Klein open taalmodel",
        kind="model",
        organisation=people.organisations[5],
        is_open=True,
    )
    revision = next(_revisions(repository))
    revision.save()
    _put_files([revision])
    return Model.objects.create(
        code=repository.code,
        title=repository.title,
        repository=repository,
        revision=revision,
        licence="apache-2.0",
        card="# Klein open taalmodel\n\nEen klein model.\n",
        facts={"parameters_total": 135_000_000},
    )


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()
