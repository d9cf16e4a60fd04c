"""Follow the events of a run: from its file, by offset, into the database."""

import logging
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from django.db import transaction

from fabriek.runs.models import Metric, Run
from fabriek_recipes.run_folder import EVENTS, Event, read_events

log = logging.getLogger(__name__)

READS_A_PASS = 8  # one chatty run must not hold up the others
NAME_MAX = 60
COUNT_MAX = 2**31 - 1


def catch_up(run: Run) -> None:
    """Copy what is new. Offset and figures are kept in one transaction, so that a pass that is
    killed halfway loses nothing and doubles nothing."""
    path = run.folder / EVENTS
    for _ in range(READS_A_PASS):
        events, offset = read_events(path, run.events_offset)
        if offset == run.events_offset:
            return
        _keep(run, events, offset)


@transaction.atomic
def _keep(run: Run, events: Iterable[Event], offset: int) -> None:
    metrics: dict[tuple[str, int], Metric] = {}
    columns: dict[str, object] = {"events_offset": offset}
    for event in events:
        columns |= _columns(event)
        for metric in _metrics(run, event):
            metrics[metric.name, metric.step] = metric
    rows = Run.objects.filter(pk=run.pk, events_offset=run.events_offset)
    if not rows.update(**columns):
        run.refresh_from_db()  # another pass was quicker
        return
    Metric.objects.bulk_create(
        metrics.values(),
        update_conflicts=True,
        unique_fields=["run", "name", "step"],
        update_fields=["value", "at"],
    )
    for name, value in columns.items():
        setattr(run, name, value)


def _columns(event: Event) -> dict[str, object]:
    fields = event.fields
    match event.kind:
        case "stage":
            name = str(fields.get("name", ""))[:40]
            return {"stage": name, "progress_done": 0, "progress_total": 0}
        case "progress":
            return {
                "progress_done": _count(fields.get("done")),
                "progress_total": _count(fields.get("total")),
            }
        case "result":
            scores = fields.get("scores")
            return {"scores": scores} if isinstance(scores, dict) else {}
        case "failure":
            return {"failure": {name: fields.get(name) for name in FAILURE_FIELDS}}
        case _other:
            return {}


FAILURE_FIELDS = ("code", "text", "msgid", "values")


def _metrics(run: Run, event: Event) -> Iterable[Metric]:
    values, step = event.fields.get("values"), event.fields.get("step")
    if event.kind != "metrics" or not isinstance(values, Mapping) or not isinstance(step, int):
        return
    at = datetime.fromtimestamp(event.at, UTC)
    for name, value in values.items():
        if isinstance(value, int | float) and not isinstance(value, bool):
            yield Metric(run=run, name=name[:NAME_MAX], step=max(0, step), value=value, at=at)


def _count(value: object) -> int:
    return min(max(0, value), COUNT_MAX) if isinstance(value, int) else 0
