"""The pages of searches: fill in, look at the price, start, follow, stop; and who sees what."""

import re

import pytest

from fabriek.cases.models import Case
from fabriek.sweeps.models import Sweep
from fabriek.sweeps.states import SweepState
from tests.factories import a_case, a_person, staff
from tests.runs.test_pages import text_of
from tests.sweeps.searching import HOUR, again, begun, ends, living, searched, ticks

pytestmark = pytest.mark.django_db

FORM = "/sweeps/new?case={}&recipe=pretrain_lm"


def filled_in(page, **changes):
    """Give what a browser sends of this form when nothing but these is changed."""
    html = page.content.decode()
    found = {}
    for tag in re.findall(r"<input[^>]*>", html):
        name = re.search(r'name="([^"]+)"', tag)
        value = re.search(r'value="([^"]*)"', tag)
        is_box = 'type="checkbox"' in tag
        if name and (not is_box or "checked" in tag):
            usual = "on" if is_box else ""
            found.setdefault(name[1], []).append(value[1] if value else usual)
    for name, options in re.findall(r'<select name="([^"]+)"[^>]*>(.*?)</select>', html, re.S):
        chosen = re.search(r'value="([^"]*)" selected', options)
        found[name] = [chosen[1] if chosen else re.search(r'value="([^"]*)"', options)[1]]
    for name in ("csrfmiddlewaretoken", "next", "language", "q"):
        found.pop(name, None)
    return found | changes


def address(world):
    return FORM.format(world.case.code)


def test_somebody_says_only_for_how_many_gpu_hours_and_it_begins(world, browser):
    client = browser(world.person)
    page = client.get(address(world))

    answer = client.post(address(world), filled_in(page, budget="20"))

    sweep = Sweep.objects.get()
    assert answer.status_code == 302, text_of(answer)
    assert answer["Location"] == f"/sweeps/{sweep.code}/"
    assert sweep.gpu_seconds_budget == 20 * HOUR
    assert [one["name"] for one in sweep.ranges] == [
        "learning_rate",
        "weight_decay",
        "tokens_per_step",
    ]
    assert (sweep.trials_wanted, sweep.halving) == (27, 3)


@pytest.mark.parametrize("typed", ["0,5", "0.5"])
def test_half_an_hour_is_written_either_way(world, browser, typed):
    client = browser(world.person, language="nl")
    page = client.get(address(world))
    shown = filled_in(page)["low_learning_rate"]

    client.post(address(world), filled_in(page, budget=typed))

    sweep = Sweep.objects.get()
    assert sweep.gpu_seconds_budget == 1800
    assert [str(sweep.ranges[0]["low"]).replace(".", ",")] == shown


def test_looking_at_the_price_starts_nothing_and_tells_the_most(world, browser):
    client = browser(world.person)
    page = client.get(address(world))

    answer = client.post(address(world), filled_in(page, budget="20", look="1"))

    text = text_of(answer)
    assert not Sweep.objects.exists()
    assert "and never more than 20 GPU-hours" in text
    assert "Left after this search" in text
    assert "At least 80 GPU-hours" in text


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"budget": "much"}, "Write GPU-hours in figures, such as 20 or 0,5."),
        ({"budget": "nan"}, "Write GPU-hours in figures, such as 20 or 0,5."),
        ({"budget": "0.002"}, "This budget is too small"),
        ({"budget": "1000"}, "You have 100 GPU-hours left."),
        ({"low_learning_rate": "x"}, "Write a number in figures."),
        ({"low_learning_rate": "0.01", "high_learning_rate": "0.001"}, "must be the lower one"),
        ({"low_learning_rate": "nan"}, "is searched from one number to another"),
        ({"high_learning_rate": "9"}, "It must be at most 0.05."),
        ({"low_weight_decay": "0"}, "it must begin above 0"),
        ({"trials": "1"}, "2"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_begins(world, browser, changes, sentence):
    client = browser(world.person)
    page = client.get(address(world))

    answer = client.post(address(world), filled_in(page, **{"budget": "20"} | changes))

    assert answer.status_code == 422
    assert sentence in text_of(answer)
    assert not Sweep.objects.exists()


def test_without_anything_to_search_it_says_so(world, browser):
    client = browser(world.person)
    given = filled_in(client.get(address(world)), budget="20")
    given = {name: value for name, value in given.items() if not name.startswith("search_")}

    answer = client.post(address(world), given)

    assert "Mark at least one setting to search." in text_of(answer)


def test_the_page_shows_the_winner_the_budget_and_that_its_score_is_too_good(
    world, engine, browser
):
    over = searched(engine, begun(world))

    text = text_of(browser(world.person).get(f"/sweeps/{over.code}/"))

    assert "Train the winner at full length" in text
    assert "It was chosen as the best of 9 on the rows kept apart" in text
    assert "With the usual settings" in text
    assert "How those that went on came through the rounds." in text
    assert "9 of 9 trials have a score" in text
    assert "Budget of all its runs" in text


def test_the_winner_is_trained_by_one_button(world, engine, browser):
    over = searched(engine, begun(world))

    answer = browser(world.person).post(f"/sweeps/{over.code}/keep", follow=True)

    run = again(over).winner_run
    assert answer.redirect_chain == [(f"/runs/{run.code}/", 302)]
    assert f"The winner is trained at full length, as {run}." in text_of(answer)


def test_a_search_is_stopped_and_goes_on_by_buttons(world, engine, browser):
    sweep = begun(world)
    Sweep.objects.update(state=SweepState.PAUSED, reason="balance")
    client = browser(world.person)

    text = text_of(client.get(f"/sweeps/{sweep.code}/"))
    client.post(f"/sweeps/{sweep.code}/go-on")
    went_on = again(sweep).state
    client.post(f"/sweeps/{sweep.code}/stop")

    assert "used up or held" in text
    assert (went_on, again(sweep).state) == (SweepState.RUNNING, SweepState.STOPPED)


def test_the_live_part_is_sent_only_when_something_changed(world, engine, browser):
    sweep = begun(world, at_once=2)
    ticks(engine)
    client = browser(world.person)
    seen = re.search(r"seen=([\w-]+)", client.get(f"/sweeps/{sweep.code}/").content.decode())[1]

    same = client.get(f"/sweeps/{sweep.code}/live?seen={seen}")
    ends(engine, living()[0], loss=1.0)
    ticks(engine, 2)
    other = client.get(f"/sweeps/{sweep.code}/live?seen={seen}")

    assert (same.status_code, other.status_code) == (204, 200)
    assert "1 of 9 trials have a score" in text_of(other)


@pytest.mark.parametrize("page", ["", "live", "go-on", "stop", "keep"])
def test_a_stranger_is_answered_as_if_it_did_not_exist(world, engine, browser, page):
    sweep = searched(engine, begun(world, trials=2))
    client = browser(a_person())
    ask = client.get if page in {"", "live"} else client.post

    real, none = (ask(f"/sweeps/{code}/{page}") for code in (sweep.code, "S26-9999"))

    assert (real.status_code, none.status_code) == (404, 404)
    assert client.get(address(world)).status_code == 404
    assert sweep.code not in text_of(client.get("/sweeps/"))


def test_staff_see_that_there_is_one_and_not_what_is_in_it(world, engine, browser):
    over = searched(engine, begun(world))
    client = browser(staff())

    text = text_of(client.get(f"/sweeps/{over.code}/"))
    kept = client.post(f"/sweeps/{over.code}/keep")

    assert "Only the organisations of this case see what is searched" in text
    assert "Train the winner" not in text
    assert "Learning rate" not in text
    assert kept.status_code == 403
    assert again(over).winner_run is None


@pytest.mark.parametrize("trials", [1, 3])
def test_the_page_costs_the_same_for_any_number_of_trials(
    world, engine, browser, trials, django_assert_num_queries
):
    sweep = begun(world, trials=4, at_once=trials, halving=2)
    ticks(engine)
    for run in living():
        ends(engine, run, loss=1.0)
    Sweep.objects.update(is_full=True)
    ticks(engine)
    client = browser(world.person)

    # Session, person, roles, duties; the search, taking part, trials, parts, inputs; the way.
    with django_assert_num_queries(9):
        client.get(f"/sweeps/{sweep.code}/")


@pytest.mark.parametrize("number", [1, 3])
def test_the_list_costs_the_same_for_any_number(
    world, browser, number, django_assert_num_queries
):
    for _ in range(number):
        begun(world)
    client = browser(world.person)

    with django_assert_num_queries(5):
        client.get("/sweeps/")


def test_all_words_are_there_in_dutch(world, engine, browser):
    over = searched(engine, begun(world))
    client = browser(world.person, "nl")

    text = text_of(client.get(f"/sweeps/{over.code}/"))
    form = text_of(client.get(address(world)))

    assert "Train de winnaar helemaal" in text
    assert "Goede instellingen zoeken" in form
    for english in ("search", "Search", "trials", "The winner", "Budget of"):
        assert english not in text
    for english in ("Search", "settings", "Leave it empty", "What to search"):
        assert english not in form


def test_the_case_and_the_recipes_lead_to_it(world, browser):
    client = browser(world.person)

    recipes = client.get(f"/runs/new?case={world.case.code}").content.decode()
    case = client.get(f"/cases/{world.case.code}/").content.decode()

    assert f'href="/sweeps/new?case={world.case.code}"' in recipes
    assert f'href="/sweeps/?case={world.case.code}"' in case


def test_a_run_tells_which_trial_it_is(world, engine, browser):
    sweep = begun(world, at_once=1)
    ticks(engine)

    text = text_of(browser(world.person).get(f"/runs/{living()[0].code}/"))

    assert f"It is trial 1 of the search {sweep.code}" in text
    assert "It does the first 11.1% of its steps" in text


def test_a_list_of_a_case_shows_no_other_case(world, browser):
    begun(world)
    other = a_case(organisation=world.case.organisation)

    client = browser(world.person)

    assert "No settings were searched yet." in text_of(
        client.get(f"/sweeps/?case={other.code}")
    )
    assert Case.objects.count() == 2
