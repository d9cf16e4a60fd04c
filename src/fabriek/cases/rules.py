"""Who may do what to a case and to a partner in it; leads bind, members prepare."""

from collections.abc import Callable
from typing import Any

from django.db.models import QuerySet
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from fabriek.cases.models import Case, Partner
from fabriek.cases.states import CASE, PARTNER, CaseState
from fabriek.kernel.errors import NotAllowed, Text, WrongState
from fabriek.kernel.prepared import Prepared
from fabriek.kernel.steps import NextStep
from fabriek.people.models import Organisation, Person

# A case that is over takes no more changes, partners or answers.
LIVE = frozenset({CaseState.DRAFT, CaseState.OPEN})


def takes_part(person: Person, case: Case) -> bool:
    """Tell whether one of this person's organisations leads the case or accepted to join it."""
    if person.belongs_to(case.organisation_id):
        return True
    organisations = tuple(sorted(person.organisation_ids))
    return bool(organisations and _TAKEN_PART_IN.rows(case.pk, organisations))


def _taken_part_in(case: int, organisations: tuple[int, ...]) -> "QuerySet[Case, Any]":
    asking = Person()
    asking.roles = dict.fromkeys(organisations, "")
    rows = Case.objects.taken_part_in_by(asking).filter(pk=case)
    return rows.order_by().values_list("pk")[:1]


_TAKEN_PART_IN = Prepared(_taken_part_in)  # asked at each decision about data


def may_draft(person: Person, organisation: Organisation) -> bool:
    return person.belongs_to(organisation.pk)


def may_edit(person: Person, case: Case) -> bool:
    """Members prepare the draft; what was proposed in their name is for the leads."""
    if case.state == CaseState.DRAFT:
        return person.belongs_to(case.organisation_id)
    return person.leads(case.organisation_id)


def may_propose(person: Person, case: Case) -> bool:
    return person.leads(case.organisation_id)


may_close = may_withdraw = may_invite = may_propose


def may_answer_intake(person: Person, case: Case) -> bool:
    return person.belongs_to(case.organisation_id)


def may_accept(person: Person, partner: Partner) -> bool:
    return person.leads(partner.organisation_id)


may_decline = may_leave = may_accept


def may_invite_again(person: Person, partner: Partner) -> bool:
    return person.leads(partner.case.organisation_id)


MAY: dict[str, Callable[[Person, Case], bool]] = {
    "propose": may_propose,
    "intake": may_answer_intake,
    "invite": may_invite,
    "edit": may_edit,
    "close": may_close,
    "withdraw": may_withdraw,
}
MAY_PARTNER: dict[str, Callable[[Person, Partner], bool]] = {
    "accept": may_accept,
    "decline": may_decline,
    "leave": may_leave,
    "invite_again": may_invite_again,
}
_LEADS_ONLY = _(
    "Only a lead of the organisation that proposes this case may do this. Ask one of the leads."
)
_INVITED_LEADS_ONLY = _(
    "Only a lead of the invited organisation may answer for it. Ask one of the leads."
)
SENTENCES: dict[str, Text] = {
    "draft": _(
        "A case is drafted by somebody of the organisation it belongs to. Register your "
        "organisation first, or ask one of its leads to invite you."
    ),
    "edit": _(
        "Only people of the organisation may change its draft, and only a lead may change a "
        "case that was proposed. Ask one of the leads."
    ),
    "intake": _(
        "Only people of the organisation that proposes this case answer its questions. Ask "
        "one of them."
    ),
    "propose": _LEADS_ONLY,
    "close": _LEADS_ONLY,
    "withdraw": _LEADS_ONLY,
    "invite": _LEADS_ONLY,
    "invite_again": _LEADS_ONLY,
    "accept": _INVITED_LEADS_ONLY,
    "decline": _INVITED_LEADS_ONLY,
    "leave": _INVITED_LEADS_ONLY,
}


def require(step: str, person: Person, case: Case) -> None:
    _demand(step, MAY[step](person, case))


def require_of_partner(step: str, person: Person, partner: Partner) -> None:
    _demand(step, MAY_PARTNER[step](person, partner))


def require_draft(person: Person, organisation: Organisation) -> None:
    _demand("draft", may_draft(person, organisation))


def _demand(step: str, is_allowed: bool) -> None:
    if not is_allowed:
        raise NotAllowed(SENTENCES[step])


def require_live(case: Case) -> None:
    if case.state not in LIVE:
        raise WrongState(
            _(
                "%(case)s is over, so nothing about it changes any more. "
                "Draft a new case instead."
            )
            % {"case": case}
        )


def next_steps(person: Person, case: Case) -> list[NextStep]:
    """Name what this person can do with the case now, the one that leads on first."""
    return [_next_step(step, case) for step in open_steps(person, case)]


def open_steps(person: Person, case: Case) -> list[str]:
    """Name those steps by their key alone."""
    return [step for step in _order(case) if _is_open(step, case) and MAY[step](person, case)]


def _order(case: Case) -> list[str]:
    """Put what ends the case last, and before it the questions once they were answered."""
    ends = {"close", "withdraw"}
    return sorted(
        STEPS, key=lambda step: (step in ends, step == "intake" and hasattr(case, "intake"))
    )


def next_steps_of_partner(person: Person, partner: Partner) -> list[NextStep]:
    """Name what this person can do with an invitation or a place in a consortium."""
    if partner.case.state not in LIVE:
        return []
    steps = [s for s in PARTNER.open_from(partner.state) if MAY_PARTNER[s](person, partner)]
    return [
        NextStep(
            name=step,
            label=PARTNER_STEPS[step][0],
            sentence=PARTNER_STEPS[step][1],
            url=reverse("cases:partner_step", args=[partner.pk, step]),
            tone="danger" if step in {"decline", "leave"} else "",
        )
        for step in steps
    ]


def _is_open(step: str, case: Case) -> bool:
    if step in CASE.steps:
        return step in CASE.open_from(case.state)
    return case.state in LIVE


def words(step: str, case: Case) -> tuple[Text, Text]:
    """Give the label and the sentence of a step."""
    if step == "intake" and hasattr(case, "intake"):
        return INTAKE_AGAIN
    return STEPS[step]


def _next_step(step: str, case: Case) -> NextStep:
    label, sentence = words(step, case)
    return NextStep(
        name=step,
        label=label,
        sentence=sentence,
        url=reverse(f"cases:{step}", args=[case.code]),
        # Closing and withdrawing cannot be undone: their page asks first.
        method="post" if step == "propose" else "get",
        tone="danger" if step in {"close", "withdraw"} else "",
    )


# Label and sentence; the order is that of the buttons.
STEPS: dict[str, tuple[Text, Text]] = {
    "propose": (
        _("Propose this case"),
        _("Propose this case when it is complete: from then on you can ask for GPU-hours."),
    ),
    "intake": (
        _("Answer five questions"),
        _("Answer five short questions: the factory then advises which access mode fits."),
    ),
    "invite": (
        _("Invite a partner"),
        _("Invite an organisation that brings data or knowledge."),
    ),
    "edit": (_("Change the case"), _("Make the description better.")),
    "close": (_("Close the case"), _("Close the case when the work is done.")),
    "withdraw": (_("Withdraw the case"), _("Stop with this case.")),
}
INTAKE_AGAIN: tuple[Text, Text] = (
    _("Change your answers"),
    _("Change your answers when your plan changed: the advice follows."),
)
PARTNER_STEPS: dict[str, tuple[Text, Text]] = {
    "accept": (
        _("Take part"),
        _("Take part: people of your organisation then see the whole case."),
    ),
    "decline": (_("Decline"), _("Decline: the organisation that invited you is told.")),
    "leave": (
        _("Leave the consortium"),
        _("Leave the consortium: your organisation then no longer sees this case."),
    ),
    "invite_again": (_("Invite again"), _("Invite this organisation once more.")),
}
