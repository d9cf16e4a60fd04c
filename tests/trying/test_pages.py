"""The pages of trying a model: what each says to do next, and to whom anything is shown."""

import json
import re

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from fabriek.kernel.errors import NotAllowed, Refused
from fabriek.runs import folders
from fabriek.runs.models import Run
from fabriek.runs.states import RunState
from fabriek.trying import actions, exchange
from tests.factories import a_case, a_partner, a_person, an_organisation, staff
from tests.trying.world import again, answered, given

pytestmark = pytest.mark.django_db
BACKEND = "allauth.account.auth_backends.AuthenticationBackend"


def words(response):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))


def address(world):
    return f"/try/new?model={world.model.code}"


def typed(**changes):
    settings = {"tokens_max": "256", "temperature": "0", "seed": "1", "system": ""}
    return {"prompt": "Wie belt er?"} | settings | changes


# --- the button and the price ------------------------------------------------------------
def test_the_page_of_the_model_has_the_button(world, browser, program):
    page = browser(world.member).get(world.model.get_absolute_url()).content.decode()
    told = program(world.member).get(f"/api/models/{world.model.code}").json()

    assert f'href="{address(world)}">Try it</a>' in page
    assert told["next_steps"][0]["name"] == "try"


def test_a_model_without_language_has_none(world, browser):
    Run.objects.filter(pk=world.model.run_id).update(recipe="classify_text")

    page = browser(world.member).get(world.model.get_absolute_url()).content.decode()
    form = browser(world.member).get(address(world))

    assert "/try/new" not in page
    assert form.status_code == 422


def test_what_it_costs_and_for_how_long_is_said_before_anything_begins(world, browser):
    page = browser(world.member).get(address(world))

    said = words(page)
    assert "Set aside: 0.25 GPU-hours, one GPU for 15 minutes at most." in said
    assert "It ends by itself when you ask nothing for 5 minutes" in said
    assert "its base model answer side by side" in said
    assert not Run.objects.filter(recipe="try_model").exists()


def test_one_press_begins_and_leads_to_the_session(world, browser):
    client = browser(world.member)
    sent = {"allocation": world.allocation.account, "minutes": "15"}

    answer = client.post(address(world), sent)
    back = client.get(address(world))

    run = Run.objects.get(recipe="try_model")
    assert (answer.status_code, answer["Location"]) == (302, f"/try/{run.code}/")
    assert back["Location"] == f"/try/{run.code}/"
    assert (run.asked_by, run.timeout_s) == (world.member, 900)


def test_a_wrong_length_is_told_beside_the_box(world, browser):
    sent = {"allocation": world.allocation.account, "minutes": "90"}

    answer = browser(world.member).post(address(world), sent)

    assert answer.status_code == 422
    assert not Run.objects.filter(recipe="try_model").exists()


def test_what_was_filled_in_stays_where_no_price_can_be_told_now(world, browser, monkeypatch):
    def busy(*_given, **_more):
        raise Refused("Others are counted.", code="busy_counting")

    monkeypatch.setattr(actions, "price", busy)
    sent = {"allocation": world.allocation.account, "minutes": "7"}

    answer = browser(world.member).post(address(world), sent)

    assert answer.status_code == 422
    assert "Others are counted." in words(answer)
    assert 'value="7"' in answer.content.decode()
    assert "Set aside" not in words(answer)


def test_no_longer_is_proposed_or_taken_than_the_machine_lets_a_session_be(
    world, browser, settings
):
    settings.ENGINE, settings.SLURM_WALL_S = "slurm", 600
    sent = {"allocation": world.allocation.account, "minutes": "11"}

    proposed = words(browser(world.member).get(address(world)))
    over = browser(world.member).post(address(world), sent)

    assert "one GPU for 10 minutes at most" in proposed
    assert over.status_code == 422
    assert "The machine lets a session last for 10 minutes at most." in words(over)
    assert "<details open>" in over.content.decode()


def test_where_no_session_fits_the_machine_the_form_says_so(world, browser, settings):
    settings.ENGINE, settings.SLURM_WALL_S = "slurm", 119
    sent = {"allocation": world.allocation.account, "minutes": "2"}

    page = browser(world.member).get(address(world))
    over = browser(world.member).post(address(world), sent)

    assert [one.status_code for one in (page, over)] == [200, 422]
    for one in (page, over):
        assert "No session fits the machine now" in words(one)
        assert 'name="minutes"' in one.content.decode()


def test_without_gpu_hours_the_page_says_what_to_do(world, browser):
    person = a_person()
    a_case(lead=person)

    page = browser(person).get(f"/try/new?model={world.base.code}")

    assert "Ask for GPU-hours first" in words(page)


@pytest.mark.parametrize("make", [a_person, staff])
def test_a_model_of_others_and_one_that_is_not_there_answer_alike(world, browser, make):
    client = browser(make())

    ours = client.get(address(world))
    none = client.get("/try/new?model=M26-9999")

    assert (ours.status_code, none.status_code) == (404, 404)
    assert words(ours) == words(none)


# --- the session: its states -------------------------------------------------------------
def test_each_state_says_what_to_do_next(world, browser):
    run = world.begin()
    client = browser(world.member)
    page = f"/try/{run.code}/"

    waiting = words(client.get(page))
    Run.objects.filter(pk=run.pk).update(
        state=RunState.RUNNING, stage="Loading the model", progress_done=1, progress_total=2
    )
    loading = words(client.get(page))
    folders.prepare(run)
    Run.objects.filter(pk=run.pk).update(stage="Ready: you can ask")
    ready = words(client.get(page))
    actions.ask(again(run), given(), by=world.member)
    answered(run, 1, why="", model="Mevrouw", base="De")
    answering = words(client.get(page))
    Run.objects.filter(pk=run.pk).update(state=RunState.CANCELLED)
    ended = client.get(page)

    assert "You pay nothing while it waits." in waiting
    assert "The box for your question appears here by itself." in loading
    assert "Ask your first question above." in ready
    assert "Stop this answer" in answering
    assert "Mevrouw" in answering
    assert "This session is over. What was asked and said in it is gone." in words(ended)
    assert "Mevrouw" not in words(ended)
    assert f'href="{address(world)}"' in ended.content.decode()


def test_without_scripts_the_page_loads_itself_while_something_comes(world, browser):
    run = world.opened()
    client = browser(world.member)
    refresh = '<meta http-equiv="refresh"'

    still = client.get(f"/try/{run.code}/").content.decode()
    asked = client.post(f"/try/{run.code}/ask", typed())
    busy = client.get(f"/try/{run.code}/").content.decode()
    answered(run, 1, model="Jansen", base="?")
    done = client.get(f"/try/{run.code}/").content.decode()

    assert (asked.status_code, asked["Location"]) == (302, f"/try/{run.code}/#talk")
    assert [refresh in page for page in (still, busy, done)] == [False, True, False]
    assert "Jansen" in done


def test_an_answer_grows_and_a_page_that_saw_it_is_told_nothing_new(world, browser):
    run = world.opened()
    client = browser(world.member)
    client.post(f"/try/{run.code}/ask", typed())
    answered(run, 1, why="", model="Me", base="D")

    first = client.get(f"/try/{run.code}/live?phase=open", headers={"HX-Request": "true"})
    seen = re.search(r"seen=([^\"&]+)", first.content.decode())[1]
    same = client.get(f"/try/{run.code}/live?phase=open&seen={seen}")
    answered(run, 1, model="Mevrouw Jansen", base="De")
    more = client.get(f"/try/{run.code}/live?phase=open&seen={seen}")
    other = client.get(f"/try/{run.code}/live?phase=loading&seen={seen}")

    assert same.status_code == 204
    assert "Mevrouw Jansen" in more.content.decode()
    assert "14 tokens in 0.5 s (28 a second)." in words(more)
    assert other["HX-Refresh"] == "true"


def test_hostile_questions_and_answers_are_shown_as_the_words_they_are(world, browser):
    run = world.opened()
    client = browser(world.member)
    evil = "<script>alert(1)</script>"
    client.post(f"/try/{run.code}/ask", typed(prompt=evil, system=evil))
    answered(run, 1, model=evil, base='"><img src=x onerror=alert(1)>')

    page = client.get(f"/try/{run.code}/").content.decode()
    part = client.get(f"/try/{run.code}/live?phase=open").content.decode()

    # The box on the whole page keeps the instruction for the next question.
    for shown, times in ((page, 4), (part, 3)):
        assert "<script>alert" not in shown
        assert "<img src=x" not in shown
        assert shown.count("&lt;script&gt;alert(1)&lt;/script&gt;") == times


def test_a_wrong_question_is_told_beside_its_box_and_what_was_typed_stays(world, browser):
    run = world.opened()
    client = browser(world.member)

    whole = client.post(f"/try/{run.code}/ask", typed(temperature="9", prompt="Blijf staan"))
    part = client.post(f"/try/{run.code}/ask", typed(prompt=""), headers={"HX-Request": "true"})

    assert (whole.status_code, part.status_code) == (422, 422)
    assert "Blijf staan" in whole.content.decode()
    assert part["HX-Retarget"] == "#ask"
    assert exchange.read(run).questions == []


def test_a_question_that_is_too_long_for_the_model_says_so(world, browser):
    run = world.opened()
    client = browser(world.member)
    client.post(f"/try/{run.code}/ask", typed())
    line = {
        "at": 1,
        "kind": "refused",
        "number": 1,
        "code": "too_long",
        "tokens": 90,
        "most": 64,
    }
    with (run.folder / "answers.jsonl").open("a") as file:
        for side in ("model", "base"):
            file.write(json.dumps(line | {"side": side}) + "\n")

    page = words(client.get(f"/try/{run.code}/"))

    assert page.count("This question is 90 pieces of words long") == 2
    assert "can look at 64 together" in page


def test_a_session_is_told_in_dutch(world, browser):
    run = world.opened()

    page = browser(world.member, language="nl").get(f"/try/{run.code}/")
    form = browser(world.lead, language="nl").get(address(world))

    assert "Stel uw eerste vraag hierboven." in words(page)
    assert "Apart gezet: 0,25" in words(form)


def test_many_questions_cost_as_many_queries_as_one(world, browser):
    run = world.opened()
    client = browser(world.member)
    costs = []
    for number in (1, 2, 3):
        actions.ask(again(run), given(), by=world.member)
        answered(run, number, model="Jansen", base="?")
        with CaptureQueriesContext(connection) as asked:
            client.get(f"/try/{run.code}/live?phase=open")
        costs.append(len(asked))

    assert costs[0] == costs[2]


# --- whose it is -------------------------------------------------------------------------
def everything(client, code):
    return [
        client.get(f"/try/{code}/"),
        client.get(f"/try/{code}/live?phase=open"),
        client.post(f"/try/{code}/ask", typed()),
        client.post(f"/try/{code}/stop"),
        client.post(f"/try/{code}/end"),
    ]


def test_nobody_else_finds_the_session_not_even_a_colleague(world, browser):
    run = world.opened()
    actions.ask(run, given("Mijn geheim"), by=world.member)
    partner = a_person()
    a_partner(world.case, organisation=an_organisation(member=partner))

    for other in (world.lead, partner, staff(), a_person()):
        client = browser(other)
        theirs, none = everything(client, run.code), everything(client, "R26-9999")

        assert [one.status_code for one in theirs] == [404] * 5
        assert [words(one) for one in theirs] == [words(one) for one in none]
    assert len(exchange.read(run).questions) == 1
    assert again(run).cancel_asked_at is None


def test_who_left_the_case_finds_it_no_more(world, browser):
    run = world.opened()
    world.member.memberships.all().delete()

    answers = everything(browser(world.member), run.code)

    assert [one.status_code for one in answers] == [404] * 5


def test_the_page_of_the_run_tells_others_no_word_of_it(world, browser):
    run = world.opened()
    actions.ask(run, given("Mijn geheim"), by=world.member)
    answered(run, 1, model="antwoordgeheim", base="antwoordgeheim")

    own = browser(world.member).get(f"/runs/{run.code}/").content.decode()
    colleague = browser(world.lead).get(f"/runs/{run.code}/").content.decode()
    officer = browser(staff()).get(f"/runs/{run.code}/").content.decode()

    for page in (own, colleague, officer):
        assert "geheim" not in page
    assert f"/try/{run.code}/" in own
    assert f"/try/{run.code}/" not in colleague + officer


def test_without_signing_in_there_is_nothing(world, client):
    run = world.opened()

    answers = [*everything(client, run.code), client.get(address(world))]

    assert {one.status_code for one in answers} == {302}
    assert all("/accounts/login/" in one["Location"] for one in answers)


@pytest.mark.parametrize("what", ["ask", "stop", "end"])
def test_another_site_cannot_let_a_browser_ask(world, what):
    run = world.opened()
    client = Client(enforce_csrf_checks=True)
    client.force_login(world.member, backend=BACKEND)

    answer = client.post(f"/try/{run.code}/{what}", typed())

    assert answer.status_code == 403
    assert exchange.read(run).questions == []
    assert again(run).cancel_asked_at is None


@pytest.mark.parametrize("what", ["ask", "stop", "end"])
def test_a_link_asks_nothing(world, browser, what):
    run = world.opened()

    assert browser(world.member).get(f"/try/{run.code}/{what}").status_code == 405


def test_no_browser_keeps_a_copy(world, browser):
    run = world.opened()

    for place in ("", "live?phase=open"):
        answer = browser(world.member).get(f"/try/{run.code}/{place}")
        assert "no-store" in answer["Cache-Control"]


def test_when_the_data_is_closed_in_the_middle_no_answer_is_shown(world, browser, monkeypatch):
    run = world.opened()
    actions.ask(run, given(), by=world.member)
    answered(run, 1, model="Jansen", base="?")

    def denied(*_who):
        class Decision:
            sentence, code, agreement = "Dit mag niet meer.", "revoked", None

        return Decision()

    monkeypatch.setattr("fabriek.runs.use.may_leave", denied)
    page = browser(world.member).get(f"/try/{run.code}/")
    part = browser(world.member).get(f"/try/{run.code}/live?phase=open")

    assert "Dit mag niet meer." in words(page)
    assert "Jansen" not in words(page)
    assert part["HX-Refresh"] == "true"
    with pytest.raises(NotAllowed):
        actions.ask(run, given(), by=world.member)


# --- examples ----------------------------------------------------------------------------
def test_rows_that_went_wrong_are_examples_and_one_click_fills_the_box(world, browser):
    run = world.opened()
    client = browser(world.member)

    page = client.get(f"/try/{run.code}/").content.decode()
    chosen = client.get(f"/try/{run.code}/?example=0").content.decode()
    wrong = client.get(f"/try/{run.code}/?example=7").content.decode()

    box = re.compile(r"<textarea[^>]*name=\"prompt\"[^>]*>\s*Mevrouw Jansen belt")
    assert "Mevrouw Jansen belt" in page
    assert not box.search(page)
    assert box.search(chosen)
    assert not box.search(wrong)


def test_the_next_question_goes_on_as_the_last_did_and_an_example_begins_anew(world, browser):
    run = world.opened()
    client = browser(world.member)

    def goes_on(address=f"/try/{run.code}/"):
        page = client.get(address).content.decode()
        return " checked" in re.search(r"<input[^>]*name=\"goes_on\"[^>]*>", page)[0]

    ticked = [goes_on()]
    for number, sent in enumerate(({"goes_on": "on"}, {}, {"goes_on": "on"}), start=1):
        client.post(f"/try/{run.code}/ask", typed(**sent))
        answered(run, number, model="Ja", base="Nee")
        ticked.append(goes_on())

    assert ticked == [True, True, False, True]
    assert not goes_on(f"/try/{run.code}/?example=0")


def test_who_may_not_read_the_rows_gets_the_examples_of_the_card(world, browser, monkeypatch):
    run = world.opened()
    monkeypatch.setattr("fabriek.runs.made.may_read_rows", lambda *_who: False)
    card = "---\nwidget:\n- text: Van de kaart?\n- text: 5\n---\n# Card"
    type(world.model).objects.filter(pk=world.model.pk).update(card=card)

    page = browser(world.member).get(f"/try/{run.code}/").content.decode()

    assert "Mevrouw Jansen" not in page
    assert "Van de kaart?" in page


@pytest.mark.parametrize(
    "card", ["", "---\nwidget: [[[\n---\n", "---\nwidget: {a: 1}\n---\n", "---\n- 1\n---\n"]
)
def test_a_card_without_examples_is_no_trouble(world, browser, monkeypatch, card):
    run = world.opened()
    monkeypatch.setattr("fabriek.runs.made.may_read_rows", lambda *_who: False)
    type(world.model).objects.filter(pk=world.model.pk).update(card=card)

    answer = browser(world.member).get(f"/try/{run.code}/")

    assert answer.status_code == 200
    assert "Or begin with one of these" not in words(answer)


def test_what_to_do_about_bad_answers_is_said(world, browser):
    run = world.opened()

    page = browser(world.member).get(f"/try/{run.code}/").content.decode()

    assert f"recipe=evaluate&amp;model={world.model.code}" in page
    assert f"/runs/new?like={world.model.run.code}" in page
