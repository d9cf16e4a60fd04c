"""Looks, early stop and dry runs of every recipe that learns by steps."""

from dataclasses import replace

import pytest

from fabriek_recipes.run_folder import read_manifest, write_manifest
from fabriek_recipes.training.loop import Loop
from tests.recipes.conftest import Run, prepare, rows, write_rows
from tests.recipes.stopping_at import stop_at
from tests.recipes.test_classify_images import draw, drawn, seer  # noqa: F401
from tests.recipes.test_classify_text import put, reader, texts  # noqa: F401
from tests.recipes.test_dry_run import measured
from tests.recipes.test_prefer import pairs
from tests.recipes.test_watching import codes, figures

PREFER = {"epochs": 2, "learning_rate": 0.003, "tokens_per_step": 512, "held_out_percent": 50}
TEXT = {"epochs": 12, "learning_rate": 0.01, "rows_per_step": 16, "held_out_percent": 40}
IMAGE = {"epochs": 6, "learning_rate": 0.01, "pictures_per_step": 4, "held_out_percent": 50}


@pytest.fixture
def made(tmp_path, base, reader, seer, drawn):  # noqa: F811
    def of(recipe, name="run", **knobs) -> Run:
        if recipe == "prefer_lm":
            data = write_rows(tmp_path / f"{name}-data", pairs(60))
            inputs, usual = {"dataset": data, "model": base}, PREFER
        elif recipe == "classify_text":
            inputs = {"dataset": put(tmp_path / f"{name}-data", texts(120)), "model": reader}
            usual = TEXT
        else:
            inputs, usual = {"dataset": drawn, "model": seer}, IMAGE
        return prepare(tmp_path / name, recipe, {**usual, **knobs}, inputs)

    return of


def weights(run: Run) -> bytes:
    return (run.folder / "outputs/model/model.safetensors").read_bytes()


RECIPES = ("prefer_lm", "classify_text", "classify_images")


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_run_is_looked_at_and_ends_the_same_as_one_that_is_not(made, monkeypatch, recipe):
    seen, unseen = (made(recipe, name) for name in ("seen", "unseen"))
    assert seen.start() == 0, seen.failure
    monkeypatch.setattr(Loop, "watch", lambda *_given: None)

    assert unseen.start() == 0

    looks = figures(seen, "held_out_loss")
    assert len(looks) >= 4
    assert max(looks) == seen.report["steps"]
    assert figures(unseen, "held_out_loss") == {}
    assert weights(seen) == weights(unseen)
    assert seen.report["scores"] == unseen.report["scores"]


@pytest.mark.parametrize("recipe", RECIPES)
def test_rows_that_chose_the_weights_are_not_those_it_is_scored_on(made, recipe):
    run = made(recipe, epochs=20, learning_rate=0.05, stop_after_looks=1)

    assert run.start() == 0, run.failure

    looks = figures(run, "held_out_loss")
    best = min(looks, key=lambda step: looks[step])
    assert run.report["best_step"] == best
    assert "scores_chosen" not in codes(run)
    assert run.report["rows_chose"] >= 10
    assert run.report["rows_held_out"] >= 10


@pytest.mark.parametrize("recipe", RECIPES)
def test_too_few_rows_to_divide_are_told_where_they_chose(made, recipe):
    knobs = {"epochs": 20, "learning_rate": 0.05, "stop_after_looks": 1}
    run = made(recipe, held_out_percent=15, **knobs)

    assert run.start() == 0, run.failure

    assert run.report["rows_held_out"] < 20
    assert "rows_chose" not in run.report
    has_chosen = run.report["best_step"] != run.report["steps"]
    assert ("scores_chosen" in codes(run)) == has_chosen


@pytest.mark.parametrize("recipe", RECIPES)
def test_stopping_early_is_the_same_for_a_run_that_was_stopped_in_between(
    made, monkeypatch, recipe
):
    knobs = {
        "epochs": 6,
        "learning_rate": 0.02,
        "stop_after_looks": 2,
        "checkpoint_every_steps": 3,
    }
    whole, stopped = (made(recipe, name, **knobs) for name in ("whole", "stopped"))
    assert whole.start() == 0, whole.failure
    with monkeypatch.context() as patched:
        stop_at(patched, 5, "metrics")
        assert stopped.start() == 143

    assert stopped.start() == 0

    assert weights(stopped) == weights(whole)
    assert stopped.report["scores"] == whole.report["scores"]
    assert stopped.report["best_step"] == whole.report["best_step"]


def test_a_model_that_learns_what_people_prefer_writes_at_fixed_steps(made):
    run = made("prefer_lm")

    assert run.start() == 0

    shown = [event.fields for event in run.events if event.kind == "sample"]
    steps = {one["when"] for one in shown}
    assert len(shown) == 3 * len(steps) > 0
    assert run.report["steps"] not in steps
    assert shown[0]["expected"].startswith("geen idee")


def dried(run: Run, steps: int) -> Run:
    manifest = read_manifest(run.folder)
    limits = replace(manifest.limits, steps_max=steps)
    write_manifest(run.folder, replace(manifest, limits=limits))
    return run


@pytest.mark.parametrize(
    ("recipe", "counted"),
    [("prefer_lm", None), ("classify_text", None), ("classify_images", 4)],
)
def test_a_dry_run_measures_its_steps_and_leaves_nothing(made, recipe, counted):
    run = dried(made(recipe), 3)

    assert run.start() == 0, run.failure

    (found,) = measured(run)
    assert found["steps"] == 3
    assert found["seconds_per_step"] > 0
    assert found["tokens_per_step"] == counted or (counted is None and found["tokens_per_step"])
    assert [path.name for path in (run.folder / "outputs").iterdir()] == ["report.json"]
    kinds = {event.kind for event in run.events}
    assert not kinds & {"sample", "result"}
    assert figures(run, "held_out_loss") == {}


def test_a_dry_run_opens_no_more_pictures_than_it_learns_from(made, monkeypatch, tmp_path):
    run = dried(made("classify_images", pictures_per_step=2), 2)
    opened = []
    monkeypatch.setattr(
        "fabriek_recipes.classify_images.opened.problem", lambda one: opened.append(one.name)
    )

    assert run.start() == 0

    assert len(opened) == 4


def test_a_dry_run_of_preferences_asks_the_base_model_nothing(made):
    run = dried(made("prefer_lm"), 2)

    assert run.start() == 0

    stages = [event.fields["name"] for event in run.events if event.kind == "stage"]
    assert "Asking the base model" not in stages


# --- tables and time --------------------------------------------------------------------------
def table(folder, count=400):
    folder.mkdir()
    lines = ["a,b,out", *(f"{n % 17},{n % 5},{(n % 17) * 3 + n % 5}" for n in range(count))]
    (folder / "t.csv").write_text("\n".join(lines))
    return folder


def test_the_trees_show_both_losses_as_a_curve_and_stop_by_rows_of_their_own(tmp_path):
    data = table(tmp_path / "data")
    knobs = {"target": "out", "rounds_max": 200, "patience": 10}
    run = prepare(tmp_path / "run", "tabular", knobs, {"dataset": data})

    assert run.start() == 0, run.failure

    learned, apart = figures(run, "loss"), figures(run, "held_out_loss")
    assert list(learned) == list(apart) == list(range(1, len(apart) + 1))
    assert len(apart) > 20
    assert learned[len(learned)] < learned[1]
    assert run.report["trees"] == min(apart, key=lambda step: apart[step])


def test_a_dry_run_of_trees_grows_a_few_and_makes_no_model(tmp_path):
    data = table(tmp_path / "data")
    run = prepare(tmp_path / "run", "tabular", {"target": "out"}, {"dataset": data})

    assert dried(run, 5).start() == 0, run.failure

    (found,) = measured(run)
    assert (found["steps"], found["tokens_per_step"]) == (5, 400 * 3)
    assert [path.name for path in (run.folder / "outputs").iterdir()] == ["report.json"]


def test_a_dry_run_of_a_forecast_fits_a_few_series(tmp_path):
    lines = [
        f"{shop},2020-{month:02d}-01,{month + shop}"
        for shop in range(6)
        for month in range(1, 13)
    ]
    lines += [
        f"{shop},2021-{month:02d}-01,{month + shop}"
        for shop in range(6)
        for month in range(1, 13)
    ]
    (tmp_path / "data").mkdir()
    (tmp_path / "data/t.csv").write_text("shop,time,value\n" + "\n".join(lines))
    knobs = {"series_column": "shop", "horizon": 3, "windows": 1}
    run = prepare(tmp_path / "run", "forecast", knobs, {"dataset": tmp_path / "data"})

    assert dried(run, 3).start() == 0, run.failure

    (found,) = measured(run)
    assert (found["steps"], found["tokens_per_step"]) == (3, 24 * 4)
    assert [path.name for path in (run.folder / "outputs").iterdir()] == ["report.json"]


def test_fine_tuning_divides_rows_that_choose_and_scores_on_the_others(tmp_path, base):
    data = write_rows(tmp_path / "data", rows(60))
    knobs = {
        "epochs": 30,
        "learning_rate": 0.05,
        "stop_after_looks": 1,
        "held_out_percent": 50,
        "tokens_per_step": 256,
    }
    run = prepare(tmp_path / "run", "finetune_lm", knobs, {"dataset": data, "model": base})

    assert run.start() == 0, run.failure

    looks = figures(run, "held_out_loss")
    best = min(looks.values())
    assert (run.report["rows_held_out"], run.report["rows_chose"]) == (15, 15)
    assert codes(run) == ["stopped_early", "best_taken"]
    # Of other rows than those that were looked at.
    assert run.report["scores"]["loss_after"] != pytest.approx(best, abs=1e-6)
