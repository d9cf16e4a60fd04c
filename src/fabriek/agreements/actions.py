"""Everything people do to an agreement; called alike by pages, API and command line."""

from collections.abc import Iterable

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy

from fabriek.agreements import proposals, queries, refusals, rules, terms, wording
from fabriek.agreements.models import Agreement, Message, Signature
from fabriek.agreements.proposals import Proposal
from fabriek.agreements.states import AGREEMENT, OVER, WAITING, AgreementState
from fabriek.cases.models import Case
from fabriek.cases.states import CaseState
from fabriek.kernel import journal, text
from fabriek.kernel.codes import give_code
from fabriek.people.models import Organisation, Person
from fabriek.store.models import Repository

CODE_LETTER = "G"
journal.describe(
    {
        "agreements.ask": gettext_lazy("asked for data"),
        "agreements.offer": gettext_lazy("offered data"),
        "agreements.sign": gettext_lazy("signed for an organisation"),
        "agreements.conclude": gettext_lazy("put the agreement in force: all have signed"),
        "agreements.refuse": gettext_lazy("refused what was proposed"),
        "agreements.withdraw": gettext_lazy("took it back before all had signed"),
        "agreements.revoke": gettext_lazy("revoked the agreement"),
        "agreements.replace": gettext_lazy("another text took the place of this one"),
        "agreements.say": gettext_lazy("wrote a message"),
    }
)


def offer(proposal: Proposal, *, by: Person, text_sha256: str | None = None) -> Agreement:
    """Offer a dataset to a case, signed by its owner.

    `text_sha256` is of the text that `by` read; None when nobody read it first.

    Raises:
        NotAllowed: `by` does not lead the organisation that owns the data.
        Invalid: the terms will not do, or the organisations are not of the case.
        WrongState: the case is not open, or what this replaces is over.
        Refused: the text is another one by now, nobody needs an agreement, or one waits.
    """
    rules.demand("offer", rules.may_offer(by, proposal.repository))
    return _begin("offer", proposal, by=by, text_sha256=text_sha256)


def ask(proposal: Proposal, *, by: Person, text_sha256: str | None = None) -> Agreement:
    """Ask for a dataset for a case; a lead who asks signs with it, of others a lead still must.

    Raises:
        NotAllowed: `by` takes no part in the case.
        Invalid: also when the dataset is not listed, as if there were none.
        WrongState, Refused: as `offer`.
    """
    rules.demand("ask", rules.may_ask(by, proposal.case))
    if not rules.may_find(by, proposal.repository):
        raise refusals.unknown_dataset()
    return _begin("ask", proposal, by=by, text_sha256=text_sha256)


def sign(agreement: Agreement, *, by: Person, text_sha256: str) -> Agreement:
    """Sign this very text for each party that `by` leads; the last one puts it in force.

    Raises:
        NotAllowed: `by` leads no party.
        WrongState: it does not wait for signatures, its end has come, the case is closed, or an
            organisation that is named has left it.
        Refused: the hash is of another text, or those parties have signed.
    """
    rules.require("sign", by, agreement)
    with transaction.atomic():
        held = _held(agreement)
        if held.state not in WAITING:
            raise refusals.not_waiting(held, newer=queries.newer(held, by))
        if held.ends_at <= timezone.now():
            raise refusals.too_late(held)
        if text_sha256 != held.text_sha256:
            raise refusals.stale_text()
        _require_open(held.case)
        mine = [party for party in rules.unsigned_of(held) if by.leads(party.pk)]
        if not mine:
            raise refusals.signed_before()
        for gone in _outside(held.case, held.organisations.all()):
            raise refusals.left_the_case(gone)
        _sign_for(mine, held, by=by)
    return held


def say(agreement: Agreement, words: str, *, by: Person) -> Message:
    """Ask the other side something, or answer it; all people of the parties read it.

    Raises:
        NotAllowed: `by` is of no party.
        WrongState: it is over.
        Invalid: there are no words, or too many.
    """
    rules.require("say", by, agreement)
    message = Message(agreement=agreement, by=by, text=text.prose(words))
    text.check(message, ["text"])
    with transaction.atomic():
        held = _held(agreement)
        if held.state in OVER:
            raise refusals.over(held)
        message.save()
        journal.record("agreements.say", held, by=by, message=message.pk)
    return message


def refuse(agreement: Agreement, *, by: Person, reason: str) -> Agreement:
    """Answer no, with a reason that the other side reads.

    Raises:
        NotAllowed, WrongState.
        Invalid: there is no reason.
    """
    rules.require("refuse", by, agreement)
    return _end("refuse", agreement, by=by, reason=reason)


def withdraw(agreement: Agreement, *, by: Person) -> Agreement:
    """Take back what one's own side began.

    Raises: NotAllowed, WrongState.
    """
    rules.require("withdraw", by, agreement)
    AGREEMENT.take("withdraw", agreement, by=by, over_at=timezone.now())
    return agreement


def revoke(agreement: Agreement, *, by: Person, reason: str) -> Agreement:
    """End an agreement that is in force, before its last day; the data is closed at once.

    Raises:
        NotAllowed, WrongState.
        Invalid: there is no reason.
    """
    rules.require("revoke", by, agreement)
    return _end("revoke", agreement, by=by, reason=reason)


def preview(proposal: Proposal) -> str:
    """Write the text out that would be signed.

    Raises:
        Invalid: the terms will not do.
    """
    terms.check(proposal.terms)
    proposals.check_circle(proposal)
    return proposal.text()


def _begin(step: str, proposal: Proposal, *, by: Person, text_sha256: str | None) -> Agreement:
    terms.check(proposal.terms)
    proposals.check_circle(proposal)
    for outside in _outside(proposal.case, proposal.named):
        raise refusals.unknown_organisation(outside.register_number)
    if proposal.repository.is_open or proposal.repository.case_id == proposal.case.pk:
        raise refusals.not_needed()
    if text_sha256 not in {None, wording.sha256(proposal.text())}:
        raise refusals.stale_text()
    state = AgreementState.OFFERED if step == "offer" else AgreementState.ASKED
    with transaction.atomic():
        # Two who press the button at once stand in a line here.
        Repository.objects.select_for_update().get(pk=proposal.repository.pk)
        _require_open(proposal.case)
        _take_the_place(proposal, by=by)
        _require_one_at_a_time(proposal, by=by)
        agreement = _row(proposal, state, by=by)
        details = {"note": f"{proposal.repository.code} · {proposal.case.code}"}
        journal.record(f"agreements.{step}", agreement, by=by, **details)
        mine = [party for party in rules.unsigned_of(agreement) if by.leads(party.pk)]
        _sign_for(mine, agreement, by=by)
    return agreement


def _row(proposal: Proposal, state: AgreementState, *, by: Person) -> Agreement:
    agreed, said = proposal.terms, proposal.text()
    replaces = proposal.replaces
    agreement = Agreement.objects.create(
        repository=proposal.repository,
        case=proposal.case,
        with_leader=proposal.with_leader,
        replaces=replaces,
        state=state,
        purposes=sorted(agreed.purposes),
        product=agreed.product,
        place=agreed.place,
        duties=sorted(agreed.duties),
        conditions=agreed.said_conditions,
        begins_at=agreed.begins_at,
        ends_at=agreed.ends_at,
        text=said,
        language=proposal.in_language,
        translation=proposal.text_to_help(),
        text_version=wording.VERSION,
        text_sha256=wording.sha256(said),
        begun_by=by,
        thread_code=replaces.thread if replaces else "",
    )
    agreement.organisations.set(proposal.named)
    give_code(agreement, CODE_LETTER)
    return agreement


def _take_the_place(proposal: Proposal, *, by: Person) -> None:
    """End what waits, if `by` could; what is in force stays until the new text is."""
    old = proposal.replaces
    if old is None:
        return
    held = _held(old)
    if held.repository_id != proposal.repository.pk or held.case_id != proposal.case.pk:
        raise refusals.about_something_else(held)
    if held.state in OVER:
        raise refusals.over(held)
    _give_way(held, by=by)


def _give_way(old: Agreement, *, by: Person) -> None:
    if old.state in WAITING and rules.may_end(by, old):
        AGREEMENT.take("replace", old, by=by, over_at=timezone.now())


def _require_one_at_a_time(proposal: Proposal, *, by: Person) -> None:
    """Refuse to begin again what waits for an answer already, for the same organisations.

    Of one story several may wait: terms of people who could not end what they answered. They
    end with it, when this comes from somebody who could; also where they were for others, or
    two texts of one story could come into force.
    """
    old = proposal.replaces
    waiting = Agreement.objects.filter(
        repository=proposal.repository,
        case=proposal.case,
        state__in=WAITING,
        ends_at__gt=timezone.now(),
    ).prefetch_related("organisations")
    lent_to = proposal.with_leader, {organisation.pk for organisation in proposal.named}
    for other in waiting:
        others = other.with_leader, {one.pk for one in other.organisations.all()}
        is_of_the_story = old is not None and other.thread == old.thread
        if other == old:
            continue
        if is_of_the_story and rules.may_end(by, other):
            _give_way(other, by=by)
        elif others == lent_to:
            raise refusals.waits_already(other)


def _sign_for(parties: list[Organisation], agreement: Agreement, *, by: Person) -> None:
    """Write the signatures down; after the last one the agreement is in force."""
    for party in parties:
        Signature.objects.create(
            agreement=agreement,
            organisation=party,
            person=by,
            text_sha256=agreement.text_sha256,
        )
        journal.record("agreements.sign", agreement, by=by, note=party.name)
    if parties and agreement.replaces_id:
        _give_way(_held(Agreement(pk=agreement.replaces_id)), by=by)
    signed = set(agreement.signatures.values_list("organisation_id", flat=True))
    if any(party.pk not in signed for party in rules.parties_of(agreement)):
        return
    now = timezone.now()
    AGREEMENT.take("conclude", agreement, by=by, in_force_at=now)
    if agreement.replaces_id:
        old = _held(Agreement(pk=agreement.replaces_id))
        if old.state not in OVER:
            note: dict[str, object] = {"note": agreement.code}
            AGREEMENT.take("replace", old, by=by, details=note, over_at=now)


def _end(step: str, agreement: Agreement, *, by: Person, reason: str) -> Agreement:
    agreement.reason = text.prose(reason)
    if not agreement.reason:
        raise refusals.no_reason()
    text.check(agreement, ["reason"])
    note: dict[str, object] = {"note": agreement.reason}
    AGREEMENT.take(
        step, agreement, by=by, details=note, reason=agreement.reason, over_at=timezone.now()
    )
    return agreement


def _held(agreement: Agreement) -> Agreement:
    """Read it as it is now, and keep it so until the transaction ends."""
    rows = Agreement.objects.select_for_update(of=("self",))
    whole = rows.select_related("repository__organisation", "case__organisation")
    return whole.get(pk=agreement.pk)


def _outside(case: Case, named: Iterable[Organisation]) -> list[Organisation]:
    """Give those of these organisations that take no part in the case now."""
    named = list(named)
    inside = set(queries.members_of(case)) if named else set()
    return [organisation for organisation in named if organisation not in inside]


def _require_open(case: Case) -> None:
    if not Case.objects.filter(pk=case.pk, state=CaseState.OPEN).exists():
        raise refusals.case_not_open(case)
