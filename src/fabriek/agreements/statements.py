"""What is told when an agreement is over: what was deleted where and when, and what remains."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.crypto import constant_time_compare, salted_hmac
from django.utils.translation import gettext_lazy as _

from fabriek.agreements import made
from fabriek.agreements.models import Agreement, Duty
from fabriek.agreements.states import AgreementState
from fabriek.agreements.traces import Chain, Decided, Statement
from fabriek.agreements.wishes import Moment
from fabriek.kernel import journal
from fabriek.kernel.errors import Text
from fabriek.store.models import Repository

FORMAT = 1
SALT = "fabriek.agreements.statements"
journal.describe(
    {
        "agreements.end": _("The last day of the agreement is over."),
        "agreements.state_deletion": _("The factory states which copies were deleted."),
        "agreements.keep_copies": _("Copies stay: another agreement holds instead."),
        "agreements.leave_open": _("An open model stays open: its data was taken back later."),
    }
)
# What may still be there, by the word that the statement has for it.
REMAINS: Mapping[str, Text] = {
    "dataset": _("The dataset itself stays with its owner, as it was."),
    "backups": _(
        "Backups of the factory's disks may hold these copies until they are overwritten. Ask "
        "the factory how long that takes."
    ),
    "logs": _("Logs, figures and the list of runs stay, as an account of what was done."),
    "models": _("What was made while the agreement held keeps the rights recorded with it."),
    "derived": _(
        "Datasets that were made of it stay with their case, and are closed: nobody reads them "
        "or works on them without an agreement on the data itself."
    ),
    "covered": _(
        "Copies stay where another agreement lets those who asked for them have them."
    ),
    "outputs": _("What runs made before the end stays in their folders on the machine."),
    "samples": _(
        "Reports and events of runs show a few rows of the data as examples. They stay with "
        "the run: the agreement does not ask to delete copies."
    ),
    "lost": _(
        "The machine stopped telling of a run long ago. The copies in its folder are deleted; "
        "whether its program stopped then is not known."
    ),
    "work": _(
        "Files that people made in sessions stay: the agreement does not ask to delete copies."
    ),
    "fetched": _(
        "Files that people fetched are in their hands. The log names them; the factory cannot "
        "reach these copies."
    ),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Removed:
    """One copy that is gone. Moments in ISO 8601."""

    run: str
    what: str
    name: str
    reference: str
    digest: str
    files: int
    size_bytes: int
    removed_at: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Findings:
    """What was found and done on the machine.

    `remains`: words of REMAINS besides those that always hold. `covered_by`: the code of the
    agreement by which copies may stay; nothing is removed then.
    """

    removed: Sequence[Removed] = ()
    remains: Sequence[str] = ()
    covered_by: str = ""
    stopped: Sequence[str] = field(default_factory=tuple)


def state(agreement: Agreement, findings: Findings) -> Statement:
    """Write the statement down and seal it, once; whoever is second gets the first one's.

    Its hash goes into the journal, which keeps it apart from the statement itself.
    """
    if existing := Statement.objects.filter(agreement=agreement).first():
        return existing
    facts = _facts(agreement, findings)
    sha256 = digest_of(facts)
    verb = "agreements.keep_copies" if findings.covered_by else "agreements.state_deletion"
    try:
        with transaction.atomic():
            stated = Statement.objects.create(
                agreement=agreement, facts=facts, sha256=sha256, seal=_seal(sha256)
            )
            journal.record(verb, agreement, by=None, sha256=sha256)
            _tell_of_open_models(agreement)
    except IntegrityError:
        return Statement.objects.get(agreement=agreement)
    return stated


def _tell_of_open_models(agreement: Agreement) -> None:
    """Let the makers of open models hear that the owner took back what these were made of."""
    if agreement.state == AgreementState.REVOKED:
        for repository in made.open_models(agreement):
            journal.record("agreements.leave_open", repository, by=None)


def text_of(facts: Mapping[str, object]) -> str:
    """Give the exact text that is hashed: JSON with sorted names and no spaces."""
    return json.dumps(facts, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def digest_of(facts: Mapping[str, object]) -> str:
    return hashlib.sha256(text_of(facts).encode()).hexdigest()


def is_genuine(statement: Statement) -> bool:
    """Tell whether this factory wrote it, and nobody changed a letter since."""
    sha256 = digest_of(statement.facts)
    return constant_time_compare(sha256, statement.sha256) and constant_time_compare(
        _seal(sha256), statement.seal
    )


def _seal(sha256: str) -> str:
    """Prove it with the factory's own key, as nobody else has that."""
    return salted_hmac(SALT, sha256, algorithm="sha256").hexdigest()


def _facts(agreement: Agreement, findings: Findings) -> dict[str, object]:
    repository = agreement.repository
    chain = Chain.objects.filter(repository=repository).first()
    rows = made.of(agreement)
    return {
        "format": FORMAT,
        "factory": settings.FACTORY_NAME,
        "address": settings.FACTORY_URL,
        "made_at": timezone.now().isoformat(),
        "agreement": agreement.code,
        "text_sha256": agreement.text_sha256,
        "outcome": str(agreement.state),
        "over_at": agreement.over_at.isoformat() if agreement.over_at else "",
        "reason": agreement.reason,
        "duty_to_delete": Duty.DELETE in agreement.duties,
        "dataset": repository.code or "",
        "title": repository.title,
        "owner": repository.organisation.name,
        "case": agreement.case.code,
        "user": _users(agreement),
        "covered_by": findings.covered_by,
        "stopped": list(findings.stopped),
        "removed": [_as_row(one) for one in findings.removed],
        "remains": _remains(agreement, findings, rows),
        "made_of_it": [row["code"] for row in rows],
        "made": rows,
        "fetched_by": _fetchers(agreement),
        "decisions": chain.length if chain else 0,
        "decisions_digest": chain.digest if chain else "",
    }


def _users(agreement: Agreement) -> str:
    """Name who leads the case; where that was left out, those that the data was lent to."""
    if agreement.with_leader:
        return agreement.case.organisation.name
    return ", ".join(sorted(one.name for one in agreement.organisations.all()))


def _as_row(one: Removed) -> dict[str, object]:
    return {
        "run": one.run,
        "what": one.what,
        "name": one.name,
        "reference": one.reference,
        "digest": one.digest,
        "files": one.files,
        "size_bytes": one.size_bytes,
        "removed_at": one.removed_at,
    }


def _remains(agreement: Agreement, findings: Findings, rows: Sequence[made.Row]) -> list[str]:
    found = {"dataset", "logs", *findings.remains}
    if findings.removed:
        found.add("backups")
    ends = {(row["kind"], row["done"]) for row in rows}
    if ends & {(Repository.Kind.MODEL, word) for word in ("kept", "open_model")}:
        found.add("models")
    if (Repository.Kind.DATASET, "closed") in ends:
        found.add("derived")
    if _fetchers(agreement):
        found.add("fetched")
    return [word for word in REMAINS if word in found]


def _fetchers(agreement: Agreement) -> list[str]:
    """Name who read the files themselves, by the log."""
    rows = Decided.objects.filter(
        agreement=agreement, moment=Moment.READ, allowed=True, person__isnull=False, run=""
    )
    named = rows.order_by("person__name", "person__email").values_list(
        "person__name", "person__email"
    )
    return [name or email for name, email in named.distinct()]
