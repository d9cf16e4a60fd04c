"""The pages of tracked runs: a list of the case, one run, and runs side by side."""

import pickle
import re
from urllib.parse import quote

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from fabriek.runs.models import Metric
from fabriek.tracking import comparing, views
from fabriek.tracking.doors import number_of
from fabriek_recipes.recipe import catalogue
from tests.factories import a_case, a_person, a_run, an_allocation, staff
from tests.tracking.conftest import points
from tests.tracking.test_files import Files

pytestmark = pytest.mark.django_db


@pytest.fixture
def page(browser, lead):
    client = browser(lead)

    def get(address, **words):
        answer = client.get(address, words)
        assert answer.status_code == 200, answer
        return answer.content.decode()

    return get


def a_full_run(mlflow, experiment, *, name="first", lr="0.1", size=3):
    run = mlflow.run(experiment, run_name=name)
    metrics = points([3.0 - n / size for n in range(size)])
    mlflow.log(run, metrics=metrics, params=[{"key": "lr", "value": lr}])
    return run


def text_of(page):
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


def test_a_case_without_runs_says_how_to_log(page, case):
    said = text_of(page(f"/tracking/{case.code}/"))

    assert "Nothing was logged to this case yet." in said
    assert f"MLFLOW_EXPERIMENT_NAME={case.code}" in said


def test_the_list_costs_the_same_queries_for_one_run_and_three(
    mlflow, experiment, browser, lead, case
):
    client, counts = browser(lead), []
    for number in range(3):
        a_full_run(mlflow, experiment, name=f"run{number}")
        a_run(allocation=an_allocation(case=case))
        if number != 1:
            with CaptureQueriesContext(connection) as asked:
                said = client.get(f"/tracking/{case.code}/").content.decode()
            counts.append(len(asked))

    assert counts[0] == counts[1]
    assert said.count('name="run"') == 6


def test_the_page_of_a_run_shows_what_it_logged(mlflow, experiment, page, lead):
    run = a_full_run(mlflow, experiment)
    mlflow.log(run, tags=[{"key": "team", "value": "<b>us</b>"}])
    Files(mlflow.client, run).put("model/weights.pkl", pickle.dumps(print))

    shown = page(f"/tracking/runs/{run}/")

    said = text_of(shown)
    assert "loss went from 3 to 2.333 in 2 steps." in said
    assert "lr 0.1" in said
    assert "&lt;b&gt;us&lt;/b&gt;" in shown
    assert "model/weights.pkl" in said
    assert "runs code" in said
    assert "mlflow.runName" not in said


def test_the_page_of_a_run_costs_the_same_queries_for_one_figure_and_three(
    mlflow, experiment, browser, lead
):
    client, counts = browser(lead), []
    for names in (1, 3):
        run = mlflow.run(experiment)
        for number in range(names):
            mlflow.log(run, metrics=points([1.0, 2.0], key=f"name{number}"))
        mlflow.history(run, "name0")
        with CaptureQueriesContext(connection) as asked:
            client.get(f"/tracking/runs/{run}/")
        counts.append(len(asked))

    assert counts[0] == counts[1]


def test_a_run_of_many_figures_is_shown_in_pages_and_searched(mlflow, experiment, page):
    run = mlflow.run(experiment)
    for number in range(14):
        mlflow.log(run, metrics=points([1.0, 2.0], key=f"name{number:02}"))

    first, second = page(f"/tracking/runs/{run}/"), page(f"/tracking/runs/{run}/", page="2")
    found = page(f"/tracking/runs/{run}/", q="NAME13")

    assert [one.count('class="chart__plot"') for one in (first, second, found)] == [12, 2, 1]


def test_a_long_curve_is_drawn_from_its_extremes(mlflow, experiment, page, monkeypatch):
    run = mlflow.run(experiment)
    values = [1.0] * 12_000
    values[5_000] = 9.0
    for start in range(0, 12_000, 1000):
        mlflow.log(run, metrics=points(values[start : start + 1000], first=start))

    shown = page(f"/tracking/runs/{run}/")

    path = re.search(r'chart__line--1" d="(M[^"]+L[^"]+)"', shown)[1]
    assert len(path) < 10_000
    heights = [float(pair.split()[1]) for pair in path[1:].split("L")]
    assert min(heights) < max(heights) - 500  # the peak is still to be seen


def test_a_file_is_fetched_from_the_page(mlflow, run, browser, lead):
    Files(mlflow.client, run).put("a b.html", b"<script>")

    answer = browser(lead).get(f"/tracking/runs/{run}/files/a b.html")

    assert b"".join(answer) == b"<script>"
    assert answer["Content-Disposition"].startswith("attachment")
    assert answer["Content-Security-Policy"].startswith("default-src 'none'")


@pytest.mark.parametrize("values", [(1.7976931348623157e308, 0.5), (5e-324, 0.0)])
def test_the_largest_and_the_smallest_figures_are_drawn(mlflow, experiment, page, case, values):
    runs = [mlflow.run(experiment) for _ in range(2)]
    for run in runs:
        mlflow.said(mlflow.log(run, metrics=points(values)))

    alone = page(f"/tracking/runs/{runs[0]}/")
    beside = page(f"/tracking/{case.code}/compare", run=runs)

    assert [one.count('class="chart__plot"') for one in (alone, beside)] == [1, 1]
    assert "1.798e+308" in text_of(alone) or "4.941e-324" in text_of(alone)


@pytest.mark.parametrize("odd", ["\0", "x\0", "\ud800"])
def test_a_name_that_none_can_have_is_that_of_nothing(browser, lead, mlflow, case, run, odd):
    client, shown = browser(lead), odd.encode("utf-8", "replace").decode()

    answers = [
        client.get(f"/tracking/runs/{run}/files/{quote(shown)}"),
        client.get(f"/tracking/{case.code}/compare", {"run": [run, shown]}),
    ]

    assert {answer.status_code for answer in answers} == {404}


def test_runs_of_both_kinds_stand_side_by_side(mlflow, experiment, page, case):
    one = a_full_run(mlflow, experiment, name="one", lr="0.1")
    two = a_full_run(mlflow, experiment, name="two", lr="0.2")
    theirs = a_run(allocation=an_allocation(case=case), knobs={"lr": "0.1"})
    for step in range(3):
        for name in ("loss", "alpha"):
            Metric.objects.create(run=theirs, name=name, step=step, value=2, at=theirs.asked_at)

    shown = page(f"/tracking/{case.code}/compare", run=[one, two, number_of(theirs)])

    said = text_of(shown)
    assert said.index("loss of each run") < said.index("alpha of each run")
    assert "lr 0.1 0.2 0.1" in said
    assert "loss of each run" in said
    assert "loss 2.333 2.333 2" in said
    assert set(re.findall(r"chart__line--(\d)\"", shown)) == {"1", "2", "3"}
    assert theirs.code in said
    # A run has one colour in all charts, also where the others have no such figure.
    assert re.findall(r"chart__line--(\d)\"", shown)[-1] == "3"


def test_runs_of_one_name_are_told_apart(mlflow, experiment, page, case):
    runs = [a_full_run(mlflow, experiment, name="same") for _ in range(2)]

    said = text_of(page(f"/tracking/{case.code}/compare", run=runs))

    assert all(f"same ({run[:6]})" in said for run in runs)


def test_one_run_is_too_few_to_compare_and_stays_marked(page, case, monkeypatch):
    monkeypatch.setattr(views, "FACTORY_RUNS_SHOWN", 1)
    old, _new = (a_run(allocation=an_allocation(case=case)) for _ in range(2))

    shown = page(f"/tracking/{case.code}/compare", run=number_of(old))
    listed = page(f"/tracking/{case.code}/", run=[old.key, "\0"])

    assert "Mark two to six runs in the list first." in text_of(shown)
    assert f'href="/tracking/{case.code}/?run={number_of(old)}"' in shown
    assert f'value="{number_of(old)}" checked' in listed
    assert listed.count(" checked") == 1
    assert listed.count(catalogue()[old.recipe].title) == listed.count('name="run"') == 2


def test_of_more_runs_than_can_be_compared_that_is_said(page, case):
    runs = [a_run(allocation=an_allocation(case=case)) for _ in range(comparing.MOST + 2)]

    said = text_of(page(f"/tracking/{case.code}/compare", run=[number_of(one) for one in runs]))

    assert "2 more runs were marked; the first 6 are compared." in said


def test_others_see_no_page(browser, mlflow, experiment, case, run):
    other = a_case()
    client = browser(other.created_by)
    Files(mlflow.client, run).put("a.txt")
    own = f"/tracking/{other.code}/compare"

    answers = [
        client.get(f"/tracking/{case.code}/"),
        client.get(f"/tracking/runs/{run}/"),
        client.get(f"/tracking/runs/{run}/files/a.txt"),
        client.get(f"/tracking/{case.code}/compare", {"run": [run, run]}),
        client.get(own, {"run": [run, "0" * 32]}),
    ]

    assert {answer.status_code for answer in answers} == {404}


def test_staff_see_that_there_is_a_page_and_no_more(browser, mlflow, experiment, case, run):
    client = browser(staff())

    said = text_of(client.get(f"/tracking/{case.code}/").content.decode())

    assert "Only the organisations of this case see what their own code measured." in said
    assert client.get(f"/tracking/runs/{run}/").status_code == 404
    assert client.get(f"/tracking/{case.code}/compare", {"run": [run]}).status_code == 404


def test_the_pages_speak_dutch(browser, lead, mlflow, experiment, case):
    run = a_full_run(mlflow, experiment)

    said = text_of(browser(lead, language="nl").get(f"/tracking/runs/{run}/").content.decode())

    assert "Laatste waarden" in said
    assert "2,333" in said


def test_who_is_not_signed_in_is_asked_to(client, case):
    assert a_person()
    assert client.get(f"/tracking/{case.code}/").status_code == 302


def test_runs_of_several_recipes_are_compared_in_the_words_of_their_forms(page, case):
    allocation = an_allocation(case=case)
    settings = (
        ("pretrain_lm", {"size": "tiny", "learning_rate": 0.005}),
        ("finetune_lm", {"method": "lora", "learning_rate": 0.0002}),
        ("tabular", {"leaves": 31}),
    )
    runs = [
        a_run(allocation=allocation, recipe=recipe, knobs=knobs) for recipe, knobs in settings
    ]
    for run in runs:
        for step in range(3):
            Metric.objects.create(
                run=run, name="held_out_loss", step=step, value=2, at=run.asked_at
            )

    shown = page(f"/tracking/{case.code}/compare", run=[number_of(run) for run in runs])

    said = text_of(shown)
    titles = " ".join(catalogue()[recipe].title for recipe, _knobs in settings)
    assert f"Recipe {titles}" in said
    assert "Learning rate 0.005 0.0002 –" in said
    assert "Method – A small addition (LoRA) –" in said
    assert "Leaves of a tree – – 31" in said
    assert "Loss on rows kept apart 2 2 2" in said
    assert "held_out_loss" not in said
