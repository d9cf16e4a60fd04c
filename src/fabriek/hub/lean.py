"""The questions of every single call, with their SQL written once (see `kernel.prepared`)."""

from collections.abc import Sequence
from typing import Any

from django.db.models import FilteredRelation, Model, Q, QuerySet
from django.db.models.functions import Lower

from fabriek.agreements import inheritance, policy
from fabriek.cases.models import Case
from fabriek.hub.models import GitName
from fabriek.kernel.prepared import Prepared
from fabriek.people.models import Person
from fabriek.store.models import Blob, File, Repository, Revision

Rows = QuerySet[Any, Any]
# A revision, and of the files that were read along what there is, by path.
Found = tuple[Revision | None, dict[str, File | None]]


def _columns(model: type[Model]) -> list[str]:
    return [field.attname for field in model._meta.concrete_fields]


REPOSITORY, CASE, REVISION = _columns(Repository), _columns(Case), _columns(Revision)
FILE, BLOB = _columns(File), _columns(Blob)


def repository(
    person: Person, kind: str, namespace: str, name: str, *, reads: bool = False
) -> Repository | None:
    """Find a repository by name among those that this person may see, with its case.

    Asked for the organisations of somebody, whoever they are: so no duty counts here.
    `reads`: what is decided next, whether it may be read, needs not ask what binds it.
    """
    organisations = tuple(sorted(person.organisation_ids))
    rows = _VISIBLE.rows(kind, namespace.lower(), name.lower(), person.pk, organisations)
    if not rows:
        return None
    found = _repository(rows[0][:-1])
    if reads:
        inheritance.note(found, is_bound=rows[0][-1])
    return found


def newest(repository: Repository, branch: str, *, along: str = "") -> Found:
    """Give the newest revision that was saved to a branch itself.

    `along`: a path, whose file is read along, if there is one.
    """
    if not along:
        return _found(repository, _NEWEST.rows(repository.pk, branch))
    return _found(repository, _NEWEST_WITH.rows(repository.pk, branch, along), along)


def by_commit(repository: Repository, commit_id: str, *, along: str = "") -> Found:
    if not along:
        return _found(repository, _BY_COMMIT.rows(repository.pk, commit_id))
    return _found(repository, _BY_COMMIT_WITH.rows(repository.pk, commit_id, along), along)


def file(revision: Revision, path: str) -> File | None:
    """Find one file, with its blob and the git name of that, if it has one."""
    rows = _FILE.rows(revision.pk, path)
    return _file(revision, rows[0]) if rows else None


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
    of_case = (f"case__{column}" for column in CASE)
    found: Rows = rows.values_list(*REPOSITORY, *of_case, inheritance.is_bound())[:1]
    return found


def _of_branch(repository: int, branch: str) -> Rows:
    rows = Revision.objects.filter(repository=repository, branch=branch).order_by("-number")
    return rows.values_list(*REVISION)[:1]


def _of_commit(repository: int, commit_id: str) -> Rows:
    rows = Revision.objects.filter(repository=repository, commit_id=commit_id)
    return rows.order_by().values_list(*REVISION)[:1]


def _of_branch_with(repository: int, branch: str, path: str) -> Rows:
    rows = Revision.objects.filter(repository=repository, branch=branch).order_by("-number")
    return _with_file(rows, path)


def _of_commit_with(repository: int, commit_id: str, path: str) -> Rows:
    rows = Revision.objects.filter(repository=repository, commit_id=commit_id).order_by()
    return _with_file(rows, path)


def _with_file(rows: "QuerySet[Revision]", path: str) -> Rows:
    rows = rows.alias(at=FilteredRelation("files", condition=Q(files__path=path)))
    return rows.values_list(*REVISION, *_columns_of_file("at__"))[:1]


def _of_path(revision: int, path: str) -> Rows:
    rows = File.objects.filter(revision=revision, path=path).order_by()
    return rows.values_list(*_columns_of_file())[:1]


def _columns_of_file(before: str = "") -> list[str]:
    of_blob = [*(f"blob__{column}" for column in BLOB), "blob__git_name__sha1"]
    return [f"{before}{column}" for column in (*FILE, *of_blob)]


def _repository(row: Sequence[Any]) -> Repository:
    found = Repository.from_db("default", REPOSITORY, row[: len(REPOSITORY)])
    if found.case_id is not None:
        found.case = Case.from_db("default", CASE, row[len(REPOSITORY) :])
    return found


def _found(repository: Repository, rows: Sequence[Sequence[Any]], along: str = "") -> Found:
    if not rows:
        return None, {}
    row, end = rows[0], len(REVISION)
    revision = Revision.from_db("default", REVISION, row[:end])
    revision.repository = repository
    if not along:
        return revision, {}
    is_there = row[end] is not None
    return revision, {along: _file(revision, row[end:]) if is_there else None}


def _file(revision: Revision, row: Sequence[Any]) -> File:
    found = File.from_db("default", FILE, row[: len(FILE)])
    found.revision = revision
    found.blob = Blob.from_db("default", BLOB, row[len(FILE) : -1])
    if row[-1] is not None:
        GitName(blob=found.blob, sha1=row[-1])  # the blob knows it from then on
    return found


_VISIBLE = Prepared(_visible)
_NEWEST = Prepared(_of_branch)
_NEWEST_WITH = Prepared(_of_branch_with)
_BY_COMMIT = Prepared(_of_commit)
_BY_COMMIT_WITH = Prepared(_of_commit_with)
_FILE = Prepared(_of_path)
