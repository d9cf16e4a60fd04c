"""The one place that decides whether data may be seen, read, worked on or let out."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _

from fabriek.cases.models import Case
from fabriek.cases.rules import takes_part
from fabriek.kernel.errors import NotAllowed, Text
from fabriek.people.models import Person
from fabriek.store.models import Repository


class Moment(StrEnum):
    """When a decision is due."""

    SEE = "see"  # that it exists and what its record says
    READ = "read"  # the names of its files and their bytes: by a person, or laid out for a job
    RUN = "run"  # a run on it is asked for, or about to start
    RELEASE = "release"  # what was made from it goes out: weights, a model, figures


@dataclass(frozen=True, kw_only=True, slots=True)
class Wish:
    """What somebody, or the factory for a case, wants to do with a dataset or model.

    `case`: for which case it is used; empty when a person asks for themselves.
    `until`: when that use ends at the latest, such as the longest that a run may take.
    """

    moment: Moment
    repository: Repository
    person: Person | None = None
    case: Case | None = None
    until: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """`code` is for programs and stays; `sentence` says the reason to people."""

    allowed: bool
    code: str
    sentence: Text


OPEN = Decision(allowed=True, code="open", sentence=_("It is open to everybody."))
OWN = Decision(
    allowed=True, code="own", sentence=_("It belongs to a case that you take part in.")
)
NOT_YOURS = Decision(
    allowed=False,
    code="not_yours",
    sentence=_("This does not exist, or it is not yours to see. Check the code."),
)


def decide(wish: Wish) -> Decision:
    """Allow or deny; what is not allowed by something is denied."""
    if wish.repository.is_open:
        return OPEN
    return OWN if _is_own(wish) else NOT_YOURS


def require(wish: Wish) -> Decision:
    """Refuse what is denied. Raises: NotAllowed, with the reason in words."""
    decision = decide(wish)
    if not decision.allowed:
        raise NotAllowed(decision.sentence, code=decision.code)
    return decision


def visible_to(person: Person) -> QuerySet[Repository]:
    """Give all that this person would be allowed to SEE."""
    return Repository.objects.visible_to(person)


def usable_by(case: Case) -> QuerySet[Repository]:
    """Give all that a run of this case would be allowed to work on now."""
    return Repository.objects.filter(Q(is_open=True) | Q(case=case))


def _is_own(wish: Wish) -> bool:
    owner = wish.repository.case
    if owner is None:
        return False
    if wish.case is not None:
        return wish.case.pk == owner.pk
    return wish.person is not None and takes_part(wish.person, owner)
