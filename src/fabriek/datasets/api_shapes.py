"""What the API of datasets takes and gives."""

from datetime import datetime
from typing import Annotated, Any

from ninja import Schema
from pydantic import BaseModel, Field

from fabriek.datasets import rules
from fabriek.datasets.models import Dataset, Licence
from fabriek.kernel.steps import NextStep, StepOut
from fabriek.store.models import MAIN, Revision


class DatasetOut(Schema):
    """`revision` is the number of the newest one; nothing was saved yet when it is null."""

    code: str
    title: str
    description: str
    licence: str
    has_personal_data: bool
    case: str = Field(alias="case.code")
    created_at: datetime
    revision: int | None
    file_count: int | None
    size_bytes: int | None
    url: str = Field(alias="get_absolute_url")


class DatasetDetailOut(DatasetOut):
    next_steps: list[StepOut]

    @staticmethod
    def resolve_next_steps(dataset: Dataset, context: dict[str, Any]) -> list[NextStep]:
        return rules.next_steps(context["request"].user, dataset)


class DatasetIn(Schema):
    case: str
    title: str
    description: str = ""
    licence: Licence = Licence.CONSORTIUM
    has_personal_data: bool


class BlobOut(Schema):
    sha256: str
    size_bytes: int


class FileIn(BaseModel):  # ninja's own kind runs Python for each, and there may be 100,000
    path: str
    sha256: str


class RevisionOut(Schema):
    """`dropped_at`: since when its files are gone, by the wish of its owner.

    `branch` is empty where the branch was removed; `parent` is the number it was built on.
    """

    number: int
    branch: str
    parent: int | None
    commit_id: str
    digest: str
    message: str
    author: str
    created_at: datetime
    file_count: int
    size_bytes: int
    dropped_at: datetime | None

    @staticmethod
    def resolve_author(revision: Revision) -> str:
        return str(revision.author or "")

    @staticmethod
    def resolve_parent(revision: Revision) -> int | None:
        return revision.parent.number if revision.parent else None


class CountsOut(Schema):
    added: int
    changed: int
    removed: int


class LoggedOut(RevisionOut):
    """`changes` counts the files that differ from the revision before; null when not asked.

    `damaged`: how many of its files have bytes that must be sent once more.
    """

    changes: CountsOut | None = None
    damaged: int = 0


class SavedOut(RevisionOut):
    """`is_new` is false when nothing changed: this revision stood already.

    Who may not read it is told of what they sent: `digest` is empty, the counts are of that.
    """

    is_new: bool = True


class RevisionIn(BaseModel):  # ninja's own kind would be read by Python first: see `FileIn`
    """`parent` is the number this builds on: when somebody saved a newer one, it is refused."""

    files: list[FileIn] = []
    delete: list[str] = []
    message: str = ""
    parent: int | None = None


class BranchIn(Schema):
    """`at`: a branch or a tag, whose line of revisions is meant; `every`: all there are."""

    at: str = MAIN
    every: bool = False


class MissingIn(Schema):
    sha256: list[str] = Field([], max_length=10_000)
    size: list[Annotated[int, Field(ge=0, lt=2**62)]] = Field([], max_length=10_000)


class MissingOut(Schema):
    """`size`: of those sizes nothing is here, so such files need not be hashed to be sent."""

    sha256: list[str]
    size: list[int]
