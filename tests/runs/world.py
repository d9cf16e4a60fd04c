"""What tests of runs stand on: a case with GPU-hours and data that recipes can read."""

import itertools
import json
from dataclasses import dataclass
from datetime import timedelta

import time_machine
from django.utils import timezone

from fabriek.allocations.models import Allocation
from fabriek.cases.models import Case
from fabriek.people.models import Person
from fabriek.runs import actions, reconcile
from fabriek.runs.models import Run
from fabriek.runs.states import UNFINISHED, RunState
from fabriek.store import actions as store
from fabriek.store.models import Repository, Revision
from tests.engines.waiting import eventually
from tests.factories import a_case, a_person, a_repository, an_allocation

_numbers = itertools.count(9001)
BILLED = ("spend", "counter", "overrun")
TEXT = "De assistent leest het bericht en kiest een afdeling.\n\n" * 40


@dataclass
class World:
    person: Person
    case: Case
    allocation: Allocation
    revision: Revision

    def wish(self, **changes):
        wanted = {"recipe": "pretrain_lm", "knobs": {"size": "tiny"}} | changes
        return actions.Wish(**{"inputs": {"dataset": self.revision}} | wanted)

    def ask(self, **changes) -> Run:
        return actions.ask(self.wish(**changes), allocation=self.allocation, by=self.person)

    def left(self) -> int:
        self.allocation.refresh_from_db()
        return self.allocation.gpu_seconds_left

    def held(self) -> int:
        self.allocation.refresh_from_db()
        return self.allocation.gpu_seconds_held

    def bill(self, run: Run) -> int:
        """Sum what the ledger says this run cost, corrections and overruns included."""
        lines = self.allocation.lines.filter(run_key=run.key, kind__in=BILLED)
        return sum(lines.values_list("gpu_seconds", flat=True))


def a_world(*, gpu_seconds=36_000) -> World:
    person = a_person()
    case = a_case(lead=person)
    revision = a_text(case, person)
    allocation = an_allocation(case=case, gpu_seconds=gpu_seconds)
    return World(person=person, case=case, allocation=allocation, revision=revision)


def a_text(case, person, *, text=TEXT, **fields) -> Revision:
    named = {"code": f"D26-{next(_numbers)}", "title": "Texts"}
    repository = a_repository(case=case, **named | fields)
    return pushed(repository, {"text.txt": text}, person)


def pushed(repository: Repository, files: dict[str, str], person) -> Revision:
    blobs = {
        name: store.store_bytes(repository, [text.encode()], by=person)
        for name, text in files.items()
    }
    return store.commit(repository, blobs, message="files", by=person)


def rows(*pairs: tuple[str, str]) -> str:
    return "".join(
        json.dumps({"prompt": prompt, "completion": completion}) + "\n"
        for prompt, completion in pairs
    )


def events(run: Run, *lines: object) -> None:
    """Write events as a recipe does, whole lines; a str is written as it is."""
    run.folder.mkdir(parents=True, exist_ok=True)
    with (run.folder / "events.jsonl").open("a") as file:
        for line in lines:
            file.write(line if isinstance(line, str) else json.dumps(line) + "\n")


def seen_again(run: Run) -> Run:
    return Run.objects.select_related("allocation", "case").get(pk=run.pk)


def passes(engine, times: int = 1) -> None:
    for _ in range(times):
        reconcile.tick(engine)


def answered_steadily(engine, minutes: int = 12) -> None:
    """Let the loop ask for so long, and always get an answer."""
    with time_machine.travel(timezone.now(), tick=False) as clock:
        for _ in range(minutes // 4):
            passes(engine)
            clock.shift(timedelta(minutes=4))
        passes(engine)


def followed(machine, run, *states, within_s=20):
    """Let the loop pass until the run is in one of `states`; give it as it is then."""

    def reached():
        passes(machine)
        return seen_again(run).state in states

    eventually(reached, within_s=within_s)
    return seen_again(run)


def over(machine, run, within_s=20):
    return followed(machine, run, *set(RunState) - UNFINISHED, within_s=within_s)
