"""Asking, offering, signing, answering and ending: what each party may do, and when."""

from datetime import timedelta

import pytest
from django.utils import timezone

from fabriek.agreements import actions, queries, terms
from fabriek.agreements.models import Agreement, Message, Purpose, Signature
from fabriek.agreements.states import AgreementState as S
from fabriek.cases.states import CaseState, PartnerState
from fabriek.kernel.errors import Invalid, NotAllowed, Refused, WrongState
from fabriek.kernel.models import Entry
from fabriek.store.models import Repository
from tests.agreements.ground import a_ground, some_terms
from tests.factories import a_case, a_partner, a_person, a_repository, an_organisation, staff

pytestmark = pytest.mark.django_db


@pytest.fixture
def ground():
    return a_ground()


def states(*agreements):
    return [Agreement.objects.get(pk=each.pk).state for each in agreements]


def verbs():
    return list(Entry.objects.order_by("pk").values_list("verb", flat=True))


def test_an_offer_is_signed_by_the_owner_and_waits_for_the_other(ground):
    made = actions.offer(ground.proposal(), by=ground.owner)

    assert made.state == S.OFFERED
    assert made.code == f"G{timezone.localdate():%y}-{made.pk:04d}"
    assert [one.organisation.name for one in made.signatures.all()] == ["Data Owners"]
    assert terms.of(made) == some_terms()
    assert verbs() == ["agreements.offer", "agreements.sign"]


def test_it_is_in_force_when_the_last_party_signed(ground):
    made = actions.offer(ground.proposal(), by=ground.owner)

    signed = actions.sign(made, by=ground.asker, text_sha256=made.text_sha256)

    made.refresh_from_db()
    assert signed.state == made.state == S.IN_FORCE
    assert made.in_force_at
    assert verbs()[2:] == ["agreements.sign", "agreements.conclude"]


def test_a_lead_who_asks_signs_with_it_and_the_owner_needs_one_click(ground):
    made = actions.ask(ground.proposal(), by=ground.asker)
    assert (made.state, made.signatures.count()) == (S.ASKED, 1)

    assert actions.sign(made, by=ground.owner, text_sha256=made.text_sha256).state == S.IN_FORCE


def test_what_a_member_asks_waits_for_a_lead_of_both(ground):
    made = actions.ask(ground.proposal(), by=ground.colleague)
    assert (made.state, made.signatures.count()) == (S.ASKED, 0)

    first = actions.sign(made, by=ground.owner, text_sha256=made.text_sha256)
    assert first.state == S.ASKED

    second = actions.sign(made, by=ground.asker, text_sha256=made.text_sha256)
    assert second.state == S.IN_FORCE


def test_organisations_that_are_named_sign_for_themselves(ground):
    partner = a_partner(ground.case, lead=(lead := a_person()))
    made = actions.offer(ground.proposal(named=(partner.organisation,)), by=ground.owner)

    actions.sign(made, by=ground.asker, text_sha256=made.text_sha256)
    made.refresh_from_db()
    assert made.state == S.OFFERED

    assert actions.sign(made, by=lead, text_sha256=made.text_sha256).state == S.IN_FORCE
    assert Signature.objects.count() == 3


def test_an_organisation_outside_the_consortium_cannot_be_named(ground):
    a_partner(ground.case, organisation=(invited := an_organisation()), state="invited")

    for outside in (an_organisation(), invited):
        with pytest.raises(Invalid) as refused:
            actions.offer(ground.proposal(named=(outside,)), by=ground.owner)
        assert refused.value.code == "unknown_organisation"
    assert not Agreement.objects.exists()


def test_whoever_leads_both_sides_signs_for_both(ground):
    case = a_case(lead=ground.owner, organisation=ground.repository.organisation)

    made = actions.offer(ground.proposal(case=case), by=ground.owner)

    assert made.state == S.IN_FORCE
    assert made.signatures.count() == 1  # one organisation is one party


@pytest.mark.parametrize("who", ["clerk", "asker", "colleague"])
def test_only_a_lead_of_the_owner_offers(ground, who):
    with pytest.raises(NotAllowed):
        actions.offer(ground.proposal(), by=getattr(ground, who))
    assert not Agreement.objects.exists()


def test_only_people_of_the_case_ask_for_it(ground):
    for stranger in (a_person(), ground.owner, staff()):
        with pytest.raises(NotAllowed):
            actions.ask(ground.proposal(), by=stranger)
    assert not Agreement.objects.exists()


def test_an_unlisted_dataset_is_as_unknown_as_none(ground):
    Repository.objects.update(listed_for=Repository.Listed.NOBODY)

    with pytest.raises(Invalid) as refused:
        actions.ask(ground.proposal(), by=ground.asker)

    assert refused.value.code == "unknown_dataset"


def test_whoever_the_policy_lets_see_a_dataset_may_ask_for_it_and_nobody_else(ground):
    Repository.objects.update(listed_for=Repository.Listed.NOBODY)
    made = actions.offer(ground.proposal(), by=ground.owner)
    assert queries.dataset_found(ground.dataset.code, ground.asker) == ground.repository

    actions.refuse(made, by=ground.asker, reason="Too short.")

    with pytest.raises(Invalid) as refused:
        actions.ask(ground.proposal(), by=ground.asker)
    assert refused.value.code == "unknown_dataset"


def test_what_needs_no_agreement_gets_none(ground):
    own = a_ground()
    with pytest.raises(Refused, match="No agreement is needed"):
        actions.offer(own.proposal(case=own.dataset.case), by=own.owner)
    Repository.objects.update(is_open=True)
    with pytest.raises(Refused, match="No agreement is needed"):
        actions.ask(ground.proposal(), by=ground.asker)


def test_a_closed_case_neither_asks_nor_is_offered_nor_signs(ground):
    made = actions.offer(ground.proposal(), by=ground.owner)
    type(ground.case).objects.update(state=CaseState.CLOSED)

    with pytest.raises(WrongState):
        actions.sign(made, by=ground.asker, text_sha256=made.text_sha256)
    with pytest.raises(WrongState):
        actions.ask(ground.proposal(), by=ground.asker)
    with pytest.raises(WrongState):
        actions.offer(ground.proposal(), by=ground.owner)


def test_a_text_that_is_not_the_one_that_was_read_is_not_signed(ground):
    made = actions.offer(ground.proposal(), by=ground.owner)

    for stale in ("0" * 64, "", made.text_sha256.upper()):
        with pytest.raises(Refused) as refused:
            actions.sign(made, by=ground.asker, text_sha256=stale)
        assert refused.value.code == "stale_text"
    with pytest.raises(Refused, match="not the one that you read"):
        actions.offer(ground.proposal(), by=ground.owner, text_sha256="0" * 64)
    assert Signature.objects.count() == 1


def test_a_dataset_renamed_after_reading_is_another_text(ground):
    read = actions.preview(ground.proposal())
    Repository.objects.update(title="Something else")

    with pytest.raises(Refused) as refused:
        actions.offer(
            ground.proposal(), by=ground.owner, text_sha256=actions.wording.sha256(read)
        )

    assert refused.value.code == "stale_text"


def test_nobody_signs_twice(ground):
    made = actions.offer(ground.proposal(), by=ground.owner)

    with pytest.raises(Refused) as refused:
        actions.sign(made, by=ground.owner, text_sha256=made.text_sha256)

    assert refused.value.code == "signed_before"
    assert Signature.objects.count() == 1


@pytest.mark.parametrize("who", ["clerk", "colleague"])
def test_a_member_does_not_sign(ground, who):
    made = actions.offer(ground.proposal(), by=ground.owner)

    with pytest.raises(NotAllowed):
        actions.sign(made, by=getattr(ground, who), text_sha256=made.text_sha256)


def test_a_stranger_does_nothing_at_all(ground):
    made = actions.offer(ground.proposal(), by=ground.owner)
    before = verbs()

    for stranger in (a_person(), staff(), a_case().created_by):
        for attempt in (
            lambda by: actions.sign(made, by=by, text_sha256=made.text_sha256),
            lambda by: actions.say(made, "Hello", by=by),
            lambda by: actions.refuse(made, by=by, reason="No."),
            lambda by: actions.withdraw(made, by=by),
            lambda by: actions.revoke(made, by=by, reason="No."),
        ):
            with pytest.raises(NotAllowed):
                attempt(stranger)
    assert verbs() == before


def test_asking_again_names_what_waits_already(ground):
    made = actions.ask(ground.proposal(), by=ground.asker)

    with pytest.raises(Refused, match=made.code):
        actions.ask(ground.proposal(terms=some_terms(duties=frozenset())), by=ground.asker)


def test_for_other_organisations_the_same_data_may_be_offered_beside_it(ground):
    partner = a_partner(ground.case)
    actions.offer(ground.proposal(), by=ground.owner)

    other = actions.offer(ground.proposal(named=(partner.organisation,)), by=ground.owner)

    assert other.state == S.OFFERED


def test_a_counter_offer_takes_the_place_at_once_and_the_old_text_cannot_be_signed(ground):
    asked = actions.ask(ground.proposal(), by=ground.asker)
    narrower = some_terms(purposes=frozenset({Purpose.EVALUATION}))

    offered = actions.offer(ground.proposal(terms=narrower, replaces=asked), by=ground.owner)

    asked.refresh_from_db()
    assert (asked.state, offered.state) == (S.REPLACED, S.OFFERED)
    assert offered.replaces == asked
    with pytest.raises(WrongState, match=offered.code):
        actions.sign(asked, by=ground.owner, text_sha256=asked.text_sha256)
    assert actions.sign(offered, by=ground.asker, text_sha256=offered.text_sha256).state == (
        S.IN_FORCE
    )


def test_what_is_in_force_stays_until_the_new_text_is(ground):
    old = in_force(ground)
    longer = some_terms(ends_at=some_terms().ends_at + timedelta(days=90))

    new = actions.ask(ground.proposal(terms=longer, replaces=old), by=ground.asker)
    old.refresh_from_db()
    assert old.state == S.IN_FORCE

    actions.sign(new, by=ground.owner, text_sha256=new.text_sha256)
    old.refresh_from_db()
    assert old.state == S.REPLACED
    assert old.over_at


def test_only_an_agreement_on_the_same_thing_can_be_replaced(ground):
    other = in_force(a_ground())

    with pytest.raises(Invalid) as refused:
        actions.offer(ground.proposal(replaces=other), by=ground.owner)

    assert refused.value.code == "about_something_else"
    assert Agreement.objects.count() == 1


def test_the_side_that_was_asked_refuses_with_a_reason(ground):
    asked = actions.ask(ground.proposal(), by=ground.asker)
    with pytest.raises(NotAllowed):
        actions.refuse(asked, by=ground.asker, reason="Our own.")
    with pytest.raises(Invalid, match="reason"):
        actions.refuse(asked, by=ground.owner, reason="  ")

    actions.refuse(asked, by=ground.owner, reason="Not for training.")

    asked.refresh_from_db()
    assert (asked.state, asked.reason) == (S.REFUSED, "Not for training.")
    with pytest.raises(WrongState):
        actions.sign(asked, by=ground.owner, text_sha256=asked.text_sha256)


def test_an_offer_is_refused_by_a_lead_of_the_receiving_side(ground):
    offered = actions.offer(ground.proposal(), by=ground.owner)
    with pytest.raises(NotAllowed):
        actions.refuse(offered, by=ground.owner, reason="Our own.")

    assert actions.refuse(offered, by=ground.asker, reason="No need.").state == S.REFUSED


def test_who_began_it_takes_it_back(ground):
    asked = actions.ask(ground.proposal(), by=ground.colleague)
    with pytest.raises(NotAllowed):
        actions.withdraw(asked, by=ground.owner)

    assert actions.withdraw(asked, by=ground.colleague).state == S.WITHDRAWN


def test_the_owner_revokes_with_a_reason_once(ground):
    made = in_force(ground)
    with pytest.raises(NotAllowed):
        actions.revoke(made, by=ground.asker, reason="Enough.")
    with pytest.raises(NotAllowed):
        actions.revoke(made, by=ground.clerk, reason="Enough.")

    actions.revoke(made, by=ground.owner, reason="The terms were broken.")

    made.refresh_from_db()
    assert (made.state, made.reason) == (S.REVOKED, "The terms were broken.")
    with pytest.raises(WrongState):
        actions.revoke(made, by=ground.owner, reason="Again.")


def test_people_of_both_parties_talk_until_it_is_over(ground):
    made = actions.offer(ground.proposal(), by=ground.owner)
    actions.say(made, "May we see a sample?", by=ground.colleague)
    actions.say(made, "Yes.", by=ground.clerk)
    with pytest.raises(Invalid):
        actions.say(made, "", by=ground.clerk)
    with pytest.raises(Invalid):
        actions.say(made, "x" * 2001, by=ground.clerk)
    actions.withdraw(made, by=ground.owner)

    with pytest.raises(WrongState):
        actions.say(made, "Why?", by=ground.asker)
    assert Message.objects.count() == 2


def test_after_the_last_day_nothing_is_signed(ground):
    made = actions.offer(ground.proposal(), by=ground.owner)
    now = timezone.now()
    Agreement.objects.update(begins_at=now - timedelta(days=2), ends_at=now)

    with pytest.raises(WrongState) as refused:
        actions.sign(made, by=ground.asker, text_sha256=made.text_sha256)

    assert refused.value.code == "too_late"


def test_the_parties_see_it_and_nobody_else_but_staff(ground):
    partner = a_partner(ground.case, lead=(partner_lead := a_person()))
    a_partner(ground.dataset.case, lead=(neighbour := a_person()))
    made = actions.offer(ground.proposal(), by=ground.owner)

    def sees(person):
        return Agreement.objects.visible_to(person).filter(pk=made.pk).exists()

    parties = [ground.owner, ground.clerk, ground.asker, ground.colleague, partner_lead]
    assert [sees(person) for person in parties] == [True] * 5
    assert [sees(person) for person in (a_person(), neighbour)] == [False] * 2
    assert sees(staff())

    made.organisations.set([an_organisation(lead=(named := a_person()))])
    assert sees(named)
    assert not sees(partner_lead), f"{partner} is not among those that are named"


def test_one_story_tells_of_all_texts_and_of_what_was_said(ground):
    asked = actions.ask(ground.proposal(), by=ground.asker)
    actions.say(asked, "For how long?", by=ground.owner)
    offered = actions.offer(ground.proposal(replaces=asked), by=ground.owner)

    told = [(each.sentence, each.note) for each in queries.timeline(offered, ground.colleague)]

    code = f"{ground.dataset.code} · {ground.case.code}"
    assert told == [
        ("Signed for an organisation", "Data Owners"),
        ("Offered data", code),
        ("Another text took the place of this one", ""),
        ("Wrote a message", "For how long?"),
        ("Signed for an organisation", "Model Makers"),
        ("Asked for data", code),
    ]


def test_staff_hear_what_was_done_but_not_what_was_said(ground):
    made = actions.ask(ground.proposal(), by=ground.asker)
    actions.say(made, "A secret.", by=ground.owner)
    actions.refuse(made, by=ground.owner, reason="Another secret.")

    told = queries.timeline(made, staff())

    assert [each.sentence for each in told] == [
        "Refused what was proposed",
        "Signed for an organisation",
        "Asked for data",
    ]
    assert {each.note for each in told} == {""}


def test_a_model_is_not_asked_for(ground):
    model = a_repository(kind="model", code="M26-0001", listed_for="everybody")

    with pytest.raises(Invalid):
        actions.ask(ground.proposal(repository=model), by=ground.asker)


def in_force(ground):
    made = actions.offer(ground.proposal(), by=ground.owner)
    return actions.sign(made, by=ground.asker, text_sha256=made.text_sha256)


def test_who_left_the_organisation_neither_sees_nor_signs(ground):
    made = actions.offer(ground.proposal(), by=ground.owner)
    ground.asker.memberships.all().delete()
    ground.asker.forget_roles()

    with pytest.raises(NotAllowed):
        actions.sign(made, by=ground.asker, text_sha256=made.text_sha256)
    assert not Agreement.objects.visible_to(ground.asker).exists()


def test_a_partner_that_left_the_consortium_no_longer_sees_it(ground):
    partner = a_partner(ground.case, lead=(lead := a_person()))
    actions.offer(ground.proposal(), by=ground.owner)
    assert Agreement.objects.visible_to(lead).exists()

    type(partner).objects.filter(pk=partner.pk).update(state="left")

    assert not Agreement.objects.visible_to(lead).exists()


def test_the_text_stays_as_it_was_signed_whatever_is_renamed(ground):
    made = actions.offer(ground.proposal(), by=ground.owner)
    ground.case.organisation.name = "Renamed"
    ground.case.organisation.save()

    signed = actions.sign(made, by=ground.asker, text_sha256=made.text_sha256)

    assert "Model Makers" in signed.text
    assert actions.wording.sha256(signed.text) == signed.text_sha256
    assert {each.text_sha256 for each in signed.signatures.all()} == {signed.text_sha256}


def test_what_waits_stands_until_somebody_who_may_end_it_signs_what_takes_its_place(ground):
    offered = actions.offer(ground.proposal(), by=ground.owner)
    longer = some_terms(conditions=frozenset({"Something else."}))

    asked = actions.ask(ground.proposal(replaces=offered, terms=longer), by=ground.colleague)
    offered.refresh_from_db()
    assert (offered.state, asked.state) == (S.OFFERED, S.ASKED)

    actions.sign(asked, by=ground.asker, text_sha256=asked.text_sha256)
    offered.refresh_from_db()
    assert offered.state == S.REPLACED


def test_a_signed_question_of_a_lead_outlives_the_terms_of_a_member(ground):
    asked = actions.ask(ground.proposal(), by=ground.asker)
    longer = some_terms(conditions=frozenset({"Something else."}))

    other = actions.ask(ground.proposal(replaces=asked, terms=longer), by=ground.colleague)
    actions.sign(asked, by=ground.owner, text_sha256=asked.text_sha256)
    asked.refresh_from_db()
    assert asked.state == S.IN_FORCE

    actions.sign(other, by=ground.asker, text_sha256=other.text_sha256)
    actions.sign(other, by=ground.owner, text_sha256=other.text_sha256)
    asked.refresh_from_db()
    assert asked.state == S.REPLACED


def test_members_cannot_heap_up_other_terms_for_what_still_stands(ground):
    offered = actions.offer(ground.proposal(), by=ground.owner)
    first = actions.ask(ground.proposal(replaces=offered), by=ground.colleague)
    another = a_person()
    a_partner(ground.case, organisation=an_organisation(lead=a_person(), member=another))

    with pytest.raises(Refused) as refused:
        actions.ask(ground.proposal(replaces=offered), by=another)
    second = actions.ask(ground.proposal(replaces=offered), by=ground.colleague)

    assert refused.value.code == "waits_already"
    assert states(offered, first, second) == [S.OFFERED, S.REPLACED, S.ASKED]


@pytest.mark.parametrize("who", ["asker", "owner"])
@pytest.mark.parametrize("which", [0, 1])
def test_a_lead_ends_all_that_waits_of_one_story_with_new_terms(ground, who, which):
    offered = actions.offer(ground.proposal(), by=ground.owner)
    asked = actions.ask(ground.proposal(replaces=offered), by=ground.colleague)
    begin = actions.ask if who == "asker" else actions.offer

    new = begin(ground.proposal(replaces=(offered, asked)[which]), by=getattr(ground, who))

    assert states(offered, asked) == [S.REPLACED, S.REPLACED]
    assert Agreement.objects.filter(state__in=[S.ASKED, S.OFFERED]).get() == new


def test_an_organisation_that_left_the_case_keeps_the_agreement_from_force(ground):
    partner = a_partner(ground.case, lead=(lead := a_person()))
    made = actions.offer(ground.proposal(named=(partner.organisation,)), by=ground.owner)
    type(partner).objects.filter(pk=partner.pk).update(state=PartnerState.LEFT)

    for person in (ground.asker, lead):
        with pytest.raises(WrongState) as refused:
            actions.sign(made, by=person, text_sha256=made.text_sha256)
        assert refused.value.code == "left_the_case"
    made.refresh_from_db()
    assert (made.state, made.signatures.count()) == (S.OFFERED, 1)
