"""Searching runs: the closed part of MLflow's language, over both kinds of run."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from fabriek.runs import hub_keys
from fabriek.runs.models import Metric
from fabriek.runs.states import RunState
from fabriek.tracking import filters, search
from fabriek.tracking.doors import number_of
from tests.factories import a_run, an_allocation
from tests.tracking.conftest import Mlflow, points

pytestmark = pytest.mark.django_db


@pytest.fixture
def runs(mlflow, experiment):
    """Make three runs: small 0.1, small 0.2, large 0.3."""
    made = []
    for number, model in enumerate(("small", "small", "large"), 1):
        run = mlflow.run(experiment, run_name=f"run{number}", start_time=1000 * number)
        mlflow.log(
            run,
            metrics=points([number / 10]),
            params=[{"key": "model", "value": model}, {"key": "learning rate", "value": "1"}],
            tags=[{"key": "team/one", "value": f"Team {number}"}],
        )
        made.append(run)
    mlflow.post("runs/update", run_id=made[2], status="FINISHED", end_time=9000)
    return made


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        ("", [3, 2, 1]),
        ("metrics.loss < 0.25", [2, 1]),
        ("metrics.loss >= 0.2 AND params.model = 'small'", [2]),
        ("metric.`loss` != 0.2", [3, 1]),
        ('params."learning rate" = "1" and params.model != "large"', [2, 1]),
        ("tags.`team/one` LIKE 'Team _'", [3, 2, 1]),
        ("tags.team/one ILIKE '%EAM 2'", [2]),
        ("attributes.status = 'FINISHED'", [3]),
        ("status != 'FINISHED'", [2, 1]),
        ("run_name IN ('run1', 'run3')", [3, 1]),
        ("attributes.run_name NOT IN ('run1')", [3, 2]),
        ("attributes.start_time > 1500", [3, 2]),
        ("attributes.end_time > 0", [3]),
        ("metrics.other > 0", []),
        ("params.other != 'x'", []),
    ],
)
def test_a_search_finds_what_it_says(mlflow, experiment, runs, asked, wanted):
    found = mlflow.found(experiment, filter=asked)

    assert [one["info"]["run_name"] for one in found] == [f"run{n}" for n in wanted]


@pytest.mark.parametrize(
    ("order", "wanted"),
    [
        (["metrics.loss ASC"], [1, 2, 3]),
        (["params.model", "metrics.loss DESC"], [3, 2, 1]),
        (["attributes.end_time"], [3, 2, 1]),
        (["attributes.start_time ASC"], [1, 2, 3]),
    ],
)
def test_a_search_comes_in_the_order_that_was_asked(mlflow, experiment, runs, order, wanted):
    found = mlflow.found(experiment, order_by=order)

    assert [one["info"]["run_name"] for one in found] == [f"run{n}" for n in wanted]


@pytest.mark.parametrize(
    "asked",
    [
        "params.a = 'x' OR params.b = 'y'",
        "(params.a = 'x')",
        "datasets.name = 'x'",
        "metrics.loss",
        "metrics.loss <",
        "metrics.loss = 'x'",
        "params.a > 'x'",
        "params.a = 5",
        "size = 'x'",
        "params.a IN 'x'",
        "params.a = 'x' AND",
        "x" * 5000,
        "; DROP TABLE runs",
    ],
)
def test_what_is_not_understood_is_said_in_words(mlflow, experiment, runs, asked):
    answer = mlflow.post("runs/search", experiment_ids=[experiment], filter=asked)

    if asked == "params.a = 'x' AND":
        assert answer.status_code == 200  # as MLflow takes it
        return
    assert (answer.status_code, answer.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert len(answer.json()["message"]) < 400


def test_runs_are_ordered_by_some_things_only(mlflow, experiment):
    many = ["metrics.loss"] * 11

    answer = mlflow.post("runs/search", experiment_ids=[experiment], order_by=many)

    assert answer.json()["message"] == "Runs can be ordered by 10 things at most."


def test_a_search_of_many_signs_is_no_burden(mlflow, experiment, runs):
    """Tried in every way, these would keep a machine busy for years."""
    mlflow.log(runs[0], tags=[{"key": "long", "value": "a" * 8000}])

    for asked in ("%a" * 40 + "%b", "%" * 199 + "b", "_%" * 99 + "b"):
        assert mlflow.found(experiment, filter=f"tags.long LIKE '{asked}'") == []
    assert len(mlflow.found(experiment, filter="tags.long LIKE '%a%a%'")) == 1


@pytest.mark.parametrize("sign", ["LIKE", "ILIKE"])
def test_a_pattern_has_only_so_many_signs(mlflow, experiment, runs, sign):
    answer = mlflow.post(
        "runs/search", experiment_ids=[experiment], filter=f"tags.a {sign} '{'a' * 201}'"
    )

    assert (answer.status_code, answer.json()["message"]) == (
        400,
        "A pattern of LIKE or ILIKE has 200 signs at most. Search for a part.",
    )


def test_a_pattern_is_made_ready_once_for_all_runs(mlflow, experiment, runs):
    filters.like.cache_clear()

    mlflow.found(experiment, filter="params.model LIKE 'sm%' AND params.model ILIKE '%LL'")

    assert filters.like.cache_info().misses == 2


@pytest.mark.parametrize(("digits", "status"), [(60, 200), (61, 400), (3900, 400)])
def test_a_number_has_only_so_many_digits(mlflow, experiment, digits, status):
    """Thousands of them kept a machine busy for half a second each."""
    asked = f"metrics.loss < {'1' * digits}"

    answer = mlflow.post("runs/search", experiment_ids=[experiment], filter=asked)

    assert answer.status_code == status


def test_signs_of_other_languages_stand_for_themselves(mlflow, experiment, runs):
    mlflow.log(runs[0], tags=[{"key": "odd", "value": "a[*]?.b"}])

    found = [
        len(mlflow.found(experiment, filter=f"tags.odd LIKE '{asked}'"))
        for asked in ("a[*]?.b", "a[%", "a.%", "a[_]?.b", "A%")
    ]
    assert found == [1, 1, 0, 1, 0]


def test_a_search_comes_in_pages(mlflow, experiment, runs):
    first = mlflow.said(mlflow.post("runs/search", experiment_ids=[experiment], max_results=2))
    second = mlflow.said(
        mlflow.post(
            "runs/search",
            experiment_ids=[experiment],
            max_results=2,
            page_token=first["next_page_token"],
        )
    )

    assert [len(first["runs"]), len(second["runs"])] == [2, 1]
    assert "next_page_token" not in second


def test_a_page_of_very_many_figures_is_cut(mlflow, experiment, runs, monkeypatch):
    monkeypatch.setattr(search, "NAMES_SHOWN_MAX", 2)
    for run in runs:
        mlflow.history(run, "loss")
    asked = {"experiment_ids": [experiment]}

    first = mlflow.said(mlflow.post("runs/search", **asked))
    second = mlflow.said(
        mlflow.post("runs/search", page_token=first["next_page_token"], **asked)
    )

    assert [len(first["runs"]), len(second["runs"])] == [2, 1]


def test_figures_that_wait_weigh_too(mlflow, experiment, runs, monkeypatch):
    monkeypatch.setattr(search, "NAMES_SHOWN_MAX", 2)

    page = mlflow.said(mlflow.post("runs/search", experiment_ids=[experiment]))

    assert (len(page["runs"]), page["next_page_token"]) == (2, "2")


def test_a_page_of_very_many_words_is_cut(mlflow, experiment, runs, case, monkeypatch):
    monkeypatch.setattr(search, "WORDS_SHOWN_MAX", 400, raising=False)
    for number in (1, 2):
        mlflow.log(runs[number], tags=[{"key": "long", "value": "x" * 100}])
        mlflow.log(runs[number], params=[{"key": "long", "value": "x" * 100}])
    asked = {"experiment_ids": [experiment]}

    first = mlflow.said(mlflow.post("runs/search", **asked))
    second = mlflow.said(
        mlflow.post("runs/search", page_token=first["next_page_token"], **asked)
    )

    assert [len(first["runs"]), len(second["runs"])] == [1, 2]


def test_what_a_job_told_beside_its_run_weighs_too(mlflow, case, monkeypatch):
    monkeypatch.setattr(search, "WORDS_SHOWN_MAX", 200, raising=False)
    for _ in range(2):
        run = a_run(allocation=an_allocation(case=case), state=RunState.RUNNING)
        job = Mlflow(Client(headers={"Authorization": f"Bearer {hub_keys.key_of(run)}"}))
        mlflow.said(job.log(number_of(run), tags=[{"key": "long", "value": "x" * 150}]))
    (theirs,) = mlflow.said(mlflow.post("experiments/search"))["experiments"]

    page = mlflow.said(mlflow.post("runs/search", experiment_ids=[theirs["experiment_id"]]))

    assert (len(page["runs"]), page["next_page_token"]) == (1, "1")


def test_a_search_costs_the_same_queries_for_one_run_and_three(mlflow, experiment, runs):
    counts = []
    for most in (1, 3):
        with CaptureQueriesContext(connection) as asked:
            mlflow.found(experiment, filter="metrics.loss > 0", max_results=most)
        counts.append(len(asked))

    assert counts == [10, 10]


def test_runs_of_the_factory_are_found_beside_those_of_own_code(mlflow, experiment, case, runs):
    run = a_run(allocation=an_allocation(case=case), knobs={"rows": 3})
    for step, value in enumerate((3.0, 0.15)):
        Metric.objects.create(run=run, name="loss", step=step, value=value, at=run.asked_at)
    (theirs,) = (
        one["experiment_id"]
        for one in mlflow.said(mlflow.post("experiments/search"))["experiments"]
        if one["name"] == f"{case.code}/runs"
    )

    found = mlflow.found(
        experiment, theirs, filter="metrics.loss < 0.25", order_by=["metrics.loss"]
    )

    assert [one["info"]["run_name"] for one in found] == ["run1", run.code, "run2"]
    assert found[1]["info"]["run_id"] == number_of(run)
    assert found[1]["info"]["status"] == "SCHEDULED"
    assert {"key": "rows", "value": "3"} in found[1]["data"]["params"]
    assert [one["step"] for one in mlflow.history(number_of(run), "loss")] == [0, 1]
