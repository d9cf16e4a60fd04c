"""What a model comes from, however many steps back, as far as that is closed to others."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from fabriek.agreements import inheritance
from fabriek.people.models import Membership
from fabriek.registry import shown_sources
from fabriek.registry.models import Model
from fabriek.runs import lineage
from fabriek.runs.destinations import Destination
from fabriek.runs.models import Run
from fabriek.store.models import Repository, Revision


@dataclass(frozen=True, kw_only=True, slots=True)
class Sources:
    """The closed data, models and code that it was made of, and those were made of.

    `lent`: keys of those of others that its recorded terms are of. `leads_nowhere`: a card
    names what is not there, or not any more.
    """

    closed: Sequence[Repository]
    lent: frozenset[int]
    leads_nowhere: bool


def of(model: Model) -> Sources:
    """Find them: by runs and bases, by what cards name, and by files that lay there first.

    What is open was decided about already, and so was what is lent; neither is looked behind.
    """
    lent = _lent(model)
    found: dict[int, Repository] = {}
    left, leads_nowhere = [model.repository_id], False
    while left:
        here = left.pop()
        named, is_lost = shown_sources.named_in_cards(here)
        leads_nowhere |= is_lost
        wanted = named | _read_for(here) | shown_sources.held_first(here)
        for source in Repository.objects.filter(pk__in=wanted, is_open=False):
            if source.pk not in found and source.pk != model.repository_id:
                found[source.pk] = source
                if source.pk not in lent:
                    left.append(source.pk)
    return Sources(closed=list(found.values()), lent=lent, leads_nowhere=leads_nowhere)


def _lent(model: Model) -> frozenset[int]:
    """Name what others agreed on; an organisation agrees with itself on nothing of partners."""
    owner = model.repository.organisation_id
    sources = [row.agreement.repository for row in inheritance.terms_of(model.repository)]
    return frozenset(one.pk for one in sources if one.organisation_id != owner)


def _read_for(repository: int) -> set[int]:
    """Name all that the runs read which made what is in there."""
    found: set[int] = set()
    for run in _makers(repository):
        found |= lineage.terms_of(run)[1]
    bases = Model.objects.filter(repository=repository, base__isnull=False)
    return found | {*bases.values_list("base__repository", flat=True)}


def _makers(repository: int) -> Iterator[Run]:
    yield from Run.objects.filter(model__repository=repository)
    rows = Destination.objects.filter(dataset__repository=repository, revision__isnull=False)
    yield from Run.objects.filter(pk__in=rows.values("run"))


def is_of_others(model: Model, sources: Sources) -> bool:
    """Tell whether some of it is of others than its owner, and not lent by agreement.

    All that is sent stands to the name of who proposes the case, whoever brought it in: so it
    is the people who tell. Who is of both organisations counts as of the first; who left is
    of none, as nothing tells of whom they were when they sent it.
    """
    owner = model.repository.organisation_id
    theirs = [one for one in sources.closed if one.pk not in sources.lent]
    if sources.leads_nowhere or any(one.organisation_id != owner for one in theirs):
        return True
    kept = [model.repository_id, *(one.pk for one in theirs)]
    sent = Revision.objects.filter(repository__in=kept, author__isnull=False)
    ours = Membership.objects.filter(organisation=owner)
    return sent.exclude(author__in=ours.values("person")).exists()
