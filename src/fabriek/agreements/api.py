"""The API of agreements: parse, call one action, show. No decisions are taken here."""

from typing import Any

from django.http import Http404
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.translation import gettext as _
from ninja import Body, Router, Status

from fabriek.agreements import actions, odrl, proposals, queries, rules, terms, wording
from fabriek.agreements.api_shapes import (
    AgreementDetailOut,
    AgreementOut,
    BegunIn,
    MessageIn,
    ProposalIn,
    ReasonIn,
    SignIn,
    TermsOut,
    TextOut,
)
from fabriek.agreements.models import Agreement
from fabriek.agreements.odrl_reading import About, terms_in
from fabriek.agreements.proposals import Proposal
from fabriek.agreements.terms import Terms
from fabriek.agreements.wording import Subject
from fabriek.cases.models import Case
from fabriek.kernel.errors import Invalid
from fabriek.kernel.paging import Listing, Paged, paginate
from fabriek.people.http import SignedIn
from fabriek.store.models import Repository

router = Router(tags=["agreements"])


@router.get("/", response=Listing[AgreementOut])
def list_all(
    request: SignedIn,
    q: str = "",
    state: str = "",
    dataset: str = "",
    page: int = 1,
    size: int = 50,
) -> Paged[Agreement]:
    """List agreements; those that wait for your signature come first."""
    rows = queries.listing(request.user, q=q, state=state, dataset=dataset)
    return paginate(rows, page, size)


@router.post("/texts", response=TextOut)
def write_text(request: SignedIn, body: ProposalIn) -> TextOut:
    """Write out the text that would be signed; nothing is kept."""
    proposal = _proposal(request, body)
    text = actions.preview(proposal)
    return TextOut(
        text=text,
        language=proposal.in_language,
        text_version=wording.VERSION,
        text_sha256=wording.sha256(text),
    )


@router.post("/offers", response={201: AgreementDetailOut})
def offer(request: SignedIn, body: BegunIn) -> Status[Agreement]:
    """Offer a dataset of your organisation to a case, and sign."""
    proposal = _proposal(request, body, step="offer")
    made = actions.offer(proposal, by=request.user, text_sha256=body.text_sha256)
    return Status(201, _agreement(request, made.code))


@router.post("/questions", response={201: AgreementDetailOut})
def ask(request: SignedIn, body: BegunIn) -> Status[Agreement]:
    """Ask for a dataset for one of your cases; who leads it signs with asking."""
    proposal = _proposal(request, body)
    made = actions.ask(proposal, by=request.user, text_sha256=body.text_sha256)
    return Status(201, _agreement(request, made.code))


@router.post("/odrl", response=TermsOut)
def read_odrl(request: SignedIn, policy: Body[dict[str, Any]]) -> dict[str, Any]:  # noqa: ARG001
    """Read the terms out of an ODRL policy in our profile; nothing is kept."""
    found = terms_in(policy)
    return {
        "purposes": sorted(found.purposes),
        "product": found.product,
        "place": found.place,
        "duties": sorted(found.duties),
        "begins_at": found.begins_at,
        "ends_at": found.ends_at,
        "conditions": sorted(found.conditions),
    }


@router.get("/{code}", response=AgreementDetailOut)
def show(request: SignedIn, code: str) -> Agreement:
    return _agreement(request, code)


@router.get("/{code}/odrl", response=dict[str, Any])
def show_odrl(request: SignedIn, code: str) -> dict[str, Any]:
    """Give the agreement as ODRL 2.2 in JSON-LD."""
    return odrl.policy_of(_agreement(request, code))


@router.post("/{code}/sign", response=AgreementDetailOut)
def sign(request: SignedIn, code: str, body: SignIn) -> Agreement:
    """Sign the text with this SHA-256, for each party that you lead."""
    agreement = _agreement(request, code)
    actions.sign(agreement, by=request.user, text_sha256=body.text_sha256)
    return _agreement(request, code)


@router.post("/{code}/refuse", response=AgreementDetailOut)
def refuse(request: SignedIn, code: str, body: ReasonIn) -> Agreement:
    actions.refuse(_agreement(request, code), by=request.user, reason=body.reason)
    return _agreement(request, code)


@router.post("/{code}/withdraw", response=AgreementDetailOut)
def withdraw(request: SignedIn, code: str) -> Agreement:
    actions.withdraw(_agreement(request, code), by=request.user)
    return _agreement(request, code)


@router.post("/{code}/revoke", response=AgreementDetailOut)
def revoke(request: SignedIn, code: str, body: ReasonIn) -> Agreement:
    """End an agreement that is in force; the data is closed at once."""
    actions.revoke(_agreement(request, code), by=request.user, reason=body.reason)
    return _agreement(request, code)


@router.post("/{code}/messages", response={201: AgreementDetailOut})
def say(request: SignedIn, code: str, body: MessageIn) -> Status[Agreement]:
    """Ask the other side something, or answer."""
    actions.say(_agreement(request, code), body.text, by=request.user)
    return Status(201, _agreement(request, code))


def _proposal(request: SignedIn, body: ProposalIn, *, step: str = "ask") -> Proposal:
    repository = queries.dataset_found(body.dataset, request.user)
    case = _case(request, body, repository, step)
    named = queries.organisations_told(case, body.named, to=request.user)
    subject = Subject.of(repository, case, named, with_leader=body.with_leader)
    return Proposal(
        repository=repository,
        case=case,
        terms=_terms(body, subject),
        named=named,
        with_leader=body.with_leader,
        replaces=_replaced(request, body.replaces) if body.replaces else None,
        language=body.language,
    )


def _case(request: SignedIn, body: ProposalIn, repository: Repository, step: str) -> Case:
    """Find a case of one's own by its code; of others only who offers to it hears anything."""
    own = queries.own_open_cases(request.user).filter(code__iexact=queries.typed(body.case))
    if found := own.first():
        return found
    rules.demand(step, rules.may_offer(request.user, repository))
    return queries.case_told(body.case, body.kvk_number, to=request.user)


def _terms(body: ProposalIn, subject: Subject) -> Terms:
    if (body.terms is None) == (body.odrl is None):
        sentence = _("Give the terms as such or as an ODRL policy: one of the two.")
        raise Invalid(sentence, fields={"terms": sentence})
    if body.terms is None:
        about = About(
            dataset=subject.dataset,
            case=subject.case,
            owner=subject.owner,
            users=subject.users,
            lent_to=odrl.lent_to(is_named=bool(subject.named), with_leader=subject.with_leader),
        )
        return terms_in(body.odrl, about)
    given = body.terms
    return Terms(
        purposes=frozenset(given.purposes),
        product=given.product,
        place=given.place,
        duties=frozenset(given.duties),
        begins_at=proposals.start_of(timezone.localdate()),
        ends_at=proposals.end_of(given.ends_on),
        conditions=terms.conditions(given.conditions),
    )


def _replaced(request: SignedIn, code: str) -> Agreement:
    rows = queries.whole(Agreement.objects.of_parties(request.user))
    if (found := rows.filter(code=queries.typed(code)).first()) is None:
        raise Http404
    return found


def _agreement(request: SignedIn, code: str) -> Agreement:
    rows = queries.whole(Agreement.objects.visible_to(request.user))
    return get_object_or_404(rows, code=code)
