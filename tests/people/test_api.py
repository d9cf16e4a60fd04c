import pytest

from fabriek.people import actions
from fabriek.people.models import Membership, Organisation, Token
from tests.factories import a_person, a_token, an_organisation, staff

pytestmark = pytest.mark.django_db

FACTS = {"name": "Zorgtaal", "kvk_number": "12345678", "kind": "sme", "staff_count": 5}


def send(client, address, body=None):
    return client.post(address, body or {}, content_type="application/json")


@pytest.fixture
def person():
    return a_person(name="Anke")


def test_me_tells_who_i_am_and_what_i_am_where(program, person):
    organisation = an_organisation(lead=person, name="Zorgtaal", kvk_number="12345678")

    answer = program(person).get("/api/people/me").json()

    assert answer == {
        "email": person.email,
        "name": "Anke",
        "roles": [
            {
                "organisation_id": organisation.pk,
                "organisation": "Zorgtaal",
                "kvk_number": "12345678",
                "foreign_number": "",
                "role": "lead",
            }
        ],
        "duties": [],
        "invitations": [],
    }


def test_me_names_the_duties(program):
    answer = program(staff()).get("/api/people/me").json()

    assert answer["duties"] == [{"duty": "staff", "funder_code": ""}]


def test_a_token_made_by_a_program_works_and_is_revoked(program, person):
    client = program(person)

    made = send(client, "/api/people/tokens", {"name": "ci", "scope": "read", "days": 7})
    assert made.status_code == 201
    assert made.json()["key"].startswith("fbk_")
    gone = client.delete(f"/api/people/tokens/{made.json()['token']['id']}")

    assert gone.status_code == 204
    listed = client.get("/api/people/tokens").json()
    assert [(t["name"], t["state"]) for t in listed["items"]] == [
        ("laptop", "valid"),
        ("ci", "revoked"),
    ]
    assert "key" not in listed["items"][0]


def test_a_token_that_may_only_look_makes_nothing(program, person):
    answer = send(program(person, scope="read"), "/api/people/tokens", {"name": "more"})

    assert (answer.status_code, answer.json()["code"]) == (403, "token_scope")
    assert Token.objects.count() == 1


def test_a_token_of_somebody_else_does_not_exist(program, person):
    a_token(a_person())
    theirs = Token.objects.get()

    assert program(person).delete(f"/api/people/tokens/{theirs.pk}").status_code == 404


def test_an_organisation_is_registered_and_shown_with_its_size(program, person):
    client = program(person)

    made = send(client, "/api/people/organisations", FACTS | {"turnover_eur": 10})

    assert made.status_code == 201
    assert (made.json()["size_class"], made.json()["is_sme"]) == ("micro", True)
    shown = client.get(f"/api/people/organisations/{made.json()['id']}").json()
    assert shown == made.json()
    assert [step["name"] for step in shown["next_steps"]] == ["draft_case", "edit"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"kvk_number": "123"}, "kvk_number"),
        ({"name": "x" * 300}, "name"),
        ({"name": "a\u0000b"}, "name"),
        ({"staff_count": "many"}, "staff_count"),
        ({"turnover_eur": 10**40}, "turnover_eur"),
    ],
)
def test_wrong_values_are_named_by_field(program, person, change, field):
    answer = send(program(person), "/api/people/organisations", FACTS | change)

    assert answer.status_code == 422
    assert list(answer.json()["fields"]) == [field]
    assert not Organisation.objects.exists()


def test_a_number_that_is_taken_is_refused(program, person):
    an_organisation(kvk_number="12345678")

    answer = send(program(person), "/api/people/organisations", FACTS)

    assert (answer.status_code, answer.json()["code"]) == (409, "kvk_taken")


def test_an_invitation_goes_from_one_program_to_the_other(program, person):
    guest = a_person()
    organisation = an_organisation(lead=person)

    asked = send(
        program(person),
        f"/api/people/organisations/{organisation.pk}/invitations",
        {"email": guest.email},
    )
    other = program(guest)
    waiting = other.get("/api/people/me").json()["invitations"]
    joined = send(other, f"/api/people/invitations/{waiting[0]['id']}/accept")

    assert (asked.status_code, joined.status_code) == (201, 200)
    assert Membership.objects.get(person=guest).role == "member"


def test_an_invitation_is_declined_by_a_program(program, person):
    guest = a_person()
    invitation = actions.invite_member(
        an_organisation(lead=person), guest.email, role="member", by=person
    )
    address = f"/api/people/invitations/{invitation.pk}/decline"

    assert send(program(a_person()), address).status_code == 404
    assert send(program(guest), address).json()["state"] == "declined"


def test_organisations_of_others_do_not_exist(program, person):
    organisation = an_organisation(lead=a_person())
    client = program(person)

    assert client.get(f"/api/people/organisations/{organisation.pk}").status_code == 404
    assert client.get("/api/people/organisations").json()["count"] == 0


# A first page that holds all needs no counting.
@pytest.mark.parametrize(("many", "counting"), [(1, 0), (30, 1)])
def test_lists_cost_the_same_queries_however_many(
    program, person, many, counting, django_assert_num_queries
):
    for _ in range(many):
        an_organisation(lead=person)
        a_token(person)
    client = program(person)
    client.get("/api/people/me")  # notes the day of the token's first use

    with django_assert_num_queries(2 + counting):
        assert client.get("/api/people/organisations").json()["count"] == many
    with django_assert_num_queries(2 + counting):
        assert client.get("/api/people/tokens").json()["count"] == many + 1
    with django_assert_num_queries(3):
        client.get("/api/people/me")
