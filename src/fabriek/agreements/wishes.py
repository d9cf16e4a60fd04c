"""What is asked of the one place that decides, and what it answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from fabriek.agreements.models import Agreement
from fabriek.cases.models import Case
from fabriek.kernel.errors import Text
from fabriek.people.models import Person
from fabriek.store.models import Repository

ANYTHING = "anything"  # the purpose of work in which people run programs of their own


class Moment(StrEnum):
    """When a decision is due."""

    SEE = "see"  # that it exists and what its record says
    READ = "read"  # the names of its files and their bytes: by a person, or laid out for a job
    RUN = "run"  # a run on it is asked for, or about to start
    RELEASE = "release"  # what was made from it goes out: weights, a model, figures


@dataclass(frozen=True, kw_only=True, slots=True)
class Wish:
    """What somebody, or the factory for a case, wants to do with a dataset or model.

    `person`: who does it; empty when the factory itself does, such as laying out a job.
    `case`: for which case it is used; empty when a person asks for themselves.
    `until`: when that use ends at the latest, such as the longest that a run may take.
    `purpose`: a `Purpose` or ANYTHING; `makes`: the `Product` that may come out, empty for
    figures only; `leaves`: people can carry away what it reads, as out of a lab; `answers`:
    they read what a model says to what they ask, and get no more of it; `unseen`: people
    have what comes of it before an owner of the data could look. These five belong to RUN.
    `is_secure`: all of it happens on the secure part of the machine. `revision` is a number.
    `on_behalf_of`: who asked the factory for it, whose organisations must be meant as well.
    For the log only: `run`, its code.
    """

    moment: Moment
    repository: Repository
    person: Person | None = None
    case: Case | None = None
    until: datetime | None = None
    purpose: str = ""
    makes: str = ""
    leaves: bool = False
    answers: bool = False
    unseen: bool = False
    is_secure: bool = False
    revision: int | None = None
    run: str = ""
    on_behalf_of: Person | None = None

    @property
    def party(self) -> Person | None:
        """Give whose organisations an agreement must mean, where it names some."""
        return self.person or self.on_behalf_of


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """`code` is for programs and stays; `sentence` says the reason to people.

    `agreement`: by which it was decided, if by one. `facts`: plain values that fill the
    sentence, so that it can be said again later in any language.
    """

    allowed: bool
    code: str
    sentence: Text
    agreement: Agreement | None = None
    facts: Mapping[str, str] = field(default_factory=dict)
