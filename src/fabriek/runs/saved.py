"""What is told of where the answers of a run go, and of the runs that made a dataset."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.urls import reverse
from django.utils.translation import gettext as _

from fabriek.cases.rules import takes_part
from fabriek.datasets.models import Dataset
from fabriek.kernel.facts import Fact
from fabriek.kernel.words import moment
from fabriek.people.models import Person
from fabriek.runs import inputs, rules, saved_in, saving
from fabriek.runs.destinations import Destination
from fabriek.runs.models import Run, RunInput
from fabriek.runs.states import UNFINISHED, RunState
from fabriek.store.references import written

RUNS_SHOWN = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class Saved:
    """`url` leads to the dataset, where there is one; `waits`: somebody has to choose."""

    sentence: str
    code: str = ""
    url: str = ""
    waits: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Maker:
    """A run whose answers are in a dataset; an empty input is what one may not know of."""

    saved: Destination
    inputs: Sequence[str]

    @property
    def saved_at(self) -> datetime:
        return self.saved.settled_at or self.saved.asked_at


def of(run: Run) -> Destination | None:
    if not saved_in.leaves_rows(run.recipe):
        return None
    return Destination.objects.filter(run=run).select_related("dataset").first()


def shown(run: Run, person: Person) -> Saved | None:
    """Say where the answers of a run are or will be; nothing of a recipe that writes none."""
    if not saved_in.leaves_rows(run.recipe) or run.is_dry:
        return None
    found = of(run)
    dataset = found.dataset if found else None
    return Saved(
        sentence=_sentence(run, found),
        code=dataset.code if dataset else "",
        url=dataset.get_absolute_url() if dataset else "",
        waits=_waits(run, found) and rules.may_ask(person, run.case),
    )


def to_programs(run: Run) -> dict[str, object] | None:
    found = of(run)
    if found is None:
        return None
    return {
        "dataset": found.dataset.code if found.dataset else "",
        "revision": found.revision,
        "sentence": _sentence(run, found),
        "settled": found.settled_at is not None,
    }


def makers(dataset: Dataset, person: Person, *, most: int) -> list[Maker]:
    """Name the last runs whose answers are in a dataset, to people of its case.

    With what they worked on, as far as this person may know of it.
    """
    if not takes_part(person, dataset.case):
        return []
    rows = Destination.objects.filter(dataset=dataset, revision__isnull=False)
    some = list(rows.select_related("run").order_by("-revision", "-pk")[:most])
    if not some:
        return []
    rows_used = RunInput.objects.filter(run__in=[one.run_id for one in some]).order_by("pk")
    used = list(rows_used.select_related("revision__repository"))
    known = inputs.known_among(used, person, cases={dataset.case_id})
    by_run: dict[int, list[str]] = {one.run_id: [] for one in some}
    for row in used:
        by_run[row.run_id].append(written(row.revision) if row.pk in known else "")
    return [Maker(saved=one, inputs=by_run[one.run_id]) for one in some]


def made_by(dataset: Dataset, person: Person) -> list[Fact]:
    return [_origin(one) for one in makers(dataset, person, most=RUNS_SHOWN)]


def _origin(one: Maker) -> Fact:
    names = [name or _("data of others") for name in one.inputs]
    said = _("%(when)s, of %(inputs)s") % {
        "when": moment(one.saved_at),
        "inputs": ", ".join(dict.fromkeys(names)),
    }
    return Fact(
        label=_("Revision %(number)s") % {"number": one.saved.revision},
        value=_("answers of %(run)s") % {"run": one.saved.run.code},
        url=reverse("runs:detail", args=[one.saved.run.code]),
        help=said,
    )


def _waits(run: Run, found: Destination | None) -> bool:
    if run.state != RunState.SUCCEEDED:
        return False
    return found is None or (found.settled_at is not None and found.revision is None)


def _sentence(run: Run, found: Destination | None) -> str:
    if found is None:
        return _("The answers stay with the run; they are saved in no dataset.")
    if found.code:
        return saving.why(found.code)
    if run.state in UNFINISHED:
        return _to_come(found)
    if run.state != RunState.SUCCEEDED:
        return _("The run did not end well, so its answers are not saved. Continue it first.")
    if found.dataset is None or found.revision is None:
        return _("The answers are being saved, within a minute.")
    said = _("The answers are saved in %(dataset)s, as revision %(revision)s.")
    return said % {"dataset": found.dataset.code, "revision": found.revision}


def _to_come(found: Destination) -> str:
    where = found.dataset.code if found.dataset else ""
    if where:
        said = _("When the run has ended well, its answers are added to %(dataset)s.")
        return said % {"dataset": where}
    return _("When the run has ended well, its answers become a new dataset of the case.")
