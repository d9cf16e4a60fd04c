"""Follow the events of a run: from its file, by offset, into the database.

A job may write anything into its folder, so nothing here trusts what it reads: what the
database cannot keep is made fit or left out, and never stops the run from being followed.
"""

import math
import time
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from itertools import islice
from typing import BinaryIO

from django.db import transaction
from django.utils.translation import gettext_noop

from fabriek.kernel import strange
from fabriek.runs import folders, warnings_of_end
from fabriek.runs.models import Metric, Run
from fabriek_recipes.events import LINE_BYTES_MAX, Event, events_in
from fabriek_recipes.run_folder import EVENTS

# One chatty run must not hold up the others. A piece holds some thousands of figures at most,
# which take half a second; a line that is longer than a piece is stepped over.
READ_S_A_PASS = 0.4
PIECE_BYTES = LINE_BYTES_MAX
EVENTS_BYTES_MAX = 128 * 2**20  # a million steps; else a flood would keep a run from its end
VALUES_MAX = 100
NAMES_MAX = 200
RUNS_KNOWN = 1_000
NAME_MAX = 60
STAGE_MAX = 40
COUNT_MAX = 2**31 - 1
STEP_MAX = 2**63 - 1
WARNINGS_MAX = 20
SCORES_MAX = 50
JOULES = "energy_joules"
TEXT_MAX = 4_000
TOLD_VALUES_MAX = 20
TOLD_VALUE_MAX = 200
YEAR_3000 = 32_503_680_000
TOO_MANY_NAMES = gettext_noop(
    "The program gives figures under too many names, so only those of the first names are "
    "shown. Use fewer names to see all of them."
)
TOO_MANY_EVENTS = gettext_noop(
    "The program told more than the factory follows, so what came last is not shown. Let it "
    "tell its figures less often."
)

Columns = dict[str, object]

# By the key of the run: the names its figures have, so that each pass need not ask for them.
known_names: OrderedDict[str, set[str]] = OrderedDict()


def catch_up(run: Run) -> bool:
    """Copy what is new; tells whether the end of the file was reached.

    Offset and figures are kept in one transaction, so that a pass that is killed halfway
    loses nothing and doubles nothing.
    """
    try:
        with strange.opened(folders.place(run), EVENTS) as file:
            return _read(run, file)
    except (FileNotFoundError, strange.Untrusted):
        return True


def _read(run: Run, file: BinaryIO) -> bool:
    until = time.monotonic() + READ_S_A_PASS
    while run.events_offset < EVENTS_BYTES_MAX:
        events, offset = events_in(file, run.events_offset, max_bytes=PIECE_BYTES)
        if offset == run.events_offset:
            return True
        if offset >= EVENTS_BYTES_MAX:
            events.append(_warning("too_many_events", TOO_MANY_EVENTS))
        _keep(run, events, offset)
        if time.monotonic() > until:
            return False
    return True


@transaction.atomic
def _keep(run: Run, events: Iterable[Event], offset: int) -> None:
    metrics: dict[tuple[str, int], Metric] = {}
    columns: Columns = {
        "events_offset": offset,
        "warnings": run.warnings,
        "measured": run.measured,
    }
    for event in events:
        columns |= _columns(event, columns)
        for metric in _metrics(run, event):
            if _is_followed(run, metric.name):
                metrics[metric.name, metric.step] = metric
            else:
                columns |= _columns(_warning("too_many_names", TOO_MANY_NAMES), columns)
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
            at = {"stage_at": moment(event.at), "progress_at": None}
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
                "progress_at": moment(event.at),
            }
        case "result" | "measured":
            return _figures_of(event, known)
        case "failure":
            return {"failure": _told(fields)}
        case "warning":
            warnings, one = known["warnings"], _told(fields)
            told = warnings if isinstance(warnings, list) else []
            # A run that is started again says the same again.
            return {"warnings": told if one in told else [*told, one][:WARNINGS_MAX]}
        case _other:
            return {}


def _warning(code: str, msgid: str) -> Event:
    return Event(at=0, kind="warning", fields={"code": code, "text": msgid, "msgid": msgid})


def _told(fields: Mapping[str, object]) -> dict[str, object]:
    """Keep a sentence with its template, so that a page can say it in Dutch.

    What the portal says of agreements is shown whole to everybody in the case, so that a
    program does not say it.
    """
    code, msgid = _text(fields.get("code"))[:NAME_MAX], _text(fields.get("msgid"))
    if code == warnings_of_end.CODE or msgid in warnings_of_end.SENTENCES:
        code = msgid = ""
    values = fields.get("values")
    pairs = islice(values.items(), TOLD_VALUES_MAX) if isinstance(values, Mapping) else ()
    return {
        "code": code,
        "text": _text(fields.get("text")),
        "msgid": msgid,
        "values": {_text(name)[:NAME_MAX]: _plain(value) for name, value in pairs},
    }


def _scores(raw: object) -> dict[str, float | None]:
    if not isinstance(raw, Mapping):
        return {}
    pairs = list(raw.items())[:SCORES_MAX]
    return {_text(name)[:NAME_MAX]: _figure(value) for name, value in pairs}


def _figures_of(event: Event, known: Columns) -> Columns:
    if event.kind == "result":
        return {"scores": _scores(event.fields.get("scores"))}
    return {"measured": _measured(event.fields.get("figures"), known["measured"])}


def _measured(raw: object, before: object) -> dict[str, float | None]:
    """Keep figures; what a run drew before it was started again counts too."""
    found = _scores(raw)
    known = before if isinstance(before, dict) else {}
    if (joules := found.get(JOULES)) is not None:
        found[JOULES] = joules + float(known.get(JOULES) or 0)
    return {**known, **found}


def _metrics(run: Run, event: Event) -> Iterable[Metric]:
    values, step = event.fields.get("values"), event.fields.get("step")
    if event.kind != "metrics" or not isinstance(values, Mapping) or not isinstance(step, int):
        return
    for name, value in islice(values.items(), VALUES_MAX):
        if (figure := _figure(value)) is not None:
            yield Metric(
                run=run,
                name=_text(name)[:NAME_MAX],
                step=min(max(0, int(step)), STEP_MAX),
                value=figure,
                at=moment(event.at),
            )


def _is_followed(run: Run, name: str) -> bool:
    """Tell whether a figure of this name is kept: not beyond the first names of the run."""
    known = known_names.get(run.key)
    if known is None:
        known = known_names[run.key] = _names_kept(run)
        if len(known_names) > RUNS_KNOWN:
            known_names.popitem(last=False)
    if name not in known and len(known) < NAMES_MAX:
        known.add(name)
    return name in known


def _names_kept(run: Run) -> set[str]:
    """Ask for one name after the other, each found by the index: rows there may be millions."""
    found: list[str] = []
    names = Metric.objects.filter(run=run).order_by("name").values_list("name", flat=True)
    while len(found) < NAMES_MAX and (name := names.filter(name__gt=_last(found)).first()):
        found.append(name)
    return set(found)


def _last(found: list[str]) -> str:
    return found[-1] if found else ""


def _count(value: object) -> int:
    return min(max(0, int(value)), COUNT_MAX) if isinstance(value, int) else 0


def _figure(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    # A whole number beyond what a float can say would overflow, and means nothing.
    figure = float(min(max(value, -1e300), 1e300))
    return figure if math.isfinite(figure) else None


def _plain(value: object) -> object:
    if isinstance(value, int | float):
        return _figure(value)
    return _text(value)[:TOLD_VALUE_MAX]


def _text(value: object) -> str:
    """Keep what every database can: no half characters, no zero byte, not endless."""
    text = value if isinstance(value, str) else ""
    return text[:TEXT_MAX].encode("utf-8", "replace").decode().replace("\0", "")


def moment(epoch: float) -> datetime:
    """Give a moment that a job told (seconds since 1970), brought within what dates can be."""
    return datetime.fromtimestamp(min(max(epoch, 0), YEAR_3000), UTC)
