"""What a program logs by the routes of MLflow, and reads back."""

from importlib import import_module

import pytest
from django.apps import apps
from django.db import connection
from django.test.utils import CaptureQueriesContext

from fabriek.cases.models import Case
from fabriek.cases.states import CaseState
from fabriek.kernel import journal
from fabriek.kernel.models import Entry
from fabriek.tracking import histories, queries, rules
from fabriek.tracking.models import Arrival, Experiment, Tally, Tracked
from tests.factories import staff
from tests.tracking.conftest import points

pytestmark = pytest.mark.django_db


def test_a_run_of_a_case_keeps_figures_parameters_and_tags(mlflow, experiment):
    run = mlflow.run(experiment, run_name="first", tags=[{"key": "kind", "value": "small"}])

    answer = mlflow.log(
        run,
        metrics=points([3.0, 2.5]),
        params=[{"key": "lr", "value": "0.1"}],
        tags=[{"key": "who", "value": "me"}],
    )

    found = mlflow.read(run)
    assert (answer.status_code, answer.json()) == (200, {})
    assert found["data"]["metrics"] == [
        {"key": "loss", "value": 2.5, "timestamp": 1000, "step": 1}
    ]
    assert found["data"]["params"] == [{"key": "lr", "value": "0.1"}]
    assert found["data"]["tags"] == [
        {"key": "kind", "value": "small"},
        {"key": "mlflow.runName", "value": "first"},
        {"key": "who", "value": "me"},
    ]
    assert found["info"]["status"] == "RUNNING"
    assert found["info"]["experiment_id"] == experiment


def test_the_end_of_a_run_is_kept(mlflow, run):
    told = mlflow.said(
        mlflow.post("runs/update", run_id=run, status="FINISHED", end_time=5000, run_name="b")
    )

    assert told["run_info"]["status"] == "FINISHED"
    assert mlflow.read(run)["info"]["end_time"] == 5000
    assert mlflow.read(run)["info"]["run_name"] == "b"


def test_an_unknown_status_is_refused_in_words(mlflow, run):
    answer = mlflow.post("runs/update", run_id=run, status="DONE")

    assert answer.status_code == 400
    assert answer.json() == {
        "error_code": "INVALID_PARAMETER_VALUE",
        "message": "“DONE” is no status. Choose one of: RUNNING, SCHEDULED, FINISHED, FAILED, "
        "KILLED.",
    }
    assert mlflow.read(run)["info"]["status"] == "RUNNING"


def test_all_of_a_figure_comes_back_in_its_order(mlflow, run):
    mlflow.log(run, metrics=points([3.0, 2.0]))
    mlflow.log(run, metrics=points([1.0], first=2))

    assert mlflow.history(run, "loss") == points([3.0, 2.0, 1.0])


def test_calls_that_overtook_each_other_come_back_in_their_order(mlflow, run):
    one, two, three, four = points([4.0, 3.0, 2.0, 1.0])
    for call in ([two], [one, four], [three]):
        mlflow.log(run, metrics=call)

    assert mlflow.history(run, "loss") == [one, two, three, four]


def test_blocks_that_overtook_each_other_come_back_in_their_order(mlflow, run):
    values = [float(n % 17) for n in range(20_000)]
    starts = list(range(0, 20_000, 1000))
    starts[3], starts[4], starts[8], starts[9] = starts[4], starts[3], starts[9], starts[8]
    for start in starts:
        mlflow.log(run, metrics=points(values[start : start + 1000], first=start))

    assert mlflow.history(run, "loss") == points(values)
    pages = [
        mlflow.history(run, "loss", max_results=3000, page_token=str(first))
        for first in range(0, 20_000, 3000)
    ]
    assert [one for page in pages for one in page] == points(values)


def test_of_too_many_blocks_over_each_other_each_part_is_in_order(mlflow, run, monkeypatch):
    monkeypatch.setattr(histories, "BLOCKS_TOGETHER", 2)
    values = [float(n) for n in range(10_000)]
    for start in range(0, 5000, 500):
        both = [*range(start, start + 500), *range(9500 - start, 10_000 - start)]
        mlflow.log(run, metrics=[points([values[n]], first=n)[0] for n in both])

    steps = [one["step"] for one in mlflow.history(run, "loss")]
    assert sorted(steps) == list(range(10_000))
    assert steps[:8192] == sorted(steps[:8192])


def test_a_curve_is_drawn_from_step_to_step(mlflow, run):
    one, two, three = points([3.0, 2.0, 1.0])
    for point in (two, three, one):
        mlflow.log(run, metrics=[point])
    tracked = Tracked.objects.get()
    queries.settle_what_waits(tracked)

    assert queries.curves(tracked, ["loss"]) == {"loss": [(0, 3.0), (1, 2.0), (2, 1.0)]}


def test_a_history_comes_in_pages(mlflow, run):
    mlflow.log(run, metrics=points([3.0, 2.0, 1.0]))
    asked = {"run_id": run, "metric_key": "loss", "max_results": 2}

    first = mlflow.said(mlflow.get("metrics/get-history", **asked))
    asked["page_token"] = first["next_page_token"]
    second = mlflow.said(mlflow.get("metrics/get-history", **asked))

    assert first["metrics"] + second["metrics"] == points([3.0, 2.0, 1.0])
    assert "next_page_token" not in second


def test_what_is_no_number_is_said_as_mlflow_says_it(mlflow, run):
    mlflow.log(run, metrics=points(["NaN", "Infinity", "-Infinity"]))

    assert [one["value"] for one in mlflow.history(run, "loss")] == [
        "NaN",
        "Infinity",
        "-Infinity",
    ]


def test_the_same_batch_twice_is_kept_once(mlflow, run):
    for _ in range(2):
        mlflow.log(run, metrics=points([3.0, "NaN"]), params=[{"key": "a", "value": "1"}])

    assert mlflow.history(run, "loss") == points([3.0, "NaN"])
    assert Tally.objects.get().points == 2


def test_the_same_batch_later_is_kept_once(mlflow, run):
    mlflow.log(run, metrics=points([3.0, 2.0]))
    mlflow.history(run, "loss")
    mlflow.log(run, metrics=points([3.0, 2.0]))

    assert mlflow.history(run, "loss") == points([3.0, 2.0])


def test_two_figures_of_one_step_are_both_kept(mlflow, run):
    one, other = points([1.0, 2.0])
    other |= {"step": 0}
    mlflow.log(run, metrics=[one])
    mlflow.history(run, "loss")
    mlflow.log(run, metrics=[other])

    assert mlflow.history(run, "loss") == [one, other]


def test_the_last_value_is_that_of_the_highest_step(mlflow, run):
    mlflow.log(run, metrics=points([1.0], first=9))
    mlflow.log(run, metrics=points([7.0], first=3))

    assert mlflow.read(run)["data"]["metrics"] == points([1.0], first=9)


def test_many_figures_lie_in_blocks_and_come_back_whole(mlflow, run, monkeypatch):
    monkeypatch.setattr(rules, "POINTS_WAITING", 3000)
    values = [float(n % 17) for n in range(10_000)]
    for start in range(0, 10_000, 1000):
        mlflow.log(run, metrics=points(values[start : start + 1000], first=start))

    assert Arrival.objects.count() == 1
    assert mlflow.history(run, "loss") == points(values)
    page = mlflow.history(run, "loss", max_results=3, page_token="8191")
    assert page == points(values[8191:8194], first=8191)


def test_a_parameter_does_not_change_and_nothing_else_of_the_batch_is_kept(mlflow, run):
    mlflow.log(run, params=[{"key": "lr", "value": "0.1"}])

    answer = mlflow.log(
        run,
        params=[{"key": "new", "value": "1"}, {"key": "lr", "value": "0.2"}],
        metrics=points([1.0]),
    )

    assert answer.json()["error_code"] == "INVALID_PARAMETER_VALUE"
    assert answer.json()["message"] == (
        "The parameter “lr” was set to “0.1” and cannot become “0.2”: what a run began with "
        "does not change. Log it under another name, or begin another run."
    )
    assert mlflow.read(run)["data"] == {
        "params": [{"key": "lr", "value": "0.1"}],
        "tags": [],
        "metrics": [],
    }


def test_single_routes_do_what_a_batch_does(mlflow, run):
    mlflow.said(mlflow.post("runs/log-metric", run_id=run, **points([1.5])[0]))
    mlflow.said(mlflow.post("runs/log-parameter", run_id=run, key="a", value="1"))
    mlflow.said(mlflow.post("runs/set-tag", run_id=run, key="t", value="x"))
    mlflow.said(mlflow.post("runs/set-tag", run_id=run, key="t", value="y"))

    data = mlflow.read(run)["data"]
    assert data["metrics"] == points([1.5])
    assert data["params"] == [{"key": "a", "value": "1"}]
    assert data["tags"] == [{"key": "t", "value": "y"}]

    mlflow.said(mlflow.post("runs/delete-tag", run_id=run, key="t"))
    again = mlflow.post("runs/delete-tag", run_id=run, key="t")

    assert mlflow.read(run)["data"]["tags"] == []
    assert (again.status_code, again.json()["error_code"]) == (404, "RESOURCE_DOES_NOT_EXIST")


def test_numbers_written_as_text_are_understood(mlflow, run):
    told = {"key": "loss", "value": "1.5", "timestamp": "1000", "step": "7"}

    mlflow.said(mlflow.log(run, metrics=[told]))

    assert mlflow.history(run, "loss") == [
        {"key": "loss", "value": 1.5, "timestamp": 1000, "step": 7}
    ]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ({"metrics": [{"key": "a", "value": "much"}]}, "“much” is no figure. Log a number."),
        ({"metrics": [{"key": "a", "value": True}]}, "“True” is no figure. Log a number."),
        (
            {"metrics": [{"key": "a", "value": 1, "step": 2**63}]},
            "“step” is no whole number, or too large a one.",
        ),
        (
            {"metrics": [{"key": "a", "value": 1, "timestamp": "x"}]},
            "“timestamp” is no whole number, or too large a one.",
        ),
        (
            {"metrics": [{"key": "a", "value": 1, "step": "--5"}]},
            "“step” is no whole number, or too large a one.",
        ),
        ({"metrics": [{"value": 1}]}, "“key” is missing, or is no text."),
        ({"metrics": {"a": 1}}, "“metrics” is no list of objects."),
        ({"metrics": ["a"]}, "“metrics” is no list of objects."),
        (
            {"metrics": points([1.0] * 1001)},
            "This call brings more than 1000 metrics. Send them in several calls.",
        ),
        (
            {"params": [{"key": f"p{n}", "value": ""} for n in range(101)]},
            "This call brings more than 100 params. Send them in several calls.",
        ),
        (
            {"tags": [{"key": "a\nb", "value": ""}]},
            "A name holds a sign that cannot be shown. Use letters, digits and / _ - . : @",
        ),
        (
            {"tags": [{"key": "k" * 251, "value": ""}]},
            f"The name “{'k' * 60}…” is longer than 250 signs. Shorten it.",
        ),
    ],
)
def test_what_will_not_do_is_said_in_words_and_nothing_is_kept(mlflow, run, words, sentence):
    good = {"params": [{"key": "good", "value": "1"}]}

    answer = mlflow.log(run, **good | words)

    assert (answer.status_code, answer.json()["message"]) == (400, sentence)
    assert answer.json()["error_code"] == "INVALID_PARAMETER_VALUE"
    assert mlflow.read(run)["data"] == {"params": [], "tags": [], "metrics": []}


@pytest.mark.parametrize("body", ["{no", "[1]", "[" * 30_000, '"' + "x" * 3 * 2**20 + '"'])
def test_a_body_that_is_no_small_object_is_refused(mlflow, run, body):
    at = "/api/2.0/mlflow/runs/log-batch"

    answer = mlflow.client.post(at, body, content_type="application/json")

    assert (answer.status_code, answer.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE")


def test_a_long_value_is_cut_off_as_mlflow_does(mlflow, run):
    mlflow.said(mlflow.log(run, params=[{"key": "a", "value": "x" * 7000}]))

    assert len(mlflow.read(run)["data"]["params"][0]["value"]) == 6000


def test_half_signs_and_zero_bytes_do_no_harm(mlflow, run):
    mlflow.said(mlflow.log(run, tags=[{"key": "a", "value": "x\0\ud800y"}]))

    assert mlflow.read(run)["data"]["tags"] == [{"key": "a", "value": "x?y"}]


def test_a_run_has_only_so_many_figures_names_and_words(mlflow, run, monkeypatch):
    monkeypatch.setattr(rules, "POINTS_MAX", 2)
    assert mlflow.log(run, metrics=points([1.0, 2.0, 3.0])).json()["message"] == (
        "The run would have more than 2 figures. Log them less often."
    )
    monkeypatch.setattr(rules, "NAMES_MAX", 1)
    assert mlflow.log(run, metrics=points([1.0]) + points([1.0], key="b")).json()[
        "message"
    ] == ("The run has figures under more than 1 names. Log under fewer names.")
    monkeypatch.setattr(rules, "PARAMS_MAX", 0)
    assert mlflow.log(run, params=[{"key": "a", "value": "1"}]).status_code == 400
    assert mlflow.read(run)["data"] == {"params": [], "tags": [], "metrics": []}


def test_a_case_has_only_so_many_figures(mlflow, experiment, run, monkeypatch):
    monkeypatch.setattr(rules, "POINTS_BETWEEN", 10)
    monkeypatch.setattr(rules, "POINTS_OF_CASE_MAX", 25)
    mlflow.said(mlflow.log(run, metrics=points([1.0] * 20)))
    other = mlflow.run(experiment)

    kept = mlflow.log(other, metrics=points([1.0] * 5))
    refused = mlflow.log(other, metrics=points([1.0] * 6, first=5))

    assert (kept.status_code, refused.status_code) == (200, 400)
    assert refused.json()["message"].startswith("The runs of C")
    assert len(mlflow.history(other, "loss")) == 5


def test_a_known_name_is_taken_where_no_new_one_is(mlflow, run, monkeypatch):
    monkeypatch.setattr(rules, "NAMES_MAX", 1)
    mlflow.said(mlflow.log(run, metrics=points([1.0])))
    mlflow.history(run, "loss")

    mlflow.said(mlflow.log(run, metrics=points([2.0], first=1)))
    other = mlflow.log(run, metrics=points([2.0], key="other"))

    assert other.status_code == 400
    assert len(mlflow.history(run, "loss")) == 2


def test_a_name_that_waits_counts_too(mlflow, run, monkeypatch):
    monkeypatch.setattr(rules, "NAMES_MAX", 2)
    for name in ("a", "b"):
        mlflow.said(mlflow.log(run, metrics=points([1.0, 2.0, 3.0], key=name)))

    known = mlflow.log(run, metrics=points([4.0], key="b", first=3))
    fresh = mlflow.log(run, metrics=points([1.0], key="c"))

    assert (known.status_code, fresh.status_code) == (200, 400)
    assert {one["key"] for one in mlflow.read(run)["data"]["metrics"]} == {"a", "b"}


def test_a_batch_costs_few_queries_however_large(mlflow, run, monkeypatch):
    monkeypatch.setattr(rules, "NAMES_MAX", 100)  # what waits has more figures than that
    counts = []
    for number, size in enumerate((1, 1000, 1)):
        batch = points([0.5] * size, key=f"name{number}")
        with CaptureQueriesContext(connection) as asked:
            mlflow.log(run, metrics=batch)
        counts.append(len(asked))

    # On PostgreSQL one that writes if the token is what it was. On SQLite the token, two that
    # write, and the transaction around them.
    assert counts == [{"postgresql": 1, "sqlite": 5}[connection.vendor]] * 3


def test_an_experiment_is_made_once_and_found_by_name(mlflow, case):
    name = f"{case.code}/tuning"
    number = mlflow.experiment(name)

    again = mlflow.post("experiments/create", name=name)
    by_name = mlflow.said(mlflow.get("experiments/get-by-name", experiment_name=name))
    by_number = mlflow.said(mlflow.get("experiments/get", experiment_id=number))

    assert (again.status_code, again.json()["error_code"]) == (400, "RESOURCE_ALREADY_EXISTS")
    assert by_name == by_number
    assert by_name["experiment"]["name"] == name
    assert by_name["experiment"]["lifecycle_stage"] == "active"
    assert Experiment.objects.get().case == case


def test_experiments_are_searched_by_name(mlflow, case):
    for name in (case.code, f"{case.code}/a", f"{case.code}/b"):
        mlflow.experiment(name)

    all_ = mlflow.said(mlflow.post("experiments/search", max_results=2))
    rest = mlflow.said(
        mlflow.post("experiments/search", max_results=2, page_token=all_["next_page_token"])
    )
    named = mlflow.said(mlflow.post("experiments/search", filter="name LIKE '%/a'"))

    names = [one["name"] for one in all_["experiments"] + rest["experiments"]]
    assert names == [f"{case.code}/b", f"{case.code}/a", case.code]
    assert [one["name"] for one in named["experiments"]] == [f"{case.code}/a"]


def test_a_program_that_chose_no_experiment_is_told_to(mlflow, case):
    answer = mlflow.post("runs/create", experiment_id="0", start_time=1)

    assert answer.status_code == 400
    assert answer.json()["message"].startswith("Choose an experiment named after your case")
    assert not Tracked.objects.exists()


def test_the_factory_reads_no_name_of_a_run_in_the_story_of_its_case(mlflow, case, browser):
    run = mlflow.run(mlflow.experiment(f"{case.code}/secret medicine"), run_name="secret run")
    for step in ("delete", "restore"):
        mlflow.said(mlflow.post(f"runs/{step}", run_id=run))

    page = browser(staff(), language="en").get(case.get_absolute_url()).content.decode()

    assert [page.count("secret"), page.count(run)] == [0, 2]


def test_names_that_stood_in_the_journal_leave_it(mlflow, run, lead):
    tracked = Tracked.objects.get(uuid=run)
    journal.record("tracking.delete", tracked, by=lead, note="secret run")
    journal.record("runs.other", tracked, by=lead, note="kept")
    migration = import_module("fabriek.tracking.migrations.0002_names_leave_the_journal")

    migration.forget_names(apps, None)

    assert [entry.details for entry in Entry.objects.order_by("pk")] == [
        {},
        {},
        {"note": "kept"},
    ]


@pytest.mark.parametrize("step", ["delete", "restore"])
def test_a_run_of_a_closed_case_is_not_put_away_nor_taken_back(mlflow, case, run, step):
    if step == "restore":
        mlflow.said(mlflow.post("runs/delete", run_id=run))
    stage = mlflow.read(run)["info"]["lifecycle_stage"]
    Case.objects.filter(pk=case.pk).update(state=CaseState.CLOSED)

    answer = mlflow.post(f"runs/{step}", run_id=run)

    assert answer.status_code == 400
    assert answer.json()["message"].startswith("Runs are written while the case is open")
    assert mlflow.read(run)["info"]["lifecycle_stage"] == stage


def test_a_deleted_run_is_not_found_nor_written_until_it_is_restored(mlflow, experiment, run):
    for _ in range(2):
        mlflow.said(mlflow.post("runs/delete", run_id=run))

    refused = mlflow.log(run, metrics=points([1.0]))
    assert refused.json()["error_code"] == "INVALID_PARAMETER_VALUE"
    assert mlflow.found(experiment) == []
    assert len(mlflow.found(experiment, run_view_type="DELETED_ONLY")) == 1
    assert mlflow.read(run)["info"]["lifecycle_stage"] == "deleted"

    mlflow.said(mlflow.post("runs/restore", run_id=run))

    mlflow.said(mlflow.log(run, metrics=points([1.0])))
    assert len(mlflow.found(experiment)) == 1
    entries = Entry.objects.order_by("pk")
    assert [entry.details for entry in entries] == [{}, {"note": run}, {"note": run}]
    verbs = entries.values_list("verb", flat=True)
    assert list(verbs) == ["tracking.make_experiment", "tracking.delete", "tracking.restore"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("get", "/api/2.0/mlflow/registered-models/search"),
        ("post", "/api/2.0/mlflow/traces"),
        ("get", "/api/3.0/mlflow/server-info"),
        ("get", "/api/2.0/mlflow/runs/create"),
        ("post", "/api/2.0/mlflow-artifacts/mpu/create/x"),
        ("post", "/api/2.0/mlflow"),
    ],
)
def test_what_the_factory_does_not_know_is_said_as_mlflow_says_it(mlflow, method, path):
    answer = getattr(mlflow.client, method)(path)

    assert (answer.status_code, answer.json()["error_code"]) == (404, "ENDPOINT_NOT_FOUND")


def test_what_the_factory_does_not_keep_does_not_stop_a_program(mlflow, run):
    assert mlflow.post("runs/log-inputs", run_id=run, datasets=[]).status_code == 200
    assert mlflow.post("runs/log-model", run_id=run, model_json="{}").status_code == 200
