"""The rounds in their order, and what is told of them."""

import importlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from bench import telling
from bench.server import Server, running
from bench.table import Table
from fabriek.cases import actions as cases
from fabriek.cases.models import Case, Sector
from fabriek.people.models import Membership, Organisation, Person


@dataclass(frozen=True, kw_only=True, slots=True)
class Scene:
    """What a round is given: a folder of its own, a portal that runs, somebody in a case."""

    folder: Path
    server: Server
    person: Person
    case: Case


def main(words: list[str]) -> int:
    return telling.main(words, _rounds, kind="data")


def _rounds(wanted: list[str], small: bool) -> Iterator[Table]:
    for number, name in enumerate(wanted, start=1):
        person, case = somebody(number)
        folder = Path(settings.HOME) / "rounds" / name
        folder.mkdir(parents=True)
        # A worker of its own for each, so that its memory is that of this round.
        with running() as server:
            scene = Scene(folder=folder, server=server, person=person, case=case)
            told = importlib.import_module(f"bench.data.{name}").measure(scene, small=small)
        yield from [told] if isinstance(told, Table) else told
        shutil.rmtree(folder)
        # The next is somebody else's, who has no part in these bytes: all rounds together
        # would fill a disk of a hundred gigabytes.
        shutil.rmtree(settings.STORE_HOME, ignore_errors=True)


def somebody(number: int) -> tuple[Person, Case]:
    """Make an open case by the action that people use."""
    person = Person.objects.create(email=f"anna{number}@example.org", name="Anna")
    organisation = Organisation.objects.create(
        name="Voorbeeld BV", kvk_number=f"{12345600 + number}", kind="sme"
    )
    Membership.objects.create(organisation=organisation, person=person, role="lead")
    case = Case.objects.create(
        organisation=organisation,
        title="Sneller aan de balie",
        problem="Berichten komen op de verkeerde plek.",
        sector=Sector.objects.first(),
        trl_now=3,
        trl_aimed=6,
        created_by=person,
    )
    Case.objects.filter(pk=case.pk).update(code=f"C26-{number:04}")
    case.refresh_from_db()
    cases.propose(case, by=person)
    return person, case
