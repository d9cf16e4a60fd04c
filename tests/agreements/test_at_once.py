"""Two who act on one agreement at the same moment."""

import pytest

from fabriek.agreements import actions
from fabriek.agreements.models import Agreement, Signature
from fabriek.agreements.states import AgreementState as S
from fabriek.kernel.errors import Refused
from fabriek.kernel.models import Entry
from tests.agreements.ground import a_ground
from tests.threads import at_once, many_connections  # noqa: F401  a fixture

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("many_connections"),
]


def count(verb):
    return Entry.objects.filter(verb=verb).count()


def test_two_who_sign_at_once_both_count_and_conclude_once():
    ground = a_ground()
    made = actions.ask(ground.proposal(), by=ground.colleague)

    said = at_once(
        lambda: actions.sign(made, by=ground.owner, text_sha256=made.text_sha256).code,
        lambda: actions.sign(made, by=ground.asker, text_sha256=made.text_sha256).code,
    )

    made.refresh_from_db()
    assert said == [made.code, made.code]
    assert made.state == S.IN_FORCE
    assert (count("agreements.sign"), count("agreements.conclude")) == (2, 1)


def test_one_who_signs_twice_at_once_signs_once():
    ground = a_ground()
    made = actions.offer(ground.proposal(), by=ground.owner)

    said = at_once(
        lambda: actions.sign(made, by=ground.asker, text_sha256=made.text_sha256).code,
        lambda: actions.sign(made, by=ground.asker, text_sha256=made.text_sha256).code,
        refusals=Refused,
    )

    assert sorted(said) == [made.code, "wrong_state"]
    assert Signature.objects.count() == 2


def test_two_who_ask_at_once_ask_once():
    ground = a_ground()

    said = at_once(
        lambda: actions.ask(ground.proposal(), by=ground.asker).code,
        lambda: actions.ask(ground.proposal(), by=ground.colleague).code,
        refusals=Refused,
    )

    made = Agreement.objects.get()
    assert sorted(said) == [made.code, "waits_already"]


def test_two_counter_offers_at_once_leave_one():
    ground = a_ground()
    asked = actions.ask(ground.proposal(), by=ground.asker)
    other_terms = ground.proposal(replaces=asked)

    said = at_once(
        lambda: actions.offer(other_terms, by=ground.owner).code,
        lambda: actions.offer(other_terms, by=ground.owner).code,
        refusals=Refused,
    )

    assert "wrong_state" in said
    assert Agreement.objects.filter(state=S.OFFERED).count() == 1


def test_signing_and_withdrawing_at_once_is_one_of_the_two():
    ground = a_ground()
    made = actions.offer(ground.proposal(), by=ground.owner)

    said = at_once(
        lambda: actions.sign(made, by=ground.asker, text_sha256=made.text_sha256).state,
        lambda: actions.withdraw(made, by=ground.owner).state,
        refusals=Refused,
    )

    made.refresh_from_db()
    assert sorted(said) in (["in_force", "wrong_state"], ["withdrawn", "wrong_state"])
    assert made.state in said
