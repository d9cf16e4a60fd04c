"""Who has a login on the cluster of their own: said on the server."""

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from django.urls import reverse
from pytest_django.asserts import assertContains, assertNotContains

from fabriek.kernel.errors import Invalid, Refused
from fabriek.kernel.models import Entry
from fabriek.people import logins
from fabriek.people.models import Person
from tests.factories import a_person

pytestmark = pytest.mark.django_db


def name_of(person):
    return Person.objects.get(pk=person.pk).unix_name


def verbs():
    return list(Entry.objects.order_by("pk").values_list("verb", flat=True))


def test_a_login_is_given_changed_and_taken_away_and_each_is_written_down():
    person = a_person()

    logins.give(person, "anna")
    logins.give(person, "anna")
    logins.give(person, "anna2")
    given = name_of(person)
    logins.take_away(person)
    logins.take_away(person)

    assert (given, name_of(person)) == ("anna2", "")
    assert verbs() == ["people.give_login", "people.give_login", "people.take_login"]


@pytest.mark.parametrize(
    "name",
    [
        "",
        "Anna",
        "1anna",
        "a b",
        "a,b",
        "-i",
        "anna\n",
        "root",
        "slurm",
        "x" * 33,
        "añna",
        "fab-c26-0001",
    ],
)
def test_what_cannot_be_a_login_is_refused(name):
    person = a_person()

    with pytest.raises(Invalid):
        logins.give(person, name)

    assert (name_of(person), verbs()) == ("", [])


def test_a_login_belongs_to_one_person():
    first, second = a_person(), a_person()
    logins.give(first, "anna")

    with pytest.raises(Refused) as refused:
        logins.give(second, "anna")

    assert refused.value.code == "login_taken"
    assert (name_of(second), verbs()) == ("", ["people.give_login"])


@pytest.mark.parametrize("name", ["a b", "root account=root"])
def test_the_database_keeps_no_other_names(name):
    with pytest.raises(IntegrityError), transaction.atomic():
        Person.objects.filter(pk=a_person().pk).update(unix_name=name)


def test_the_command_gives_shows_and_takes_away(capsys):
    person = a_person()

    call_command("unix_name", person.email.upper(), "anna")
    call_command("unix_name", person.email)
    call_command("unix_name", person.email, "--take-away")

    assert capsys.readouterr().out == f"{person}: anna\n{person}: anna\n{person}: -\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nobody@example.org", "anna"), "has no account yet"),
        (("{email}", "A B"), "cannot be somebody's login"),
        (("{email}", "anna", "--take-away"), "and not both"),
    ],
)
def test_the_command_says_what_is_wrong(words, said):
    person = a_person()

    with pytest.raises(CommandError, match=said):
        call_command("unix_name", *(word.format(email=person.email) for word in words))


def test_a_person_sees_their_login_on_their_own_page(browser):
    with_login, without = a_person(), a_person()
    logins.give(with_login, "anna")

    theirs, plain = (browser(one).get(reverse("people:me")) for one in (with_login, without))
    assertContains(theirs, "Your login on the cluster is anna.")
    assertNotContains(plain, "on the cluster")
