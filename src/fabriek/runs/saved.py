"""What is told of where the answers of a run go, and of the runs that made a dataset."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.urls import reverse
from django.utils.translation import gettext as _

from fabriek.cases.rules import takes_part
from fabriek.datasets.models import Dataset
from fabriek.kernel.words import moment
from fabriek.people.models import Person
from fabriek.runs import inputs, rules, saved_in, saving
from fabriek.runs.destinations import Destination
from fabriek.runs.models import Run, RunInput
from fabriek.runs.show import Fact
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


def made_by(dataset: Dataset, person: Person) -> list[Fact]:
    """Name the last runs whose answers are in a dataset, to people of its case.

    With what and on what, as far as this person may know of it.
    """
    if not takes_part(person, dataset.case):
        return []
    rows = Destination.objects.filter(dataset=dataset, revision__isnull=False)
    some = list(rows.select_related("run").order_by("-revision", "-pk")[:RUNS_SHOWN])
    if not some:
        return []
    rows_used = RunInput.objects.filter(run__in=[one.run_id for one in some]).order_by("pk")
    used = list(rows_used.select_related("revision__repository"))
    known = inputs.known_among(used, person, cases={dataset.case_id})
    by_run = {one.run_id: [row for row in used if row.run_id == one.run_id] for one in some}
    return [_origin(one, by_run[one.run_id], known) for one in some]


def _origin(one: Destination, used: Iterable[RunInput], known: set[int]) -> Fact:
    names = [written(row.revision) if row.pk in known else _("data of others") for row in used]
    said = _("%(when)s, of %(inputs)s") % {
        "when": moment(one.settled_at or one.asked_at),
        "inputs": ", ".join(dict.fromkeys(names)),
    }
    return Fact(
        label=_("Revision %(number)s") % {"number": one.revision},
        value=_("answers of %(run)s") % {"run": one.run.code},
        url=reverse("runs:detail", args=[one.run.code]),
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
