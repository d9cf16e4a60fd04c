"""Who may do what to an organisation, its members and its invitations."""

from collections.abc import Callable

from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from fabriek.kernel.errors import NotAllowed, Text
from fabriek.kernel.steps import NextStep
from fabriek.people import foreign_numbers, numbers
from fabriek.people.models import Invitation, Membership, Organisation, Person, Token
from fabriek.people.numbers import NumberProblem

May = Callable[[Person, Organisation], bool]


def may_edit(person: Person, organisation: Organisation) -> bool:
    """Its leads; staff too, as they check the figures that decide on access."""
    return person.leads(organisation.pk) or person.is_factory_staff


def may_manage_members(person: Person, organisation: Organisation) -> bool:
    return person.leads(organisation.pk)


def may_remove(person: Person, membership: Membership) -> bool:
    """Let a lead remove anybody, and everybody leave."""
    return person.leads(membership.organisation_id) or person.pk == membership.person_id


def may_answer(person: Person, invitation: Invitation) -> bool:
    return invitation.email == person.email.lower()


def may_revoke(person: Person, token: Token) -> bool:
    return token.person_id == person.pk


MAY: dict[str, May] = {"edit": may_edit, "manage_members": may_manage_members}
SENTENCES: dict[str, Text] = {
    "edit": _(
        "Only a lead of this organisation may change its details. Ask one of the leads on the "
        "organisation's page."
    ),
    "manage_members": _(
        "Only a lead of this organisation decides who belongs to it. Ask one of the leads on "
        "the organisation's page."
    ),
    "remove": _(
        "Only a lead of this organisation may remove somebody else. Ask one of the leads on "
        "the organisation's page."
    ),
    "answer": _(
        "This invitation was sent to another e-mail address. Sign in with that address, or ask "
        "for a new invitation."
    ),
    "revoke": _("This token belongs to somebody else. Ask that person to revoke it."),
}


def require(step: str, person: Person, organisation: Organisation) -> None:
    demand(step, MAY[step](person, organisation))


def demand(step: str, is_allowed: bool) -> None:
    """Turn the answer to a question above into a refusal with its sentence.

    Raises:
        NotAllowed: when the answer was no.
    """
    if not is_allowed:
        raise NotAllowed(SENTENCES[step])


def kvk_refusal(text: str) -> str | None:
    """Say in words what is wrong with a KvK number, if anything."""
    problem = numbers.kvk_problem(text)
    return str(KVK_SENTENCES[problem]) if problem else None


KVK_SENTENCES: dict[NumberProblem, Text] = {
    NumberProblem.EMPTY: _(
        "Fill in the KvK number: 8 digits, on your extract of the register. Or the number of "
        "the country in which you are registered."
    ),
    NumberProblem.NOT_DIGITS: _(
        "A KvK number has digits only. Look for 8 digits on your extract of the register."
    ),
    NumberProblem.WRONG_LENGTH: _(
        "A KvK number has exactly 8 digits. A number of 12 digits is that of an establishment, "
        "one of 9 digits is the RSIN."
    ),
    NumberProblem.ALL_ZERO: _(
        "This is not a KvK number that was ever given out. Check it on your extract."
    ),
}


def number_refusal(organisation: Organisation) -> tuple[str, str] | None:
    """Say which field of the number of an organisation is wrong, and what, if anything is."""
    if organisation.foreign_number and organisation.kvk_number:
        return "foreign_number", str(ONE_NUMBER)
    if organisation.foreign_number:
        return foreign_refusal(organisation.foreign_number, organisation.country)
    refusal = kvk_refusal(organisation.kvk_number)
    return ("kvk_number", refusal) if refusal else None


def foreign_refusal(number: str, country: str) -> tuple[str, str] | None:
    """Say which field is wrong with a number abroad, and what, if anything is."""
    problem = foreign_numbers.problem(number, country)
    if problem is None:
        return None
    field = "country" if problem == foreign_numbers.Problem.OTHER_COUNTRY else "foreign_number"
    return field, str(FOREIGN_SENTENCES[problem])


ONE_NUMBER: Text = _(
    "Fill in one of the two: the KvK number where there is one, else the number abroad."
)
FOREIGN_SENTENCES: dict[foreign_numbers.Problem, Text] = {
    foreign_numbers.Problem.DUTCH: _(
        "A Dutch organisation gives its KvK number. Leave this empty, or choose the country "
        "in which you are registered."
    ),
    foreign_numbers.Problem.OTHER_COUNTRY: _(
        "The number begins with the letters of another country. Choose that country, or check "
        "the number."
    ),
    foreign_numbers.Problem.WRONG: _(
        "This is no number as this country writes them. Fill in the EUID, such as "
        "DEK1101R.HRB116737, or the VAT number, such as DE811128135: each begins with the "
        "letters of the country. Outside the Union: these letters, and your number in the "
        "trade register."
    ),
}


def number_taken(registered_as: str) -> str:
    return _(
        "An organisation with this number is registered already: %(number)s. Ask one of its "
        "leads to invite you with your e-mail address; you then find the invitation here."
    ) % {"number": registered_as}


def next_steps(person: Person, organisation: Organisation) -> list[NextStep]:
    """Name what this person can do with the organisation now."""
    steps = []
    if person.belongs_to(organisation.pk):
        steps.append(
            NextStep(
                name="draft_case",
                label=_("Describe a case"),
                sentence=_("Describe what you want to build with AI: all begins there."),
                url=reverse("cases:new"),
                method="get",
            )
        )
    if may_edit(person, organisation):
        steps.append(
            NextStep(
                name="edit",
                label=_("Change the details"),
                sentence=_("Keep the figures up to date: they decide which access is open."),
                url=reverse("people:organisation_edit", args=[organisation.pk]),
                method="get",
            )
        )
    return steps
