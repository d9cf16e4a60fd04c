import pytest

from fabriek.cases.models import Case, Intake
from fabriek.cases.states import CaseState, PartnerState
from tests.factories import a_case, a_partner, a_person, a_sector, an_organisation, staff

pytestmark = pytest.mark.django_db


def send(client, address, body=None):
    return client.post(address, body or {}, content_type="application/json")


@pytest.fixture
def lead():
    return a_person()


@pytest.fixture
def organisation(lead):
    return an_organisation(lead=lead)


@pytest.fixture
def case(lead, organisation):
    return a_case(lead=lead, organisation=organisation)


def facts(organisation, **changes):
    return {
        "organisation_id": organisation.pk,
        "title": "Shorter waiting",
        "problem": "Wrong desk.",
        "sector": a_sector().code,
        "trl_now": 3,
        "trl_aimed": 6,
    } | changes


def test_a_case_is_drafted_shown_and_proposed(program, lead, organisation):
    client = program(lead)

    made = send(client, "/api/cases/", facts(organisation))
    code = made.json()["code"]
    shown = client.get(f"/api/cases/{code}").json()
    done = send(client, f"/api/cases/{code}/propose").json()

    assert made.status_code == 201
    assert (shown["state"], shown["sector"], shown["intake"]) == ("draft", "care", None)
    assert [step["name"] for step in shown["next_steps"]] == [
        "propose",
        "intake",
        "invite",
        "edit",
        "withdraw",
    ]
    assert (done["state"], done["state_label"]) == ("open", "open")
    assert [step["name"] for step in done["next_steps"]] == [
        "intake",
        "invite",
        "edit",
        "close",
        "withdraw",
    ]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"title": "x" * 300}, "title"),
        ({"problem": "a\u0000b"}, "problem"),
        ({"sector": "magic"}, "sector"),
        ({"trl_aimed": 1}, "trl_aimed"),
        ({"trl_now": "three"}, "trl_now"),
    ],
)
def test_wrong_values_are_named_by_field(program, lead, organisation, change, field):
    answer = send(program(lead), "/api/cases/", facts(organisation, **change))

    assert answer.status_code == 422
    assert list(answer.json()["fields"]) == [field]
    assert not Case.objects.exists()


def test_half_a_character_is_refused_and_breaks_nothing(program, lead, organisation):
    body = '{"organisation_id": %d, "title": "\\ud800", "problem": "x", "sector": "care",'
    body = body % organisation.pk + '"trl_now": 1, "trl_aimed": 2}'

    answer = program(lead).post("/api/cases/", body, content_type="application/json")

    assert answer.status_code == 422
    assert not Case.objects.exists()


def test_nobody_drafts_for_another_organisation(program, organisation):
    stranger = send(program(a_person()), "/api/cases/", facts(organisation))
    clerk = send(program(staff()), "/api/cases/", facts(organisation))

    assert (stranger.status_code, clerk.status_code) == (404, 403)
    assert not Case.objects.exists()


def test_a_case_is_changed_in_part(program, lead, case):
    client = program(lead)

    answer = client.patch(
        f"/api/cases/{case.code}", {"title": "Mended"}, content_type="application/json"
    )

    assert answer.json()["title"] == "Mended"
    assert answer.json()["problem"] == case.problem


@pytest.mark.parametrize("step", ["propose", "close", "withdraw"])
def test_a_member_is_refused_with_a_sentence(program, case, step):
    member = a_person()
    case.organisation.memberships.create(person=member, role="member")

    answer = send(program(member), f"/api/cases/{case.code}/{step}")

    assert (answer.status_code, answer.json()["code"]) == (403, "not_allowed")
    assert "Ask one of the leads." in answer.json()["detail"]


def test_a_step_that_is_not_open_is_refused(program, lead, case):
    answer = send(program(lead), f"/api/cases/{case.code}/propose")

    assert (answer.status_code, answer.json()["code"]) == (409, "wrong_state")


def test_a_step_that_does_not_exist_is_refused(program, lead, case):
    answer = send(program(lead), f"/api/cases/{case.code}/explode")

    assert answer.status_code == 422


@pytest.mark.parametrize(("step", "state"), [("close", "closed"), ("withdraw", "withdrawn")])
def test_a_case_is_ended(program, lead, case, step, state):
    answer = send(program(lead), f"/api/cases/{case.code}/{step}").json()

    assert (answer["state"], answer["next_steps"]) == (state, [])


def test_cases_of_others_do_not_exist(program, case):
    client = program(a_person())

    assert client.get(f"/api/cases/{case.code}").status_code == 404
    assert client.get("/api/cases/").json()["count"] == 0
    assert send(client, f"/api/cases/{case.code}/withdraw").status_code == 404


def test_a_partner_is_invited_and_answers_without_seeing_the_case(program, lead, case):
    guest = a_person()
    institute = an_organisation(lead=guest)
    host, other = program(lead), program(guest)

    asked = send(
        host,
        f"/api/cases/{case.code}/partners",
        {"kvk_number": institute.kvk_number, "part": "expert", "message": "Join us."},
    )
    waiting = other.get("/api/cases/invitations").json()["items"]
    assert other.get(f"/api/cases/{case.code}").status_code == 404
    address = f"/api/cases/{case.code}/partners/{waiting[0]['id']}/accept"
    joined = send(other, address)

    assert asked.status_code == 201
    assert (waiting[0]["case_title"], waiting[0]["message"]) == (case.title, "Join us.")
    assert [step["name"] for step in waiting[0]["next_steps"]] == ["accept", "decline"]
    assert "problem" not in waiting[0]
    assert joined.json()["state"] == "accepted"
    partners = other.get(f"/api/cases/{case.code}").json()["partners"]
    assert [partner["state"] for partner in partners] == ["accepted"]


def test_the_host_does_not_answer_for_the_guest(program, lead, case):
    partner = a_partner(case, state=PartnerState.INVITED)

    answer = send(program(lead), f"/api/cases/{case.code}/partners/{partner.pk}/accept")

    assert answer.status_code == 403


def test_a_partner_under_another_case_does_not_exist(program, lead, organisation, case):
    partner = a_partner(a_case(lead=lead, organisation=organisation))

    answer = send(program(lead), f"/api/cases/{case.code}/partners/{partner.pk}/invite_again")

    assert answer.status_code == 404


def test_the_intake_is_kept_and_shown(program, lead, case):
    client = program(lead)
    answers = {"purpose": "try", "experience": "some", "months": 2, "gpu_hours_guess": 10}

    kept = send(client, f"/api/cases/{case.code}/intake", answers)
    wrong = send(client, f"/api/cases/{case.code}/intake", answers | {"months": 0})

    assert client.get(f"/api/cases/{case.code}").json()["intake"] == kept.json()
    assert list(wrong.json()["fields"]) == ["months"]
    assert Intake.objects.get().months == 2


def test_the_list_is_filtered_as_the_page_is(program, lead, organisation, case):
    a_case(lead=lead, organisation=organisation, state=CaseState.CLOSED)

    answer = program(lead).get("/api/cases/?state=open&size=1").json()

    assert [item["code"] for item in answer["items"]] == [case.code]
    assert (answer["count"], answer["page"], answer["size"]) == (1, 1, 1)


# A first page that holds all needs no counting.
@pytest.mark.parametrize(("many", "counting"), [(1, 0), (30, 1)])
def test_lists_cost_the_same_queries_however_many(
    program, lead, organisation, many, counting, django_assert_num_queries
):
    for _ in range(many):
        case = a_case(lead=lead, organisation=organisation)
        a_partner(a_case(), organisation=organisation, state=PartnerState.INVITED)
    for _ in range(many):
        a_partner(case)
    client = program(lead)
    client.get("/api/cases/")  # notes the day of the token's first use

    with django_assert_num_queries(2 + counting):
        assert client.get("/api/cases/").json()["count"] == many
    with django_assert_num_queries(2 + counting):
        assert client.get("/api/cases/invitations").json()["count"] == many
    with django_assert_num_queries(3):
        client.get(f"/api/cases/{case.code}")
