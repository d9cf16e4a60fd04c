"""What the demo shows at its end, read back from the database, and whether all is true."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.db.models import QuerySet, Sum

from fabriek import figures
from fabriek.access.models import Application
from fabriek.access.states import ApplicationState
from fabriek.allocations.models import Allocation, Line
from fabriek.cases.models import Case, Partner
from fabriek.cases.states import CaseState, PartnerState
from fabriek.kernel.models import Entry
from fabriek.registry.models import Model
from fabriek.runs.models import Run
from fabriek.runs.states import RunState
from fabriek.store import actions as store

README = "README.md"


@dataclass(frozen=True, kw_only=True, slots=True)
class Summary:
    case: Case
    application: Application
    allocation: Allocation
    runs: tuple[Run, ...]
    model: Model
    card: Path
    gpu_seconds_held: int
    gpu_seconds_spent: int

    @property
    def url(self) -> str:
        return f"{settings.FACTORY_URL}{self.model.get_absolute_url()}"

    def score(self, when: str) -> str:
        value = self.model.scores.get(f"exact_match_{when}")
        return "not measured" if value is None else figures.score("exact_match", value)


def read_back(case: Case, runs: tuple[Run, ...]) -> Summary:
    """Read everything anew, so that the summary tells what is kept and not what was meant."""
    allocation = Allocation.objects.get(case=case)
    model = Model.objects.select_related("revision__repository").get(run=runs[-1])
    lines = Line.objects.filter(run_key__in=[run.key for run in runs])
    return Summary(
        case=Case.objects.get(pk=case.pk),
        application=Application.objects.get(decision=allocation.decision),
        allocation=allocation,
        runs=tuple(Run.objects.get(pk=run.pk) for run in runs),
        model=model,
        card=_laid_out(model) / README,
        gpu_seconds_held=_sum(lines.filter(kind="hold")),
        gpu_seconds_spent=_sum(lines.filter(kind__in=["spend", "counter", "overrun"])),
    )


def doubts(found: Summary) -> list[str]:
    """Name each step that did not really happen; an empty list is a good end."""
    return [what for what, is_true in _claims(found) if not is_true]


def _claims(found: Summary) -> Iterator[tuple[str, bool]]:
    case = found.case
    yield "the case is open", case.state == CaseState.OPEN
    partners = Partner.objects.filter(case=case, state=PartnerState.ACCEPTED)
    yield "a partner takes part", partners.exists()
    yield "the award was accepted", found.application.state == ApplicationState.ACCEPTED
    yield "GPU-hours were granted", found.allocation.gpu_seconds_granted > 0
    for run in found.runs:
        yield f"{run} succeeded", run.state == RunState.SUCCEEDED
        yield f"{run} has a bill", bool(run.gpu_seconds_used)
        yield f"{run} wrote figures", run.metrics.exists()
    used = sum(run.gpu_seconds_used or 0 for run in found.runs)
    yield "the ledger says what the runs used", used == found.gpu_seconds_spent
    after = found.model.scores.get("exact_match_after")
    yield "the model was scored", isinstance(after, float | int)
    yield "the model card exists", found.card.is_file()
    yield "the journal tells it", Entry.objects.filter(thread=case.code).exists()


def _laid_out(model: Model) -> Path:
    """Lay the model where people can open it: `from_pretrained` takes this folder."""
    folder: Path = settings.HOME / "demo" / model.code
    if not folder.exists():
        store.materialise(model.revision, folder)
    return folder


def _sum(lines: QuerySet[Line]) -> int:
    return lines.aggregate(total=Sum("gpu_seconds"))["total"] or 0
