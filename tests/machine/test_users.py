"""Who uses the machine: own cases by name, others only where nobody can be told from it."""

import pytest

from fabriek.machine import queries
from fabriek.runs.states import RunState
from tests.factories import a_case, a_partner, a_person, an_allocation, staff
from tests.machine.sights import a_case_of, running_in, uses

pytestmark = pytest.mark.django_db


def seen_by(person):
    return queries.users(person, queries.own_cases(person))


def sectors(users):
    return {use.code: use.running for use in users.sectors}


def test_own_cases_are_named_with_their_runs_and_gpus():
    person = a_person()
    allocation = an_allocation(case=a_case(lead=person))
    uses(allocation=allocation, gpus=4)
    uses(allocation=allocation, gpus=2)
    uses(allocation=allocation, gpus=8, state=RunState.QUEUED)
    uses(allocation=allocation, gpus=1, state=RunState.WAITING)
    uses(allocation=allocation, gpus=1, state=RunState.SUCCEEDED)

    users = seen_by(person)

    [own] = users.own
    assert (own.code, own.running, own.gpus) == (allocation.case.code, 2, 6)
    assert (own.waiting, own.gpus_waited_for) == (2, 9)
    assert (users.total.running, users.others.is_some) == (2, False)


def test_a_confidential_case_is_named_to_its_consortium_only():
    lead, partner, clerk = a_person(), a_person(), staff()
    case = uses(case=a_case(lead=lead, is_confidential=True))
    a_partner(case, lead=partner)

    for person in (lead, partner):
        assert [use.code for use in seen_by(person).own] == [case.code]
    for person in (clerk, a_person(duty="assessor"), a_person()):
        users = seen_by(person)
        assert (users.own, users.named, users.sectors) == ([], [], [])
        assert users.others.running == 1


def test_staff_see_open_cases_of_others_by_name_and_applicants_do_not():
    case = uses()

    assert [use.code for use in seen_by(staff()).named] == [case.code]
    assert seen_by(a_person()).named == []


def test_a_sector_stands_apart_only_with_several_organisations():
    running_in("care", organisations=3)
    running_in("water", organisations=2)
    organisation = a_case_of(sector="energy").organisation
    for _ in range(3):
        uses(case=a_case(organisation=organisation, sector=a_case_of(sector="energy").sector))

    users = seen_by(a_person())

    assert sectors(users) == {"care": 3}
    assert users.others.running == 5


@pytest.mark.parametrize("confidential", [1, 2])
def test_what_is_left_over_is_never_the_confidential_case_alone(confidential):
    running_in("care", organisations=4)
    running_in("water", organisations=3)
    for _ in range(confidential):
        uses(case=a_case(is_confidential=True), gpus=8)

    users = seen_by(a_person())

    # The smaller sector goes with it: else all that is left over would be the secret.
    assert sectors(users) == {"care": 4}
    assert users.others.running == 3 + confidential
    assert len(users.others.organisations) >= queries.FEWEST


def test_a_confidential_case_is_in_no_sector():
    running_in("care", organisations=3)
    for _ in range(3):
        uses(case=a_case_of(sector="care", is_confidential=True))

    users = seen_by(a_person())

    assert (sectors(users), users.others.running) == ({"care": 3}, 3)


def test_own_cases_count_for_no_sector():
    person = a_person()
    uses(case=a_case(lead=person))
    running_in("care", organisations=2)

    users = seen_by(person)

    assert (users.sectors, users.others.running, users.total.running) == ([], 2, 3)


def test_more_cases_than_a_page_names_are_added_up(monkeypatch):
    monkeypatch.setattr(queries, "MOST_NAMED", 2)
    running_in("care", organisations=2, gpus=4)
    running_in("water", organisations=1)

    users = seen_by(staff())

    assert [use.gpus for use in users.named] == [4, 4]
    assert users.others.gpus == 1
