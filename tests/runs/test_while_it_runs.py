"""The page of a run while it learns and when it went wrong; pause, go on, start again."""

import json

import pytest

from fabriek.engines.base import Phase, Sighting
from fabriek.kernel.errors import Invalid, NotAllowed, WrongState
from fabriek.kernel.models import Entry
from fabriek.runs import actions, course, folders, kept, mending, rules, samples, show
from fabriek.runs.models import Metric, Run
from fabriek.runs.states import RunState
from tests.factories import a_person, a_run, staff
from tests.runs.test_pages import text_of
from tests.runs.world import passes, seen_again

pytestmark = pytest.mark.django_db
NAN = {"code": "nan_loss", "text": "The loss stopped.", "msgid": "", "values": {}}
CURVES = ("loss", "held_out_loss", "learning_rate", "tokens_per_s", "memory_bytes")


def measured(run, names=CURVES, steps=3) -> None:
    Metric.objects.bulk_create(
        Metric(run=run, name=name, step=step, value=step * 10.0, at=run.asked_at)
        for name in names
        for step in range(1, steps + 1)
    )


def failed(world, failure=NAN, **fields):
    run = world.ask(**fields)
    Run.objects.filter(pk=run.pk).update(state="failed", reason="exit", failure=failure)
    return seen_again(run)


def saved(run, *steps: int) -> None:
    folder = run.folder / "checkpoints"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tokenizer.json").write_text("{}")
    for step in steps:
        (folder / f"step-{step:08d}.safetensors").write_bytes(b"x" * 1_500)


def wrote(run, *told: object) -> None:
    run.folder.mkdir(parents=True, exist_ok=True)
    lines = [one if isinstance(one, str) else json.dumps(one) for one in told]
    (run.folder / "events.jsonl").write_text("\n".join(lines) + "\n")


def a_sample(step, answer="urgentie: hoog"):
    texts = {"prompt": "Er brandt iets", "expected": "urgentie: hoog", "answer": answer}
    return {"at": 1.0, "kind": "sample", "when": step, **texts}


# --- the course -------------------------------------------------------------------------------
def test_loss_while_learning_and_on_rows_kept_apart_stand_in_one_picture(world):
    run = a_run(allocation=world.allocation, state="running", elapsed_s=3_600)
    measured(run, (*CURVES, "train_loss", "share_of_peak"))

    shown = course.of(run)

    assert [str(line.name) for line in shown.loss.lines] == [
        "Loss while learning",
        "Loss on rows kept apart",
        "train loss",
    ]
    assert [chart.title for chart in shown.small] == [
        "Learning rate",
        "Speed",
        "Most memory in use",
        "Share of the chip's peak",
    ]
    assert [figure.label for figure in shown.now] == [
        "Tokens per second",
        "Share of the chip's peak",
        "Most memory in use",
        "Energy so far",
    ]


@pytest.mark.parametrize(("method", "times"), [("lora", "4"), ("full", "6")])
def test_the_share_of_the_peak_says_how_it_was_counted(world, method, times):
    run = a_run(allocation=world.allocation, knobs={"method": method})
    Metric.objects.create(run=run, name="share_of_peak", step=1, value=0.31, at=run.asked_at)

    (share,) = course.of(run).now

    assert share.value == "31%"
    assert share.help.startswith(f"Counted as {times} operations for each weight and token")


@pytest.mark.parametrize("steps", [2, 200])
def test_the_course_costs_one_question(world, steps, django_assert_num_queries):
    run = a_run(allocation=world.allocation)
    measured(run, steps=steps)

    with django_assert_num_queries(1 if steps == 2 else 2):
        course.of(run)


def test_a_run_without_figures_shows_no_pictures(world, browser):
    run = a_run(allocation=world.allocation, state="running")

    page = browser(world.person).get(f"/runs/{run.code}/").text

    assert 'class="charts"' not in page
    assert "Compare with other runs" not in page


def test_the_page_links_to_the_comparison_of_runs(world, browser):
    run = a_run(allocation=world.allocation, state="running")
    measured(run)

    page = browser(world.person).get(f"/runs/{run.code}/").text

    assert f'href="/tracking/{world.case.code}/?run={run.key}">Compare with other' in page


# --- what it wrote ----------------------------------------------------------------------------
def test_what_the_model_wrote_last_is_shown_to_who_may_read_the_rows(world, browser):
    run = world.ask()
    wrote(run, a_sample(10, "eerder"), "broken {", {"kind": "stage"}, a_sample(20, "<b>later"))

    inside = browser(world.person).get(f"/runs/{run.code}/")
    outside = browser(staff()).get(f"/runs/{run.code}/")

    assert "What the model wrote at step 20" in text_of(inside)
    assert "&lt;b&gt;later" in inside.text
    assert "eerder" not in inside.text
    assert "later" not in outside.text


@pytest.mark.parametrize(
    "told",
    [
        {**a_sample(1), "when": "after"},
        {**a_sample(1), "when": True},
        {**a_sample(1), "when": -3},
        '["kind": "sample"]',
        '"kind": "sample"',
    ],
)
def test_other_lines_are_no_samples(world, told):
    run = world.ask()
    wrote(run, told)

    assert samples.latest(run, world.person) == ()


def test_of_a_run_on_the_secure_part_no_sample_is_shown(world):
    run = world.ask()
    wrote(run, a_sample(1))
    Run.objects.filter(pk=run.pk).update(is_secure=True)

    assert samples.latest(seen_again(run), world.person) == ()


# --- a failure and its change -----------------------------------------------------------------
def test_a_failure_comes_with_a_button_that_opens_the_form_with_the_change(world, browser):
    run = failed(world, knobs={"size": "tiny", "learning_rate": 0.005})
    client = browser(world.person)

    page = client.get(f"/runs/{run.code}/").text
    address = f"/runs/new?like={run.code}&amp;knob_learning_rate=0.0005"
    form = client.get(address.replace("&amp;", "&")).text

    assert (
        f'<a class="button" href="{address}">Start again with Learning rate: 0.0005</a>' in page
    )
    assert 'name="knob_learning_rate" value="0.0005"' in form


def test_the_change_is_made_and_asking_twice_is_one_run(world):
    run = failed(world, knobs={"size": "tiny", "learning_rate": 0.005})

    again = actions.mend(run, by=world.person)

    assert (again.knobs["learning_rate"], again.knobs["size"]) == (0.0005, "tiny")
    assert again.inputs.get().revision == world.revision
    assert again.continues is None
    assert actions.mend(run, by=world.person) == again
    assert Run.objects.count() == 2


def test_memory_that_the_machine_saw_run_out_has_the_same_remedy(world):
    run = failed(world, failure={})
    Run.objects.filter(pk=run.pk).update(reason="out_of_memory")

    found = mending.proposed(seen_again(run))

    assert found is not None
    assert found.changes == {"tokens_per_step": 512}


@pytest.mark.parametrize("stranger", [a_person, staff])
def test_a_stranger_starts_nothing_again(world, stranger):
    run = failed(world)

    with pytest.raises(NotAllowed):
        actions.mend(run, by=stranger())

    assert Run.objects.count() == 1


@pytest.mark.parametrize("state", ["running", "succeeded", "cancelled"])
def test_a_run_that_did_not_fail_is_not_mended(world, state):
    run = failed(world)
    Run.objects.filter(pk=run.pk).update(state=state)

    with pytest.raises(WrongState):
        actions.mend(seen_again(run), by=world.person)


def test_a_failure_that_no_setting_mends_has_no_button(world):
    run = failed(world, failure={**NAN, "code": "disk_full"})

    assert mending.step(run) is None


def test_programs_see_the_change_and_make_it(world, program):
    run = failed(world, knobs={"size": "tiny", "learning_rate": 0.005})
    client = program(world.person)

    told = client.get(f"/api/runs/{run.code}").json()
    made = client.post(f"/api/runs/{run.code}/mend")

    assert (told["failure_code"], told["mending"]) == ("nan_loss", {"learning_rate": 0.0005})
    assert "mend" in [step["name"] for step in told["next_steps"]]
    assert made.status_code == 201
    assert made.json()["knobs"]["learning_rate"] == 0.0005


@pytest.mark.parametrize(
    ("fields", "main"),
    [
        ({"state": "failed", "failure": NAN}, "mend"),
        ({"state": "failed", "reason": "timeout"}, "continue"),
        ({"state": "lost", "reason": "silent"}, "continue"),
        ({"state": "cancelled", "reason": "paused"}, "continue"),
        ({"state": "cancelled", "reason": "cancelled"}, None),
        ({"state": "running"}, None),
        ({"state": "succeeded"}, None),
    ],
)
def test_the_button_that_stands_first_is_what_most_will_do(world, fields, main):
    run = world.ask()
    saved(run, 100)
    Run.objects.filter(pk=run.pk).update(**fields)
    run = seen_again(run)

    found = show.main(run, show.buttons(world.person, run, inside=True))

    assert (found.name if found else None) == main


# --- pause ------------------------------------------------------------------------------------
@pytest.fixture
def running(world, engine):
    run = world.ask()
    passes(engine)
    engine.move(run.key, Sighting(Phase.RUNNING, 40))
    passes(engine)
    return seen_again(run)


def test_a_paused_run_gives_its_gpu_time_back_and_goes_on(running, world, engine, browser):
    actions.pause(running, by=world.person)
    saved(running, 7)
    passes(engine)
    engine.move(running.key, Sighting(Phase.CANCELLED, 100))
    passes(engine)

    run = seen_again(running)
    page = text_of(browser(world.person).get(f"/runs/{run.code}/"))
    assert (run.state, run.reason, world.held()) == (RunState.CANCELLED, "paused", 0)
    assert "The run is paused and its GPUs are free." in page
    assert "cancelled" not in page
    listed = browser(world.person).get("/runs/")
    assert ">paused<" in listed.text.replace(" ", "").replace("\n", "")
    assert Entry.objects.filter(verb="runs.ask_pause").count() == 1
    assert actions.go_on(run, by=world.person).continues == run


def test_pausing_twice_is_one_wish(running, world):
    actions.pause(running, by=world.person)
    actions.pause(seen_again(running), by=world.person)

    assert Entry.objects.filter(verb="runs.ask_pause").count() == 1


@pytest.mark.parametrize("stranger", [a_person, staff])
def test_a_stranger_pauses_nothing(running, stranger):
    with pytest.raises(NotAllowed):
        actions.pause(running, by=stranger())

    assert seen_again(running).cancel_asked_at is None


@pytest.mark.parametrize(
    "fields",
    [{"state": "waiting"}, {"state": "succeeded"}, {"recipe": "forecast"}, {"is_dry": True}],
)
def test_what_is_not_at_work_or_saves_nothing_is_not_paused(running, world, fields):
    Run.objects.filter(pk=running.pk).update(**fields)

    with pytest.raises(WrongState):
        actions.pause(seen_again(running), by=world.person)

    assert seen_again(running).cancel_asked_at is None


def test_a_run_paused_before_it_saved_says_so(world, browser):
    run = a_run(allocation=world.allocation, state="cancelled", reason="paused")

    page = text_of(browser(world.person).get(f"/runs/{run.code}/"))

    assert "paused before it had learned anything" in page


def test_the_button_pauses(running, world, browser):
    client = browser(world.person)

    page = client.get(f"/runs/{running.code}/").text
    answer = client.post(f"/runs/{running.code}/pause", follow=True)

    assert f'action="/runs/{running.code}/pause"' in page
    said = text_of(answer)
    assert "The run is being paused. You need to do nothing." in said
    assert "The run saves what it learned, and is paused then" in said
    assert "being stopped" not in said


# --- from any checkpoint ----------------------------------------------------------------------
@pytest.fixture
def stopped(world):
    run = world.ask()
    Run.objects.filter(pk=run.pk).update(state="failed")
    saved(run, 100, 200, 300)
    return seen_again(run)


def test_a_run_goes_on_from_a_step_that_is_chosen(stopped, world):
    onward = actions.go_on(stopped, by=world.person, from_step=200)
    folder = folders.prepare(seen_again(onward))

    assert onward.continues_step == 200
    assert sorted(path.name for path in (folder / "checkpoints").iterdir()) == [
        "step-00000100.safetensors",
        "step-00000200.safetensors",
        "tokenizer.json",
    ]


def test_the_same_step_twice_is_one_run_and_another_step_another_run(stopped, world):
    first = actions.go_on(stopped, by=world.person, from_step=200)

    assert actions.go_on(stopped, by=world.person, from_step=200) == first
    assert actions.go_on(stopped, by=world.person, from_step=100) != first


@pytest.mark.parametrize("step", [0, -1, 150, 10**30])
def test_a_step_that_was_not_kept_is_refused_in_words(stopped, world, step):
    with pytest.raises(Invalid) as refusal:
        actions.go_on(stopped, by=world.person, from_step=step)

    assert "Choose one of: 300, 200, 100." in str(refusal.value)
    assert Run.objects.count() == 1


def test_the_page_lists_what_was_kept_with_its_size(stopped, world, browser):
    client = browser(world.person)

    page = text_of(client.get(f"/runs/{stopped.code}/"))
    answer = client.post(f"/runs/{stopped.code}/continue", {"step": "100"}, follow=True)

    assert "Go on from step 300" in page
    assert "Go on from step 100 0.17 GPU-hours set aside, 1.5 kB kept" in page
    assert "goes on from step 100, as" in text_of(answer)
    assert "from step 100" in text_of(answer)


def test_staff_see_no_checkpoints_to_go_on_from(stopped, browser):
    assert "Go on from" not in text_of(browser(staff()).get(f"/runs/{stopped.code}/"))


def test_programs_choose_a_step(stopped, world, program):
    client = program(world.person)

    told = client.get(f"/api/runs/{stopped.code}").json()
    made = client.post(f"/api/runs/{stopped.code}/continue?step=200")

    assert [one["step"] for one in told["checkpoints"]] == [300, 200, 100]
    assert made.json()["continues"] == stopped.code
    assert Run.objects.get(code=made.json()["code"]).continues_step == 200


def test_a_folder_that_is_gone_has_no_checkpoints(world):
    run = a_run(allocation=world.allocation)

    assert kept.checkpoints(folders.place(run)) == []


def test_every_recipe_that_saves_can_be_paused():
    assert {"finetune_lm", "pretrain_lm", "prefer_lm"} <= rules.SAVES
    assert "forecast" not in rules.SAVES
