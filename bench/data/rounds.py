"""The rounds in their order, and what is told of them."""

import argparse
import importlib
import logging
import os
import shutil
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from bench import pace, result
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
    parser = argparse.ArgumentParser()
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--only", default="")
    asked = parser.parse_args(words)
    logging.disable(logging.WARNING)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return _all(asked.only.split(","), small=asked.small)
    except KeyboardInterrupt:
        return 130


def _all(wanted: list[str], *, small: bool) -> int:
    load, began, paces = os.getloadavg(), time.perf_counter(), [pace.milliseconds()]
    tables = []
    for table in _rounds(wanted, small=small):
        print(table.plain(), flush=True)
        tables.append(table)
        paces.append(pace.milliseconds())
    took_s = time.perf_counter() - began
    print(f"All of it took {took_s:.0f} seconds.")
    if not small:
        moment = result.Moment(load=load, paces=paces, took_s=took_s)
        kept = result.keep(tables, moment, conditions=result.portal(), kind="data")
        print(f"Kept in {kept.name}.")
    return 0 if all(table.ok for table in tables) else 1


def _rounds(wanted: list[str], *, small: bool) -> Iterator[Table]:
    person, case = _somebody()
    for name in wanted:
        folder = Path(settings.HOME) / "rounds" / name
        folder.mkdir(parents=True)
        # A worker of its own for each, so that its memory is that of this round.
        with running() as server:
            scene = Scene(folder=folder, server=server, person=person, case=case)
            told = importlib.import_module(f"bench.data.{name}").measure(scene, small=small)
        yield from [told] if isinstance(told, Table) else told
        shutil.rmtree(folder)


def _somebody() -> tuple[Person, Case]:
    """Make an open case by the action that people use."""
    person = Person.objects.create(email="anna@example.org", name="Anna")
    organisation = Organisation.objects.create(
        name="Voorbeeld BV", kvk_number="12345678", kind="sme"
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
    Case.objects.filter(pk=case.pk).update(code="C26-0001")
    case.refresh_from_db()
    cases.propose(case, by=person)
    return person, case
