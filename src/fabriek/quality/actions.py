"""What can be done: ask for a look, call it off, decide about a column, carry decisions out."""

from collections.abc import Iterable
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from fabriek.datasets.models import Dataset
from fabriek.kernel import journal, text
from fabriek.kernel.errors import Invalid, WrongState
from fabriek.people.models import Person
from fabriek.quality import folders, queries, rules
from fabriek.quality.findings import Column, columns_of, to_carry_out
from fabriek.quality.models import (
    COLUMN_CHARACTERS,
    Decision,
    Errand,
    Look,
    PseudonymKey,
    Treatment,
)
from fabriek.quality.states import LOOK, TREATMENT, UNFINISHED, ErrandState
from fabriek.quality.worker.rules import CURRENT
from fabriek.store.models import Revision

Choice = Decision.Choice

journal.describe(
    {
        "quality.ask_look": _("asked for a look at data"),
        "quality.start_look": _("began a look at data"),
        "quality.finish_look": _("looked at data"),
        "quality.fail_look": _("could not look at data"),
        "quality.cancel_look": _("called off a look at data"),
        "quality.decide": _("decided what to do with a column that holds personal data"),
        "quality.ask_treatment": _("asked for a revision without the personal data decided on"),
        "quality.start_treatment": _("began to treat personal data"),
        "quality.finish_treatment": _("made a revision in which personal data is treated"),
        "quality.fail_treatment": _("could not treat personal data"),
        "quality.cancel_treatment": _("called off the treatment of personal data"),
    }
)


def ask_look(
    dataset: Dataset, revision: Revision, *, by: Person | None, all_names: bool = False
) -> Look:
    """Wish for a look; the loop grants it. One that is under way already is given as it is.

    `by` is nobody where the factory looks by itself.

    Raises:
        NotAllowed: `by` is not of the consortium.
    """
    if by is not None:
        rules.require_may_look(by, dataset)
    under_way = Look.objects.filter(revision=revision, state__in=UNFINISHED)
    try:
        with transaction.atomic():
            if found := under_way.first():
                return found
            look = Look.objects.create(
                dataset=dataset, revision=revision, asked_by=by, all_names=all_names
            )
            journal.record(
                "quality.ask_look", dataset, by=by, code=dataset.code, number=revision.number
            )
            return look
    except IntegrityError:  # somebody else asked at the same moment
        return under_way.get()


def cancel(errand: Errand, *, by: Person) -> None:
    """Call off what waits at once, and what runs at the loop's next pass.

    Raises:
        NotAllowed: `by` is not of the consortium, or not the one who decides.
        WrongState: it is over.
    """
    if isinstance(errand, Treatment):
        rules.require_may_decide(by, errand.dataset)
    else:
        rules.require_may_look(by, errand.dataset)
    if errand.state == ErrandState.WAITING:
        lifecycle, name = _life(errand)
        lifecycle.take(f"cancel_{name}", errand, by=by, ended_at=timezone.now())
        return
    running = type(errand)._default_manager.filter(pk=errand.pk, state=ErrandState.RUNNING)
    if not running.update(cancel_asked_at=timezone.now()):
        raise WrongState(_("This is over already. Open the page again to see what came of it."))


@transaction.atomic
def decide(
    dataset: Dataset,
    revision: Revision,
    column: str,
    *,
    choice: str,
    reason: str = "",
    by: Person,
) -> Decision:
    """Say what is to be done with a column in which personal data was found.

    Raises:
        NotAllowed: `by` is no lead of the case.
        WrongState: the case is not open.
        Invalid: nothing was found there, or it is kept without a reason.
    """
    rules.require_may_decide(by, dataset)
    found = _column(dataset, revision, column)
    if len(column) > COLUMN_CHARACTERS:
        raise Invalid(
            _(
                "The name of this column is longer than %(most)d characters, so no decision "
                "about it can be kept. Give it a shorter name in the data."
            )
            % {"most": COLUMN_CHARACTERS},
            code="name_too_long",
        )
    if found.is_of_lines and choice != Choice.ACCEPT:
        why = _(
            "These lines are no rows, so nothing on them can be masked or left out here. "
            "Correct them and add the file again, or keep them and say why."
        )
        raise Invalid(why, code="no_rows", fields={"choice": why})
    decision = Decision(
        dataset=dataset,
        revision=revision,
        column=column,
        choice=choice,
        reason=text.line(reason),
        kinds=found.kinds,
        rules_version=CURRENT,
        by=by,
    )
    text.check(decision, ("choice", "reason"))
    if choice == Choice.ACCEPT and not decision.reason:
        raise Invalid(
            _("Say why these data may stay as they are."),
            fields={"reason": _("Give a reason: it stays with the dataset.")},
        )
    decision.save()
    journal.record(
        "quality.decide",
        dataset,
        by=by,
        code=dataset.code,
        column=column,
        choice=str(choice),
        kinds=found.kinds,
        number=revision.number,
        rules=CURRENT,
    )
    return decision


@transaction.atomic
def decide_several(
    dataset: Dataset,
    revision: Revision,
    columns: Iterable[str],
    *,
    choice: str,
    reason: str = "",
    by: Person,
) -> list[Decision]:
    """Say the same of several columns: each gets a decision of its own, or none does.

    Raises: as `decide`.
    """
    return [
        decide(dataset, revision, column, choice=choice, reason=reason, by=by)
        for column in columns
    ]


def treat(dataset: Dataset, revision: Revision, *, by: Person) -> Treatment:
    """Wish for a new revision as was decided; the old one stays, and still holds the data.

    Raises:
        NotAllowed, WrongState: as `decide`; or one is being made already.
        Invalid: nothing is to be changed.
    """
    rules.require_may_decide(by, dataset)
    wanted = _wanted(dataset, revision)
    if not wanted:
        raise Invalid(
            _(
                "No column is to be masked, left out or replaced. Decide about a column first, "
                "then make the new revision."
            ),
            code="nothing_to_treat",
        )
    if revision.files.count() > folders.MOST_FILES:
        raise Invalid(
            _(
                "These data have more than %(most)d files, too many to be treated as a whole, "
                "and nothing is treated by half. Put the rows together in fewer files first."
            )
            % {"most": folders.MOST_FILES},
            code="too_many_files",
        )
    if not revision.repository.revisions.filter(pk=revision.pk).exists() or _is_old(revision):
        raise WrongState(
            _("There is a newer revision of these data. Look at that one, and treat it.")
        )
    try:
        with transaction.atomic():
            if any(one["choice"] == Choice.PSEUDONYMISE for one in wanted.values()):
                PseudonymKey.objects.get_or_create(dataset=dataset)
            treatment = Treatment.objects.create(
                dataset=dataset,
                revision=revision,
                asked_by=by,
                decisions=wanted,
                rules_version=CURRENT,
            )
            journal.record(
                "quality.ask_treatment",
                dataset,
                by=by,
                code=dataset.code,
                number=revision.number,
                columns={name: one["choice"] for name, one in wanted.items()},
                rules=CURRENT,
            )
            return treatment
    except IntegrityError:
        raise WrongState(
            _("A new revision is being made already. Wait until it is there.")
        ) from None


def _life(errand: Errand) -> tuple[Any, str]:
    return (TREATMENT, "treatment") if isinstance(errand, Treatment) else (LOOK, "look")


def _column(dataset: Dataset, revision: Revision, name: str) -> Column:
    look = queries.last_done(dataset, revision)
    columns = columns_of(look, ()) if look else []
    found = next((one for one in columns if one.name == name), None)
    if found is None:
        raise Invalid(
            _("No personal data was found in a column “%(column)s” of this revision.")
            % {"column": name[:80]},
            code="no_such_column",
        )
    return found


def _wanted(dataset: Dataset, revision: Revision) -> dict[str, dict[str, object]]:
    """Give what the worker is asked for, by column."""
    look = queries.last_done(dataset, revision)
    columns = columns_of(look, queries.decisions_of(dataset)) if look else []
    treatment = queries.latest_treatment(dataset)
    return {
        one.name: {
            "choice": str(one.decision.choice),
            "kinds": one.kinds,
            "whole": one.whole,
            "decision": one.decision.pk,
        }
        for one in to_carry_out(columns, treatment, revision.pk)
        if one.decision
    }


def _is_old(revision: Revision) -> bool:
    newer = revision.repository.revisions.filter(
        branch=revision.branch, number__gt=revision.number
    )
    return newer.exists()
