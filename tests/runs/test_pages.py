"""The pages of runs: choose, price, start, follow, stop; and who sees what."""

import re

import pytest

from fabriek.engines.base import Phase, Sighting
from fabriek.runs.models import Metric, Run
from fabriek.runs.states import RunState
from tests.factories import a_case, a_person, a_repository, a_run, an_allocation, staff
from tests.runs.world import a_text, events, passes, pushed, seen_again

pytestmark = pytest.mark.django_db

FORM = "/runs/new?case={}&recipe=pretrain_lm"


def typed(world, **changes):
    """Give what a browser sends for the proposed settings."""
    return {
        "input_dataset": f"{world.revision.repository.code}@1",
        "allocation": world.allocation.account,
        "knob_method": "new",
        "knob_size": "tiny",
        "knob_tokenizer": "own",
        "knob_mixed_percent": "10",
        "knob_held_out_texts_max": "1000",
        "knob_lora_rank": "16",
        "knob_lora_alpha": "32",
        "knob_lora_dropout": "0",
        "knob_weights_held": "auto",
        "knob_epochs": "3",
        "knob_vocabulary": "2048",
        "knob_context_tokens": "256",
        "knob_learning_rate": "0.002",
        "knob_tokens_per_step": "4096",
        "knob_held_out_percent": "2",
        "knob_warmup_percent": "5",
        "knob_weight_decay": "0.1",
        "knob_gradient_norm_max": "1",
        "knob_checkpoint_every_steps": "200",
        "knob_stop_after_looks": "0",
        "gpus": "1",
        "seed": "1",
        "minutes": "",
    } | changes


def text_of(response):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))


# --- choosing and starting -------------------------------------------------------------------
def test_somebody_with_one_open_case_goes_straight_to_the_recipes(world, browser):
    answer = browser(world.person).get("/runs/new", follow=True)

    assert answer.redirect_chain == [(f"/runs/new?case={world.case.code}", 302)]
    assert "Teach a language model your task" in text_of(answer)
    assert "You have some hundreds or more examples" in text_of(answer)


def test_somebody_with_two_cases_chooses_first(world, browser):
    other = a_case(organisation=world.case.organisation, lead=world.person)

    page = text_of(browser(world.person).get("/runs/new"))

    assert world.case.code in page
    assert other.code in page


def test_somebody_without_a_case_is_told_what_to_do_first(browser):
    page = text_of(browser(a_person()).get("/runs/new"))

    assert "You have no open case yet." in page


def test_the_form_shows_the_price_before_anything_starts(world, browser):
    answer = browser(world.person).get(FORM.format(world.case.code))

    page = text_of(answer)
    assert re.search(
        r"This run will use about 0\.\d+ GPU-hours of your 10 \(at most 0\.17", page
    )
    assert "tokens are learned from" in page
    assert Run.objects.count() == 0


def test_data_that_a_link_asks_for_is_chosen_and_priced_on_the_first_page(world, browser):
    asked = world.revision.repository.code
    a_text(world.case, world.person, text="kort\n")

    answer = browser(world.person).get(f"{FORM.format(world.case.code)}&dataset={asked}")

    assert f'<option value="{asked}@1" selected>' in answer.content.decode()
    assert "This run will use about" in text_of(answer)


def test_the_first_page_says_why_what_it_proposes_has_no_price(world, browser):
    photos = a_repository(case=world.case, code="D26-7777", title="Photos")
    pushed(photos, {"photo.bin": "not a word"}, world.person)

    page = text_of(browser(world.person).get(FORM.format(world.case.code)))

    assert "The price cannot be worked out yet:" in page
    assert "Choose what the run works on to see what it costs." not in page


def test_the_form_speaks_dutch(world, browser):
    page = text_of(browser(world.person, "nl").get(FORM.format(world.case.code)))

    assert re.search(r"Deze run gebruikt ongeveer 0,\d+ GPU-uren van uw 10", page)
    assert "Rondes door de tekst" in page
    assert re.search(r"met \d+,\d MFLOP per token", page)


def test_what_one_chooses_from_is_in_words_and_what_is_sent_in_code(world, browser):
    client = browser(world.person, "nl")

    page = client.get(FORM.format(world.case.code)).content.decode()

    _before, _sign, sizes = page.partition('<select name="knob_size"')
    assert re.findall(
        r'<option value="(\w+)"[^>]*>([^<]+)<', sizes.partition("</select>")[0]
    ) == [
        ("tiny", "Piepklein (0,34 miljoen gewichten)"),
        ("mini", "Heel klein (1,2 miljoen gewichten)"),
        ("small", "Klein (28 miljoen gewichten)"),
        ("base", "Middelgroot (88 miljoen gewichten)"),
        ("large", "Groot (310 miljoen gewichten)"),
        ("huge", "Heel groot (830 miljoen gewichten)"),
    ]


@pytest.mark.parametrize(
    ("language", "said", "percent"),
    [
        ("nl", "Piepklein (0,34 miljoen gewichten)", "Rustige start 5 %"),
        ("en", "Tiny (0.34 million weights)", "Gentle start 5%"),
    ],
)
def test_the_page_of_a_run_tells_its_settings_in_words(world, browser, language, said, percent):
    run = world.ask(knobs={"size": "tiny"})

    words = text_of(browser(world.person, language).get(f"/runs/{run.code}/"))

    assert said in words
    assert percent in words
    assert " tiny " not in words


def test_settings_of_a_recipe_that_is_gone_are_shown_as_they_are(world, browser):
    run = a_run(allocation=world.allocation, recipe="gone", knobs={"old_size": "tiny"})

    assert "old size tiny" in text_of(browser(world.person).get(f"/runs/{run.code}/"))


def test_a_case_without_gpu_hours_says_what_to_do_first(browser):
    person = a_person()
    case = a_case(lead=person)

    page = text_of(browser(person).get(FORM.format(case.code)))

    assert "This case has no GPU-hours that can be used today." in page


def test_starting_a_run_holds_its_gpu_time_and_shows_its_page(world, browser):
    answer = browser(world.person).post(FORM.format(world.case.code), typed(world, seed="7"))

    run = Run.objects.get()
    assert (answer.status_code, answer.url) == (302, f"/runs/{run.code}/")
    assert (run.seed, run.knobs["size"], run.state) == (7, "tiny", RunState.WAITING)
    assert world.held() == run.gpu_seconds_held


def test_the_button_that_shows_the_price_starts_nothing(world, browser):
    answer = browser(world.person).post(
        FORM.format(world.case.code), typed(world, look="1", knob_epochs="90")
    )

    assert answer.status_code == 200
    assert 'value="90"' in answer.content.decode()
    assert "This run will use about" in text_of(answer)
    assert Run.objects.count() == 0


def test_a_knob_that_will_not_do_is_refused_beside_its_field_and_nothing_is_lost(
    world, browser
):
    wrong = typed(world, knob_epochs="0", knob_learning_rate="fast", seed="42")

    answer = browser(world.person).post(FORM.format(world.case.code), wrong)

    page = answer.content.decode()
    assert answer.status_code == 422
    assert "It must be at least 1." in page
    assert "Give a number." in page
    assert 'value="42"' in page
    assert 'value="fast"' in page
    assert "<details open>" in page
    assert Run.objects.count() == 0


def test_a_run_that_costs_more_than_is_left_is_refused_beside_the_gpu_hours(world, browser):
    answer = browser(world.person).post(
        FORM.format(world.case.code), typed(world, gpus="8", minutes="600")
    )

    assert answer.status_code == 422
    assert "This run must be able to use 80 GPU-hours" in text_of(answer)
    assert (Run.objects.count(), world.held()) == (0, 0)


def test_htmx_gets_the_price_alone(world, browser):
    address = f"/runs/price?case={world.case.code}&recipe=pretrain_lm"

    answer = browser(world.person).post(address, typed(world), headers={"HX-Request": "true"})

    assert "This run will use about" in text_of(answer)
    assert "<html" not in answer.content.decode()


def test_the_price_says_what_is_missing(world, browser):
    address = f"/runs/price?case={world.case.code}&recipe=pretrain_lm"

    answer = browser(world.person).post(address, typed(world, input_dataset=""))

    assert "Choose what this run works on." in text_of(answer)


def test_the_settings_of_an_earlier_run_are_filled_in(world, browser):
    run = world.ask(knobs={"size": "small", "epochs": 9}, seed=11)

    page = browser(world.person).get(f"/runs/new?like={run.code}").content.decode()

    assert f"The settings of {run.code} are filled in." in page
    assert 'name="knob_epochs" value="9"' in page
    assert '<option value="small" selected>' in page


def test_a_stranger_does_not_see_the_settings_of_a_run_by_asking_for_the_like(world, browser):
    run = world.ask()

    assert browser(a_person()).get(f"/runs/new?like={run.code}").status_code == 404
    assert browser(staff()).get(f"/runs/new?like={run.code}").status_code == 404


def test_data_of_another_case_is_not_offered(world, browser):
    stranger = a_person()
    secret = a_text(a_case(lead=stranger), stranger)
    shared = a_text(a_case(lead=stranger), stranger, is_open=True)

    page = browser(world.person).get(FORM.format(world.case.code)).content.decode()

    assert secret.repository.code not in page
    assert shared.repository.code in page


def test_staff_do_not_start_runs_for_others(world, browser):
    answer = browser(staff()).post(FORM.format(world.case.code), typed(world))

    assert answer.status_code == 403
    assert Run.objects.count() == 0


def test_a_stranger_does_not_find_the_case(world, browser):
    assert browser(a_person()).get(FORM.format(world.case.code)).status_code == 404


# --- following -------------------------------------------------------------------------------
@pytest.fixture
def running(world, engine):
    run = world.ask()
    passes(engine)
    engine.move(run.key, Sighting(Phase.RUNNING, 40))
    events(
        run,
        {"at": 100.0, "kind": "stage", "name": "Learning"},
        *(
            {"at": 100.0 + n, "kind": "metrics", "step": n, "values": {"loss": 5.0 - n}}
            for n in (1, 2, 3)
        ),
        {"at": 110.0, "kind": "progress", "done": 3, "total": 12, "unit": "steps"},
    )
    (run.folder / "log").write_text("secret words\n")
    passes(engine)
    return seen_again(run)


def test_a_running_run_shows_how_far_it_is_and_asks_again(running, world, browser):
    answer = browser(world.person).get(f"/runs/{running.code}/")

    page, words = answer.content.decode(), text_of(answer)
    assert "3 of 12 steps" in words
    assert "The loss fell from 4.000 to 2.000 in 3 steps." in words
    assert "last: 2.000" in words
    assert "secret words" in words
    assert f'hx-get="/runs/{running.code}/live?seen=' in page
    assert '<noscript><meta http-equiv="refresh" content="5"></noscript>' in page


def test_the_live_part_is_silent_when_nothing_is_new(running, world, browser):
    client = browser(world.person)
    page = client.get(f"/runs/{running.code}/live").content.decode()
    seen = re.search(r"live\?seen=([^\"]+)", page).group(1)

    assert client.get(f"/runs/{running.code}/live?seen={seen}").status_code == 204
    events(running, {"at": 111.0, "kind": "metrics", "step": 4, "values": {"loss": 1.0}})
    Run.objects.update(events_offset=running.events_offset + 1)
    assert client.get(f"/runs/{running.code}/live?seen={seen}").status_code == 200


def test_asking_stops_when_the_run_is_over(running, world, engine, browser):
    engine.move(running.key, Sighting(Phase.SUCCEEDED, 100, exit_code=0))
    passes(engine)
    client = browser(world.person)

    live = client.get(f"/runs/{running.code}/live")
    page = client.get(f"/runs/{running.code}/").content.decode()

    assert live.headers["HX-Refresh"] == "true"
    assert "hx-get" not in page
    assert "<noscript>" not in page


def test_staff_see_a_run_from_outside_only(running, browser):
    client = browser(staff())

    words = text_of(client.get(f"/runs/{running.code}/"))
    live = text_of(client.get(f"/runs/{running.code}/live"))

    assert "running" in words
    assert "Only the organisations of this case see its settings, log and figures." in words
    for inside in ("secret words", "Vocabulary", "The loss", "3 of 12", "D26-"):
        assert inside not in words
        assert inside not in live


def test_a_run_that_failed_says_why_in_the_readers_language(world, browser):
    failure = {
        "code": "nan_loss",
        "text": "x",
        "msgid": "The loss stopped being a number at step %(step)s; lower the learning rate.",
        "values": {"step": 1200.0},
    }
    run = a_run(allocation=world.allocation, state="failed", reason="exit", failure=failure)

    english = text_of(browser(world.person).get(f"/runs/{run.code}/"))
    dutch = text_of(browser(world.person, "nl").get(f"/runs/{run.code}/"))
    outside = text_of(browser(staff()).get(f"/runs/{run.code}/"))

    assert "stopped being a number at step 1,200" in english
    assert "1.200" in dutch
    assert "stopped being a number" not in dutch
    assert "The program stopped with a mistake." in outside
    assert "stopped being a number" not in outside


def test_a_template_that_would_fill_memory_is_not_filled_in(world, browser):
    failure = {"text": "It stopped.", "msgid": "%(x)999999999s", "values": {"x": 1}}
    run = a_run(allocation=world.allocation, state="failed", failure=failure)

    assert "It stopped." in text_of(browser(world.person).get(f"/runs/{run.code}/"))


def test_scores_stand_side_by_side(world, browser):
    scores = {"exact_match_before": 0.125, "exact_match_after": 0.9, "loss_after": 1.5}
    run = a_run(allocation=world.allocation, state="succeeded", scores=scores)

    words = text_of(browser(world.person).get(f"/runs/{run.code}/"))

    assert "Answers right to the letter 12.5% 90.0%" in words
    assert "lower is better not measured 1.500" in words


def test_a_stranger_does_not_find_a_run(running, browser):
    client = browser(a_person())

    for address in ("/", "/live"):
        assert client.get(f"/runs/{running.code}{address}").status_code == 404
    for address in ("/cancel", "/continue"):
        assert client.post(f"/runs/{running.code}{address}").status_code == 404


def test_stopping_a_run_is_a_wish(running, world, browser):
    answer = browser(world.person).post(f"/runs/{running.code}/cancel", follow=True)

    assert "The run is being stopped" in text_of(answer)
    assert seen_again(running).cancel_asked_at is not None


def test_continuing_twice_shows_the_same_run(world, browser):
    run = world.ask()
    Run.objects.filter(pk=run.pk).update(state="failed")
    (run.folder / "checkpoints" / "step-1").mkdir(parents=True)
    client = browser(world.person)

    answers = [client.post(f"/runs/{run.code}/continue") for _ in range(2)]

    onward = Run.objects.get(continues=run)
    assert [answer.url for answer in answers] == [f"/runs/{onward.code}/"] * 2


@pytest.mark.parametrize(
    ("language", "third", "budget"),
    [
        (
            "en",
            "Your run is third in the queue.",
            "The budget of this case on the cluster is used up, or too small for this run. "
            "Ask the factory for an extension.",
        ),
        (
            "nl",
            "Uw run is de derde in de rij.",
            "Het budget van deze casus op het cluster is op, of te klein voor deze run. "
            "Vraag de fabriek om verlenging.",
        ),
    ],
)
def test_a_run_that_waits_says_where_and_why_without_a_reload(
    world, engine, browser, language, third, budget
):
    run = world.ask()
    passes(engine)
    engine.move(run.key, Sighting(Phase.QUEUED, queue_position=3))
    passes(engine)
    client = browser(world.person, language)
    page = client.get(f"/runs/{run.code}/")
    seen = re.search(r"live\?seen=([^\"]+)", page.content.decode()).group(1)
    live = f"/runs/{run.code}/live?seen={seen}"
    assert third in text_of(page)
    assert client.get(live).status_code == 204

    engine.move(run.key, Sighting(Phase.QUEUED, 0, "QOSGrpGRESMinutes", queue_position=3))
    passes(engine)

    words = text_of(client.get(live))
    assert budget in words
    assert third not in words
    assert f'title="{budget}"' in client.get("/runs/").content.decode()


def test_staff_see_why_a_run_waits(world, browser):
    run = a_run(allocation=world.allocation, state="queued", waiting_reason="JobHeldAdmin")

    assert "The run is held on the cluster" in text_of(
        browser(staff()).get(f"/runs/{run.code}/")
    )


def test_a_run_that_is_being_stopped_no_longer_says_why_it_waits(world, engine, browser):
    run = world.ask()
    passes(engine)
    Run.objects.update(queue_position=3, waiting_reason="JobHeldAdmin")

    answer = browser(world.person).post(f"/runs/{run.code}/cancel", follow=True)

    assert "The run is held" not in text_of(answer)


# --- lists -----------------------------------------------------------------------------------
def test_the_list_filters_by_code_and_state(world, browser):
    run = a_run(allocation=world.allocation, state="failed")
    other = a_run(allocation=world.allocation, state="succeeded")
    client = browser(world.person)

    failed = text_of(client.get("/runs/?state=failed"))
    by_code = text_of(client.get(f"/runs/?q={other.code.lower()}"))
    by_case = text_of(client.get(f"/runs/?q={world.case.code}"))
    nothing = text_of(client.get("/runs/?q=R99"))

    assert run.code in failed
    assert other.code not in failed
    assert other.code in by_code
    assert run.code not in by_code
    assert run.code in by_case
    assert "No run fits this search." in nothing


def test_the_list_sorts_by_what_was_used_and_runs_without_a_bill_come_last(world, browser):
    used = {n: a_run(allocation=world.allocation, gpu_seconds_used=n).code for n in (20, 10)}
    without = a_run(allocation=world.allocation).code
    client = browser(world.person)

    def order(sort):
        page = client.get(f"/runs/?sort={sort}").content.decode()
        return re.findall(r'<th scope="row"><a href="/runs/([^"/]+)/"', page)

    assert order("used") == [used[10], used[20], without]
    assert order("-used") == [used[20], used[10], without]
    assert order("nonsense") == [without, used[10], used[20]]


def test_an_empty_list_says_what_to_do_first(browser):
    assert "Nothing has been run yet." in text_of(browser(a_person()).get("/runs/"))


def test_runs_of_others_are_not_in_the_list(world, browser):
    run = a_run(allocation=world.allocation)

    assert run.code not in text_of(browser(a_person()).get("/runs/"))
    assert run.code in text_of(browser(staff()).get("/runs/"))


# A first page that holds all needs no counting.
@pytest.mark.parametrize(("number", "counting"), [(1, 0), (30, 1)])
def test_the_list_costs_the_same_for_any_number(
    browser, number, counting, django_assert_num_queries
):
    person = a_person()
    case = a_case(lead=person)
    allocation = an_allocation(case=case)
    for _ in range(number):
        a_run(allocation=allocation)
    client = browser(person)

    with django_assert_num_queries(6 + counting):  # session, person, roles, duties, cases, rows
        client.get("/runs/")


@pytest.mark.parametrize("number", [1, 30])
def test_the_page_of_a_run_costs_the_same_for_any_number_of_figures(
    world, browser, number, django_assert_num_queries
):
    run = a_run(allocation=world.allocation, state="running")
    Metric.objects.bulk_create(
        Metric(run=run, name="loss", step=n, value=n, at=run.asked_at) for n in range(number)
    )
    client = browser(world.person)

    # Session, person, roles, duties; the run, taking part, curve, inputs, the way of the case.
    with django_assert_num_queries(8):
        client.get(f"/runs/{run.code}/")


@pytest.mark.parametrize("number", [1, 30])
def test_the_form_costs_the_same_for_any_number_of_datasets(
    world, browser, number, django_assert_num_queries
):
    for _ in range(number):
        a_text(world.case, world.person)
    client = browser(world.person)
    client.get(FORM.format(world.case.code))  # what is in the files is remembered

    # Session, person, roles, duties; the case, taking part, choices, GPU-hours, the terms of
    # what is proposed, the way.
    with django_assert_num_queries(11):  # one of them looks for a dry run
        client.get(FORM.format(world.case.code))


def test_the_list_finds_a_run_by_the_key_in_the_ledger(world, browser):
    run, other = world.ask(), world.ask()

    page = browser(world.person).get("/runs/", {"q": run.key}).text

    assert run.code in page
    assert other.code not in page
