"""The questions of every single call, with their SQL written once (see `kernel.prepared`)."""

from collections.abc import Sequence
from typing import Any

from django.db.models import Model, QuerySet
from django.db.models.functions import Lower

from fabriek.agreements import policy
from fabriek.cases.models import Case
from fabriek.hub.models import GitName
from fabriek.kernel.prepared import Prepared
from fabriek.people.models import Person
from fabriek.store.models import Blob, File, Repository, Revision

Rows = QuerySet[Any, Any]


def _columns(model: type[Model]) -> list[str]:
    return [field.attname for field in model._meta.concrete_fields]


REPOSITORY, CASE, REVISION = _columns(Repository), _columns(Case), _columns(Revision)
FILE, BLOB = _columns(File), _columns(Blob)


def repository(person: Person, kind: str, namespace: str, name: str) -> Repository | None:
    """Find a repository by name among those that this person may see, with its case.

    Asked for the organisations of somebody, whoever they are: so no duty counts here.
    """
    organisations = tuple(sorted(person.organisation_ids))
    rows = _VISIBLE.rows(kind, namespace.lower(), name.lower(), person.pk, organisations)
    return _repository(rows[0]) if rows else None


def newest(repository: Repository, branch: str) -> Revision | None:
    """Give the newest revision that was saved to a branch itself."""
    return _revision(repository, _NEWEST.rows(repository.pk, branch))


def by_commit(repository: Repository, commit_id: str) -> Revision | None:
    return _revision(repository, _BY_COMMIT.rows(repository.pk, commit_id))


def file(revision: Revision, path: str) -> File | None:
    """Find one file, with its blob and the git name of that, if it has one."""
    rows = _FILE.rows(revision.pk, path)
    if not rows:
        return None
    row = rows[0]
    found = File.from_db("default", FILE, row[: len(FILE)])
    found.revision = revision
    found.blob = Blob.from_db("default", BLOB, row[len(FILE) : -1])
    if row[-1] is not None:
        GitName(blob=found.blob, sha1=row[-1])  # the blob knows it from then on
    return found


# --- what is asked ---------------------------------------------------------------------
def named(rows: "QuerySet[Repository]", kind: str, namespace: str, name: str) -> Any:  # noqa: ANN401
    """Keep the one of that name; both words in small letters, as the index has them."""
    rows = rows.exclude(name="")  # nor has the index those
    rows = rows.alias(its_namespace=Lower("namespace"), its_name=Lower("name"))
    return rows.filter(kind=kind, its_namespace=namespace, its_name=name)


def _visible(
    kind: str, namespace: str, name: str, person: int, organisations: tuple[int, ...]
) -> Rows:
    asking = Person(pk=person)
    asking.roles = dict.fromkeys(organisations, "")
    asking.duties = {}
    rows = named(policy.visible_to(asking), kind, namespace, name)
    found: Rows = rows.values_list(*REPOSITORY, *(f"case__{column}" for column in CASE))[:1]
    return found


def _of_branch(repository: int, branch: str) -> Rows:
    rows = Revision.objects.filter(repository=repository, branch=branch).order_by("-number")
    return rows.values_list(*REVISION)[:1]


def _of_commit(repository: int, commit_id: str) -> Rows:
    rows = Revision.objects.filter(repository=repository, commit_id=commit_id)
    return rows.order_by().values_list(*REVISION)[:1]


def _of_path(revision: int, path: str) -> Rows:
    rows = File.objects.filter(revision=revision, path=path).order_by()
    return rows.values_list(*FILE, *(f"blob__{c}" for c in BLOB), "blob__git_name__sha1")[:1]


def _repository(row: Sequence[Any]) -> Repository:
    found = Repository.from_db("default", REPOSITORY, row[: len(REPOSITORY)])
    if found.case_id is not None:
        found.case = Case.from_db("default", CASE, row[len(REPOSITORY) :])
    return found


def _revision(repository: Repository, rows: Sequence[Sequence[Any]]) -> Revision | None:
    if not rows:
        return None
    found = Revision.from_db("default", REVISION, rows[0])
    found.repository = repository
    return found


_VISIBLE = Prepared(_visible)
_NEWEST = Prepared(_of_branch)
_BY_COMMIT = Prepared(_of_commit)
_FILE = Prepared(_of_path)
