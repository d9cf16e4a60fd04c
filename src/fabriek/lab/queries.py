"""Questions about interactive work: who is in, and which files one could go on with."""

from collections.abc import Collection
from datetime import datetime, timedelta

from django.db.models import QuerySet

from fabriek.cases.models import Case
from fabriek.lab.models import Entry
from fabriek.people import tokens
from fabriek.people.models import Person
from fabriek.runs.models import Run
from fabriek.runs.states import UNFINISHED
from fabriek_recipes.lab.knobs import RECIPE

EARLIER_MAX = 50
# SQLite takes no more than so many values in one question, on some machines.
ASKED_AT_ONCE = 500


def labs(person: Person) -> QuerySet[Run]:
    return Run.objects.visible_to(person).filter(recipe=RECIPE.name)


def earlier(case: Case) -> QuerySet[Run]:
    """Sessions of this case that are over and once ran, newest first."""
    over = Run.objects.filter(case=case, recipe=RECIPE.name, started_at__isnull=False)
    return over.exclude(state__in=UNFINISHED).order_by("-asked_at")


def admitted(admissions: Collection[str]) -> dict[str, Entry]:
    """Find who holds these passes, with all that is asked of each again and again."""
    digests = {tokens.digest(admission): admission for admission in admissions}
    wanted = list(digests)
    rows = Entry.objects.select_related("run__case", "person", "token")
    return {
        digests[str(entry.admission)]: entry
        for start in range(0, len(wanted), ASKED_AT_ONCE)
        for entry in rows.filter(admission__in=wanted[start : start + ASKED_AT_ONCE])
    }


def people_let_in(run: Run) -> list[Person]:
    """Give everybody who was ever inside: a program that they left there still runs."""
    inside = Entry.objects.filter(run=run, admitted_at__isnull=False)
    return list(Person.objects.filter(pk__in=inside.values("person")).order_by("pk"))


def stops_at(run: Run) -> datetime | None:
    return run.started_at + timedelta(seconds=run.timeout_s) if run.started_at else None
