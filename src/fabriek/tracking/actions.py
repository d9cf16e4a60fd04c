"""What can be done with experiments and tracked runs."""

import time
from collections.abc import Mapping

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from fabriek.cases.models import Case
from fabriek.kernel import journal
from fabriek.kernel.prepared import Statement
from fabriek.people.models import Token
from fabriek.people.tokens import Remembered
from fabriek.runs.models import Run
from fabriek.tracking import arriving, batches, doors, queries, refusals, rules, settling
from fabriek.tracking.arriving import Waiting
from fabriek.tracking.batches import Batch
from fabriek.tracking.doors import Caller, Found
from fabriek.tracking.models import (
    EXPERIMENT_NAME_MAX,
    NAME_MAX,
    Experiment,
    Series,
    Status,
    Tally,
    Tracked,
)

RUN_NAME = "mlflow.runName"
# Below this name the runs of the factory itself are found.
OF_THE_FACTORY = "runs"

journal.describe(
    {
        "tracking.make_experiment": gettext_lazy("began an experiment with own code"),
        "tracking.delete": gettext_lazy("deleted a run of own code"),
        "tracking.restore": gettext_lazy("restored a run of own code"),
    }
)
# The factory's staff read the story of a case: no name that people gave goes into the journal.


@transaction.atomic
def make_experiment(name: str, *, by: Caller) -> Experiment:
    """Make an experiment of the case whose code its name begins with.

    Raises: Wrong, Forbidden, Exists; WrongState, when the case is not open.
    """
    by.require_write()
    by.require_person()
    case = case_of(name, by=by)
    doors.require_open(case)
    if Experiment.objects.filter(case=case).count() >= rules.EXPERIMENTS_MAX:
        raise refusals.Wrong(
            _("%(case)s has %(most)s experiments, which is the most. Use one of them.")
            % {"case": case.code, "most": rules.EXPERIMENTS_MAX}
        )
    try:
        with transaction.atomic():
            made = Experiment.objects.create(case=case, name=name, made_by=by.person)
    except IntegrityError as error:
        raise _exists(name) from error
    journal.record("tracking.make_experiment", made, by=by.person)
    return made


def case_of(name: str, *, by: Caller) -> Case:
    """Find the case of an experiment's name. Raises: Wrong, also for a case of others."""
    code, slash, rest = name.partition("/")
    if slash and rest == OF_THE_FACTORY:
        raise _exists(name)
    is_sane = name.isprintable() and len(name) <= EXPERIMENT_NAME_MAX and (rest or not slash)
    ours = Case.objects.taken_part_in_by(by.person)
    case = ours.filter(code=code).first() if is_sane else None
    if case is None:
        raise refusals.no_case(name)
    return case


@transaction.atomic
def start(
    experiment: Experiment,
    *,
    by: Caller,
    name: str,
    tags: Mapping[str, str],
    started_ms: int,
) -> Tracked:
    """Begin a run. Raises: Forbidden, Wrong; WrongState, when the case is not open."""
    by.require_write()
    by.require_person()
    doors.require_open(experiment.case)
    if Tracked.objects.filter(case=experiment.case).count() >= rules.RUNS_MAX:
        raise refusals.Wrong(
            _("%(case)s has %(most)s runs, which is the most a case keeps.")
            % {"case": experiment.case.code, "most": rules.RUNS_MAX}
        )
    name = (name or tags.get(RUN_NAME, ""))[:NAME_MAX]
    made = Tracked.objects.create(
        case=experiment.case,
        experiment=experiment,
        name=name,
        made_by=by.person,
        started_ms=started_ms,
        tags=_within(dict(tags) | ({RUN_NAME: name} if name else {}), rules.TAGS_MAX),
    )
    Tally.objects.create(tracked=made)
    return made


@transaction.atomic
def update(found: Found, *, status: str, ended_ms: int | None, name: str) -> Tracked | None:
    """Set the status, the end and the name that a program tells.

    Of a run of the factory itself the factory knows them: nothing changes then.
    """
    if found.run or found.tracked is None:
        return found.tracked
    if status and status not in Status.values:
        raise refusals.Wrong(
            _("“%(status)s” is no status. Choose one of: %(all)s.")
            % {"status": status[: refusals.SHOWN], "all": ", ".join(Status.values)}
        )
    tracked = Tracked.objects.select_for_update(no_key=True).get(pk=found.tracked.pk)
    tracked.status = status or tracked.status
    tracked.ended_ms = ended_ms if ended_ms is not None else tracked.ended_ms
    if name:
        tracked.name = name[:NAME_MAX]
        tracked.tags[RUN_NAME] = tracked.name
    tracked.save(update_fields=["status", "ended_ms", "name", "tags"])
    return tracked


@transaction.atomic
def delete(found: Found, *, by: Caller) -> None:
    """Put a run away: it is found no more, until it is restored. Twice does no harm.

    Raises: Forbidden, for a run of the factory; WrongState, when the case is not open.
    """
    if found.run or found.tracked is None:
        raise refusals.Forbidden(
            _("A run of the factory stays: what was computed and paid for is accounted for.")
        )
    doors.require_open(found.case)
    rows = Tracked.objects.filter(pk=found.tracked.pk, deleted_at=None)
    if rows.update(deleted_at=timezone.now()):
        journal.record("tracking.delete", found.tracked, by=by.person, note=found.number)


@transaction.atomic
def restore(tracked: Tracked, *, by: Caller) -> None:
    """Take a run back. Twice does no harm. Raises: WrongState, when the case is not open."""
    doors.require_open(tracked.case)
    rows = Tracked.objects.filter(pk=tracked.pk).exclude(deleted_at=None)
    if rows.update(deleted_at=None):
        journal.record("tracking.restore", tracked, by=by.person, note=tracked.uuid)


def log(number: str, batch: Batch, *, by: Caller) -> None:
    """Keep all of a batch or nothing. Sending it again changes nothing.

    Raises: what `doors.writable` does; Wrong, when a parameter would change or the run would
    have too much.
    """
    waiting = _log_at_once(number, batch, by=by.token)
    if waiting is None:
        waiting = _log(doors.writable(by, number), batch)
    _settle_if_much(waiting)


def log_if_still(number: str, batch: Batch, *, by: Remembered) -> bool:
    """Keep a batch if the token is what it was. False: nothing is kept; `log` tells why."""
    waiting = _log_at_once(number, batch, by=by.token, only_if=by.still)
    _settle_if_much(waiting)
    return waiting is not None


def _log_at_once(
    number: str, batch: Batch, *, by: Token | None, only_if: Statement = ("", [])
) -> Waiting | None:
    """Keep what nearly all calls bring; what is kept so, would have been in the long way."""
    if batch.params or batch.tags or not batch.metrics:
        return None
    run = doors.written_at_once(by, number)
    return run and arriving.arrive_at_once(run, batch, only_if=only_if)


def _settle_if_much(waiting: Waiting | None) -> None:
    if waiting and waiting.is_much:
        settling.settle(waiting.tracked)


def _log(found: Found, batch: Batch) -> Waiting | None:
    place = found if found.tally else _place_for(found.run)
    tracked, tally = place.tracked, place.tally
    if tracked is None or tally is None:
        raise refusals.no_run()
    _require_names(tally, batch)
    _require_room(tracked, tally, batch)
    return _keep(tracked, batch)


@transaction.atomic
def delete_tag(found: Found, key: str) -> None:
    tracked = _locked(found)
    if key not in tracked.tags:
        raise refusals.Absent(_("This run has no tag of that name."))
    del tracked.tags[key]
    tracked.save(update_fields=["tags"])


def _locked(found: Found) -> Tracked:
    if found.tracked is None:
        raise refusals.Absent(_("This run has no tag of that name."))
    return Tracked.objects.select_for_update(no_key=True).get(pk=found.tracked.pk)


@transaction.atomic
def _place_for(run: Run | None) -> Found:
    """Make room for what the job of a run of the factory tells beside its events."""
    if run is None:
        raise refusals.no_run()
    facts = {
        "uuid": doors.number_of(run),
        "case": run.case,
        "made_by": run.asked_by,
        "started_ms": int(time.time() * 1000),
    }
    tracked, _made = Tracked.objects.get_or_create(run=run, defaults=facts)
    tally, _made = Tally.objects.get_or_create(tracked=tracked)
    return Found(tracked=tracked, tally=tally, run=run)


def _keep(tracked: Tracked, batch: Batch) -> Waiting | None:
    if not (batch.params or batch.tags):
        return arriving.arrive(tracked, batch)  # it needs no transaction of ours around it
    with transaction.atomic():
        _keep_words(tracked, batch)
        return arriving.arrive(tracked, batch)


def _keep_words(tracked: Tracked, batch: Batch) -> None:
    rows = Tracked.objects.select_for_update(no_key=True).only("params", "tags", "name")
    kept = rows.get(pk=tracked.pk)
    for key, value in batch.params.items():
        if kept.params.setdefault(key, value) != value:
            raise batches.set_already(key, kept.params[key], value)
    kept.tags |= batch.tags
    kept.name = (batch.tags.get(RUN_NAME) or kept.name)[:NAME_MAX]
    _within(kept.params, rules.PARAMS_MAX)
    _within(kept.tags, rules.TAGS_MAX)
    kept.save(update_fields=["params", "tags", "name"])


def _within(words: dict[str, str], most: int) -> dict[str, str]:
    size_bytes = sum(len(key) + len(value) for key, value in words.items())
    if len(words) > most or size_bytes > rules.TEXT_BYTES_MAX:
        raise refusals.Wrong(
            _("The run would have more than %(most)s parameters or tags, or 256 kB of "
              "them. Keep long texts as a file of the run.")
            % {"most": most}
        )  # fmt: skip
    return words


def _require_names(tally: Tally, batch: Batch) -> None:
    """Hold a run to its names. What waits has at most as many as its calls brought."""
    if tally.names + tally.names_waiting + len(batch.metrics) <= rules.NAMES_MAX:
        return
    told = settling.names_waiting([tally.pk])[tally.pk] | batch.metrics.keys()
    if tally.names + len(told) <= rules.NAMES_MAX:
        return
    known = Series.objects.filter(tracked=tally.pk, name__in=told).count()
    if tally.names + len(told) - known > rules.NAMES_MAX:
        raise refusals.Wrong(
            _("The run has figures under more than %(most)s names. Log under fewer names.")
            % {"most": rules.NAMES_MAX}
        )


def _require_room(tracked: Tracked, tally: Tally, batch: Batch) -> None:
    """See what the case has together, now and then only: that takes reading all its runs."""
    after = tally.points + batch.points
    if tally.points // rules.POINTS_BETWEEN == after // rules.POINTS_BETWEEN:
        return
    if queries.points_of(tracked.case) + batch.points > rules.POINTS_OF_CASE_MAX:
        raise refusals.Wrong(
            _("The runs of %(case)s have %(most)s figures together, which is the most. Log "
              "them less often, in a new case.")
            % {"case": tracked.case.code, "most": rules.POINTS_OF_CASE_MAX}
        )  # fmt: skip


def _exists(name: str) -> refusals.Exists:
    return refusals.Exists(
        _("There is an experiment “%(name)s” already. Use it with mlflow.set_experiment.")
        % {"name": name[: refusals.SHOWN]}
    )
