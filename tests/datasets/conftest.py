import io
from hashlib import sha256

import pytest

from fabriek.datasets import actions
from fabriek.store import actions as store
from fabriek.store import queries
from fabriek.store.models import Ref
from tests.factories import a_case, a_person

ROWS = b'{"prompt": "Hoi", "completion": "balie"}\n{"prompt": "Au", "completion": "arts"}\n'
FACTS = {
    "title": "Berichten",
    "description": "Made up.",
    "licence": "CC-BY-4.0",
    "has_personal_data": False,
}


def made(*, by=None, case=None, **facts):
    """Make a dataset through the action itself, so that its repository is named."""
    case = case or a_case(lead=by or a_person())
    return actions.create(case, by=by or case.created_by, **FACTS | facts)


def push(dataset, files, *, by=None, message="first"):
    streams = {path: io.BytesIO(content) for path, content in files.items()}
    return actions.push_files(dataset, streams, message=message, by=by or dataset.created_by)


def push_beside(dataset, name, files, *, message="elsewhere"):
    """Save on a branch that begins from the newest of `main`, as clients of the hub do."""
    repository, by = dataset.repository, dataset.created_by
    refs = {"repository": repository, "kind": Ref.Kind.BRANCH, "name": name}
    Ref.objects.get_or_create(**refs, defaults={"revision": queries.latest(repository)})
    named = {path: sha256(content).hexdigest() for path, content in files.items()}
    for path, content in files.items():
        stream = io.BytesIO(content)
        actions.add_file(dataset, path, stream, by=by, expected_sha256=named[path])
    change = store.Change(files=named, message=message, branch=name)
    return store.save(repository, change, by=by)


def contents(dataset):
    newest = queries.latest(dataset.repository)
    return {path: blob.size_bytes for path, blob in queries.listing(newest).items()}


@pytest.fixture
def lead():
    return a_person()


@pytest.fixture
def dataset(lead):
    return made(by=lead)
