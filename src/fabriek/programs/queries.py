"""Questions about code that was sent: what a case has, and from which commit each came."""

from collections.abc import Iterable

from django.db.models import Count, OuterRef, Q, QuerySet, Subquery
from django.http import Http404
from django.shortcuts import get_object_or_404

from fabriek.cases.models import Case
from fabriek.people.models import Person
from fabriek.programs.models import Sent
from fabriek.store.models import MAIN, Repository, Revision


def of_case(case: Case) -> QuerySet[Repository]:
    """Give the code of a case, what was made last first."""
    return Repository.objects.filter(kind=Repository.Kind.CODE, case=case).order_by("-pk")


def newest_of(case: Case) -> QuerySet[Revision]:
    """Give the newest revision of each; what never arrived whole has none."""
    rows = Revision.objects.filter(repository__kind=Repository.Kind.CODE, branch=MAIN)
    newest = rows.filter(repository=OuterRef("repository")).order_by("-number")
    rows = rows.filter(repository__case=case, pk=Subquery(newest.values("pk")[:1]))
    return rows.select_related("repository").order_by("-pk")


def found(code: str, person: Person) -> Repository:
    """Find code of a case that this person takes part in. Raises: Http404."""
    cases = Case.objects.taken_part_in_by(person)
    rows = Repository.objects.filter(kind=Repository.Kind.CODE, case__in=cases)
    if "\x00" in code:
        raise Http404
    return get_object_or_404(rows.select_related("case__organisation"), code=code)


def with_old_ones(case: Case) -> QuerySet[Repository]:
    """Give the code of a case of which more than one revision has its files."""
    kept = Count("revisions", filter=Q(revisions__dropped_at=None))
    return of_case(case).annotate(kept=kept).filter(kept__gt=1)


def named(case: Case, name: str) -> Repository | None:
    return of_case(case).filter(title__iexact=name).first()


def sent_of(revisions: Iterable[Revision]) -> dict[int, Sent]:
    """Tell from where these came, by the key of each revision."""
    rows = Sent.objects.filter(revision__in=[one.pk for one in revisions])
    return {row.revision_id: row for row in rows}
