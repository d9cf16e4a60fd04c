"""Follow the events of a run: from its file, by offset, into the database.

A job may write anything into its folder, so nothing here trusts what it reads: what the
database cannot keep is made fit or left out, and never stops the run from being followed.
"""

import math
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import BinaryIO

from django.db import transaction

from fabriek.kernel import strange
from fabriek.runs.models import Metric, Run
from fabriek_recipes.events import Event, events_in
from fabriek_recipes.run_folder import EVENTS

READS_A_PASS = 8  # one chatty run must not hold up the others
NAME_MAX = 60
STAGE_MAX = 40
COUNT_MAX = 2**31 - 1
STEP_MAX = 2**63 - 1
WARNINGS_MAX = 20
SCORES_MAX = 50
TEXT_MAX = 4_000
YEAR_3000 = 32_503_680_000

Columns = dict[str, object]


def catch_up(run: Run) -> bool:
    """Copy what is new; tells whether the end of the file was reached.

    Offset and figures are kept in one transaction, so that a pass that is killed halfway
    loses nothing and doubles nothing.
    """
    try:
        with strange.opened(run.folder, EVENTS) as file:
            return _read(run, file)
    except (FileNotFoundError, strange.Untrusted):
        return True


def _read(run: Run, file: BinaryIO) -> bool:
    for _ in range(READS_A_PASS):
        events, offset = events_in(file, run.events_offset)
        if offset == run.events_offset:
            return True
        _keep(run, events, offset)
    return False


@transaction.atomic
def _keep(run: Run, events: Iterable[Event], offset: int) -> None:
    metrics: dict[tuple[str, int], Metric] = {}
    columns: Columns = {"events_offset": offset, "warnings": run.warnings}
    for event in events:
        columns |= _columns(event, columns)
        for metric in _metrics(run, event):
            metrics[metric.name, metric.step] = metric
    rows = Run.objects.filter(pk=run.pk, events_offset=run.events_offset)
    if not rows.update(**columns):
        run.refresh_from_db()  # another pass was quicker
        return
    # A run that resumes does some steps again: what they give the second time counts.
    Metric.objects.bulk_create(
        metrics.values(),
        update_conflicts=True,
        unique_fields=["run", "name", "step"],
        update_fields=["value", "at"],
    )
    for name, value in columns.items():
        setattr(run, name, value)


def _columns(event: Event, known: Columns) -> Columns:
    fields = event.fields
    match event.kind:
        case "stage":
            name = _text(fields.get("name"))[:STAGE_MAX]
            at = {"stage_at": _moment(event.at), "progress_at": None}
            # What failed before no longer counts for a run that was started again.
            return {
                "stage": name,
                "progress_done": 0,
                "progress_total": 0,
                "failure": {},
                **at,
            }
        case "progress":
            return {
                "progress_done": _count(fields.get("done")),
                "progress_total": _count(fields.get("total")),
                "progress_at": _moment(event.at),
            }
        case "result":
            return {"scores": _scores(fields.get("scores"))}
        case "failure":
            return {"failure": _told(fields)}
        case "warning":
            warnings, one = known["warnings"], _told(fields)
            told = warnings if isinstance(warnings, list) else []
            # A run that is started again says the same again.
            return {"warnings": told if one in told else [*told, one][:WARNINGS_MAX]}
        case _other:
            return {}


def _told(fields: Mapping[str, object]) -> dict[str, object]:
    """Keep a sentence with its template, so that a page can say it in Dutch."""
    values = fields.get("values")
    pairs = values.items() if isinstance(values, Mapping) else ()
    return {
        "code": _text(fields.get("code"))[:NAME_MAX],
        "text": _text(fields.get("text")),
        "msgid": _text(fields.get("msgid")),
        "values": {_text(name)[:NAME_MAX]: _plain(value) for name, value in pairs},
    }


def _scores(raw: object) -> dict[str, float | None]:
    if not isinstance(raw, Mapping):
        return {}
    pairs = list(raw.items())[:SCORES_MAX]
    return {_text(name)[:NAME_MAX]: _figure(value) for name, value in pairs}


def _metrics(run: Run, event: Event) -> Iterable[Metric]:
    values, step = event.fields.get("values"), event.fields.get("step")
    if event.kind != "metrics" or not isinstance(values, Mapping) or not isinstance(step, int):
        return
    for name, value in values.items():
        if (figure := _figure(value)) is not None:
            yield Metric(
                run=run,
                name=_text(name)[:NAME_MAX],
                step=min(max(0, int(step)), STEP_MAX),
                value=figure,
                at=_moment(event.at),
            )


def _count(value: object) -> int:
    return min(max(0, int(value)), COUNT_MAX) if isinstance(value, int) else 0


def _figure(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    # A whole number beyond what a float can say would overflow, and means nothing.
    figure = float(min(max(value, -1e300), 1e300))
    return figure if math.isfinite(figure) else None


def _plain(value: object) -> object:
    return _figure(value) if isinstance(value, int | float) else _text(value)


def _text(value: object) -> str:
    """Keep what every database can: no half characters, no zero byte, not endless."""
    text = value if isinstance(value, str) else ""
    return text[:TEXT_MAX].encode("utf-8", "replace").decode().replace("\0", "")


def _moment(epoch: float) -> datetime:
    return datetime.fromtimestamp(min(max(epoch, 0), YEAR_3000), UTC)
