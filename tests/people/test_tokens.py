from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from fabriek.kernel.errors import Invalid, NotAllowed, WrongState
from fabriek.kernel.models import Entry
from fabriek.people import actions, queries, tokens
from fabriek.people.models import Duty, Token
from tests.factories import a_person, an_organisation

pytestmark = pytest.mark.django_db


@pytest.fixture
def person():
    return a_person()


def make(person, **changes):
    facts = {"name": "laptop", "scope": "write", "days": 30} | changes
    return actions.make_token(by=person, **facts)


def test_a_new_token_opens_the_door_and_only_its_digest_is_kept(person):
    token, key = make(person)

    assert tokens.find(key) == token
    assert key not in str(Token.objects.values())
    assert key.startswith(token.prefix)
    assert list(Entry.objects.values_list("verb", "details")) == [
        ("people.make_token", {"scope": "write", "days": 30})
    ]


def test_what_its_person_is_and_does_is_read_with_the_token(django_assert_num_queries):
    person = a_person(duty="staff")
    Duty.objects.create(person=person, duty="funder", funder_code="state")
    led, joined = an_organisation(lead=person), an_organisation(member=person)
    _, key = make(person)
    tokens.find(key)  # notes the day of its first use

    with django_assert_num_queries(1):
        found = tokens.find(key).person
        said = (found.roles, found.duties)

    assert said == (
        {led.pk: "lead", joined.pk: "member"},
        {"staff": "", "funder": "state"},
    )


@pytest.mark.parametrize(
    ("field", "value"),
    [("days", 0), ("days", 366), ("name", " "), ("name", "x" * 300), ("scope", "all")],
)
def test_a_token_out_of_bounds_is_refused(person, field, value):
    with pytest.raises(Invalid) as refusal:
        make(person, **{field: value})

    assert list(refusal.value.fields) == [field]
    assert not Token.objects.exists()


@pytest.mark.parametrize("days", [1, 365])
def test_a_token_lasts_as_many_days_as_asked(person, days):
    _, key = make(person, days=days)

    with time_machine.travel(timezone.now() + timedelta(days=days, minutes=-1), tick=False):
        assert tokens.find(key) is not None
    with time_machine.travel(timezone.now() + timedelta(days=days, minutes=1), tick=False):
        assert tokens.find(key) is None


def test_a_revoked_token_opens_nothing(person):
    token, key = make(person)

    actions.revoke_token(token, by=person)

    assert tokens.find(key) is None


def test_revoking_happens_once(person):
    token, _ = make(person)
    stale = Token.objects.get(pk=token.pk)
    actions.revoke_token(token, by=person)

    with pytest.raises(WrongState):
        actions.revoke_token(stale, by=person)

    assert Entry.objects.filter(verb="people.revoke_token").count() == 1


def test_nobody_revokes_the_token_of_another(person):
    token, key = make(person)

    with pytest.raises(NotAllowed):
        actions.revoke_token(token, by=a_person())

    assert tokens.find(key) == token


def test_the_list_has_good_tokens_before_revoked_ones(person):
    first, _ = make(person, name="first")
    second, _ = make(person, name="second")
    actions.revoke_token(second, by=person)

    assert list(queries.tokens_of(person)) == [first, second]
