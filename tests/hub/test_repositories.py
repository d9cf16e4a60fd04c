import json

import pytest

from fabriek.datasets.models import Dataset
from fabriek.kernel.models import Entry
from fabriek.people.models import Membership, Role
from fabriek.store.models import Ref, Repository, Revision
from tests.factories import a_case, a_partner, a_person, a_run, an_allocation
from tests.hub.calls import Hub, small

pytestmark = pytest.mark.django_db


def post(client, path, body):
    return client.post(path, json.dumps(body), content_type="application/json")


def create(client, name, organization=None, kind="dataset"):
    asked = {"name": name, "organization": organization, "type": kind}
    return post(client, "/api/repos/create", asked)


def remove(client, name, organization, kind="dataset"):
    asked = {"name": name, "organization": organization, "type": kind}
    return client.delete(
        "/api/repos/delete", json.dumps(asked), content_type="application/json"
    )


def test_who_somebody_is_with_their_cases_as_organisations(program, case, lead):
    told = program(lead).get("/api/whoami-v2").json()

    assert told["email"] == lead.email
    assert [org["name"] for org in told["orgs"]] == [case.code]
    assert told["auth"]["accessToken"]["role"] == "write"


def test_without_a_token_nobody_is_let_in(client):
    answer = client.get("/api/whoami-v2")

    assert answer.status_code == 401
    assert "token" in answer["X-Error-Message"]


@pytest.mark.parametrize("header", ["Bearer nonsense", "Basic abc", "Bearer fbk_" + "x" * 43])
def test_a_wrong_token_is_said_in_the_words_that_clients_know(client, header):
    answer = client.get("/api/whoami-v2", headers={"Authorization": header})

    assert answer.status_code == 401
    assert answer["X-Error-Message"] == "Invalid credentials in Authorization header"


def test_a_suspended_person_is_not_let_in(program, hub, lead):
    lead.is_active = False
    lead.save()

    assert hub.get().status_code == 401


def test_a_dataset_is_made_private_and_as_if_it_held_personal_data(program, case, lead):
    answer = create(program(lead), "questions", case.code)

    dataset = Dataset.objects.get()
    assert answer.json()["url"] == f"http://testserver/datasets/{case.code}/questions"
    assert dataset.repository.repo_id == f"{case.code}/questions"
    assert (dataset.title, dataset.has_personal_data) == ("questions", True)
    assert (dataset.licence, dataset.repository.is_open) == ("consortium-only", False)


def test_a_model_gets_a_place_and_no_code_before_it_is_whole(program, case, lead):
    answer = create(program(lead), "desk", case.code, kind="model")

    repository = Repository.objects.get()
    assert answer.json()["url"] == f"http://testserver/{case.code}/desk"
    assert (repository.kind, repository.code) == ("model", None)
    assert repository.repo_id == f"{case.code}/desk"


def test_without_a_case_the_only_open_one_is_meant(program, case, lead):
    answer = create(program(lead), "questions")

    assert answer.json()["id"] == f"{case.code}/questions"


def test_with_two_open_cases_the_refusal_names_them(program, case, lead):
    other = a_case(organisation=case.organisation)

    answer = create(program(lead), "questions")

    assert answer.status_code == 403
    assert f"{case.code}, {other.code}" in answer.json()["error"]
    assert Repository.objects.count() == 0


def test_what_is_there_is_found_and_its_address_told(program, hub, lead, case):
    answer = create(program(lead), "Questions", case.code.lower())

    assert answer.status_code == 409
    assert answer.json()["url"].endswith(f"/datasets/{case.code}/questions")
    assert Dataset.objects.count() == 1


def test_nobody_writes_in_a_case_of_others(program, case):
    stranger = a_person()
    a_case(lead=stranger)

    answer = create(program(stranger), "questions", case.code)

    assert (answer.status_code, Repository.objects.count()) == (403, 0)
    assert case.code not in answer.json()["error"]


@pytest.mark.parametrize(
    "name", ["", ".git", "a b", "a/b", "..", "x" * 97, "naïef", "-a", "a\u0000b", "\ud800"]
)
def test_a_name_that_will_not_do_is_refused(program, lead, case, name):
    assert create(program(lead), name, case.code).status_code == 422


@pytest.mark.parametrize("body", ["", "[]", "{", '"a"', "[" * 100_000, '{"type": "space"}'])
def test_what_is_no_wish_is_refused(program, lead, case, body):
    answer = program(lead).post("/api/repos/create", body, content_type="application/json")

    assert answer.status_code in {400, 422, 501}


def test_a_token_that_may_only_look_makes_nothing(program, lead, case):
    answer = create(program(lead, scope="read"), "questions", case.code)

    assert (answer.status_code, Repository.objects.count()) == (403, 0)


def test_what_nothing_names_is_removed_with_its_revisions(program, hub, lead, case):
    first = hub.push({"a.txt": b"one"})
    hub.push({"a.txt": b"two"})
    post(hub.client, f"{hub.api}/tag/{first}", {"tag": "v1"})
    hub.resolve("a.txt")

    answer = remove(hub.client, "questions", case.code)

    assert answer.status_code == 200
    assert [m.objects.count() for m in (Dataset, Revision, Ref)] == [0, 0, 0]
    assert hub.get().status_code == 404
    assert list(Repository.objects.values_list("name", "code")) == [("", None)]
    assert create(hub.client, "questions", case.code).status_code == 200
    assert Entry.objects.filter(verb="hub.delete", thread=case.code, by=lead).count() == 1


def test_what_a_run_worked_on_stays(hub, case):
    hub.push({"a.txt": b"one"})
    run = a_run(allocation=an_allocation(case=case))
    run.inputs.create(name="dataset", revision=Revision.objects.get())

    answer = remove(hub.client, "questions", case.code)

    assert (answer.status_code, Revision.objects.count()) == (409, 1)
    assert Dataset.objects.count() == 1


def test_a_partner_removes_nothing(program, hub, case):
    partner = a_person()
    a_partner(case, lead=partner)

    answer = remove(program(partner), "questions", case.code)

    assert (answer.status_code, Dataset.objects.count()) == (403, 1)


def test_another_name_within_the_case(hub, case):
    hub.push({"a.txt": b"one"})
    wish = {"fromRepo": hub.repo_id, "toRepo": f"{case.code}/answers", "type": "dataset"}

    answer = post(hub.client, "/api/repos/move", wish)

    assert answer.status_code == 200
    assert hub.get().status_code == 404
    assert Hub(hub.client, f"{case.code}/answers").get().json()["id"] == f"{case.code}/answers"


def test_a_partner_and_a_member_give_no_other_name(program, hub, case):
    partner, member = a_person(), a_person()
    a_partner(case, lead=partner)
    Membership.objects.create(person=member, organisation=case.organisation, role=Role.MEMBER)
    wish = {"fromRepo": hub.repo_id, "toRepo": f"{case.code}/answers", "type": "dataset"}

    answers = [post(program(who), "/api/repos/move", wish) for who in (partner, member)]

    assert [a.status_code for a in answers] == [403, 403]
    assert hub.get().status_code == 200


def test_somebody_with_many_cases_is_let_in_each(program, lead, case):
    cases = [case, *(a_case(organisation=case.organisation) for _number in range(21))]
    wish = {"name": "last", "organization": cases[-1].code.lower(), "type": "dataset"}

    answer = post(program(lead), "/api/repos/create", wish)

    assert answer.status_code == 200
    assert answer.json()["name"] == f"{cases[-1].code}/last"


def test_data_does_not_move_to_another_case(hub, case):
    other = a_case(organisation=case.organisation)
    wish = {"fromRepo": hub.repo_id, "toRepo": f"{other.code}/answers", "type": "dataset"}

    assert post(hub.client, "/api/repos/move", wish).status_code == 409


@pytest.mark.parametrize(
    ("wish", "status"),
    [
        ({"visibility": "private"}, 200),
        ({"private": True}, 200),
        ({"gated": False}, 200),
        ({"visibility": "public"}, 409),
        ({"private": False}, 409),
        ({"gated": "auto"}, 409),
    ],
)
def test_settings_say_who_decides(hub, wish, status):
    answer = hub.client.put(
        f"{hub.api}/settings", json.dumps(wish), content_type="application/json"
    )

    assert answer.status_code == status


def test_a_list_of_what_one_may_see(program, made, lead, case):
    made("datasets", "questions")
    made("models", "desk")
    stranger = a_person()
    a_case(lead=stranger)

    assert [r["id"] for r in program(lead).get("/api/datasets").json()] == [
        f"{case.code}/questions"
    ]
    assert [r["id"] for r in program(lead).get("/api/models").json()] == [f"{case.code}/desk"]
    assert program(stranger).get("/api/datasets").json() == []


def test_a_list_by_words_and_pages(program, made, lead, case, monkeypatch):
    for number in range(3):
        made("datasets", f"set{number}")
    monkeypatch.setattr("fabriek.hub.repo_views.PAGE", 2)
    client = program(lead)

    first = client.get(f"/api/datasets?author={case.code}")
    second = client.get(first["Link"].split(">")[0][1:].replace("http://testserver", ""))

    assert [r["id"][-4:] for r in first.json()] == ["set2", "set1"]
    assert [r["id"][-4:] for r in second.json()] == ["set0"]
    assert "Link" not in second
    found = client.get("/api/datasets?search=set1").json()
    assert [r["id"] for r in found] == [f"{case.code}/set1"]
    assert client.get("/api/datasets?search=%00").json() == []


def test_a_card_of_any_form_is_found_good_also_without_a_token(client):
    for content in ("# a card", "[" * 2**20):  # cards are validated on their own without one
        body = {"repoType": "dataset", "content": content}
        answer = client.post("/api/validate-yaml", body, content_type="application/json")

        assert (answer.status_code, answer.json()) == (200, {"errors": [], "warnings": []})


@pytest.mark.parametrize(
    "word", ["discussions?p=0", "super-squash/main", "discussions/1/merge"]
)
def test_what_is_not_offered_is_said_to_programs(program, lead, hub, word):
    answer = program(lead).get(f"{hub.api}/{word}")

    assert (answer.status_code, answer.json()["code"]) == (501, "not_offered")


def test_our_own_api_stands_beside_it(hub, case):
    code = Dataset.objects.get().code

    assert hub.client.get(f"/api/datasets/{code}").json()["title"] == "questions"
    assert hub.client.get("/api/datasets/").json()["items"][0]["code"] == code


def test_a_name_without_a_case_is_said_to_be_unknown(hub):
    answer = hub.client.get("/gpt2/resolve/main/config.json")

    assert (answer.status_code, answer["X-Error-Code"]) == (404, "RepoNotFound")


def test_in_a_browser_a_name_leads_to_the_page(browser, hub, lead):
    dataset = Dataset.objects.get()

    client, address = browser(lead), f"/datasets/{hub.repo_id}"
    answer = client.get(address)
    within = client.get(f"{address}/tree/main/a%26b/c%20d/")

    assert (answer.status_code, answer.url) == (302, dataset.get_absolute_url())
    assert within.url == f"{dataset.get_absolute_url()}?in=a%26b%2Fc+d#walk"
    for rest in ("/tree/main", "/tree/try/a", f"/commit/{'a' * 40}", "/blob/main/a.txt"):
        assert client.get(f"{address}{rest}").url == dataset.get_absolute_url()
    assert browser(a_person()).get(f"/datasets/{hub.repo_id}").status_code == 404


def test_no_other_site_is_allowed_in(hub):
    answer = hub.client.get(hub.api, headers={"Host": "evil.example"})

    assert answer.status_code == 400


def test_a_closed_case_is_read_and_not_written(hub, case):
    hub.push({"a.txt": b"one"})
    case.state = "closed"
    case.save()

    assert hub.resolve("a.txt").status_code == 200
    assert hub.commit(small("b.txt", b"two")).status_code == 409
