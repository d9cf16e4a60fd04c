"""The API of access: the same steps and the same refusals, for programs."""

import pytest

from fabriek.access.models import Application
from fabriek.access.states import ApplicationState
from fabriek.cases.models import Intake
from tests.access.worlds import (
    PLAYGROUND,
    a_draft,
    a_feasible,
    a_seeded_mode,
    a_submitted,
    an_eligible,
)
from tests.factories import (
    a_case,
    a_partner,
    a_person,
    an_application,
    an_assessor,
    an_organisation,
    staff,
)

pytestmark = pytest.mark.django_db
S = ApplicationState
API = "/api/applications/"


def put(client, address, body):
    return client.put(address, body, content_type="application/json")


def post(client, address, body=None):
    return client.post(address, body or {}, content_type="application/json")


def test_an_application_from_start_to_acceptance_by_programs_only(program):
    lead = a_person()
    case, mode = a_case(lead=lead), a_seeded_mode()
    applicant, factory, assessor = program(lead), program(staff()), program(an_assessor())

    made = post(applicant, API, {"case": case.code, "mode": mode.code})
    address = f"{API}{made.json()['code']}"
    for section, values in PLAYGROUND.items():
        version = applicant.get(f"{address}/sections/{section}").json()["version"]
        body = {"values": values, "version": version}
        assert put(applicant, f"{address}/sections/{section}", body).status_code == 200
    steps = [
        (applicant, "submit", {}, "submitted"),
        (factory, "find_eligible", {}, "eligible"),
        (assessor, "technical", {"remarks": "It will run.", "is_positive": True}, "feasible"),
        (factory, "award", {"gpu_hours": 5000, "months": 3, "reasons": "Good."}, "awarded"),
        (applicant, "accept", {}, "accepted"),
    ]
    states = [
        post(who, f"{address}/{step}", body).json()["state"] for who, step, body, _ in steps
    ]

    assert made.status_code == 201
    assert states == [end for *_, end in steps]
    assert applicant.get(address).json()["decision"]["gpu_hours"] == 5000


def test_next_steps_are_those_of_the_page(program):
    application, lead = a_draft(mode=a_seeded_mode())

    given = program(lead).get(f"{API}{application.code}").json()

    assert [step["name"] for step in given["next_steps"]] == ["edit", "submit", "withdraw"]
    assert [(part["section"], part["to_do"]) for part in given["sections"]] == [
        ("project", 2),
        ("data", 3),
        ("use", 1),
        ("consents", 4),
    ]


def test_a_section_tells_its_questions_and_what_is_wrong(program):
    application, lead = a_draft(mode=a_seeded_mode())

    given = program(lead).get(f"{API}{application.code}/sections/use").json()

    assert (given["values"], given["version"]) == ({"months": "1"}, 0)
    assert [(q["key"], q["problem"]) for q in given["questions"]] == [
        ("months", ""),
        ("help_wanted", "Please answer this question."),
    ]


def test_an_old_version_is_refused_with_both_texts(program):
    application, lead = a_draft()
    client, address = program(lead), f"{API}{application.code}/sections/plan"
    put(client, address, {"values": {"goal": "First"}, "version": 0})

    refused = put(client, address, {"values": {"goal": "Second"}, "version": 0})

    assert refused.status_code == 409
    assert refused.json()["code"] == "stale"
    assert refused.json()["fields"] == {
        "What do you want to reach?": "Saved is: “First”. You typed: “Second”."
    }


def test_an_unfinished_application_is_refused_with_its_fields(program):
    application, lead = a_draft()

    refused = post(program(lead), f"{API}{application.code}/submit")

    assert refused.status_code == 422
    assert refused.json()["code"] == "incomplete"
    assert refused.json()["fields"] == {"plan.goal": "Please answer this question."}


@pytest.mark.parametrize(
    ("step", "body", "status", "code"),
    [
        ("nothing", {}, 422, "invalid"),
        ("find_eligible", {}, 403, "not_allowed"),
        ("accept", {}, 409, "wrong_state"),
        ("technical", {"scores": "many"}, 422, "invalid"),
    ],
)
def test_refusals_have_a_status_and_a_code(program, step, body, status, code):
    application, lead = a_submitted()

    refused = post(program(lead), f"{API}{application.code}/{step}", body)

    assert (refused.status_code, refused.json()["code"]) == (status, code)
    application.refresh_from_db()
    assert application.state == S.SUBMITTED


def test_nobody_judges_by_leaving_something_out(program):
    application, _ = an_eligible()

    refused = post(program(an_assessor()), f"{API}{application.code}/technical", {})

    assert (refused.status_code, list(refused.json()["fields"])) == (422, ["is_positive"])
    application.refresh_from_db()
    assert application.state == S.ELIGIBLE


def test_others_find_nothing(program):
    application, _ = a_submitted()
    stranger = program(a_person())

    assert stranger.get(f"{API}{application.code}").status_code == 404
    assert post(stranger, f"{API}{application.code}/withdraw").status_code == 404
    assert stranger.get(API).json()["items"] == []


def test_a_token_that_may_only_look_changes_nothing(program):
    application, lead = a_submitted()

    refused = post(program(lead, scope="read"), f"{API}{application.code}/withdraw")

    assert refused.status_code == 403
    assert Application.objects.get().state == S.SUBMITTED


def test_modes_and_advice(program):
    lead = a_person()
    case = a_case(lead=lead)
    a_seeded_mode()
    Intake.objects.create(case=case, purpose="try", experience="none", months=2)
    client = program(lead)

    modes = client.get(f"{API}modes").json()
    advice = client.get(f"{API}advice/{case.code}").json()

    assert [mode["code"] for mode in modes][:3] == ["playground", "fast_lane", "large_scale"]
    assert [(each["mode"], each["fits"]) for each in advice][:1] == [("playground", True)]


# A first page that holds all needs no counting.
@pytest.mark.parametrize(("many", "counting"), [(1, 0), (30, 1)])
def test_the_list_costs_the_same_queries_for_any_number(
    program, many, counting, django_assert_num_queries
):
    for _ in range(many):
        an_application(state=S.SUBMITTED)
    client = program(staff())
    client.get(API)

    with django_assert_num_queries(4 + counting):
        given = client.get(API).json()

    assert given["count"] == many


@pytest.mark.parametrize(("many", "counting"), [(1, 0), (30, 1)])
def test_the_list_of_an_applicant_costs_no_more_in_any_state(
    program, many, counting, django_assert_num_queries
):
    lead = a_person()
    for number in range(many):
        an_application(case=a_case(lead=lead), state=list(S)[-number % len(S)])
    client = program(lead)
    client.get(API)

    with django_assert_num_queries(2 + counting):
        client.get(API)


@pytest.mark.parametrize("many", [1, 20])
def test_the_list_costs_the_same_for_staff_who_have_an_organisation(
    program, many, django_assert_num_queries
):
    clerk = staff()
    ours = an_organisation(lead=clerk)
    for _ in range(many):
        an_application(state=S.SUBMITTED)
        case = a_case()
        a_partner(case, organisation=ours)
        an_application(case=case, state=S.SUBMITTED)
    client = program(clerk)
    client.get(API)

    with django_assert_num_queries(5):
        items = client.get(f"{API}?size=50").json()["items"]

    # What their own organisation has part in is not theirs to judge.
    assert sorted(len(item["next_steps"]) for item in items) == [0] * many + [3] * many


def test_one_application_stays_within_the_budget(program, django_assert_num_queries):
    application, _ = a_feasible()
    client = program(staff())
    client.get(API)

    with django_assert_num_queries(5):
        client.get(f"{API}{application.code}")
