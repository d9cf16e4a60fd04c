"""Data lent to one member of a consortium: the others of it hear neither its name nor terms."""

from datetime import timedelta

import pytest
from django.utils import timezone

from fabriek.registry import actions
from fabriek.runs import warnings_of_end
from fabriek.runs.models import Run
from fabriek.store import queries as store
from tests.agreements.policy_world import a_policy_world, passed_on
from tests.factories import a_model, a_partner, a_person, a_repository, an_organisation
from tests.registry.worlds import a_finished_run

pytestmark = pytest.mark.django_db
NOT_SEEN = "data you may not see"


@pytest.fixture
def world():
    """Lend a dataset to one member of a consortium, who makes a model of it."""
    world = a_policy_world(title="Complaints of Zwanendal")
    world.named, world.other = a_person(), a_person()
    firm = an_organisation(lead=world.named)
    a_partner(world.using, organisation=firm)
    a_partner(world.using, organisation=an_organisation(lead=world.other))
    world.dataset.title = world.repository.title
    world.dataset.save()
    world.owning.organisation.name = "Zwanendal Clinics"
    world.owning.organisation.save()
    world.agreement = world.agree(
        organisations=[firm],
        duties=["attribute", "review"],
        ends_at=timezone.now() + timedelta(hours=3),
    )
    return world


def secrets(world):
    return {
        "title": "Zwanendal",
        "dataset": world.dataset.code,
        "agreement": world.agreement.code,
    }


def a_lent_run(world):
    run = a_finished_run(case=world.using, data=[world.dataset], asked_by=world.named)
    run.inputs.update(agreement=world.agreement)
    return run


def a_model_of_it(world):
    return actions.register(a_lent_run(world))


def told(secrets, text):
    return {name for name, secret in secrets.items() if secret in text}


def pages_of(world, model):
    run, case = model.run.code, world.using.code
    return (
        f"/models/{model.code}/",
        "/models/",
        f"/runs/{run}/",
        "/runs/",
        f"/runs/new?like={run}",
        f"/cases/{case}/",
        "/",
        "/data/",
        "/data/decisions/",
        "/catalogue/",
        "/agreements/",
    )


def calls_of(model):
    run = model.run.code
    return (
        f"/api/models/{model.code}",
        f"/api/models/{model.code}/card",
        f"/api/models/{model.code}/origin",
        f"/api/models/{model.code}/files",
        f"/api/models/{model.code}/files/README.md",
        "/api/models/",
        f"/api/runs/{run}",
        f"/api/runs/{run}/log",
        f"/api/models/{model.repository.repo_id}",
        "/api/datasets/",
        "/api/data-use/decisions",
        "/api/agreements/",
    )


def test_who_is_not_named_hears_nothing_on_any_page(world, browser):
    model = a_model_of_it(world)
    client = browser(world.other)

    for page in pages_of(world, model):
        answer = client.get(page)
        assert answer.status_code == 200, page
        assert told(secrets(world), answer.text) == set(), page


def test_who_is_not_named_hears_nothing_from_any_call(world, program):
    model = a_model_of_it(world)
    client = program(world.other)

    for call in calls_of(model):
        answer = client.get(call)
        assert not answer.streaming, call
        assert told(secrets(world), answer.text) == set(), call


@pytest.mark.parametrize(
    ("language", "words"), [("en", NOT_SEEN), ("nl", "data die u niet mag zien")]
)
def test_in_its_place_they_read_that_there_is_something(world, browser, language, words):
    model = a_model_of_it(world)

    page = browser(world.other, language).get(f"/models/{model.code}/").text

    assert words in page


def test_programs_read_that_there_is_something_too(world, program):
    model = a_model_of_it(world)
    client = program(world.other)

    chain = client.get(f"/api/models/{model.code}/origin").json()[0]
    detail = client.get(f"/api/models/{model.code}").json()

    (item,) = next(step["items"] for step in chain["steps"] if step["name"] == "inputs")
    assert item == {"label": NOT_SEEN, "url": "", "note": item["note"]}
    assert detail["datasets"] == [{"reference": "", "title": NOT_SEEN, "digest": ""}]


def test_who_is_named_sees_what_it_was_made_of(world, browser, program):
    model = a_model_of_it(world)

    for person in (world.named, world.user):
        page = browser(person).get(f"/models/{model.code}/").text
        detail = program(person).get(f"/api/models/{model.code}").json()
        assert NOT_SEEN not in page
        assert world.dataset.code in page
        assert world.agreement.code in page
        assert detail["datasets"][0]["title"] == "Complaints of Zwanendal"


def test_the_card_that_travels_names_what_the_card_on_the_page_does_not(world):
    model = a_model_of_it(world)

    readme = store.listing(model.revision)["README.md"]
    with store.the_store().open(readme) as file:
        text = file.read().decode()

    assert told(secrets(world), text) == {"title", "dataset", "agreement"}
    assert "Zwanendal Clinics" in text
    assert told(secrets(world), model.card + model.title) == set()
    assert "1 agreement" in model.card


def test_the_title_of_a_model_of_lent_data_is_that_of_its_case(world):
    model = a_model_of_it(world)

    assert model.title.startswith(f"{world.using.title} · ")


def test_a_warning_of_the_end_names_no_agreement_to_who_is_not_named(world, browser, program):
    run = a_lent_run(world)
    Run.objects.filter(pk=run.pk).update(state="running", timeout_s=86_400)
    warnings_of_end.warn_all(timezone.now())
    run.refresh_from_db()
    assert len(run.warnings) == 1

    pages = [browser(world.other).get(f"/runs/{run.code}/{part}").text for part in ("", "live")]
    call = program(world.other).get(f"/api/runs/{run.code}")
    named = browser(world.named).get(f"/runs/{run.code}/").text

    for text in (*pages, call.text):
        assert told(secrets(world), text) == set()
        assert "An agreement on data of this run ends on" in text
    assert f"Agreement {world.agreement.code} on the data of this run ends on" in named


def test_the_reason_why_not_names_no_agreement_that_is_not_theirs(world, browser):
    model = a_model_of_it(world)

    page = browser(world.other).get(f"/models/{model.code}/")
    file = browser(world.other).get(f"/models/{model.code}/files/README.md")

    assert file.status_code == 403
    for answer in (page, file):
        assert "for other organisations of your case" in answer.text
        assert world.agreement.code not in answer.text


def test_a_model_that_was_made_open_tells_nobody_what_was_lent(world, browser, program):
    model = a_model_of_it(world)
    model.repository.is_open = True
    model.repository.save()

    page = browser(world.stranger).get(f"/models/{model.code}/").text
    card = program(world.stranger).get(f"/api/models/{model.code}/card").text

    assert told(secrets(world), page + card) == set()


def test_a_base_that_was_lent_to_one_member_is_not_named_to_the_others(world, browser, program):
    base = a_model(case=world.owning, title="Zwanendal base")
    base.repository.code, base.repository.title = base.code, base.title
    base.repository.save()
    lent = world.agreement
    lent.repository = base.repository
    lent.save()
    run = a_finished_run(case=world.using, base=base, asked_by=world.named)
    run.inputs.update(agreement=lent)
    model = actions.register(run)
    hidden = {"title": "Zwanendal", "base": base.code, "agreement": lent.code}

    for page in pages_of(world, model):
        assert told(hidden, browser(world.other).get(page).text) == set(), page
    for call in calls_of(model):
        assert told(hidden, program(world.other).get(call).text) == set(), call
    assert base.code in browser(world.named).get(f"/models/{model.code}/").text
    listed = program(world.named).get("/api/models/").json()["items"]
    assert base.code in {one["base"] for one in listed}


def test_a_model_that_is_not_whole_is_heard_of_by_whom_the_data_are_lent_to(world, program):
    place = a_repository(kind="model", case=world.using, namespace="C26-1", name="zwanendal")
    passed_on(place, world.agreement)

    heard = {
        person: [one["name"] for one in program(person).get("/api/models/unfinished").json()]
        for person in (world.named, world.other)
    }

    assert heard == {world.named: [place.repo_id], world.other: []}
