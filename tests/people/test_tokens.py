from datetime import timedelta

import pytest
import time_machine
from django.db import connection
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


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite is simply asked again")
@pytest.mark.parametrize(
    "change",
    [
        lambda token: actions.revoke_token(token, by=token.person),
        lambda token: Duty.objects.create(person=token.person, duty="staff"),
        lambda token: token.person.memberships.update(role="member"),
        lambda token: Token.objects.all().delete(),
    ],
)
def test_what_is_remembered_of_a_token_is_told_from_what_changed_since(person, change):
    an_organisation(lead=person)
    an_organisation(lead=person)
    token, key = make(person)
    seen = [(tokens.find_and_remember(key), tokens.remembered(key))[1] for _time in range(2)]

    def is_still_so():
        text, words = seen[1].still
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT COALESCE({text}, FALSE)", words)
            return cursor.fetchone()[0]

    assert (seen[0], seen[1].token, is_still_so()) == (None, token, True)
    with time_machine.travel(timezone.now() + timedelta(days=1), tick=False):
        assert tokens.remembered(key) is None  # its first use of a day is noted
    change(token)
    assert is_still_so() is False


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
