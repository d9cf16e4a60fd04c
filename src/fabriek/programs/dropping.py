"""Old revisions of code go when a lead of its owner says so, and why, and no run names them."""

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from fabriek.kernel import journal, text
from fabriek.kernel.errors import Invalid, NotAllowed
from fabriek.people.models import Person
from fabriek.store import retention
from fabriek.store.models import Repository
from fabriek.store.retention import WHY_CHARACTERS, Plan, Wish

journal.describe({"programs.drop": gettext_lazy("removed old revisions of code")})


def may_drop(person: Person, code: Repository) -> bool:
    """Leads of the organisation whose case it is, also where own code is no longer run."""
    return person.leads(code.organisation_id)


def plan(code: Repository, wish: Wish, *, by: Person) -> Plan:
    """Say what would go and why the rest stays. Raises: NotAllowed, Invalid."""
    _require(by, code)
    return retention.plan(code, wish, now=timezone.now())


@transaction.atomic
def drop(code: Repository, wish: Wish, *, by: Person, why: str) -> Plan:
    """Drop what no run and nothing else names; give what was done.

    Raises:
        NotAllowed: not theirs to drop.
        Invalid: nothing was chosen, or no reason was given.
    """
    _require(by, code)
    reason = text.line(why)[:WHY_CHARACTERS]
    if not reason:
        said = _("Say in one sentence why they go: it is kept with the history.")
        raise Invalid(said, code="no_reason", fields={"why": said})
    done = retention.drop(code, wish, by=by, why=reason)
    if done.go:
        numbers = sorted(line.revision.number for line in done.go)
        journal.record("programs.drop", code, by=by, numbers=numbers, note=reason)
    return done


def _require(person: Person, code: Repository) -> None:
    if not may_drop(person, code):
        raise NotAllowed(
            _(
                "Only a lead of the organisation whose case this is may remove revisions of "
                "its code. Ask one of them."
            )
        )
