"""Pages and API of models."""

import pytest
from django.urls import reverse

from fabriek.cases.states import CaseState, PartnerState
from fabriek.kernel.errors import NotAllowed
from fabriek.kernel.models import Entry
from fabriek.registry import actions, pushed, queries, rules
from fabriek.registry.models import Model, Rejection
from tests.factories import (
    a_case,
    a_model,
    a_partner,
    a_person,
    an_assessor,
    an_organisation,
    staff,
)
from tests.registry.worlds import a_consortium, a_finished_run, plain_model, some_data

pytestmark = pytest.mark.django_db


def a_trained_model(*, base=None):
    case, lead, member = a_consortium()
    data = some_data(case)
    return actions.register(a_finished_run(case=case, data=[data], base=base)), lead, member


def an_open_model(tmp_path, title="Small base"):
    return actions.bring_in(
        plain_model(tmp_path / title),
        title=title,
        licence="apache-2.0",
        organisation=an_organisation(),
        by=staff(),
    )


def text_of(response):
    return response.content.decode()


# --- who sees what -----------------------------------------------------------------------
def test_the_consortium_sees_its_model_everywhere(browser, program):
    model, lead, member = a_trained_model()
    partner = a_person()
    a_partner(model.case, organisation=an_organisation(member=partner))

    for person in (lead, member, partner):
        page = browser(person).get(model.get_absolute_url())
        listed = program(person).get("/api/models/").json()

        assert page.status_code == 200
        assert [item["code"] for item in listed["items"]] == [model.code]


@pytest.mark.parametrize("make", [a_person, staff, an_assessor])
def test_strangers_and_the_factory_do_not_see_a_consortiums_model(browser, program, make):
    model, _lead, _member = a_trained_model()
    person = make()
    declined = an_organisation(member=person)
    a_partner(model.case, organisation=declined, state=PartnerState.DECLINED)
    api = f"/api/models/{model.code}"

    answers = [
        browser(person).get(model.get_absolute_url()),
        browser(person).get(reverse("registry:download", args=[model.code, "config.json"])),
        *(
            program(person).get(f"{api}{rest}")
            for rest in ("", "/card", "/origin", "/files", "/files/config.json")
        ),
    ]

    assert [answer.status_code for answer in answers] == [404] * 7
    assert program(person).get("/api/models/").json()["items"] == []
    assert model.title not in text_of(browser(person).get("/models/"))
    assert not Entry.objects.filter(verb="registry.download").exists()
    with pytest.raises(NotAllowed):
        actions.download(model, model.revision.files.first(), by=person)


def test_nobody_sees_models_without_signing_in(client):
    model, _lead, _member = a_trained_model()

    assert client.get("/models/").status_code == 302
    assert client.get(model.get_absolute_url()).status_code == 302
    assert client.get(f"/api/models/{model.code}").status_code == 401


def test_an_open_model_is_for_everybody_who_is_signed_in(browser, program, tmp_path):
    model, person = an_open_model(tmp_path), a_person()

    page = browser(person).get(model.get_absolute_url())
    file = program(person).get(f"/api/models/{model.code}/files/config.json")

    assert page.status_code == 200
    assert model.revision.repository.organisation.name in text_of(page)
    assert b"".join(file.streaming_content) == b'{"model_type": "llama"}'


def test_an_open_model_tells_nothing_of_the_case_it_was_made_in(browser, program):
    model, _lead, _member = a_trained_model()
    repository = model.revision.repository
    repository.is_open = True
    repository.save()
    reader = program(a_person())

    steps = reader.get(f"/api/models/{model.code}/origin").json()[0]["steps"]
    page = text_of(browser(a_person()).get(model.get_absolute_url()))

    assert [step["name"] for step in steps] == ["model"]
    assert reader.get(f"/api/models/{model.code}").json()["datasets"] == []
    assert "This model is open, its case is not" in page


# --- fetching ----------------------------------------------------------------------------
def test_a_file_comes_as_an_attachment_and_who_took_it_is_written_down(browser):
    model, _lead, member = a_trained_model()

    answer = browser(member).get(reverse("registry:download", args=[model.code, "config.json"]))

    assert b"".join(answer.streaming_content) == b'{"model_type": "llama"}'
    assert answer["Content-Disposition"] == 'attachment; filename="config.json"'
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Content-Type"] == "application/octet-stream"
    entry = Entry.objects.get(verb="registry.download")
    assert (entry.by, entry.thread) == (member, model.case.code)
    assert entry.details["path"] == "config.json"


def test_a_file_that_is_not_in_the_model_does_not_exist(program):
    model, _lead, member = a_trained_model()

    assert program(member).get(f"/api/models/{model.code}/files/etc/passwd").status_code == 404


# --- the page ----------------------------------------------------------------------------
def test_the_page_tells_scores_origin_facts_files_and_card(browser):
    model, lead, _member = a_trained_model()

    page = text_of(browser(lead).get(model.get_absolute_url()))

    for words in (
        "Ask this model something",
        "Fetch the files",
        "4.2%",
        "91.7%",
        "Messages to the desk",
        model.run.code,
        model.run.allocation.account,
        "for this consortium only",
        f"fabriek models pull {model.code}",
        "model.safetensors",
        "<h3>What it is not</h3>",
    ):
        assert words in page
    assert "library_name" not in page


@pytest.mark.parametrize(
    ("language", "right", "loss"),
    [("en", "91.7%", "0.123"), ("nl", "91,7\N{NO-BREAK SPACE}%", "0,123")],
)
def test_a_score_is_written_the_same_wherever_it_stands(browser, language, right, loss):
    model, lead, _member = a_trained_model()
    reader = browser(lead, language=language)

    of_run = text_of(reader.get(model.run.get_absolute_url()))
    of_model, _mark, of_card = text_of(reader.get(model.get_absolute_url())).partition(
        'id="card"'
    )
    listed = text_of(reader.get("/models/"))

    for page in (of_run, of_model):
        assert f'<td class="num">{right}</td>' in page
        assert f'<td class="num">{loss}</td>' in page
    assert right in listed
    for written in ('<td class="num">91.7%</td>', '<td class="num">0.123</td>'):
        assert written in of_card  # the card is in English


def test_the_page_tells_what_was_chosen_in_words(browser):
    case, lead, _member = a_consortium()
    model = actions.register(a_finished_run(case=case, knobs={"method": "full"}))

    dutch = text_of(browser(lead, language="nl").get(model.get_absolute_url()))

    assert "Methode: Alle gewichten" in dutch


def test_the_page_of_a_model_without_scores_or_case_is_whole(browser, tmp_path):
    model = an_open_model(tmp_path)

    page = text_of(browser(a_person(), language="nl").get(model.get_absolute_url()))

    assert model.title in page
    assert "apache-2.0" in page


def test_runs_that_left_no_model_are_shown_with_the_reason_in_ones_own_language(browser):
    case, lead, _member = a_consortium()
    run = a_finished_run(case=case)
    Rejection.objects.create(run=run, code="pickle", name="weights.bin", reason="unused")

    english = text_of(browser(lead).get("/models/"))
    dutch = text_of(browser(lead, language="nl").get("/models/"))
    strange = text_of(browser(staff()).get("/models/"))

    assert "“weights.bin” is in a format that can run code" in english
    assert "“weights.bin” heeft een vorm" in dutch
    assert run.code in english
    assert run.code not in strange


def test_a_reason_without_a_sentence_of_its_own_is_shown_as_it_was_said(browser):
    case, lead, _member = a_consortium()
    Rejection.objects.create(run=a_finished_run(case=case), code="path", reason="As it was.")

    assert "As it was." in text_of(browser(lead).get("/models/"))


def test_the_list_finds_by_words(browser, program):
    case, lead, _member = a_consortium()
    a_model(case=case, title="Sorts messages")
    a_model(case=case, title="Writes answers")

    found = program(lead).get("/api/models/", {"q": f"answers {case.code}"}).json()
    none = text_of(browser(lead).get("/models/", {"q": "nothing\x00 like it"}))

    assert [item["title"] for item in found["items"]] == ["Writes answers"]
    assert "No model fits this search" in none


def test_an_empty_list_says_what_to_do_first(browser):
    page = text_of(browser(a_person()).get("/models/"))

    assert "you take part in no case" in page
    assert "Register your organisation" in page
    assert reverse("people:organisation_new") in page


# A first page that holds all needs no counting.
@pytest.mark.parametrize(("count", "counting"), [(1, 0), (30, 1)])
def test_the_list_costs_the_same_whatever_its_length(
    browser, program, django_assert_num_queries, count, counting
):
    case, lead, _member = a_consortium()
    for number in range(count):
        pushed.make_place(case, name=f"place-{number}", by=lead)
        a_model(case=case, title=f"Model {number}", scores={"loss_after": 0.5})
        run = a_finished_run(case=case, key=f"fabriek-{number}")
        Rejection.objects.create(run=run, code="no_model", name="config.json", reason="")
    page, api = browser(lead), program(lead)

    with django_assert_num_queries(7 + counting):
        page.get("/models/")
    with django_assert_num_queries(3):
        api.get("/api/models/")


def test_the_page_of_a_model_costs_thirteen_queries_with_its_base(
    browser, django_assert_num_queries
):
    base, lead, _member = a_trained_model()
    run = a_finished_run(
        case=base.case, data=[some_data(base.case, code="D26-9002")], base=base
    )
    model = actions.register(run)
    page = browser(lead)

    with django_assert_num_queries(13):
        page.get(model.get_absolute_url())


def test_the_files_of_a_model_are_walked_through_by_folder(browser, tmp_path):
    folder = plain_model(tmp_path / "base")
    (folder / "half size").mkdir()
    (folder / "half size" / "notes.json").write_text("{}")
    facts = {"title": "Base", "licence": "apache-2.0", "organisation": an_organisation()}
    model = actions.bring_in(folder, by=staff(), **facts)
    client, address = browser(a_person()), model.get_absolute_url()

    top = text_of(client.get(address))
    inside = text_of(client.get(f"{address}?in=half%20size"))
    found = text_of(client.get(f"{address}?find=NOTES"))

    link = f'href="{address}files/half%20size/notes.json" download>'
    assert 'href="?in=half%20size#walk"' in top
    assert f"{link}notes.json</a>" in inside
    assert f"{link}half size/notes.json</a>" in found
    assert "notes.json" not in top
    assert "config.json" not in inside + found


# --- the API -----------------------------------------------------------------------------
def test_the_api_tells_all_of_a_model(program):
    base, lead, _member = a_trained_model()
    data = some_data(base.case, code="D26-9002", title="More messages")
    model = actions.register(a_finished_run(case=base.case, data=[data], base=base))
    api = program(lead)

    told = api.get(f"/api/models/{model.code}").json()

    assert (told["case"], told["base"], told["run"]) == (
        model.case.code,
        base.code,
        model.run.code,
    )
    assert told["scores"] == model.scores
    assert told["facts"]["rows_held_out"] == 90
    assert told["datasets"] == [
        {"reference": "D26-9002@1", "title": "More messages", "digest": "0" * 64}
    ]
    assert [step["name"] for step in told["next_steps"]] == ["try", "download", "build_on"]
    assert api.get(f"/api/models/{model.code}/card").json() == {"card": model.card}
    files = api.get(f"/api/models/{model.code}/files").json()
    assert (files["count"], files["items"][1]["path"]) == (4, "config.json")
    assert files["items"][1]["size_bytes"] == 23


# --- origin and steps --------------------------------------------------------------------
def test_the_origin_goes_back_to_the_case_and_on_to_that_of_the_base(program):
    base, lead, _member = a_trained_model()
    data = some_data(base.case, code="D26-9002", title="More messages")
    run = a_finished_run(case=base.case, data=[data], base=base, knobs={"epochs": 9})
    model = actions.register(run)

    chains = program(lead).get(f"/api/models/{model.code}/origin").json()

    assert [chain["model"] for chain in chains] == [model.code, base.code]
    steps = {step["name"]: step["items"] for step in chains[0]["steps"]}
    assert list(steps) == ["model", "run", "inputs", "allocation", "application", "case"]
    assert steps["run"][0]["label"] == run.code
    assert steps["run"][0]["note"].endswith("Passes over the data: 9")
    assert [item["label"] for item in steps["inputs"]] == ["More messages", base.title]
    assert steps["allocation"][0]["note"] == "0.10 GPU-hours of 10 GPU-hours"
    assert steps["application"][0]["label"] == run.allocation.decision.application.code
    assert steps["case"][0]["url"] == model.case.get_absolute_url()
    assert [step["items"][0]["label"] for step in chains[1]["steps"]][:2] == [
        base.title,
        base.run.code,
    ]


def test_the_line_of_bases_is_followed_so_far_and_no_further(
    program, django_assert_num_queries
):
    model, lead, _member = a_trained_model()
    for _step in range(6):
        model = actions.register(a_finished_run(case=model.case, base=model))
    api = program(lead)

    with django_assert_num_queries(7):
        chains = api.get(f"/api/models/{model.code}/origin").json()

    assert len(chains) == 4


def steps_of(person, model):
    shown = queries.shown(person).get(pk=model.pk)
    return [(step.name, step.url) for step in rules.next_steps(person, shown)]


def test_the_next_steps_are_trying_fetching_and_building_on_it(tmp_path):
    model, lead, _member = a_trained_model()
    base = an_open_model(tmp_path)
    files = f"{model.get_absolute_url()}#files"
    new = reverse("runs:new")

    assert steps_of(lead, model) == [
        ("try", f"/try/new?model={model.code}"),
        ("download", files),
        ("build_on", f"{new}?case={model.case.code}&recipe=finetune_lm&model={model.code}"),
    ]
    assert steps_of(lead, base) == [
        ("try", f"/try/new?model={base.code}"),
        ("build_on", f"{new}?recipe=finetune_lm&model={base.code}"),
        ("download", f"{base.get_absolute_url()}#files"),
    ]
    assert [name for name, _url in steps_of(a_person(), base)] == ["download"]


def test_a_closed_case_is_built_on_no_further():
    case, lead, _member = a_consortium()
    model = a_model(case=case)
    type(case).objects.filter(pk=case.pk).update(state=CaseState.CLOSED)

    assert [name for name, _url in steps_of(lead, model)] == ["download"]


def test_a_model_of_another_case_has_no_steps_for_a_stranger():
    model = a_model(case=a_case())

    assert rules.next_steps(a_person(), model) == []
    assert Model.objects.visible_to(a_person()).count() == 0
