"""The owner of data looks at what was made of it, where the agreement asks for that."""

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from fabriek.agreements.traces import Inherited
from fabriek.kernel import journal, text
from fabriek.kernel.errors import Invalid, NotAllowed, Refused
from fabriek.people.models import Person
from fabriek.store import queries as store
from fabriek.store.models import Repository

journal.describe(
    {
        "agreements.release": _("let a result go out"),
        "agreements.hold_back": _("held a result back"),
    }
)
RELEASED, HELD_BACK = Inherited.Verdict.RELEASED, Inherited.Verdict.HELD_BACK
VERBS = {RELEASED: "agreements.release", HELD_BACK: "agreements.hold_back"}


def shown_to(person: Person) -> QuerySet[Inherited]:
    """Give what owners look at, to the people of these owners: what waits comes first."""
    firms = person.organisation_ids
    rows = Inherited.objects.filter(
        needs_review=True, agreement__repository__organisation__in=firms
    )
    rows = rows.select_related(
        "repository", "agreement__repository", "agreement__case__organisation", "judged_by"
    )
    return rows.order_by("verdict", "-recorded_at", "-pk")


def may_judge(person: Person, result: Inherited) -> bool:
    """Leads bind their organisation, here too."""
    return person.leads(result.agreement.repository.organisation_id)


@transaction.atomic
def judge(
    result: Inherited, *, by: Person, verdict: str, note: str = "", revision: int | None = None
) -> Inherited:
    """Let a result go out, or hold it back with a reason that its makers read.

    It stands for the files that are there now; what is saved later waits again. It can be
    changed as long as one likes: what was taken along by then is gone.

    Raises:
        NotAllowed: `by` does not lead the organisation that owns the data.
        Invalid: no such verdict, or no reason to hold it back.
        Refused: files were saved since `revision`, which `by` looked at.
    """
    if not may_judge(by, result):
        raise NotAllowed(
            _(
                "Only a lead of the organisation that owns the data says whether this goes "
                "out. Ask one of its leads."
            )
        )
    result.note = text.prose(note)
    _check(result, verdict)
    held = Repository.objects.select_for_update().get(pk=result.repository_id)
    newest = store.last_number(held)
    if revision is not None and revision != newest:
        raise Refused(
            _(
                "Other files were saved since you looked. Open the page again and look once "
                "more."
            ),
            code="stale_revision",
        )
    result.verdict, result.judged_by = verdict, by
    result.judged_at, result.judged_revision = timezone.now(), newest
    result.save(update_fields=["verdict", "note", "judged_by", "judged_at", "judged_revision"])
    details = {"code": held.code or "", "revision": newest, "note": result.note}
    verb = VERBS[Inherited.Verdict(verdict)]
    journal.record(verb, result.agreement, by=by, **details)
    return result


def _check(result: Inherited, verdict: str) -> None:
    if verdict not in VERBS:
        raise Invalid(
            _("Choose whether it may go out or is held back."), code="unknown_verdict"
        )
    if verdict == HELD_BACK and not result.note:
        raise Invalid(
            _("Write why you hold it back: its makers read this."),
            code="no_reason",
            fields={"note": _("This is needed.")},
        )
    text.check(result, ["note"])
