"""The API of cases: parse, call one action, show. No decisions are taken here."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Literal

from django.shortcuts import get_object_or_404
from ninja import Router, Schema, Status

from fabriek.cases import actions, queries, rules
from fabriek.cases.models import Case, Intake, Partner
from fabriek.kernel.paging import PAGE_SIZE, Listing, Paged, paginate
from fabriek.kernel.steps import NextStep, StepOut
from fabriek.people.http import SignedIn
from fabriek.people.models import Organisation, Person

router = Router(tags=["cases"])

STEPS: dict[str, Callable[..., Case]] = {
    "propose": actions.propose,
    "close": actions.close,
    "withdraw": actions.withdraw,
}
PARTNER_STEPS: dict[str, Callable[..., Partner]] = {
    "accept": actions.accept,
    "decline": actions.decline,
    "leave": actions.leave,
    "invite_again": actions.invite_again,
}


class ParticipantOut(Schema):
    """`kvk_number` is empty for an organisation that is registered abroad."""

    id: int
    name: str
    kvk_number: str
    foreign_number: str


class CaseOut(Schema):
    code: str
    title: str
    state: str
    state_label: str
    organisation: ParticipantOut
    sector: str
    is_confidential: bool
    trl_now: int
    trl_aimed: int
    created_at: datetime
    proposed_at: datetime | None
    next_steps: list[StepOut]

    @staticmethod
    def resolve_state_label(case: Case) -> str:
        return case.get_state_display()

    @staticmethod
    def resolve_sector(case: Case) -> str:
        return case.sector.code

    @staticmethod
    def resolve_next_steps(case: Case, context: dict[str, Any]) -> list[NextStep]:
        return rules.next_steps(context["request"].user, case)


class PartnerOut(Schema):
    id: int
    organisation: ParticipantOut
    part: str
    state: str
    state_label: str
    invited_at: datetime
    answered_at: datetime | None
    next_steps: list[StepOut]

    @staticmethod
    def resolve_state_label(partner: Partner) -> str:
        return partner.get_state_display()

    @staticmethod
    def resolve_next_steps(partner: Partner, context: dict[str, Any]) -> list[NextStep]:
        return rules.next_steps_of_partner(context["request"].user, partner)


class CaseInvitationOut(PartnerOut):
    """What an invited organisation may know before it takes part."""

    case_code: str
    case_title: str
    invited_by: ParticipantOut
    message: str

    @staticmethod
    def resolve_case_code(partner: Partner) -> str:
        return partner.case.code

    @staticmethod
    def resolve_case_title(partner: Partner) -> str:
        return partner.case.title

    @staticmethod
    def resolve_invited_by(partner: Partner) -> Organisation:
        return partner.case.organisation


class IntakeOut(Schema):
    purpose: str
    experience: str
    gpu_hours_guess: int | None
    months: int
    is_eu_funded: bool


class CaseDetailOut(CaseOut):
    problem: str
    data_description: str
    partners: list[PartnerOut]
    intake: IntakeOut | None

    @staticmethod
    def resolve_partners(case: Case) -> list[Partner]:
        return queries.partners_of(case)

    @staticmethod
    def resolve_intake(case: Case) -> Intake | None:
        return getattr(case, "intake", None)


class CaseIn(Schema):
    organisation_id: int
    title: str
    problem: str
    sector: str
    trl_now: int
    trl_aimed: int
    data_description: str = ""
    is_confidential: bool = False


class CaseChange(Schema):
    title: str | None = None
    problem: str | None = None
    sector: str | None = None
    trl_now: int | None = None
    trl_aimed: int | None = None
    data_description: str | None = None
    is_confidential: bool | None = None


class PartnerIn(Schema):
    """`kvk_number`: or the number by which an organisation abroad is registered here."""

    kvk_number: str
    part: str
    message: str = ""


class IntakeIn(Schema):
    purpose: str
    experience: str
    months: int
    gpu_hours_guess: int | None = None
    is_eu_funded: bool = False


@router.get("/", response=Listing[CaseOut])
def list_(
    request: SignedIn,
    q: str = "",
    state: str = "",
    sort: str = "",
    page: int = 1,
    size: int = PAGE_SIZE,
) -> Listing[CaseOut]:
    rows = queries.listing(request.user, q=q, state=state, sort=sort)
    found = paginate(queries.for_programs(rows), page, size)
    return Listing[CaseOut].of(found, (_row(case, request.user) for case in found.items))


@router.post("/", response={201: CaseDetailOut})
def draft(request: SignedIn, asked: CaseIn) -> Status[Case]:
    organisations = Organisation.objects.visible_to(request.user)
    facts = asked.dict(exclude={"organisation_id", "sector"})
    case = actions.draft(
        get_object_or_404(organisations, pk=asked.organisation_id),
        by=request.user,
        sector=queries.sector(asked.sector),
        **facts,
    )
    return Status(201, case)


@router.get("/invitations", response=Listing[CaseInvitationOut])
def invitations(request: SignedIn, page: int = 1, size: int = PAGE_SIZE) -> Paged[Partner]:
    return paginate(queries.invitations_for(request.user), page, size)


@router.get("/{code}", response=CaseDetailOut)
def show(request: SignedIn, code: str) -> Case:
    cases = queries.with_facts(Case.objects.visible_to(request.user))
    return get_object_or_404(cases, code=code)


@router.patch("/{code}", response=CaseDetailOut)
def edit(request: SignedIn, code: str, asked: CaseChange) -> Case:
    changes = asked.dict(exclude_none=True)
    if asked.sector is not None:
        changes["sector"] = queries.sector(asked.sector)
    return actions.edit(show(request, code), by=request.user, **changes)


@router.post("/{code}/intake", response=IntakeOut)
def intake(request: SignedIn, code: str, asked: IntakeIn) -> Intake:
    return actions.answer_intake(show(request, code), by=request.user, **asked.dict())


@router.post("/{code}/partners", response={201: PartnerOut})
def invite(request: SignedIn, code: str, asked: PartnerIn) -> Status[Partner]:
    case = show(request, code)
    guest = get_object_or_404(Organisation.objects.registered_as(asked.kvk_number))
    made = actions.invite(case, guest, part=asked.part, message=asked.message, by=request.user)
    return Status(201, made)


@router.post("/{code}/partners/{pk}/{step}", response=PartnerOut)
def partner_step(
    request: SignedIn,
    code: str,
    pk: int,
    step: Literal["accept", "decline", "leave", "invite_again"],
) -> Partner:
    rows = Partner.objects.visible_to(request.user).select_related("case", "organisation")
    partner = get_object_or_404(rows, pk=pk, case__code=code)
    return PARTNER_STEPS[step](partner, by=request.user)


@router.post("/{code}/{step}", response=CaseDetailOut)
def take(request: SignedIn, code: str, step: Literal["propose", "close", "withdraw"]) -> Case:
    return STEPS[step](show(request, code), by=request.user)


def _row(case: Case, person: Person) -> CaseOut:
    return CaseOut.model_construct(
        code=case.code,
        title=case.title,
        state=case.state,
        state_label=CaseOut.resolve_state_label(case),
        organisation=_organisation(case.organisation),
        sector=case.sector.code,
        is_confidential=case.is_confidential,
        trl_now=case.trl_now,
        trl_aimed=case.trl_aimed,
        created_at=case.created_at,
        proposed_at=case.proposed_at,
        next_steps=[
            StepOut.of(step, rules.words(step, case)) for step in rules.open_steps(person, case)
        ],
    )


def _organisation(organisation: Organisation) -> ParticipantOut:
    return ParticipantOut.model_construct(
        id=organisation.pk,
        name=organisation.name,
        kvk_number=organisation.kvk_number,
        foreign_number=organisation.foreign_number,
    )
