"""Agreements on data from a terminal."""

from datetime import timedelta

import pytest
from django.utils import timezone

from fabriek.agreements import actions
from fabriek.agreements.models import Agreement
from fabriek.agreements.states import AgreementState as S
from tests.agreements.ground import a_ground
from tests.factories import a_person

pytestmark = pytest.mark.django_db


@pytest.fixture
def ground():
    return a_ground()


def ask(fabriek, ground, *more, **given):
    until = str(timezone.localdate() + timedelta(days=30))
    words = ["--case", ground.case.code, "--until", until, *more]
    return fabriek(ground.asker, "agreements", "ask", ground.dataset.code, *words, **given)


def test_the_list_says_where_to_begin_when_it_is_empty(fabriek):
    result = fabriek(a_person(), "agreements")

    assert "fabriek agreements ask DATA" in result.stdout


def test_asking_shows_the_text_before_it_is_sent(fabriek, ground):
    result = ask(fabriek, ground, input="n\n")
    assert "AGREEMENT ON THE USE OF DATA" in result.stdout
    assert result.exit_code == 1
    assert not Agreement.objects.exists()

    result = ask(fabriek, ground, "--purpose", "research", input="y\n")

    made = Agreement.objects.get()
    assert result.exit_code == 0
    assert (made.state, made.purposes, made.begun_by) == (S.ASKED, ["research"], ground.asker)
    assert made.code in result.stdout


def test_the_owner_signs_what_they_read(fabriek, ground):
    made = actions.ask(ground.proposal(), by=ground.asker)
    listed = fabriek(ground.owner, "agreements", "ls")
    assert "asked, waits for you" in listed.stdout

    result = fabriek(ground.owner, "agreements", "sign", made.code, input="y\n")

    assert "AGREEMENT ON THE USE OF DATA" in result.stdout
    made.refresh_from_db()
    assert made.state == S.IN_FORCE


def test_a_question_and_the_answer_are_shown(fabriek, ground):
    made = actions.ask(ground.proposal(), by=ground.asker)
    refused = fabriek(ground.owner, "agreements", "say", made.code, "Red \x1b[31m?")
    assert refused.exit_code == 1
    fabriek(ground.owner, "agreements", "say", made.code, "For how long?")

    shown = fabriek(ground.asker, "agreements", "show", made.code, "--text")

    assert "Wrote a message: For how long? · " in shown.stdout
    assert "9. OTHER CONDITIONS" in shown.stdout


@pytest.mark.parametrize(
    ("who", "words", "state"),
    [
        ("asker", ["refuse", "--reason", "No need."], S.REFUSED),
        ("owner", ["withdraw"], S.WITHDRAWN),
    ],
)
def test_what_waits_is_ended(fabriek, ground, who, words, state):
    made = actions.offer(ground.proposal(), by=ground.owner)

    step, *options = words
    result = fabriek(getattr(ground, who), "agreements", step, made.code, *options)

    made.refresh_from_db()
    assert (result.exit_code, made.state) == (0, state)


def test_the_owner_revokes(fabriek, ground):
    made = actions.offer(ground.proposal(), by=ground.owner)
    actions.sign(made, by=ground.asker, text_sha256=made.text_sha256)

    fabriek(ground.owner, "agreements", "revoke", made.code, "--reason", "Broken.")

    made.refresh_from_db()
    assert (made.state, made.reason) == (S.REVOKED, "Broken.")


def test_a_stranger_hears_that_there_is_no_such_thing(fabriek, ground):
    made = actions.offer(ground.proposal(), by=ground.owner)

    result = fabriek(a_person(), "agreements", "sign", made.code, "--yes")

    assert result.exit_code == 1
    assert "This does not exist, or it is not yours to see." in result.stderr
