"""A model is opened by its makers where all behind it lets it, and is found beside datasets."""

import pytest
from django.utils import timezone

from fabriek.agreements import actions as agreements
from fabriek.agreements import reviews
from fabriek.agreements.models import Purpose
from fabriek.cases import actions as cases
from fabriek.catalogue import open_models
from fabriek.catalogue.model_records import ModelRecord
from fabriek.catalogue.queries import Asked
from fabriek.datasets.models import Dataset
from fabriek.kernel.errors import Invalid, NotAllowed, Refused
from fabriek.kernel.models import Entry
from fabriek.notices.letters import letter_for
from fabriek.people.models import Membership
from fabriek.registry import actions, opening, telling
from fabriek.registry.models import Model
from fabriek.runs import ended_agreements
from fabriek.runs.destinations import Destination
from fabriek.runs.models import RunInput
from fabriek.store.models import Repository, Revision
from tests.agreements.policy_world import an_agreement, passed_on
from tests.factories import (
    a_case,
    a_dataset,
    a_model,
    a_partner,
    a_person,
    a_repository,
    a_revision,
    staff,
)
from tests.registry.worlds import a_consortium, a_finished_run, plain_model, some_data

pytestmark = pytest.mark.django_db
ABOUT = "Stuurt berichten naar de juiste balie."
FREE = {"purposes": [*Purpose.values], "product": "model_weights", "place": "open"}


def opened(model, by, **given):
    said = opening.Said(**{"sure": True, "about": ABOUT} | given)
    return opening.open_up(model, said, by=by)


def found(words, **asked):
    ids = open_models.search(Asked(q=words, **asked))
    return [record.repository.code for record in open_models.on_page(list(ids))]


@pytest.fixture
def made():
    case, lead, member = a_consortium()
    model = a_model(case=case)
    Repository.objects.filter(pk=model.repository_id).update(code=model.code)
    return Model.objects.get(pk=model.pk), lead, member


# --- found by everybody ------------------------------------------------------------------
def test_an_open_model_is_found_without_an_account_until_it_is_closed(made, client, browser):
    model, lead, member = made
    page, everything = f"/catalogue/models/{model.code}/", "/catalogue/?q=bericht"
    assert client.get(page).status_code == 404
    opening_page = f"/models/{model.code}/open/"

    assert model.title in browser(lead).get(opening_page).text
    browser(lead).post(opening_page, {"title": "Balie", "about": ABOUT, "sure": "on"})
    model.refresh_from_db()
    assert (model.title, model.repository.title) == ("Balie", "Balie")

    firm = model.case.organisation.name
    shown = client.get(page).text
    assert [word in shown for word in (model.title, ABOUT, firm, "EUPL")] == [True] * 4
    assert model.title in client.get(everything).text
    assert model.title in client.get(f"{everything}&kind=models").text
    assert model.title not in client.get(f"{everything}&kind=datasets").text
    assert model.title not in client.get(f"{everything}&theme=HEAL").text
    told = browser(a_person()).get("/api/catalogue/models/", {"q": "berichten"}).json()
    assert [(one["code"], one["owner"]) for one in told["items"]] == [(model.code, firm)]
    assert browser(member).post(f"/models/{model.code}/close/").status_code == 403

    browser(lead).post(f"/models/{model.code}/close/")

    assert client.get(page).status_code == 404
    assert model.title not in client.get(everything).text
    assert not ModelRecord.objects.exists()


def test_what_is_closed_in_any_way_is_not_told_of(made):
    model, lead, _member = made
    opened(model, lead)
    assert found("balie", licence="EUPL-1.2") == [model.code]

    Repository.objects.filter(pk=model.repository_id).update(is_open=False)
    telling.tick()

    assert found("balie") == []
    assert found("") == []
    assert not open_models.shown().exists()


def test_a_model_from_elsewhere_is_told_of_by_the_loop_and_followed(made, tmp_path):
    folder = plain_model(tmp_path / "model")
    card = "---\nlicense: mit\n---\n# Taal\n\nEen **klein** model voor Nederlandse brieven.\n"
    (folder / "README.md").write_text(card)
    firm = made[0].case.organisation
    model = actions.bring_in(
        folder, title="Zomerwoorden", licence="mit", organisation=firm, by=staff()
    )

    telling.tick()

    assert found("brief") == [model.code]
    record = ModelRecord.objects.get()
    assert record.text == "Een klein model voor Nederlandse brieven."
    Model.objects.filter(pk=model.pk).update(title="Winterwoorden")
    telling.tick()
    assert (found("zomerwoorden"), found("winterwoorden")) == ([], [model.code])
    at = ModelRecord.objects.get().changed_at
    telling.tick()
    assert ModelRecord.objects.get().changed_at == at


# --- who, and whether it may -------------------------------------------------------------
def test_only_a_lead_of_its_maker_opens_it(made, browser):
    model, _lead, member = made
    partner = a_person()
    a_partner(model.case, lead=partner)

    for person in (member, partner, staff()):
        with pytest.raises(NotAllowed):
            opened(model, person)

    address = f"/models/{model.code}/open/"
    assert browser(a_person()).get(address).status_code == 404
    assert not Repository.objects.get(pk=model.repository_id).is_open


def test_nothing_is_opened_without_being_sure(made, browser):
    model, lead, _member = made

    answer = browser(lead).post(
        f"/api/models/{model.code}/open", {}, content_type="application/json"
    )

    assert (answer.status_code, answer.json()["code"]) == (422, "not_sure")


@pytest.mark.parametrize(
    ("terms", "may"),
    [
        ({}, True),
        ({"purposes": ["training"]}, False),
        ({"product": "model_api"}, False),
        ({"place": "shared"}, False),
        ({"conditions": "Not for our competitors."}, False),
    ],
)
def test_terms_of_lent_data_must_leave_everything_free(made, terms, may):
    model, lead, _member = made
    lent = an_agreement(a_dataset().repository, model.case, **FREE | terms)
    passed_on(model.repository, lent)

    if may:
        opened(model, lead)
        return
    with pytest.raises(Refused) as refused:
        opened(model, lead)
    assert refused.value.code == "made_of_others"


def test_nor_may_it_wait_for_a_look_or_be_meant_for_some(made):
    model, lead, _member = made
    named = an_agreement(a_dataset().repository, model.case, **FREE)
    named.organisations.set([a_partner(model.case).organisation])
    looked_at = an_agreement(a_dataset().repository, model.case, **FREE)
    both = (
        passed_on(model.repository, named),
        passed_on(model.repository, looked_at, needs_review=True),
    )

    for row in both:
        with pytest.raises(Refused):
            opened(model, lead)
        row.delete()

    opened(model, lead)


def test_closed_data_of_a_partner_stands_in_the_way_also_behind_answers():
    case, lead, _member = a_consortium()
    partner = a_person()
    a_partner(case, lead=partner)
    free = {"licence": "CC-BY-4.0"}
    sent, own = some_data(case, code="D26-9002", **free), some_data(case, **free)
    answering = a_finished_run(case=case, data=[sent], recipe="batch_predict")
    Revision.objects.filter(repository=sent.repository).update(author=partner)
    Destination.objects.create(
        run=answering, dataset=own, revision=1, asked_by=lead, settled_at=timezone.now()
    )
    model = a_model(case=case, run=a_finished_run(case=case, data=[own]))

    with pytest.raises(Refused) as refused:
        opened(model, lead)
    assert refused.value.code == "made_of_others"

    Repository.objects.filter(pk=sent.repository_id).update(is_open=True)
    opened(model, lead)


def test_what_people_of_a_partner_sent_is_not_for_the_lead_to_open(made):
    model, lead, member = made
    partner = a_person()
    a_partner(model.case, lead=partner)
    Revision.objects.filter(pk=model.revision_id).update(author=partner)

    with pytest.raises(Refused) as refused:
        opened(model, lead)
    assert refused.value.code == "made_of_others"

    Membership.objects.filter(person=partner).delete()
    with pytest.raises(Refused):
        opened(model, lead)

    Revision.objects.filter(pk=model.revision_id).update(author=member)
    opened(model, lead)


def test_personal_data_asks_for_a_reason_and_a_closed_licence_is_in_the_way(made):
    model, lead, _member = made
    data = some_data(model.case, has_personal_data=True, licence="consortium-only")
    run = a_finished_run(case=model.case)
    RunInput.objects.create(run=run, name="dataset", revision=a_revision(data.repository))
    Model.objects.filter(pk=model.pk).update(run=run, licence="consortium-only")

    with pytest.raises(Invalid) as refused:
        opened(model, lead)
    assert refused.value.code == "licence"

    Model.objects.filter(pk=model.pk).update(licence="apache-2.0")
    with pytest.raises(Invalid, match=data.code) as refused:
        opened(model, lead)
    assert refused.value.code == "licence"

    Dataset.objects.filter(pk=data.pk).update(licence="CC-BY-4.0")
    with pytest.raises(Invalid) as refused:
        opened(model, lead)
    assert refused.value.code == "personal_data"
    opened(model, lead, why="All agreed.")


@pytest.mark.parametrize("terms", [FREE, FREE | {"place": "shared"}])
def test_data_that_was_really_lent_on_free_terms_is_no_obstacle_once_it_is_shown(terms):
    case, lead, _member = a_consortium()
    lent = a_dataset(licence="CC-BY-4.0")
    Repository.objects.filter(pk=lent.repository_id).update(code=lent.code)
    sender = lent.case.created_by
    run = a_finished_run(case=case, data=[some_data(case, licence="CC-BY-4.0"), lent])
    rows = run.inputs.filter(revision__repository=lent.repository)
    rows.update(agreement=an_agreement(lent.repository, case, **terms))
    Revision.objects.filter(repository=lent.repository).update(author=sender)
    model = actions.register(run)

    if terms == FREE:
        with pytest.raises(Refused, match=f"{lent.code} .*README.md") as refused:
            opened(model, lead)
        assert refused.value.code == "tells_of_lent"
        Repository.objects.filter(pk=lent.repository_id).update(listed_for="everybody")
        opened(model, lead)
        return
    with pytest.raises(Refused) as refused:
        opened(model, lead)
    assert refused.value.code == "made_of_others"


# --- what others learn of it -------------------------------------------------------------
def test_a_confidential_case_stays_unknown_when_its_model_is_opened(browser, program):
    case, lead, member = a_consortium()
    case.title, case.is_confidential = "Zwanenmeer overname", True
    case.save()
    data = some_data(case, licence="CC-BY-4.0")
    model = actions.register(a_finished_run(case=case, data=[data]))
    with pytest.raises(Invalid) as refused:
        opened(model, lead)
    assert refused.value.code == "no_title"

    opened(model, lead, title="Balie", tells=True)

    address = model.get_absolute_url()
    seen = {}
    for person in (member, a_person()):
        pages = [browser(person).get(one).text for one in ("/models/", address)]
        asked = program(person).get(f"/api/models/{model.code}").json()
        listed = program(person).get("/api/models/").json()["items"][0]
        words = ("zwanenmeer", case.code, "balie")
        found = [
            program(person).get(f"/api/models/?q={word}").json()["count"] for word in words
        ]
        seen[person] = (
            [case.title in page or case.code in page for page in pages],
            "Kosten" in pages[1] or "Cost" in pages[1],
            [one[name] is None for one in (asked, listed) for name in ("case", "run")],
            case.code in program(person).get(f"/api/models/{model.code}/card").text,
            found,
        )
    ours, strangers = seen.values()
    assert ours == ([True, True], True, [False] * 4, True, [1, 1, 1])
    assert strangers == ([False, False], False, [True] * 4, False, [0, 0, 1])


def test_the_form_shows_what_goes_out_and_lets_the_name_leave_a_confidential_case(
    browser, program
):
    case, lead, _member = a_consortium()
    case.title, case.is_confidential = "Zoë's overname", True
    case.save()
    data = some_data(case, licence="CC-BY-4.0", title=case.title)
    model = actions.register(a_finished_run(case=case, data=[data]))
    page, before = f"/models/{model.code}/open/", model.repository.repo_id
    assert before.startswith(f"{case.code}/zoes-overname-")
    filled = {"title": "Balie", "name": "zoes-OVERNAME_2", "sure": "on"}

    shown = browser(lead).get(page).text
    refused = browser(lead).post(page, filled)
    kept = Repository.objects.get(pk=model.repository_id)

    assert [word in shown for word in (before, "pipeline_tag", 'value="Zoë')] == [
        True,
        True,
        False,
    ]
    assert (refused.status_code, kept.repo_id, kept.is_open) == (422, before, False)
    assert set(refused.context["form"].errors) == {"name", "tells"}
    for given in ({"tells": True, "title": case.code}, {"title": "Balie"}):
        with pytest.raises(Invalid) as why:
            opened(model, lead, **given)
        assert why.value.code == "tells_of_case"
    assert Repository.objects.get(pk=model.repository_id).repo_id == before

    done = browser(lead).post(page, filled | {"name": "", "tells": "on"})

    assert done.status_code == 302
    listed = program(a_person()).get("/api/models").json()
    assert [(one["id"], one["author"]) for one in listed] == [
        (f"open/Balie-{model.code.lower()}", "open")
    ]


def test_a_case_that_became_confidential_later_is_told_what_everybody_reads(made, browser):
    model, lead, member = made
    opened(model, lead, title=f"Model van {model.case.title}")
    page, said = model.get_absolute_url(), "Your case is confidential, and everybody can read"
    assert said not in browser(lead).get(page).text

    cases.edit(model.case, by=lead, is_confidential=True)

    assert f"Model van {model.case.title}" in browser(lead).get(page).text.partition(said)[2]
    assert said not in browser(member).get(page).text


def test_a_name_that_is_taken_in_the_open_is_told_to_both(made, tmp_path):
    model, lead, _member = made
    model.case.is_confidential = True
    model.case.save()
    number = int(model.code[-4:])
    Repository.objects.filter(pk=model.repository_id).update(namespace=model.case.code)
    own, following = model.code.lower(), f"{model.code.lower()[:-4]}{number + 1:04d}"
    for name in ("zomer", f"zomer-{own}", f"zomer-{own}-{own}", f"zomer-{following}"):
        one = a_repository(kind="model")
        Repository.objects.filter(pk=one.pk).update(namespace="open", name=name)
    folder = plain_model(tmp_path / "model")
    firm = model.case.organisation

    with pytest.raises(Refused) as by_lead:
        opened(model, lead, title="Balie", name="zomer")
    with pytest.raises(Refused) as by_staff:
        actions.bring_in(folder, title="zomer", licence="mit", organisation=firm, by=staff())

    assert (by_lead.value.code, by_staff.value.code) == ("known_name", "known_name")


@pytest.mark.parametrize("later", ["held_back", "new_files"])
def test_an_open_model_that_its_owner_lets_out_no_more_is_closed_again(made, client, later):
    model, lead, _member = made
    owner = a_person()
    theirs = a_dataset(case=a_case(lead=owner)).repository
    lent = an_agreement(theirs, model.case, **FREE, duties=["review"])
    row = passed_on(model.repository, lent, needs_review=True)
    reviews.judge(row, by=owner, verdict="released")
    opened(model, lead)
    telling.tick()
    assert found("balie") == [model.code]

    if later == "held_back":
        reviews.judge(row, by=owner, verdict="held_back", note="It repeats names.")
    else:
        a_revision(model.repository, number=2)
    telling.tick()

    repository = Repository.objects.get(pk=model.repository_id)
    assert (repository.is_open, repository.listed_for) == (False, "nobody")
    assert found("balie") == []
    assert client.get(f"/catalogue/models/{model.code}/").status_code == 404
    assert Entry.objects.get(verb="registry.close_held_back").by is None


# --- what an owner takes back ----------------------------------------------------------------
@pytest.fixture
def lent_and_open(made):
    """Give an open model of lent data that its agreement lets be open, and that agreement."""
    model, lead, _member = made
    owner = a_person()
    theirs = some_data(a_case(lead=owner), code="D26-9010").repository
    lent = an_agreement(theirs, model.case, **FREE | {"purposes": sorted(Purpose.values)})
    passed_on(model.repository, lent)
    opened(model, lead)
    return model, lent, lead, owner


def letters(*verbs):
    entries = Entry.objects.filter(verb__in=verbs).order_by("pk")
    return [letter_for(entry) for entry in entries]


def test_a_model_that_was_rightly_opened_stays_open_and_both_sides_read_what_holds(
    lent_and_open, browser
):
    model, lent, lead, owner = lent_and_open
    before = browser(owner).get(lent.get_absolute_url()).text

    agreements.revoke(lent, by=owner, reason="We stop.")
    ended_agreements.tick()
    telling.tick()

    assert Repository.objects.get(pk=model.repository_id).is_open
    for page in (before, browser(owner).get(lent.get_absolute_url()).text):
        assert "stay open, as the agreement allowed that" in page
        assert f"/catalogue/models/{model.code}/" in page
    assert "has revoked the agreement" in browser(lead).get(f"/models/{model.code}/").text
    revoked, left_open = letters("agreements.revoke", "agreements.leave_open")
    assert {owner.email, lead.email} <= set(revoked.to)
    assert model.code in revoked.text
    assert left_open.to == (lead.email,)
    assert model.code in left_open.text


def test_a_stranger_reads_nothing_of_it(lent_and_open, browser):
    model, lent, _lead, owner = lent_and_open
    agreements.revoke(lent, by=owner, reason="We stop.")

    page = browser(a_person()).get(f"/models/{model.code}/")

    assert page.status_code == 200
    assert "revoked" not in page.text


@pytest.mark.parametrize(
    "limit", [{"product": "model_api"}, {"purposes": ["training"]}, {"conditions": "Ask us."}]
)
def test_no_model_is_open_that_an_agreement_keeps_behind_an_api(lent_and_open, limit):
    """However it came to be: such as by a row that was written while it was open."""
    model, lent, lead, _owner = lent_and_open
    telling.tick()
    assert Repository.objects.get(pk=model.repository_id).is_open
    other = an_agreement(lent.repository, lent.case, **FREE | limit)
    passed_on(model.repository, other)

    telling.tick()

    assert not Repository.objects.get(pk=model.repository_id).is_open
    (letter,) = letters("registry.close_by_terms")
    assert letter.to == (lead.email,)
