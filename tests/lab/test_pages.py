"""The pages and the API of interactive work: ask, wait, go in; and who sees what."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone

from fabriek.engines import slurm_wall
from fabriek.kernel.errors import Refused
from fabriek.lab import actions
from fabriek.lab.models import Entry
from fabriek.runs import actions as runs
from fabriek.runs.jobs import job_of
from fabriek.runs.models import Run
from fabriek.runs.states import RunState
from tests.factories import a_case, a_person, a_run, staff
from tests.runs.world import a_text, a_world

pytestmark = pytest.mark.django_db


def typed(world, **changes):
    """Give what a browser sends for the proposed settings."""
    return {
        "allocation": world.allocation.account,
        "gpus": "1",
        "hours": "2",
        "idle_minutes": "30",
        "input_dataset": "",
        "input_model": "",
        "earlier": "",
    } | changes


def text_of(response):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))


def form_of(world):
    return f"/lab/new?case={world.case.code}"


@pytest.fixture
def run(world, opened):
    run = opened(actions.start(actions.Wish(), allocation=world.allocation, by=world.person))
    Run.objects.filter(pk=run.pk).update(started_at=timezone.now())
    return run


# --- asking ----------------------------------------------------------------------------
def test_it_is_offered_beside_the_recipes(world, browser):
    page = browser(world.person).get(f"/runs/new?case={world.case.code}").content.decode()

    assert f'href="{form_of(world)}"' in page


def test_where_it_is_not_offered_no_page_speaks_of_it(world, browser, settings):
    settings.LAB = False
    client = browser(world.person)

    page = client.get(f"/runs/new?case={world.case.code}")
    form = client.get(form_of(world))

    assert form_of(world) not in page.content.decode()
    assert form.status_code == 409
    assert "does not offer interactive work yet" in text_of(form)


def test_the_form_begins_a_run_with_the_chosen_data(world, browser):
    data = f"{world.revision.repository.code}@1"

    answer = browser(world.person).post(form_of(world), typed(world, input_dataset=data))

    run = Run.objects.get()
    assert (answer.status_code, answer["Location"]) == (302, f"/runs/{run.code}/")
    assert (run.recipe, run.timeout_s, run.knobs) == ("lab", 7200, {"idle_minutes": 30})
    assert run.inputs.get().revision == world.revision


def test_more_than_is_left_is_told_beside_the_hours(db, offered, browser):
    world = a_world(gpu_seconds=3600)

    answer = browser(world.person).post(form_of(world), typed(world))

    assert answer.status_code == 422
    assert "This takes 2 GPU-hours; you have 1 GPU-hour." in text_of(answer)
    assert not Run.objects.exists()


@pytest.mark.parametrize("changed", [{"hours": "25"}, {"gpus": "0"}, {"idle_minutes": "x"}])
def test_a_wrong_number_is_told_and_begins_nothing(world, browser, changed):
    answer = browser(world.person).post(form_of(world), typed(world, **changed))

    assert answer.status_code == 422
    assert not Run.objects.exists()


def test_what_was_filled_in_stays_where_no_price_can_be_told_now(world, browser, monkeypatch):
    def busy(*_given, **_more):
        raise Refused("Others are counted.", code="busy_counting")

    monkeypatch.setattr(runs, "price_for", busy)

    answer = browser(world.person).post(form_of(world), typed(world, hours="7"))

    assert answer.status_code == 422
    assert "Others are counted." in text_of(answer)
    assert 'value="7"' in answer.content.decode()


def test_longer_than_the_machine_lets_a_session_be_is_told_with_the_most(
    world, browser, settings
):
    settings.ENGINE = "slurm"
    (settings.ENGINE_HOME / "slurm").mkdir(parents=True)
    slurm_wall.keep(settings.ENGINE_HOME, outside_s=3 * 3600, secure_s=60)

    over = browser(world.person).post(form_of(world), typed(world, hours="4"))
    fits = browser(world.person).post(form_of(world), typed(world, hours="3"))

    assert over.status_code == 422
    assert "a session last for 3 hours at most. Choose less time." in text_of(over)
    assert fits.status_code == 302
    assert job_of(Run.objects.get()).is_whole

    slurm_wall.keep(settings.ENGINE_HOME, outside_s=1800, secure_s=60)
    none = browser(world.person).post(form_of(world), typed(world, hours="1"))
    assert "No session fits the machine now" in text_of(none)


def test_a_case_without_gpu_hours_says_what_to_do(offered, browser):
    person = a_person()
    case = a_case(lead=person)

    page = browser(person).get(f"/lab/new?case={case.code}")

    assert "Ask for GPU-hours first" in text_of(page)


def test_a_stranger_does_not_find_the_form_and_staff_may_not_use_it(world, browser):
    stranger = browser(a_person()).post(form_of(world), typed(world))
    officer = browser(staff()).post(form_of(world), typed(world))

    assert (stranger.status_code, officer.status_code) == (404, 403)
    assert not Run.objects.exists()


def test_data_of_another_case_cannot_be_slipped_in(world, browser):
    other = a_world()

    answer = browser(world.person).post(
        form_of(world), typed(world, input_dataset=f"{other.revision.repository.code}@1")
    )

    assert answer.status_code == 422


def test_earlier_sessions_of_this_case_are_offered_and_the_linked_one_is_chosen(
    world, run, browser
):
    Run.objects.filter(pk=run.pk).update(state=RunState.SUCCEEDED)

    page = browser(world.person).get(f"{form_of(world)}&from={run.code}").content.decode()

    assert f'<option value="{run.code}" selected>' in page


# --- the page of the run ---------------------------------------------------------------
def test_an_open_session_has_a_door_and_says_what_it_costs(world, run, browser):
    page = browser(world.person).get(f"/runs/{run.code}/")

    assert f'action="/lab/{run.code}/enter"' in page.content.decode()
    assert "Each hour costs 1 GPU-hour." in text_of(page)
    assert "It also stops when nothing happens for 30 minutes." in text_of(page)
    policy = page["Content-Security-Policy"]
    assert "form-action 'self' https://*.lab.example.org;" in policy


def test_staff_see_no_door(run, browser):
    page = browser(staff()).get(f"/runs/{run.code}/")

    assert "enter" not in page.content.decode()


def test_a_training_has_no_door(world, browser):
    run = a_run(allocation=world.allocation)

    assert "/lab/" not in browser(world.person).get(f"/runs/{run.code}/").content.decode()


def test_one_that_is_over_offers_its_files_again_and_no_recipe(world, run, browser):
    Run.objects.filter(pk=run.pk).update(
        state=RunState.SUCCEEDED, ended_at=timezone.now(), gpu_seconds_used=60
    )

    page = browser(world.person).get(f"/runs/{run.code}/").content.decode()

    assert f"/lab/new?case={world.case.code}&amp;from={run.code}" in page
    assert "like=" not in page


def test_the_door_leads_to_the_host_of_the_run(world, run, browser):
    answer = browser(world.person).post(f"/lab/{run.code}/enter")

    host = f"https://{run.code.lower()}.lab.example.org"
    assert answer.status_code == 303
    assert answer["Location"].startswith(f"{host}/_fabriek/enter?ticket=")


def test_a_look_at_the_door_opens_nothing(world, run, browser):
    assert browser(world.person).get(f"/lab/{run.code}/enter").status_code == 405
    assert not Entry.objects.exists()


@pytest.mark.parametrize("count", [1, 3])
def test_the_pages_cost_as_much_for_three_as_for_one(
    world, run, browser, count, django_assert_num_queries
):
    for _ in range(count - 1):
        other = actions.start(actions.Wish(), allocation=world.allocation, by=world.person)
        Run.objects.filter(pk=other.pk).update(
            state=RunState.SUCCEEDED, started_at=timezone.now() - timedelta(hours=1)
        )
        a_text(world.case, world.person)
    client = browser(world.person)
    client.get(form_of(world))

    with django_assert_num_queries(9):
        client.get(form_of(world))
    with django_assert_num_queries(8):
        client.get(f"/runs/{run.code}/")


# --- the API ---------------------------------------------------------------------------
def test_a_program_begins_waits_and_goes_in(world, program, opened):
    client = program(world.person)
    wish = {"case": world.case.code, "hours": 3, "gpus": 2, "idle_minutes": 45}

    begun = client.post("/api/lab/", wish, content_type="application/json")
    code = begun.json()["code"]
    too_early = client.post(f"/api/lab/{code}/enter")
    opened(Run.objects.get())
    looked = client.get(f"/api/lab/{code}").json()
    door = client.post(f"/api/lab/{code}/enter").json()

    assert (begun.status_code, begun.json()["is_open"]) == (201, False)
    assert (too_early.status_code, too_early.json()["code"]) == (409, "lab_not_ready")
    assert looked == {
        "code": code,
        "state": "running",
        "is_open": True,
        "gpu_seconds_held": 2 * 3 * 3600,
        "idle_minutes": 45,
    }
    assert door["url"].startswith(f"{door['origin']}/_fabriek/enter?ticket=")
    assert Entry.objects.get().token.person == world.person


def test_a_token_that_only_looks_begins_and_enters_nothing(world, run, program):
    client = program(world.person, scope="read")

    begun = client.post("/api/lab/", {"case": world.case.code}, content_type="application/json")
    entered = client.post(f"/api/lab/{run.code}/enter")

    assert (begun.status_code, entered.status_code) == (403, 403)


def test_a_program_of_a_stranger_finds_nothing(run, world, program):
    client = program(a_person())

    begun = client.post("/api/lab/", {"case": world.case.code}, content_type="application/json")

    assert begun.status_code == 404
    assert client.get(f"/api/lab/{run.code}").status_code == 404
    assert client.post(f"/api/lab/{run.code}/enter").status_code == 404


def test_a_program_without_gpu_hours_or_with_an_unknown_session_is_told(
    world, offered, program
):
    poor = a_person()
    case = a_case(lead=poor)
    wish = {"case": world.case.code, "earlier": "R26-9999"}

    empty = program(poor).post(
        "/api/lab/", {"case": case.code}, content_type="application/json"
    )
    unknown = program(world.person).post("/api/lab/", wish, content_type="application/json")

    assert (empty.status_code, empty.json()["code"]) == (409, "no_allocation")
    assert unknown.status_code == 404


def test_the_door_of_runs_lets_no_interactive_work_in(world, program):
    wish = {"case": world.case.code, "recipe": "lab"}

    asked = program(world.person).post("/api/runs/", wish, content_type="application/json")

    assert (asked.status_code, asked.json()["code"]) == (422, "unknown_recipe")
    assert not Run.objects.exists()


def test_where_it_was_turned_off_nobody_goes_in_any_more(world, run, browser, settings):
    settings.LAB = False

    assert browser(world.person).post(f"/lab/{run.code}/enter").status_code == 409
    assert not Entry.objects.exists()
