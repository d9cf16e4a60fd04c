"""Cases from a terminal."""

import pytest

from fabriek.cases.models import Case
from tests.factories import a_case, a_person, a_sector, an_organisation

pytestmark = pytest.mark.django_db


def new_case(fabriek, person, *more):
    a_sector()
    words = ["--title", "Grid", "--problem", "It is full.", "--sector", "care"]
    words += ["--trl-now", "3", "--trl-aimed", "6", *more]
    return fabriek(person, "cases", "new", *words)


def test_the_list_says_where_to_begin_when_it_is_empty(fabriek):
    result = fabriek(a_person(), "cases", "list")

    assert result.stdout == "There are no cases yet. Begin with: fabriek cases new\n"


def test_the_list_shows_ones_own_cases_only(fabriek):
    lead = a_person()
    ours = a_case(lead=lead, title="Grid [bold]forecasts[/]")
    theirs = a_case()

    result = fabriek(lead, "cases", "list")

    assert ours.code in result.stdout
    assert "Grid [bold]forecasts[/]" in result.stdout
    assert theirs.code not in result.stdout


def test_the_list_goes_through_all_pages(fabriek, monkeypatch):
    monkeypatch.setattr("fabriek.cli.http.PAGE_SIZE", 2)
    lead = a_person()
    organisation = an_organisation(lead=lead)
    made = [a_case(lead=lead, organisation=organisation).code for _ in range(5)]

    result = fabriek(lead, "cases", "list")

    listed = [line.split()[0] for line in result.stdout.splitlines()[1:]]
    assert sorted(listed) == sorted(made)


def test_a_title_cannot_steer_the_terminal(fabriek):
    lead = a_person()
    case = a_case(lead=lead, title="Red \x1b[31malert")

    result = fabriek(lead, "cases", "show", case.code)

    assert f"{case.code} · Red  [31malert" in result.stdout


def test_show_offers_only_what_this_person_can_do_now(fabriek):
    lead = a_person()
    case = a_case(lead=lead, title="Grid forecasts", state="draft", proposed_at=None)

    result = fabriek(lead, "cases", "show", case.code)

    facts, steps = result.stdout.splitlines()[:3], result.stdout.splitlines()[3:]
    assert facts[0].endswith(f"{case.code} · Grid forecasts")
    assert facts[1].split() == ["State", "draft"]
    assert all(line.startswith("→ ") for line in steps)
    assert any(line.endswith("(Propose this case)") for line in steps)


def test_a_new_case_is_a_draft_of_the_only_organisation(fabriek):
    lead = a_person()
    organisation = an_organisation(lead=lead)

    result = new_case(fabriek, lead)

    case = Case.objects.get()
    assert result.exit_code == 0
    assert (case.title, case.state, case.organisation) == ("Grid", "draft", organisation)


def test_who_is_in_several_organisations_says_which(fabriek):
    lead = a_person()
    first, second = an_organisation(lead=lead), an_organisation(lead=lead)

    unsaid = new_case(fabriek, lead)
    said = new_case(fabriek, lead, "--organisation", second.kvk_number)

    assert unsaid.exit_code == 1
    assert unsaid.stderr.splitlines()[0] == (
        "Say which organisation, by its number: --organisation"
    )
    assert first.kvk_number in unsaid.stderr
    assert said.exit_code == 0
    assert Case.objects.get().organisation == second


def test_without_an_organisation_there_is_no_case(fabriek):
    result = new_case(fabriek, a_person())

    assert result.exit_code == 1
    assert result.stderr == "Register your organisation first, in the portal.\n"


def test_propose_opens_the_case_and_a_second_time_is_refused(fabriek):
    lead = a_person()
    case = a_case(lead=lead, state="draft", proposed_at=None)

    first = fabriek(lead, "cases", "propose", case.code)
    second = fabriek(lead, "cases", "propose", case.code)

    case.refresh_from_db()
    assert first.exit_code == 0
    assert case.state == "open"
    assert second.exit_code == 1
    assert second.stderr.endswith(" [wrong_state]\n")


def test_somebody_elses_case_does_not_exist(fabriek):
    result = fabriek(a_person(), "cases", "show", a_case().code)

    assert result.exit_code == 1
    assert result.stderr == (
        "This does not exist, or it is not yours to see. Check the code. [not_found]\n"
    )


@pytest.mark.parametrize(("step", "state"), [("close", "closed"), ("withdraw", "withdrawn")])
def test_a_case_can_be_ended(fabriek, step, state):
    lead = a_person()
    case = a_case(lead=lead)

    result = fabriek(lead, "cases", step, case.code)

    case.refresh_from_db()
    assert (result.exit_code, case.state) == (0, state)
