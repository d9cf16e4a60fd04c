"""What one agreement allows of one wish: state, time, place, purpose and product in turn."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from fabriek.agreements import let_out, reasons, secure_part
from fabriek.agreements.inheritance import asks_review
from fabriek.agreements.lean import Party
from fabriek.agreements.models import Agreement, Place, Product, Purpose
from fabriek.agreements.states import WAITING, AgreementState
from fabriek.agreements.terms import PRODUCTS
from fabriek.agreements.traces import Inherited
from fabriek.agreements.wishes import ANYTHING, Decision, Moment, Wish
from fabriek.cases.models import Case, Intake
from fabriek.store import queries as store

NOTE_CHARACTERS = 300


def answer(code: str, allowed: bool) -> Decision:
    return Decision(allowed=allowed, code=code, sentence=reasons.sentence(code, {}))


def about(
    agreement: Agreement,
    code: str,
    allowed: bool,
    more: Mapping[str, str] | None = None,
) -> Decision:
    facts = {
        "agreement": agreement.code,
        "begins_at": agreement.begins_at.isoformat(),
        "ends_at": agreement.ends_at.isoformat(),
    } | dict(more or {})
    return Decision(
        allowed=allowed,
        code=code,
        sentence=reasons.sentence(code, facts),
        agreement=agreement,
        facts=facts,
    )


def judged(agreement: Agreement, wish: Wish, *, now: datetime) -> Decision:
    """Decide by this agreement alone, of a case that the wish is for."""
    if wish.moment == Moment.SEE:
        return about(agreement, "party", True)
    if reason := _not_in_force(agreement, now) or _not_within(agreement, wish):
        return about(agreement, reason, False, _until(wish))
    is_there = agreement.place == Place.SECURE  # its owner reads in the log where it was
    return about(agreement, "agreed_secure" if is_there else "agreed", True)


def judged_passed_on(passed_on: Inherited, wish: Wish, party: Party) -> Decision:
    """Decide by what a thing inherited. Time does not count: what was made keeps its rights.

    It goes out when somebody reads it, when a session has it, and when another case gets it.
    What came of data of the secure part stays in that part until it may go out.
    """
    decision = _passed_on(passed_on, wish, party)
    return decision if _may_be_named(passed_on.agreement, wish) else _unnamed(decision)


def _passed_on(passed_on: Inherited, wish: Wish, party: Party) -> Decision:
    agreement = passed_on.agreement
    if wish.party is not None and not party.includes(wish.party):
        return about(agreement, "not_named", False)
    if wish.moment == Moment.RUN and (reason := _not_for_work(agreement, wish)):
        return about(agreement, reason, False)
    if wish.answers and (reason := _not_looked_at(passed_on, wish)):
        note = passed_on.note[:NOTE_CHARACTERS]
        return about(agreement, reason, False, {"note": note} if note else {})
    is_at_ease = wish.is_secure or agreement.place != Place.SECURE
    goes_out = _is_by_a_person(wish) or wish.leaves or _is_for_others(wish)
    if not (goes_out or is_at_ease) and _not_to_go_out(passed_on, wish):
        return about(agreement, "made_secure", False)
    if goes_out and (reason := _not_to_go_out(passed_on, wish)):
        note = passed_on.note[:NOTE_CHARACTERS]
        return about(agreement, reason, False, {"note": note} if note else {})
    return about(agreement, "rights_kept", True)


def _may_be_named(agreement: Agreement, wish: Wish) -> bool:
    """Tell whether who asks may know of this agreement: of another case only its parties."""
    if agreement.case_id == wish.repository.case_id:
        return True
    if wish.case is not None and agreement.case_id == wish.case.pk:
        return True
    if wish.party is None:
        return False
    return Agreement.objects.of_parties(wish.party).filter(pk=agreement.pk).exists()


def _unnamed(decision: Decision) -> Decision:
    """Say the same without the agreement's code, dates and what its owner wrote."""
    return replace(decision, sentence=reasons.sentence(decision.code, {}), facts={})


# --- by an agreement ---------------------------------------------------------------------
def _not_in_force(agreement: Agreement, now: datetime) -> str:
    """Say why it does not hold at this moment; nothing when it does."""
    if agreement.state in WAITING:
        return "not_signed"
    if agreement.state == AgreementState.REVOKED:
        return "revoked"
    if agreement.state == AgreementState.ENDED or agreement.ends_at <= now:
        return "ended"
    if agreement.state != AgreementState.IN_FORCE:
        return "not_agreed"
    return "not_begun" if agreement.begins_at > now else ""


def _not_within(agreement: Agreement, wish: Wish) -> str:
    """Say which of its terms the wish would break; nothing when none."""
    goes_out = _is_by_a_person(wish) or wish.leaves
    if wish.unseen and (agreement.place != Place.OPEN or asks_review(agreement)):
        # What a program of theirs prints is read by its people at once: it may be the data.
        return "looked_at_first" if agreement.place == Place.OPEN else "no_own_code"
    if agreement.place == Place.SECURE:
        if not secure_part.exists():
            return "no_secure_place"
        if goes_out or not wish.is_secure:
            return "stays_secure"
    elif goes_out and agreement.place != Place.OPEN:
        return "stays_here"
    if wish.moment == Moment.RUN and (reason := _not_for_work(agreement, wish)):
        return reason
    return "would_outlast" if wish.until and wish.until > agreement.ends_at else ""


def _until(wish: Wish) -> dict[str, str]:
    return {"until": wish.until.isoformat()} if wish.until else {}


# --- by either ---------------------------------------------------------------------------
def _is_by_a_person(wish: Wish) -> bool:
    """Whether its bytes come into people's hands: a run is by a person, its reading is not."""
    return wish.moment == Moment.RELEASE or (
        wish.moment == Moment.READ and wish.person is not None
    )


def _is_for_others(wish: Wish) -> bool:
    return wish.case is not None and wish.case.pk != wish.repository.case_id


def _not_for_work(agreement: Agreement, wish: Wish) -> str:
    if reason := _not_for_purpose(agreement, wish):
        return reason
    wanted = PRODUCTS.index(Product(wish.makes or Product.STATISTICS))
    allowed = PRODUCTS.index(Product(agreement.product))
    return "makes_too_much" if wanted > allowed else ""


def _not_for_purpose(agreement: Agreement, wish: Wish) -> str:
    """Research says why, not what: it covers all work of a case that said it is research."""
    purposes = agreement.purposes
    if wish.purpose in purposes or (wish.purpose == ANYTHING and purposes):
        return ""
    # To ask a model something is what it was trained for, and how one sees how good it is.
    if wish.answers and Purpose.TRAINING in purposes:
        return ""
    if not wish.purpose or Purpose.RESEARCH not in purposes or wish.case is None:
        return "other_purpose"
    return "" if _is_research(wish.case) else "only_research"


def _is_research(case: Case) -> bool:
    return Intake.objects.filter(case=case, purpose=Intake.Purpose.RESEARCH).exists()


# --- by what was passed on ---------------------------------------------------------------
def _not_to_go_out(passed_on: Inherited, wish: Wish) -> str:
    agreement = passed_on.agreement
    if agreement.product != Product.MODEL_WEIGHTS:
        return "weights_stay"
    return _not_looked_at(passed_on, wish)


def _not_looked_at(passed_on: Inherited, wish: Wish) -> str:
    """Say that the owner of the data did not let it go out, where that is asked."""
    asked = wish.revision
    return let_out.why_kept_in(
        passed_on,
        revision=lambda: store.last_number(wish.repository) if asked is None else asked,
    )
