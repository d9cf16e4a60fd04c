"""Looks as pages show them, and what a run on a revision is to be warned of."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from fabriek.datasets.models import Dataset
from fabriek.quality.findings import Column, columns_of
from fabriek.quality.models import Decision, Look, Treatment
from fabriek.quality.states import ErrandState
from fabriek.store.models import MAIN, Repository, Revision

# Older revisions that were never looked at wait until somebody asks.
LOOKED_AT_FOR = timedelta(days=2)
MOST_AT_ONCE = 5


def latest_look(dataset: Dataset, revision: Revision) -> Look | None:
    rows = Look.objects.filter(dataset=dataset, revision=revision)
    return rows.select_related("asked_by").first()


def last_done(dataset: Dataset, revision: Revision) -> Look | None:
    return Look.objects.filter(
        dataset=dataset, revision=revision, state=ErrandState.DONE
    ).first()


def has_done(revision: Revision) -> bool:
    return Look.objects.filter(revision=revision, state=ErrandState.DONE).exists()


def previous_done(dataset: Dataset, revision: Revision) -> Look | None:
    """Give the last look at an earlier revision, to compare with."""
    rows = Look.objects.filter(
        dataset=dataset, revision__number__lt=revision.number, state=ErrandState.DONE
    )
    return rows.select_related("revision").order_by("-revision__number", "-pk").first()


def decisions_of(dataset: Dataset) -> QuerySet[Decision]:
    return Decision.objects.filter(dataset=dataset).select_related("by", "revision")


def latest_treatment(dataset: Dataset) -> Treatment | None:
    rows = Treatment.objects.filter(dataset=dataset)
    return rows.select_related("made", "revision", "asked_by").first()


def found_in(revision: Revision) -> list[Column]:
    """Give the columns with personal data of the last look that is done."""
    dataset = Dataset.objects.filter(repository=revision.repository_id).first()
    look = last_done(dataset, revision) if dataset else None
    return columns_of(look, decisions_of(look.dataset)) if look else []


def result_of(revision: Revision) -> dict[str, Any] | None:
    """Give what the last look that is done found; nothing where there is none."""
    looks = Look.objects.filter(revision=revision, state=ErrandState.DONE)
    return looks.order_by("-pk").values_list("result", flat=True).first()


def is_looked_at(dataset: Dataset) -> bool:
    """Tell whether the look at its newest revision is done."""
    newest = dataset.repository.revisions.filter(branch=MAIN).order_by("-number").values("pk")
    done = Look.objects.filter(dataset=dataset, state=ErrandState.DONE)
    return done.filter(revision__in=newest[:1]).exists()


def revisions_with_findings(dataset: Dataset) -> list[int]:
    """Name the revisions, still there, in which the last look found personal data.

    What was decided about it does not count: to accept it does not take it away.
    """
    rows = Look.objects.filter(
        dataset=dataset, state=ErrandState.DONE, revision__dropped_at=None
    ).order_by("revision__number", "pk")
    found = rows.values_list("revision__number", "result__findings")
    last = {number: bool(findings) for number, findings in found.iterator()}
    return [number for number, is_found in last.items() if is_found]


def revisions_untreated(dataset: Dataset) -> list[int]:
    """Name those with findings, but for columns masked in them: these are found by name still.

    A pseudonym stands for somebody, so it counts.
    """
    made = Treatment.objects.filter(dataset=dataset).exclude(made=None)
    masked = {
        number: {name for name, one in told.items() if one["choice"] == Decision.Choice.MASK}
        for number, told in made.values_list("made__number", "decisions")
    }
    rows = Look.objects.filter(
        dataset=dataset, state=ErrandState.DONE, revision__dropped_at=None
    ).order_by("revision__number", "pk")
    last = dict(rows.values_list("revision__number", "result__findings").iterator())
    return [
        number
        for number, findings in last.items()
        if {one["column"] for one in findings or ()} - masked.get(number, set())
    ]


def warnings_for(revision: Revision) -> list[str]:
    """Say what somebody should know before this revision goes into a run.

    A revision that nobody looked at says so; findings without a decision say how many. Of a
    model, and of one that is whole and decided, nothing.
    """
    if revision.repository.kind != Repository.Kind.DATASET:
        return []
    look = (
        Look.objects.filter(revision=revision, state=ErrandState.DONE)
        .select_related("dataset")
        .first()
    )
    if look is None:
        return [
            _("Nobody has looked at these data yet: problems and personal data are not known.")
        ]
    return [*_wrong(look), *_undecided(look)]


def awaiting_look() -> QuerySet[Revision]:
    """Give new revisions of datasets that are not too large to be looked at unasked."""
    newer = Revision.objects.filter(
        repository=OuterRef("repository"), branch=MAIN, number__gt=OuterRef("number")
    )
    recent = Revision.objects.filter(
        created_at__gt=timezone.now() - LOOKED_AT_FOR,
        branch=MAIN,
        size_bytes__lte=settings.LOOK_AUTO_BYTES,
        repository__dataset__isnull=False,
    )
    looked = Look.objects.filter(revision=OuterRef("pk"))
    rows = recent.filter(~Exists(looked), ~Exists(newer))
    return rows.select_related("repository__dataset__case").order_by("pk")[:MOST_AT_ONCE]


def _wrong(look: Look) -> list[str]:
    count = sum(one["severity"] == "wrong" for one in look.result.get("problems", []))
    if not count:
        return []
    return [
        ngettext(
            "The look at these data found %(count)d thing that is wrong. See it before you "
            "train.",
            "The look at these data found %(count)d things that are wrong. See them before you "
            "train.",
            count,
        )
        % {"count": count}
    ]


def _undecided(look: Look) -> list[str]:
    columns = columns_of(look, Decision.objects.filter(dataset=look.dataset))
    count = sum(not column.is_decided for column in columns)
    if not count:
        return []
    return [
        ngettext(
            "%(count)d column seems to hold personal data, and nobody decided yet what to do "
            "with it.",
            "%(count)d columns seem to hold personal data, and nobody decided yet what to do "
            "with them.",
            count,
        )
        % {"count": count}
    ]
