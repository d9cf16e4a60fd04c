"""Who hears by mail of an agreement on data, and what no letter says."""

import pytest

from fabriek.agreements import actions
from tests.agreements.ground import a_ground
from tests.factories import a_partner, a_person
from tests.notices.test_post import deliver, mailer_stands_ready  # noqa: F401  a fixture

pytestmark = pytest.mark.django_db


@pytest.fixture
def ground():
    return a_ground()


def delivered():
    letters = deliver()
    said = {(letter.to[0], letter.subject.removeprefix("[Fabriek] ")) for letter in letters}
    bodies = [letter.body for letter in letters]
    letters.clear()
    return said, bodies


def test_the_owner_hears_who_asks(ground):
    made = actions.ask(ground.proposal(), by=ground.asker)

    said, (body,) = delivered()

    assert said == {(ground.owner.email, "Model Makers vraagt om uw data")}
    assert f"https://factory.example/agreements/{made.code}/" in body
    assert "A secret plan" not in body


def test_when_a_member_asks_the_own_lead_hears_of_it_too(ground):
    actions.ask(ground.proposal(), by=ground.colleague)

    said, _bodies = delivered()

    assert {to for to, _subject in said} == {ground.owner.email, ground.asker.email}


def test_the_other_side_hears_of_an_offer_and_all_when_it_is_in_force(ground):
    made = actions.offer(ground.proposal(), by=ground.owner)
    said, _bodies = delivered()
    assert said == {(ground.asker.email, "Data Owners biedt u data aan")}

    actions.sign(made, by=ground.asker, text_sha256=made.text_sha256)

    said, _bodies = delivered()
    subject = f"Afspraak {made.code} geldt nu"
    assert said == {(ground.asker.email, subject), (ground.owner.email, subject)}


def test_while_others_have_yet_to_sign_all_hear_of_one_signature(ground):
    partner = a_partner(ground.case, lead=(lead := a_person()))
    made = actions.offer(ground.proposal(named=(partner.organisation,)), by=ground.owner)
    delivered()

    actions.sign(made, by=ground.asker, text_sha256=made.text_sha256)

    said, _bodies = delivered()
    subject = f"Nog een partij ondertekende {made.code}"
    everybody = (ground.owner, ground.asker, lead)
    assert said == {(person.email, subject) for person in everybody}


def test_a_message_is_announced_without_its_words(ground):
    made = actions.offer(ground.proposal(), by=ground.owner)
    delivered()

    actions.say(made, "Our secret question", by=ground.asker)

    said, bodies = delivered()
    assert said == {(ground.owner.email, f"Er is een bericht over {made.code}")}
    assert "secret" not in "".join(bodies)


@pytest.mark.parametrize(
    ("is_signed", "subject"),
    [(True, "Afspraak {} geldt niet meer voor u"), (False, "{} is teruggenomen")],
)
def test_who_other_terms_leave_out_hears_that_it_is_over(ground, is_signed, subject):
    partner = a_partner(ground.case, lead=(lead := a_person()))
    named = {"named": (partner.organisation,)}
    old = actions.offer(ground.proposal(**named), by=ground.owner)
    for person in (ground.asker, lead) if is_signed else ():
        actions.sign(old, by=person, text_sha256=old.text_sha256)
    new = ground.proposal(**named, with_leader=False, replaces=old)
    new = actions.offer(new, by=ground.owner)
    actions.sign(new, by=lead, text_sha256=new.text_sha256)

    letters = [each for each in deliver() if ground.asker.email in each.to]

    last = letters[-1]
    assert last.subject.removeprefix("[Fabriek] ") == subject.format(old.code)
    assert new.code not in "".join(each.body for each in letters)


@pytest.mark.parametrize(
    ("step", "subject"),
    [
        ("refuse", "Afspraak {} is afgewezen"),
        ("withdraw", "{} is teruggenomen"),
        ("revoke", "Afspraak {} is ingetrokken"),
    ],
)
def test_an_end_is_told_without_its_reason(ground, step, subject):
    made = actions.offer(ground.proposal(), by=ground.owner)
    if step == "revoke":
        made = actions.sign(made, by=ground.asker, text_sha256=made.text_sha256)
    delivered()

    if step == "withdraw":
        actions.withdraw(made, by=ground.owner)
    elif step == "refuse":
        actions.refuse(made, by=ground.asker, reason="A secret reason")
    else:
        actions.revoke(made, by=ground.owner, reason="A secret reason")

    said, bodies = delivered()
    told = subject.format(made.code)
    assert said == {(ground.owner.email, told), (ground.asker.email, told)}
    assert "secret" not in "".join(bodies)
