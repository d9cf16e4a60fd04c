"""Drop old revisions: what would go is planned first, and said with why the rest is kept.

A revision that is dropped keeps its number, digest, message, who and when; its list of files
goes, and with the next sweep the bytes that nothing else names. Never dropped is what anything
names that must not lose it: a run, a model, a tag, the newest of a branch. Later rooms need not
be known for that: whatever points at a revision with PROTECT names it for good, what points
with CASCADE was derived from it and goes along.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from django.db import models, transaction
from django.db.models import Exists, Max, OuterRef, Sum
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from fabriek.kernel import journal
from fabriek.kernel.errors import Invalid, Text
from fabriek.people.models import Person
from fabriek.store import refusals
from fabriek.store.models import Blob, File, Repository, Revision

WHY_CHARACTERS = 300

journal.describe({"store.drop": _("dropped old revisions of the files")})


class Reason(StrEnum):
    """Why a revision stays; what names it is told beside it."""

    NEWEST = "newest"
    NAMED = "named"
    HELD = "held"  # by the stage that asks: an agreement
    RECENT = "recent"  # among those that the wish spares


REASONS: dict[Reason, Text] = {
    Reason.NEWEST: _("the newest of its branch"),
    Reason.NAMED: _("named by %(by)s"),
    Reason.HELD: _("held by %(by)s"),
    Reason.RECENT: _("spared by what was asked"),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Wish:
    """Which revisions may go: by number, or all but the last ones and those of late.

    With both `keep_last` and `older_than`, a revision goes only when both say so.
    """

    numbers: Collection[int] = ()
    keep_last: int | None = None
    older_than: timedelta | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    revision: Revision
    reason: Reason | None = None
    by: str = ""

    @property
    def why(self) -> str:
        return str(REASONS[self.reason]) % {"by": self.by} if self.reason else ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """`freed_bytes` come free with the next sweep, a day after anybody last sent them."""

    go: list[Line]
    stay: list[Line]
    freed_bytes: int


def plan(
    repository: Repository, wish: Wish, *, now: datetime, held_by: Iterable[str] = ()
) -> Plan:
    """Say what would go, what stays and why, and how many bytes that frees. Changes nothing.

    `held_by` names what holds all revisions of this repository, such as an agreement in force.
    """
    _check(repository, wish)
    rows = list(repository.revisions.filter(dropped_at=None).order_by("-number"))
    asked = _asked(rows, wish, now)
    newest = _newest(repository)
    named, held = _named(rows), ", ".join(held_by)
    lines = []
    for revision in rows:
        if revision.number not in asked:
            lines.append(Line(revision=revision, reason=Reason.RECENT))
        elif revision.number in newest:
            lines.append(Line(revision=revision, reason=Reason.NEWEST))
        elif by := named.get(revision.pk):
            lines.append(Line(revision=revision, reason=Reason.NAMED, by=", ".join(by)))
        elif held:
            lines.append(Line(revision=revision, reason=Reason.HELD, by=held))
        else:
            lines.append(Line(revision=revision))
    go = [line for line in lines if line.reason is None]
    return Plan(
        go=go,
        stay=[line for line in lines if line.reason],
        freed_bytes=_freed_bytes([line.revision.pk for line in go]),
    )


@transaction.atomic
def drop(
    repository: Repository,
    wish: Wish,
    *,
    by: Person | None,
    why: str = "",
    held_by: Iterable[str] = (),
) -> Plan:
    """Do what `plan` says, as it is now; return what was done. Safe to repeat.

    Who may do this is decided by the stage that asks. Revisions and whatever comes to name them
    wait for each other: each row is locked before it is looked at.

    Raises: Invalid.
    """
    Repository.objects.select_for_update().get(pk=repository.pk)
    list(repository.revisions.select_for_update(of=("self",)).order_by("pk").values_list("pk"))
    now = timezone.now()
    done = plan(repository, wish, now=now, held_by=held_by)
    keys = [line.revision.pk for line in done.go]
    if keys:
        File.objects.filter(revision__in=keys).delete()
        repository.revisions.filter(pk__in=keys).update(
            dropped_at=now, dropped_by=by, dropped_why=why.strip()[:WHY_CHARACTERS]
        )
        numbers = sorted(line.revision.number for line in done.go)
        journal.record(
            "store.drop", repository, by=by, numbers=numbers, freed_bytes=done.freed_bytes
        )
    return done


def hold(revisions: Iterable[Revision]) -> None:
    """Keep revisions from being dropped until the caller's transaction has named them.

    That they had their files when they were chosen says nothing any more: a drop that came
    first is waited for here, and seen. Raises: Refused, when one was dropped since.
    """
    chosen = list(revisions)
    owners = {one.repository_id for one in chosen}
    # What a drop locks first, and in one order for everybody: else two wait for each other.
    rows = Repository.objects.select_for_update(no_key=True).filter(pk__in=owners)
    list(rows.order_by("pk").values_list("pk"))
    for revision in Revision.objects.filter(pk__in={one.pk for one in chosen}):
        refusals.require_files(revision)


def _check(repository: Repository, wish: Wish) -> None:
    if not wish.numbers and wish.keep_last is None and wish.older_than is None:
        raise Invalid(
            _("Say which revisions may go: their numbers, how many to keep, or how old."),
            code="no_wish",
        )
    if wish.keep_last is not None and wish.keep_last < 1:
        raise Invalid(
            _("The newest revision is always kept. Keep 1 or more."), code="keep_last"
        )
    if wish.older_than is not None and wish.older_than < timedelta(0):
        raise Invalid(_("Give an age of 0 days or more."), code="older_than")
    there = set(repository.revisions.values_list("number", flat=True))
    if unknown := sorted(set(wish.numbers) - there):
        raise Invalid(
            _("There is no revision %(number)s. Look at the list of revisions.")
            % {"number": unknown[0]},
            code="no_such_revision",
        )


def _asked(rows: list[Revision], wish: Wish, now: datetime) -> set[int]:
    """Choose by number; else all that every limit lets go."""
    if wish.numbers:
        return set(wish.numbers)
    late = rows[wish.keep_last :] if wish.keep_last is not None else rows
    if wish.older_than is not None:
        late = [row for row in late if row.created_at < now - wish.older_than]
    return {row.number for row in late}


def _newest(repository: Repository) -> set[int]:
    branches = repository.revisions.order_by().values("branch")
    return {row["last"] for row in branches.annotate(last=Max("number"))}


def _named(rows: list[Revision]) -> dict[int, set[str]]:
    """Tell by what each is named: one query for each kind of thing that can name one.

    `named_as`, where the model has it, is how people call that thing.
    """
    named: dict[int, set[str]] = defaultdict(set)
    keys = [row.pk for row in rows]
    for field in naming_fields():
        name, model = field.name, field.model
        found = model._default_manager.filter(**{f"{name}__in": keys}).order_by()
        for key in found.values_list(name, flat=True).distinct():
            named[key].add(str(getattr(model, "named_as", model._meta.verbose_name)))
    return named


def naming_fields() -> list["models.ForeignKey[Revision, Revision]"]:
    """Find all that points at a revision and forbids that it goes, in whatever room.

    Those that have no way back (`related_name="+"`) are hidden from the usual list.
    """
    found = Revision._meta.get_fields(include_hidden=True)
    fields = [
        field.remote_field for field in found if field.auto_created and not field.concrete
    ]
    return [
        field
        for field in fields
        if isinstance(field, models.ForeignKey)
        and field.model not in {File, Revision}
        and field.remote_field.on_delete in {models.PROTECT, models.RESTRICT}
    ]


def _freed_bytes(keys: list[int]) -> int:
    """Weigh what these name and nothing else does."""
    files = File.objects.filter(blob=OuterRef("pk"))
    only = Blob.objects.filter(
        Exists(files.filter(revision__in=keys)), ~Exists(files.exclude(revision__in=keys))
    )
    return only.aggregate(total=Sum("size_bytes"))["total"] or 0
