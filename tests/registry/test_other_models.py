"""Models that are no network: made by a recipe, taken in whole, shown with their evaluation."""

import json
import shutil
from importlib import import_module
from pathlib import Path

import pytest
from django.apps import apps
from django.core.cache import cache

from fabriek.engines.local import Local
from fabriek.kernel.errors import Invalid
from fabriek.registry import actions
from fabriek.registry.models import Model
from fabriek.runs import actions as runs
from fabriek.runs import evaluated
from fabriek.runs.states import RunState
from fabriek.store.models import Repository
from fabriek_recipes import evaluation
from fabriek_recipes.evaluation import (
    Bin,
    Confusion,
    Effect,
    EffectPoint,
    Evaluation,
    ForecastPoint,
    Score,
    Series,
    Told,
    Worst,
)
from tests.factories import a_case, a_person
from tests.registry.worlds import a_consortium, a_finished_run, some_data
from tests.runs.world import a_world, followed, pushed

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def nothing_remembered():
    """Forget what was counted of a revision: the next test has another one of that number."""
    cache.clear()


SCORES = {"accuracy_before": 0.5, "accuracy_yardstick": 0.7, "accuracy_after": 0.9}
EVALUATION = Evaluation(
    rows=90,
    remarks=[Told(text="The trees do better.", msgid="")],
    scores=[Score(name="accuracy", value=0.9, low=0.83, high=0.95, yardstick=0.7)],
    confusion=Confusion(labels=["ja", "nee"], counts=[[40, 5], [4, 41]]),
    reliability=[Bin(said=0.1, came_true=0.2, rows=40), Bin(said=0.9, came_true=0.8, rows=50)],
    worst=[Worst(row="12", truth="ja", said="nee", distance=0.9, shown="naam: Jansen")],
)


def tabular_files(folder: Path) -> None:
    (folder / "config.json").write_text('{"fabriek": "tabular", "format": 1}')
    (folder / "trees.txt").write_text("tree\nversion=v4\n")
    (folder / "baseline.json").write_text("{}")


def forecast_files(folder: Path) -> None:
    (folder / "config.json").write_text('{"fabriek": "forecast", "format": 1}')
    (folder / "models.json").write_text('{"series": {}}')
    (folder / "forecast.csv").write_text("series,time,forecast,at_least,at_most\n")


def a_run_of(recipe="tabular", files=tabular_files, found=EVALUATION, **more):
    case, lead, _member = a_consortium()
    run = a_finished_run(
        case=case, recipe=recipe, data=[some_data(case)], scores=dict(SCORES), **more
    )
    model = run.folder / "outputs/model"
    shutil.rmtree(model)
    model.mkdir()
    files(model)
    report = {"rows_trained": 400, "rows_held_out": 90, "pipeline_tag": "tabular-regression"}
    (run.folder / "outputs/report.json").write_text(json.dumps(report))
    if found:
        evaluation.save(run.folder, found)
    return run, lead


@pytest.mark.parametrize(
    ("recipe", "files", "library", "tag"),
    [
        ("tabular", tabular_files, "lightgbm", "tabular-regression"),
        ("forecast", forecast_files, "statsmodels", "time-series-forecasting"),
    ],
)
def test_its_files_are_taken_in_and_the_card_says_what_it_is(recipe, files, library, tag):
    run, _lead = a_run_of(recipe, files)

    model = actions.register(run)

    names = set(model.revision.files.values_list("path", flat=True))
    made = {path.name for path in (run.folder / "outputs/model").iterdir()}
    assert names == made | {"README.md"}
    assert f'library_name: "{library}"' in model.card
    assert f'pipeline_tag: "{tag}"' in model.card
    assert (
        "| score | without looking | plain model | this model | 95% sure between |"
        in model.card
    )
    assert "| accuracy | 50.0% | 70.0% | 90.0% | 83.0% and 95.0% |" in model.card
    assert "it gives 90.0% the right label (a plain model: 70.0%)" in model.card


def test_rows_of_the_data_stay_with_the_run():
    run, _lead = a_run_of()

    model = actions.register(run)

    kept = evaluation.of(model.evaluation)
    assert kept is not None
    assert kept.worst == []
    assert kept.confusion == EVALUATION.confusion
    assert "Jansen" not in json.dumps(model.evaluation) + model.card


ACTUAL, SAID = 4_711_815.0, 4_800_000.0
FORECAST = Evaluation(
    rows=6,
    scores=[Score(name="mase", value=0.5, low=0.4, high=0.6)],
    effects=[
        Effect(name="arts", importance=0.4, points=[EffectPoint(at="de Vries", y=0.2)]),
        Effect(name="leeftijd", importance=0.2, points=[EffectPoint(at="40", x=40, y=0.3)]),
    ],
    series=[
        Series(
            name="omzet",
            model="ETS",
            points=[
                ForecastPoint(at="2025-01", actual=ACTUAL),
                ForecastPoint(at="2025-02", actual=ACTUAL, said=SAID),
                ForecastPoint(at="2025-03", said=SAID),
            ],
        )
    ],
)


def test_what_was_and_words_of_columns_stay_with_the_run_too(browser):
    run, lead = a_run_of("forecast", forecast_files, FORECAST)
    model = actions.register(run)
    Repository.objects.filter(pk=model.repository_id).update(is_open=True)

    page = browser(a_person()).get(model.get_absolute_url()).content.decode()
    own = browser(lead).get(run.get_absolute_url()).content.decode()

    kept = evaluation.of(model.evaluation)
    assert kept is not None
    assert [(point.at, point.actual, point.said) for point in kept.series[0].points] == [
        ("2025-02", None, SAID),
        ("2025-03", None, SAID),
    ]
    assert [len(one.points) for one in kept.effects] == [0, 1]
    assert ("What is forecast" in page, "What was" in page) == (True, False)
    assert ("de Vries" in page, "de Vries" in own) == (False, True)
    assert "What was" in own


@pytest.mark.parametrize("looks", [0, 2])
def test_the_card_says_so_where_the_rows_kept_apart_chose_the_weights(looks):
    run, _lead = a_run_of(knobs={"stop_after_looks": looks})

    model = actions.register(run)

    assert ("decided when learning stopped" in model.card) == (looks > 0)


@pytest.mark.parametrize(
    ("chose", "said"),
    [
        (45, "45 other rows kept apart decided when learning stopped"),
        (0, "The same rows decided when learning stopped"),
        ("many", "The same rows decided when learning stopped"),
        (True, "The same rows decided when learning stopped"),
    ],
)
def test_the_card_says_whether_other_rows_chose_the_weights(chose, said):
    run, _lead = a_run_of(knobs={"stop_after_looks": 2})
    place = run.folder / "outputs/report.json"
    place.write_text(json.dumps(json.loads(place.read_text()) | {"rows_chose": chose}))

    model = actions.register(run)

    assert said in model.card
    assert ("a little too good" in model.card) == (chose != 45)


def test_what_was_kept_before_is_cleaned_when_the_database_is_brought_up_to_date():
    run, _lead = a_run_of("forecast", forecast_files, FORECAST)
    model = actions.register(run)
    Model.objects.filter(pk=model.pk).update(evaluation=FORECAST.model_dump(mode="json"))
    migration = import_module("fabriek.registry.migrations.0007_evaluations_without_rows")

    migration.clean(apps, None)

    model.refresh_from_db()
    assert evaluation.of(model.evaluation) == FORECAST.without_rows()


@pytest.mark.parametrize(
    ("spoil", "code", "name"),
    [
        (lambda f: (f / "trees.txt").unlink(), "no_model", "trees.txt"),
        (lambda f: (f / "trees.txt").write_bytes(b"\x80\x04\x95"), "pickle", "trees.txt"),
        (lambda f: (f / "trees.txt").write_text("no trees"), "broken_file", "trees.txt"),
        (lambda f: (f / "more.txt").write_text("x"), "unknown_file", "more.txt"),
        (lambda f: (f / "model.pkl").write_bytes(b"x"), "pickle", "model.pkl"),
        (lambda f: (f / "config.json").write_text('{"fabriek": "x"}'), "no_model", ""),
        (
            lambda f: (f / "config.json").write_text('{"fabriek": ["tabular"]}'),
            "no_model",
            "",
        ),
        (lambda f: (f / "config.json").write_text("[1]"), "no_model", ""),
    ],
)
def test_what_is_no_whole_model_of_its_kind_is_refused(spoil, code, name):
    run, _lead = a_run_of()
    spoil(run.folder / "outputs/model")

    with pytest.raises(Invalid) as refusal:
        actions.register(run)

    assert refusal.value.code == code
    assert refusal.value.name == (name or "model.safetensors")


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b'{"rows": -1}',
        b'{"rows": 1, "more": 2}',
        b'{"rows": 1, "scores": [{"name": "a", "value": NaN, "low": 0, "high": 0}]}',
        b'{"rows": 1, "effects": [' + b"[" * 10_000,
        rb'{"rows": 1, "effect_of": "a\u0000b"}',
        rb'{"rows": 1, "effect_of": "\ud800"}',
        b'{"rows": 1, "remarks": [{"text": "a", "values": {"a": 1e999}}]}',
        b'{"rows": 1}' + b" " * evaluation.BYTES_MAX,
    ],
)
def test_an_evaluation_that_is_not_of_its_shape_is_none(text):
    run, _lead = a_run_of(found=None)
    (run.folder / "outputs/evaluation.json").write_bytes(text)

    assert evaluated.of_run(run) is None
    assert actions.register(run).evaluation == {}


def test_an_evaluation_behind_a_link_is_none(tmp_path):
    run, _lead = a_run_of()
    path = run.folder / "outputs/evaluation.json"
    (tmp_path / "elsewhere.json").write_bytes(path.read_bytes())
    path.unlink()
    path.symlink_to(tmp_path / "elsewhere.json")

    assert evaluated.of_run(run) is None


def test_the_page_of_the_model_shows_it_to_who_may_have_its_files(browser):
    run, lead = a_run_of()
    model = actions.register(run)

    page = browser(lead).get(model.get_absolute_url()).content.decode()

    assert "83.0% and 95.0%" in page
    assert "What it takes for what" in page
    assert '<td class="num heat--5 heat--right">40</td>' in page
    assert "Jansen" not in page
    assert "fabriek_recipes.tabular.predict.load" in page
    assert "with the library lightgbm:" in page
    assert browser(a_person()).get(model.get_absolute_url()).status_code == 404


def test_the_page_of_the_run_shows_the_rows_it_was_furthest_from(browser):
    run, lead = a_run_of()

    page = browser(lead).get(run.get_absolute_url()).content.decode()

    assert "naam: Jansen" in page
    assert "Plain model" in page


def test_of_data_that_was_lent_the_page_of_the_run_tells_scores_only(browser):
    run, lead = a_run_of()
    row = run.inputs.get()
    Repository.objects.filter(pk=row.revision.repository_id).update(case=a_case())

    page = browser(lead).get(run.get_absolute_url()).content.decode()

    assert "90.0%" in page
    assert "Jansen" not in page
    assert "What it takes for what" not in page
    assert "tells of data of others" in page


def test_the_form_asks_for_the_target_and_lets_the_rest_be_empty(browser):
    world = a_world()
    text = "a,uitkomst\n" + "\n".join(f"{n},{n % 2}" for n in range(20))
    data = pushed(world.revision.repository, {"rows.csv": text}, world.person)
    person = browser(world.person)
    address = f"/runs/new?case={world.case.code}&recipe=tabular"
    empty = person.get(address)
    given = {
        field.html_name: field.value() or ""
        for field in empty.context["form"]
        if field.html_name != "minutes"
    }
    given |= {"input_dataset": f"{data.repository.code}@{data.number}"}

    without = person.post(address, given)
    started = person.post(address, given | {"knob_target": "uitkomst"})

    assert "Name the column to predict. The table has: a, uitkomst." in empty.content.decode()
    assert "knob_target" in without.context["form"].errors
    assert "knob_leave_out" not in without.context["form"].errors
    assert started.status_code == 302


@pytest.mark.slow
def test_a_table_goes_from_the_wish_to_the_model_by_a_real_process(tmp_path, browser):
    world = a_world()
    lines = [f"{n % 11},{n % 7},{'ja' if n % 7 + n % 5 > 4 else 'nee'}" for n in range(200)]
    text = "\n".join(["a,b,uitkomst", *lines])
    inputs = {"dataset": pushed(world.revision.repository, {"rows.csv": text}, world.person)}
    knobs = {"target": "uitkomst", "rounds_max": 25}
    wrong = world.wish(recipe="tabular", knobs={"target": "weg"}, inputs=inputs)

    with pytest.raises(Invalid) as refusal:
        runs.price(wrong)
    price = runs.price(world.wish(recipe="tabular", knobs=knobs, inputs=inputs))
    run = world.ask(recipe="tabular", knobs=knobs, inputs=inputs)
    machine = Local(tmp_path / "engine", gpus=1, grace_s=2, beat_s=0.1)
    ended = followed(machine, run, RunState.SUCCEEDED, RunState.FAILED, within_s=120)
    model = actions.register(ended)
    page = browser(world.person, "nl").get(model.get_absolute_url()).content.decode()

    assert "The table has no column “weg”. It has: a, b, uitkomst." in str(refusal.value)
    assert price.why[0] == "The table has 200 rows and 3 columns."
    assert ended.scores["accuracy_after"] > ended.scores["accuracy_before"]
    assert "Eenvoudig model" in page
    assert "Wat het meest telt" in page
    assert 'pipeline_tag: "tabular-classification"' in model.card
