"""Runs from a terminal: look, price, start, follow, stop, continue."""

from datetime import timedelta

import pytest
from django.utils import timezone

from fabriek.runs.models import Run
from fabriek.store.models import Repository
from fabriek_recipes.recipe import catalogue
from tests.factories import a_case, a_dataset, a_person, a_repository
from tests.runs import chats
from tests.runs.test_ended_agreements import a_lent_world
from tests.runs.world import a_world

pytestmark = pytest.mark.django_db

SCORES = {"exact_match_before": None, "exact_match_after": 0.524, "loss_after": 1.5}


@pytest.fixture
def world(db):
    return a_world()


def start(world, *more, recipe="pretrain_lm"):
    data = f"{world.revision.repository.code}@{world.revision.number}"
    return ["run", recipe, "--case", world.case.code, "--data", data, "--size", "tiny", *more]


def log(run, text):
    run.folder.mkdir(parents=True, exist_ok=True)
    (run.folder / "log").write_text(text)


def test_run_alone_lists_the_recipes(fabriek):
    result = fabriek(a_person(), "run")

    names = [line.split()[0] for line in result.stdout.splitlines()]
    offered = [one for one in catalogue() if one != "script"]  # off, unless an operator says so
    assert (result.exit_code, names) == (0, ["recipe", *offered])


def test_a_second_model_has_an_option_of_its_own(fabriek):
    result = fabriek(a_person(), "run", "evaluate")

    assert result.stdout.splitlines()[-1] == (
        "Start it: fabriek run evaluate --case CODE --data CODE --model CODE [--model-b CODE]"
    )


def test_an_unknown_recipe_is_answered_with_the_list(fabriek):
    result = fabriek(a_person(), "run", "finetune")

    assert result.exit_code == 1
    assert result.stderr == "There is no recipe “finetune”. These are offered:\n"
    assert "finetune_lm" in result.stdout


def test_a_recipe_alone_explains_its_settings(fabriek):
    result = fabriek(a_person(), "run", "finetune_lm")

    assert result.exit_code == 0
    assert "--learning-rate" in result.stdout
    assert "1 to 100" in result.stdout
    assert "Method (lora: A small addition (LoRA); full: Every weight)" in result.stdout
    assert result.stdout.endswith(
        "Start it: fabriek run finetune_lm --case CODE --data CODE --model CODE\n"
    )


def test_what_the_model_will_see_is_printed_and_starts_nothing(fabriek, db):
    person = a_person()
    case = a_case(lead=person)
    data = a_dataset(case=case).repository
    Repository.objects.filter(pk=data.pk).update(code="D26-7001", title="Rows")
    model = a_repository(case=case, kind="model", code="M26-7001", title="Tiny")
    chats.pushed(data, {"rows.jsonl": chats.row("Waar \x1b[2J is het?", "Hier.")}, person)
    chats.pushed(model, chats.model_files(), person)

    result = fabriek(
        person, "run", "finetune_lm", "--case", case.code, "--data", "D26-7001",
        "--model", "M26-7001", "--look",
    )  # fmt: skip

    assert result.exit_code == 0, result.stderr
    assert "rows.jsonl, line 1 (one of the first):" in result.stdout
    assert "[user] Waar �[2J is het?" in result.stdout
    assert "[assistant, learned] Hier." in result.stdout
    assert "1 rows," in result.stdout
    assert Run.objects.count() == 0


def test_price_only_starts_nothing(fabriek, world):
    result = fabriek(world.person, *start(world, "--price"))

    assert result.exit_code == 0, result.stderr
    assert result.stdout.startswith("This run will use about ")
    assert " of your 10.0; " in result.stdout
    assert not Run.objects.exists()


def test_the_price_says_that_it_runs_on_the_secure_part(fabriek, db, settings):
    settings.ENGINE, settings.SLURM_SECURE_PARTITION = "slurm", "safe"
    world = a_lent_world(place="secure").world
    own = a_world()

    secure = fabriek(world.person, *start(world, "--price"))
    other = fabriek(own.person, *start(own, "--price"))

    assert (secure.exit_code, other.exit_code) == (0, 0), secure.stderr + other.stderr
    said = "This runs on the secure part of the machine: nobody can look in."
    assert (said in secure.stdout, said in other.stdout) == (True, False)


def test_settings_out_of_bounds_are_refused_by_name(fabriek, world):
    result = fabriek(world.person, *start(world, "--epochs", "1000", "--price"))

    assert result.exit_code == 1
    assert result.stderr.splitlines()[0].endswith("]")
    assert "epochs: " in result.stderr


def test_a_setting_that_is_no_number_is_refused_by_name(fabriek, world):
    result = fabriek(world.person, *start(world, "--epochs=many", "--price"))

    assert result.exit_code == 1
    assert "epochs: " in result.stderr


def test_an_option_that_the_recipe_has_not_is_answered_with_what_it_has(fabriek, world):
    result = fabriek(world.person, *start(world, "--poetry", "3"))

    assert result.exit_code == 2
    assert result.stderr.splitlines()[0] == "This recipe has no option --poetry. It has:"
    assert "  --epochs" in result.stderr.splitlines()


def test_an_option_without_a_value_is_refused(fabriek, world):
    result = fabriek(world.person, *start(world, "--epochs"))

    assert (result.exit_code, result.stderr) == (2, "--epochs needs a value.\n")


def test_an_input_that_the_recipe_has_no_use_for_is_refused(fabriek, world):
    result = fabriek(world.person, *start(world, "--model", "M26-0001", "--yes"))

    assert result.exit_code == 1
    assert result.stderr.endswith("[unknown_input]\n")
    assert not Run.objects.exists()


def test_a_run_is_spread_over_nodes(fabriek, world, settings):
    settings.ENGINE = "slurm"

    result = fabriek(world.person, *start(world, "--gpus", "4", "--nodes", "2", "--yes"))
    uneven = fabriek(world.person, *start(world, "--gpus", "3", "--nodes", "2", "--yes"))

    run = Run.objects.get()
    assert (result.exit_code, run.gpus, run.nodes) == (0, 4, 2)
    assert uneven.exit_code == 1
    assert "cannot be spread evenly" in uneven.stderr


def test_a_start_is_asked_for_once_more(fabriek, world):
    refused = fabriek(world.person, *start(world), input="n\n")
    nothing = Run.objects.count()
    started = fabriek(world.person, *start(world, "--epochs=2"), input="y\n")

    run = Run.objects.get()
    assert (refused.exit_code, nothing) == (1, 0)
    assert started.exit_code == 0
    assert (run.knobs["epochs"], run.knobs["size"], run.case) == (2, "tiny", world.case)
    assert f"{run.code} · pretrain_lm · {world.case.code}" in started.stdout


def test_a_start_that_cannot_be_paid_is_refused(fabriek):
    world = a_world(gpu_seconds=10)

    result = fabriek(world.person, *start(world, "--yes"))

    assert result.exit_code == 1
    assert not Run.objects.exists()


def test_a_stranger_starts_nothing(fabriek, world):
    result = fabriek(a_person(), *start(world, "--yes"))

    assert (result.exit_code, result.stderr[-12:]) == (1, "[not_found]\n")
    assert not Run.objects.exists()


def test_following_ends_with_the_run_and_fails_when_it_failed(fabriek, world, monkeypatch):
    ask = "fabriek.runs.actions.ask"
    monkeypatch.setattr(ask, _already(world, state="failed", reason="memory"))

    result = fabriek(world.person, *start(world, "--yes", "--follow"))

    assert result.exit_code == 1
    assert "failed" in result.stdout


def _already(world, **fields):
    run = world.ask()
    Run.objects.filter(pk=run.pk).update(**fields)
    found = Run.objects.get(pk=run.pk)
    return lambda wish, *, allocation, by: found


def test_the_list_of_runs_can_be_narrowed(fabriek, world):
    run = world.ask()

    waiting = fabriek(world.person, "runs", "list", "--state", "waiting")
    failed = fabriek(world.person, "runs", "list", "--state", "failed")

    assert waiting.stdout.splitlines()[1].split()[:4] == [
        run.code,
        world.case.code,
        "pretrain_lm",
        "waiting",
    ]
    assert failed.stdout == "There are no runs yet. Begin with: fabriek run\n"


def test_show_tells_state_scores_and_next_steps(fabriek, world):
    run = world.ask()
    Run.objects.filter(pk=run.pk).update(state="succeeded", scores=SCORES)

    result = fabriek(world.person, "runs", "show", run.code)

    assert [line.split() for line in result.stdout.splitlines()[1:2]] == [
        ["State", "succeeded"]
    ]
    # PostgreSQL keeps the names of an object in an order of its own.
    assert sorted(result.stdout.splitlines()[3:6]) == [
        "exact_match_after  52.4%",
        "exact_match_before not measured",
        "loss_after         1.500",
    ]
    assert "(Run again with other settings)" in result.stdout


def test_show_tells_where_a_run_stands_in_the_queue(fabriek, world):
    run = world.ask()
    Run.objects.filter(pk=run.pk).update(
        state="queued", queue_position=12, waiting_reason="Resources"
    )

    result = fabriek(world.person, "runs", "show", run.code)

    assert result.stdout.splitlines()[3] == (
        "Your run is number 12 in the queue. The run starts as soon as what it needs is free."
    )


def test_show_and_list_tell_when_a_run_is_expected_to_start(fabriek, world):
    run = world.ask()
    at = timezone.now() + timedelta(days=7)
    Run.objects.filter(pk=run.pk).update(
        state="queued", queue_position=12, starts_expected_at=at
    )
    local = timezone.localtime(at)

    shown = fabriek(world.person, "runs", "show", run.code)
    listed = fabriek(world.person, "runs", "list")

    assert shown.stdout.splitlines()[4] == (
        f"The run is expected to start on {local:%-d %B %Y}. It may become earlier or later."
    )
    assert listed.stdout.splitlines()[1].rstrip().endswith(f"{local:%Y-%m-%d %H:%M}")


def test_logs_print_all_there_is(fabriek, world):
    run = world.ask()
    log(run, "step 1\nstep 2\n")

    result = fabriek(world.person, "runs", "logs", run.code)

    assert result.stdout == "step 1\nstep 2\n"


def test_following_a_log_ends_with_the_run(fabriek, world):
    run = world.ask()
    log(run, "the end\n")
    Run.objects.filter(pk=run.pk).update(state="succeeded")

    result = fabriek(world.person, "runs", "logs", run.code, "--follow")

    assert (result.exit_code, result.stdout) == (0, "the end\n")


def test_cancel_asks_for_a_stop(fabriek, world):
    run = world.ask()

    result = fabriek(world.person, "runs", "cancel", run.code)

    run.refresh_from_db()
    assert result.exit_code == 0
    assert run.cancel_asked_at is not None
    assert "The run is being stopped. This takes a few seconds." in result.stdout.splitlines()


def test_a_run_that_was_stopped_is_no_longer_being_stopped(fabriek, world):
    run = world.ask()
    fabriek(world.person, "runs", "cancel", run.code)
    Run.objects.filter(pk=run.pk).update(state="cancelled")

    result = fabriek(world.person, "runs", "show", run.code)

    assert "being stopped" not in result.stdout


def test_a_run_that_is_over_cannot_be_cancelled(fabriek, world):
    run = world.ask()
    Run.objects.filter(pk=run.pk).update(state="succeeded")

    result = fabriek(world.person, "runs", "cancel", run.code)

    assert result.exit_code == 1
    assert result.stderr == f"{run.code} is already over. [wrong_state]\n"


def test_continue_needs_a_checkpoint(fabriek, world):
    run = world.ask()
    Run.objects.filter(pk=run.pk).update(state="failed")

    result = fabriek(world.person, "runs", "continue", run.code)

    assert result.exit_code == 1
    assert result.stderr == (
        f"{run.code} cannot be continued: it left no checkpoint. Start it again. "
        "[wrong_state]\n"
    )


def test_continue_makes_a_new_run(fabriek, world):
    run = world.ask()
    Run.objects.filter(pk=run.pk).update(state="failed")
    (run.folder / "checkpoints" / "step-2").mkdir(parents=True)

    result = fabriek(world.person, "runs", "continue", run.code)
    again = fabriek(world.person, "runs", "continue", run.code)

    assert result.exit_code == 0, result.stderr
    assert Run.objects.get(continues=run).code in result.stdout
    assert again.stdout == result.stdout


def test_continue_goes_back_to_a_step_that_was_kept(fabriek, world):
    run = world.ask()
    Run.objects.filter(pk=run.pk).update(state="failed")
    (run.folder / "checkpoints").mkdir(parents=True)
    for step in (100, 200):
        (run.folder / "checkpoints" / f"step-{step:08d}.safetensors").write_bytes(b"x")

    shown = fabriek(world.person, "runs", "show", run.code)
    result = fabriek(world.person, "runs", "continue", run.code, "--step", "100")
    wrong = fabriek(world.person, "runs", "continue", run.code, "--step", "150")

    assert "Kept from steps 200, 100:" in shown.stdout
    assert result.exit_code == 0, result.stderr
    assert Run.objects.get(continues=run).continues_step == 100
    assert wrong.exit_code == 1
    assert "Choose one of: 200, 100." in wrong.stderr


def test_pause_asks_for_a_stop_that_can_go_on(fabriek, world):
    run = world.ask()
    waiting = fabriek(world.person, "runs", "pause", run.code)
    Run.objects.filter(pk=run.pk).update(state="running")

    result = fabriek(world.person, "runs", "pause", run.code)

    run.refresh_from_db()
    assert (waiting.exit_code, result.exit_code) == (1, 0)
    assert run.stop_reason == "paused"


def test_mend_starts_again_with_the_change(fabriek, world):
    run = world.ask(knobs={"size": "tiny", "learning_rate": 0.005})
    failure = {"code": "nan_loss", "text": "x", "msgid": "", "values": {}}
    Run.objects.filter(pk=run.pk).update(state="failed", failure=failure)

    result = fabriek(world.person, "runs", "mend", run.code)

    assert result.exit_code == 0, result.stderr
    assert "learning_rate: 0.0005" in result.stdout
    assert Run.objects.exclude(pk=run.pk).get().knobs["learning_rate"] == 0.0005
