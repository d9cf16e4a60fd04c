"""What is said when something about an agreement cannot be done."""

from typing import ClassVar

from django.utils.translation import gettext as _

from fabriek.agreements.models import Agreement
from fabriek.agreements.states import AgreementState
from fabriek.cases.models import Case
from fabriek.kernel.errors import Invalid, Refused, WrongState
from fabriek.people.models import Organisation
from fabriek.store import front_matter
from fabriek.store.base import Damaged
from fabriek.store.models import Blob


class CardDamaged(Damaged):
    """A card cannot be read, so nobody knows what binds the files. Waiting mends nothing."""

    status: ClassVar[int] = 409


def card_damaged(card: Blob) -> CardDamaged:
    refusal = CardDamaged(
        _(
            "The bytes of “%(name)s” are damaged here, and what binds these files may stand in "
            "it, so nothing was done. Send “%(name)s” again, the same or a new one: that mends "
            "it. Then do again what you wanted to do."
        )
        % {"name": front_matter.README}
    )
    refusal.kept = card
    return refusal


def not_waiting(agreement: Agreement, *, newer: Agreement | None) -> WrongState:
    """`newer`: what took its place, to who is a party to that as well."""
    if newer and agreement.state == AgreementState.REPLACED:
        return WrongState(
            _("Another text took the place of this one: %(code)s. Read and sign that one.")
            % {"code": newer.code},
            code="replaced",
        )
    return over(agreement)


def over(agreement: Agreement) -> WrongState:
    return WrongState(
        _(
            "This cannot be done now: %(code)s stands at “%(state)s”. "
            "Open its page again to see what can be done next."
        )
        % {"code": agreement.code, "state": agreement.get_state_display()}
    )


def too_late(agreement: Agreement) -> WrongState:
    return WrongState(
        _(
            "The last day of %(code)s has passed, so it can no longer be signed. "
            "Propose a new one."
        )
        % {"code": agreement.code},
        code="too_late",
    )


def stale_text() -> Refused:
    return Refused(
        _(
            "The text is not the one that you read: something in it changed since. "
            "Open the page again, read the text, and sign that one."
        ),
        code="stale_text",
    )


def signed_before() -> Refused:
    return Refused(
        _("Your organisation has signed already. It now waits for the other parties."),
        code="signed_before",
    )


def waits_already(other: Agreement) -> Refused:
    return Refused(
        _(
            "%(code)s is about the same data and the same case, and waits for an answer. "
            "Open it, and propose other terms there."
        )
        % {"code": other.code},
        code="waits_already",
    )


def not_needed() -> Refused:
    return Refused(
        _("No agreement is needed: this data is open to everybody, or belongs to that case."),
        code="not_needed",
    )


def about_something_else(agreement: Agreement) -> Invalid:
    return Invalid(
        _(
            "%(code)s is about other data or another case, so this cannot take its place. "
            "Leave “replaces” out, or name the agreement on this data and this case."
        )
        % {"code": agreement.code},
        code="about_something_else",
    )


def case_not_open(case: Case) -> WrongState:
    return WrongState(
        _("Data is agreed on for open cases, and %(code)s is not open.") % {"code": case.code}
    )


def no_reason() -> Invalid:
    sentence = _("Give the reason: the other side reads it.")
    return Invalid(sentence, fields={"reason": sentence})


def unknown_case() -> Invalid:
    sentence = _(
        "There is no open case with this code of an organisation with this number. Check both "
        "with whoever told you."
    )
    return Invalid(sentence, code="unknown_case", fields={"case": sentence})


def unknown_organisation(number: str) -> Invalid:
    sentence = _(
        "No organisation with number %(number)s takes part in this case. Check the number, or "
        "ask who leads the case."
    ) % {"number": number[:40]}
    return Invalid(sentence, code="unknown_organisation", fields={"named": sentence})


def nobody_named() -> Invalid:
    sentence = _(
        "Name at least one organisation of the case, or let the organisation that leads it use "
        "the data too. Otherwise there is nobody to lend it to."
    )
    return Invalid(sentence, code="nobody_named", fields={"named": sentence})


def leader_is_named(organisation: Organisation) -> Invalid:
    sentence = _(
        "%(name)s leads the case: you name it, and you leave it out. Take its number away, or "
        "choose that who leads the case may use the data too."
    ) % {"name": organisation.name}
    return Invalid(sentence, code="leader_is_named", fields={"with_leader": sentence})


def left_the_case(organisation: Organisation) -> WrongState:
    return WrongState(
        _(
            "%(name)s takes no part in this case any more, so this text cannot be signed. "
            "Propose a new one without it."
        )
        % {"name": organisation.name},
        code="left_the_case",
    )


def too_many_tries() -> Refused:
    return Refused(
        _(
            "You named cases or organisations that do not fit too often. Check the code and "
            "the numbers with whoever told you, and try again in an hour."
        ),
        code="too_many_tries",
    )


def unknown_dataset() -> Invalid:
    sentence = _("This does not exist, or it is not yours to see. Check the code.")
    return Invalid(sentence, code="unknown_dataset", fields={"dataset": sentence})
