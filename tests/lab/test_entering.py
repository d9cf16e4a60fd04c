"""Who may go into a lab, by which ticket, and until when."""

from datetime import timedelta
from importlib import import_module

import pytest
from django.conf import settings as plain_settings
from django.utils import timezone

from fabriek.kernel.errors import Invalid, NotAllowed, WrongState
from fabriek.kernel.models import Entry as JournalEntry
from fabriek.lab import actions, addresses, queries, rules, visits
from fabriek.lab.models import Entry
from fabriek.people.models import Membership, Token
from fabriek.runs.models import Run
from fabriek.runs.states import RunState
from tests.factories import a_partner, a_person, a_token, an_organisation, staff
from tests.runs.world import a_world

pytestmark = pytest.mark.django_db
QUERIES_OF_A_LOOK = 6


@pytest.fixture
def run(world, opened):
    return opened(actions.start(actions.Wish(), allocation=world.allocation, by=world.person))


def a_session(client):
    return actions.Right(session_key=client.session.session_key)


def ticket_for(run, person, right):
    return actions.enter(run, by=person, right=right).partition("ticket=")[2]


@pytest.fixture
def inside(run, world, browser):
    """Let the person be in, with a browser; give the entry and the browser."""
    client = browser(world.person)
    ticket = ticket_for(run, world.person, a_session(client))
    admission = actions.admit(ticket, run.code)
    return admission, client


def may_stay(admission):
    return bool(rules.who_may_stay(queries.admitted([admission]).values()))


def test_a_ticket_is_changed_once_and_written_down(run, world, browser):
    right = a_session(browser(world.person))
    address = actions.enter(run, by=world.person, right=right)
    ticket = address.partition("ticket=")[2]

    admission = actions.admit(ticket, run.code)
    again = actions.admit(ticket, run.code)

    assert address.startswith(f"https://{run.code.lower()}.lab.example.org/_fabriek/enter?")
    assert (bool(admission), again) == (True, None)
    assert may_stay(admission)
    noted = JournalEntry.objects.filter(verb="lab.enter")
    assert [(line.subject_id, line.by_id) for line in noted] == [(run.pk, world.person.pk)]
    kept = Entry.objects.get()
    assert ticket not in {kept.ticket, kept.admission}


def test_a_ticket_is_good_for_half_a_minute_and_for_its_own_run(run, world, browser):
    right = a_session(browser(world.person))
    old = ticket_for(run, world.person, right)
    Entry.objects.update(asked_at=timezone.now() - timedelta(seconds=31))

    too_late = actions.admit(old, run.code)
    elsewhere = actions.admit(ticket_for(run, world.person, right), "R26-9999")

    assert (too_late, elsewhere) == (None, None)
    assert not JournalEntry.objects.filter(verb="lab.enter").exists()


@pytest.mark.parametrize("who", [a_person, staff, lambda: a_world().person])
def test_a_stranger_and_staff_are_refused(run, who):
    with pytest.raises(NotAllowed):
        actions.enter(run, by=who(), right=actions.Right(session_key="x"))

    assert not Entry.objects.exists()


def test_an_accepted_partner_goes_in(run, world):
    partner = a_person()
    a_partner(world.case, organisation=an_organisation(lead=partner))

    assert rules.may_enter(partner, run)


@pytest.mark.parametrize(
    ("columns", "code"),
    [
        ({"state": RunState.QUEUED}, "lab_not_ready"),
        ({"stage": "Starting"}, "lab_not_ready"),
        ({"state": RunState.SUCCEEDED}, "lab_over"),
    ],
)
def test_one_that_is_not_open_is_refused_in_a_sentence(run, world, columns, code):
    Run.objects.filter(pk=run.pk).update(**columns)

    with pytest.raises(WrongState) as refused:
        actions.enter(
            Run.objects.get(pk=run.pk), by=world.person, right=actions.Right(session_key="x")
        )

    assert refused.value.code == code


def test_another_kind_of_run_is_no_lab(world, opened):
    training = opened(world.ask())

    assert not rules.may_enter(world.person, training)


def test_signing_out_ends_it(inside):
    admission, client = inside
    client.logout()

    assert not may_stay(admission)


def test_a_new_password_ends_it(inside, world):
    admission, _client = inside
    world.person.set_password("een-ander-wachtwoord-8")
    world.person.save()

    assert not may_stay(admission)


def test_a_person_who_is_suspended_is_out(inside, world):
    admission, _client = inside
    world.person.is_active = False
    world.person.save()

    assert not may_stay(admission)


def test_leaving_the_organisation_ends_it(inside, world):
    admission, _client = inside
    Membership.objects.filter(person=world.person).delete()

    assert not may_stay(admission)


def test_the_end_of_the_run_ends_it(inside, run):
    admission, _client = inside
    Run.objects.filter(pk=run.pk).update(state=RunState.SUCCEEDED)

    assert not may_stay(admission)


def test_somebody_elses_session_in_the_same_browser_is_not_enough(inside, browser):
    admission, client = inside
    store = import_module(plain_settings.SESSION_ENGINE).SessionStore
    theirs = browser(a_person()).session
    ours = store(client.session.session_key)
    ours.update(dict(theirs.items()))
    ours.save()

    assert not may_stay(admission)


def test_a_token_lets_in_until_it_is_revoked(run, world):
    a_token(world.person)
    token = Token.objects.get()
    admission = actions.admit(
        ticket_for(run, world.person, actions.Right(token=token)), run.code
    )
    before = may_stay(admission)
    Token.objects.update(revoked_at=timezone.now())

    assert (before, may_stay(admission)) == (True, False)


def test_nobody_holds_a_pass_that_was_not_given(db):
    assert queries.admitted(["", "guessed"]) == {}


def test_the_oldest_passes_of_somebody_for_a_run_end_first(run, world, browser):
    right = a_session(browser(world.person))

    passes = [
        actions.admit(ticket_for(run, world.person, right), run.code)
        for _ in range(actions.PASSES_MAX + 2)
    ]

    assert [may_stay(one) for one in passes] == [False] * 2 + [True] * actions.PASSES_MAX


@pytest.mark.parametrize("passes", [1, 8])
def test_all_passes_are_looked_at_with_the_same_questions(
    run, world, browser, passes, django_assert_num_queries
):
    right = a_session(browser(world.person))
    held = [
        actions.admit(ticket_for(run, world.person, right), run.code) for _ in range(passes)
    ]

    with django_assert_num_queries(QUERIES_OF_A_LOOK):
        found = visits.look_up([*held, "guessed"])

    assert set(found) == set(held)


# --- beginning -------------------------------------------------------------------------
def test_hours_and_gpus_are_held_and_told_as_the_price(world):
    wish = actions.Wish(hours=2, gpus=4)

    run = actions.start(wish, allocation=world.allocation, by=world.person)

    assert (run.timeout_s, run.gpus, run.nodes) == (7200, 4, 1)
    assert world.held() == run.gpu_seconds_estimated == 4 * 7200


def test_the_same_wish_twice_is_one_session(world):
    wish = actions.Wish()

    runs = {actions.start(wish, allocation=world.allocation, by=world.person) for _ in "ab"}

    assert len(runs) == 1
    assert world.held() == 3600


@pytest.mark.parametrize("hours", [0, 25])
def test_too_few_or_too_many_hours_are_refused(world, hours):
    with pytest.raises(Invalid) as refused:
        actions.start(actions.Wish(hours=hours), allocation=world.allocation, by=world.person)

    assert set(refused.value.fields) == {"hours"}
    assert world.held() == 0


def test_a_stranger_begins_nothing(world):
    with pytest.raises(NotAllowed):
        actions.start(actions.Wish(), allocation=world.allocation, by=a_person())

    assert world.held() == 0


@pytest.mark.parametrize("changed", [{"LAB": False}, {"LAB_URL": ""}])
def test_where_it_is_not_offered_nothing_begins(world, settings, changed):
    for name, value in changed.items():
        setattr(settings, name, value)

    with pytest.raises(WrongState) as refused:
        actions.start(actions.Wish(), allocation=world.allocation, by=world.person)

    assert refused.value.code == "lab_not_offered"


def test_files_of_another_case_a_training_or_a_living_session_are_refused(world):
    other = a_world()
    theirs = actions.start(actions.Wish(), allocation=other.allocation, by=other.person)
    Run.objects.filter(pk=theirs.pk).update(state=RunState.SUCCEEDED)
    theirs.refresh_from_db()
    ours = actions.start(actions.Wish(), allocation=world.allocation, by=world.person)

    for earlier in (theirs, world.ask(), ours):
        with pytest.raises(Invalid) as refused:
            actions.start(
                actions.Wish(earlier=earlier), allocation=world.allocation, by=world.person
            )
        assert set(refused.value.fields) == {"earlier"}


def test_two_may_begin_with_the_same_files(world):
    first = actions.start(actions.Wish(), allocation=world.allocation, by=world.person)
    Run.objects.filter(pk=first.pk).update(state=RunState.SUCCEEDED)
    first.refresh_from_db()

    begun = [
        actions.start(actions.Wish(earlier=first), allocation=world.allocation, by=world.person)
        for _ in range(2)
    ]

    assert [one.continues for one in begun] == [first, first]
    assert begun[0] != begun[1]


def test_each_run_has_an_origin_of_its_own(run):
    assert addresses.origin(run.code) == f"https://{run.code.lower()}.lab.example.org"
