"""Who may do what to an agreement: leads bind their organisation, its people talk."""

from collections.abc import Callable
from datetime import datetime

from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from fabriek.agreements import policy
from fabriek.agreements.models import Agreement
from fabriek.agreements.states import AGREEMENT, WAITING, AgreementState
from fabriek.agreements.wishes import Moment, Wish
from fabriek.cases.models import Case
from fabriek.cases.rules import takes_part
from fabriek.kernel.errors import NotAllowed, Text
from fabriek.kernel.steps import NextStep
from fabriek.people.models import Organisation, Person
from fabriek.store.models import Repository

S = AgreementState


def parties_of(agreement: Agreement) -> list[Organisation]:
    """Name all who must sign, each once, the owner first."""
    both = (agreement.repository.organisation, *users_of(agreement))
    return list({one.pk: one for one in both}.values())


def users_of(agreement: Agreement) -> list[Organisation]:
    """Name those to whom it is lent, who sign for themselves.

    Whoever leads the receiving case is one of them, and answers for a consortium that is not
    named; unless the owner left it out.
    """
    named = agreement.organisations.all()
    return [agreement.case.organisation, *named] if agreement.with_leader else list(named)


def leaves_out(newer: Agreement, old: Agreement) -> bool:
    """Tell whether somebody the old text was for is none of those of the newer one."""
    named = newer.organisations.all()
    if not named:
        return False
    return not old.organisations.all() or not {*parties_of(old)} <= {*parties_of(newer)}


def unsigned_of(agreement: Agreement) -> list[Organisation]:
    signed = {signature.organisation_id for signature in agreement.signatures.all()}
    return [party for party in parties_of(agreement) if party.pk not in signed]


def is_party(person: Person, agreement: Agreement) -> bool:
    """Tell whether this person reads the talk too: staff see no more than the terms."""
    if any(person.belongs_to(party.pk) for party in parties_of(agreement)):
        return True
    return not agreement.organisations.all() and takes_part(person, agreement.case)


def may_offer(person: Person, repository: Repository) -> bool:
    return person.leads(repository.organisation_id)


def may_ask(person: Person, case: Case) -> bool:
    return takes_part(person, case)


def may_find(person: Person, repository: Repository) -> bool:
    """Tell whether this person may know that the dataset exists at all."""
    if repository.kind != Repository.Kind.DATASET or not repository.code:
        return False
    wish = Wish(moment=Moment.SEE, repository=repository, person=person)
    return policy.would(wish).allowed


def may_say(person: Person, agreement: Agreement) -> bool:
    return is_party(person, agreement)


def may_sign(person: Person, agreement: Agreement) -> bool:
    return any(person.leads(party.pk) for party in parties_of(agreement))


def may_refuse(person: Person, agreement: Agreement) -> bool:
    """Leave refusing to the other side: who was asked, or who was made an offer."""
    if agreement.state == S.ASKED:
        return _owner_leads(person, agreement)
    return _user_leads(person, agreement)


def may_withdraw(person: Person, agreement: Agreement) -> bool:
    """Who began it, and those who bind that side."""
    if agreement.state == S.OFFERED:
        return _owner_leads(person, agreement)
    if agreement.with_leader:
        leads = person.leads(agreement.case.organisation_id)
    else:
        leads = _user_leads(person, agreement)
    return leads or (person.pk == agreement.begun_by_id and takes_part(person, agreement.case))


def may_end(person: Person, agreement: Agreement) -> bool:
    """Tell whether this person could end what waits, and so put another text in its place."""
    return may_refuse(person, agreement) or may_withdraw(person, agreement)


def may_revoke(person: Person, agreement: Agreement) -> bool:
    return _owner_leads(person, agreement)


MAY: dict[str, Callable[[Person, Agreement], bool]] = {
    "sign": may_sign,
    "say": may_say,
    "refuse": may_refuse,
    "withdraw": may_withdraw,
    "revoke": may_revoke,
}
SENTENCES: dict[str, Text] = {
    "offer": _(
        "Only a lead of the organisation that owns this data may offer it to others. Ask one "
        "of its leads."
    ),
    "ask": _(
        "Only people of the organisations in a case ask for data for it. Choose one of your "
        "own cases."
    ),
    "sign": _(
        "Only a lead of one of the parties signs an agreement. Ask a lead of your organisation."
    ),
    "say": _("Only people of the parties read and write messages here."),
    "refuse": _("Only a lead of the party that must answer may refuse. Ask one of the leads."),
    "withdraw": _("Only the side that began this may take it back. Refuse it instead."),
    "revoke": _(
        "Only a lead of the organisation that owns the data may revoke an agreement. Ask one "
        "of its leads."
    ),
}


def require(step: str, person: Person, agreement: Agreement) -> None:
    demand(step, MAY[step](person, agreement))


def demand(step: str, is_allowed: bool) -> None:
    """Turn the answer to a question above into a refusal with its sentence.

    Raises:
        NotAllowed: when the answer was no.
    """
    if not is_allowed:
        raise NotAllowed(SENTENCES[step])


# Label and sentence; the order is that of the buttons.
STEPS: dict[str, tuple[Text, Text]] = {
    "sign": (
        _("Read and sign"),
        _("Read the text. When all parties have signed it, the agreement is in force."),
    ),
    "say": (_("Ask or answer"), _("Write to the other side: a question, or an answer.")),
    "change": (
        _("Propose other terms"),
        _("Propose other terms: a new text, which takes the place of this one."),
    ),
    "refuse": (_("Refuse"), _("Refuse, with a reason that the other side reads.")),
    "withdraw": (_("Take back"), _("Take it back before all have signed.")),
    "revoke": (
        _("Revoke"),
        _("Revoke the agreement: from then on nobody may use the data under it."),
    ),
}
DANGER = {"refuse", "withdraw", "revoke"}
# Their forms stand on the page of the agreement, under their own names.
ON_PAGE = {"sign", "say", "refuse", "revoke"}


def next_steps(person: Person, agreement: Agreement) -> list[NextStep]:
    """Name what this person can do with the agreement now, the one that leads on first."""
    return [_next_step(step, person, agreement) for step in open_steps(person, agreement)]


def open_steps(
    person: Person, agreement: Agreement, *, now: datetime | None = None
) -> list[str]:
    """Name those steps by their key alone."""
    if not is_party(person, agreement):
        return []
    is_late = agreement.ends_at <= (now or timezone.now())
    return [step for step in STEPS if _is_open(step, person, agreement, is_late=is_late)]


def counters_as(person: Person, agreement: Agreement) -> str:
    """Say how this person would propose other terms: by an offer, by asking, or not at all."""
    if agreement.state not in WAITING | {S.IN_FORCE}:
        return ""
    if _owner_leads(person, agreement):
        return "offer"
    return "ask" if takes_part(person, agreement.case) else ""


def _is_open(step: str, person: Person, agreement: Agreement, *, is_late: bool) -> bool:
    if step == "sign":
        is_waiting = agreement.state in WAITING and not is_late
        return is_waiting and any(person.leads(one.pk) for one in unsigned_of(agreement))
    if step == "change":
        return bool(counters_as(person, agreement))
    if step == "say":
        return agreement.state in WAITING | {S.IN_FORCE}
    return step in AGREEMENT.open_from(agreement.state) and MAY[step](person, agreement)


def _next_step(step: str, person: Person, agreement: Agreement) -> NextStep:
    label, sentence = STEPS[step]
    page = agreement.get_absolute_url()
    if step in ON_PAGE:
        url = f"{page}#{step}"
    elif step == "change":
        url = _address_of_change(person, agreement)
    else:
        url = reverse("agreements:step", args=[agreement.code, step])
    return NextStep(
        name=step,
        label=label,
        sentence=sentence,
        url=url,
        method="get",
        tone="danger" if step in DANGER else "",
    )


def _address_of_change(person: Person, agreement: Agreement) -> str:
    code = agreement.repository.code or ""
    if counters_as(person, agreement) == "offer":
        return f"{reverse('agreements:offer', args=[code])}?replaces={agreement.code}"
    return f"{reverse('agreements:ask')}?data={code}&replaces={agreement.code}"


def _owner_leads(person: Person, agreement: Agreement) -> bool:
    return person.leads(agreement.repository.organisation_id)


def _user_leads(person: Person, agreement: Agreement) -> bool:
    return any(person.leads(user.pk) for user in users_of(agreement))
