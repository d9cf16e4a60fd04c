"""The API of people: parse, call one action, show. No decisions are taken here."""

from datetime import date, datetime

from django.shortcuts import get_object_or_404
from ninja import Router, Schema, Status

from fabriek.kernel.paging import PAGE_SIZE, Listing, Paged, paginate
from fabriek.kernel.steps import StepOut
from fabriek.people import actions, queries, rules
from fabriek.people.http import SignedIn
from fabriek.people.models import Invitation, Membership, Organisation, Person, Token
from fabriek.people.size_words import size_of

router = Router(tags=["people"])


class RoleOut(Schema):
    """`kvk_number` is empty for an organisation that is registered abroad."""

    organisation_id: int
    organisation: str
    kvk_number: str
    foreign_number: str
    role: str

    @staticmethod
    def resolve_organisation(row: Membership) -> str:
        return row.organisation.name

    @staticmethod
    def resolve_kvk_number(row: Membership) -> str:
        return row.organisation.kvk_number

    @staticmethod
    def resolve_foreign_number(row: Membership) -> str:
        return row.organisation.foreign_number


class DutyOut(Schema):
    duty: str
    funder_code: str


class InvitationOut(Schema):
    id: int
    organisation_id: int
    organisation: str
    role: str
    state: str

    @staticmethod
    def resolve_organisation(row: Invitation) -> str:
        return row.organisation.name


class MeOut(Schema):
    email: str
    name: str
    roles: list[RoleOut]
    duties: list[DutyOut]
    invitations: list[InvitationOut]

    @staticmethod
    def resolve_roles(person: Person) -> list[Membership]:
        return list(queries.memberships_of(person))

    @staticmethod
    def resolve_duties(person: Person) -> list[dict[str, str]]:
        return [{"duty": duty, "funder_code": code} for duty, code in person.duties.items()]

    @staticmethod
    def resolve_invitations(person: Person) -> list[Invitation]:
        return list(queries.invitations_for(person))


class TokenOut(Schema):
    id: int
    name: str
    prefix: str
    scope: str
    state: str
    created_at: datetime
    expires_at: datetime
    last_used_on: date | None

    @staticmethod
    def resolve_state(token: Token) -> str:
        return token.status


class NewTokenOut(Schema):
    """With the key itself, this once."""

    key: str
    token: TokenOut


class TokenIn(Schema):
    name: str
    scope: str = "write"
    days: int = 90


class OrganisationOut(Schema):
    id: int
    name: str
    kvk_number: str
    foreign_number: str
    kind: str
    country: str
    region: str
    staff_count: int | None
    turnover_eur: int | None
    balance_eur: int | None
    size_class: str
    is_sme: bool | None
    size_reasons: list[str]
    next_steps: list[StepOut]


class OrganisationIn(Schema):
    """`kvk_number`, or for who is registered abroad `foreign_number`: EUID or VAT number."""

    name: str
    kvk_number: str = ""
    foreign_number: str = ""
    kind: str
    country: str = "NL"
    region: str = ""
    staff_count: int | None = None
    turnover_eur: int | None = None
    balance_eur: int | None = None


class InvitationIn(Schema):
    email: str
    role: str = "member"


@router.get("/me", response=MeOut)
def me(request: SignedIn) -> Person:
    return request.user


@router.get("/tokens", response=Listing[TokenOut])
def tokens(request: SignedIn, page: int = 1, size: int = PAGE_SIZE) -> Paged[Token]:
    return paginate(queries.tokens_of(request.user), page, size)


@router.post("/tokens", response={201: NewTokenOut})
def make_token(request: SignedIn, asked: TokenIn) -> Status[dict[str, object]]:
    token, key = actions.make_token(
        by=request.user, name=asked.name, scope=asked.scope, days=asked.days
    )
    return Status(201, {"key": key, "token": token})


@router.delete("/tokens/{pk}", response={204: None})
def revoke_token(request: SignedIn, pk: int) -> Status[None]:
    token = get_object_or_404(Token.objects.filter(person=request.user), pk=pk)
    actions.revoke_token(token, by=request.user)
    return Status(204, None)


@router.get("/organisations", response=Listing[OrganisationOut])
def organisations(
    request: SignedIn, page: int = 1, size: int = PAGE_SIZE
) -> Listing[OrganisationOut]:
    rows = Organisation.objects.visible_to(request.user).order_by("name", "pk")
    found = paginate(rows, page, size)
    return Listing(
        items=[_shown(request.user, one) for one in found.items],
        count=found.count,
        page=found.page,
        size=found.size,
    )


@router.post("/organisations", response={201: OrganisationOut})
def register(request: SignedIn, asked: OrganisationIn) -> Status[OrganisationOut]:
    made = actions.register_organisation(
        by=request.user,
        name=asked.name,
        kvk_number=asked.kvk_number,
        foreign_number=asked.foreign_number,
        kind=asked.kind,
        country=asked.country,
        region=asked.region,
        staff_count=asked.staff_count,
        turnover_eur=asked.turnover_eur,
        balance_eur=asked.balance_eur,
    )
    return Status(201, _shown(request.user, made))


@router.get("/organisations/{pk}", response=OrganisationOut)
def organisation(request: SignedIn, pk: int) -> OrganisationOut:
    return _shown(request.user, _organisation(request, pk))


@router.post("/organisations/{pk}/invitations", response={201: InvitationOut})
def invite(request: SignedIn, pk: int, asked: InvitationIn) -> Status[Invitation]:
    thing = _organisation(request, pk)
    made = actions.invite_member(thing, asked.email, role=asked.role, by=request.user)
    return Status(201, made)


@router.post("/invitations/{pk}/accept", response=RoleOut)
def accept(request: SignedIn, pk: int) -> Membership:
    return actions.accept_invitation(_invitation(request, pk), by=request.user)


@router.post("/invitations/{pk}/decline", response=InvitationOut)
def decline(request: SignedIn, pk: int) -> Invitation:
    return actions.decline_invitation(_invitation(request, pk), by=request.user)


def _organisation(request: SignedIn, pk: int) -> Organisation:
    return get_object_or_404(Organisation.objects.visible_to(request.user), pk=pk)


def _invitation(request: SignedIn, pk: int) -> Invitation:
    rows = Invitation.objects.select_related("organisation")
    return get_object_or_404(rows.filter(email=request.user.email.lower()), pk=pk)


def _shown(person: Person, one: Organisation) -> OrganisationOut:
    size = size_of(one)
    return OrganisationOut(
        id=one.pk,
        name=one.name,
        kvk_number=one.kvk_number,
        foreign_number=one.foreign_number,
        kind=one.kind,
        country=one.country,
        region=one.region,
        staff_count=one.staff_count,
        turnover_eur=one.turnover_eur,
        balance_eur=one.balance_eur,
        size_class=size.code if size else "",
        is_sme=size.is_sme if size else None,
        size_reasons=list(size.reasons) if size else [],
        next_steps=[StepOut.from_orm(step) for step in rules.next_steps(person, one)],
    )
