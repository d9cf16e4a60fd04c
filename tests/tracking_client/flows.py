"""What people do with MLflow, done with its real client against a factory that runs.

Prints a line of JSON for each flow. Knows nothing of us but an address, a token and a case.
"""

import json
import math
import os
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import mlflow
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag, ViewType
from mlflow.exceptions import MlflowException

TOLD = json.loads(os.environ["TRACKING_TOLD"])
CASE = TOLD["case"]


class Problem(Exception):
    """The client got something else than MLflow's own server gives."""


def hold(found, wanted, what=""):
    if found != wanted:
        raise Problem(f"{what or 'found'}: {str(found)[:300]}, wanted {str(wanted)[:300]}")


@contextmanager
def refused(code, *words):
    try:
        yield
    except MlflowException as error:
        hold(error.error_code, code, "error code")
        if missing := [word for word in words if word not in str(error)]:
            raise Problem(f"{error} does not say {missing}") from error
        return
    raise Problem(f"not refused with {code}")


def a_script_logs_as_it_would_anywhere():
    mlflow.set_experiment(f"{CASE}/script")
    with mlflow.start_run(run_name="first", tags={"kind": "small"}) as run:
        mlflow.log_params({"lr": 0.1, "layers": 2})
        for step in range(20):
            mlflow.log_metric("loss", 1 / (step + 1), step=step)
        mlflow.log_metrics({"accuracy": 0.9, "broken": math.nan}, step=20)
        mlflow.set_tag("note", "it works")
        mlflow.log_text("hello\n", "texts/hello.txt")
        mlflow.log_dict({"a": 1}, "facts.json")
    found = mlflow.get_run(run.info.run_id)
    hold(found.info.status, "FINISHED")
    hold(found.data.params, {"lr": "0.1", "layers": "2"})
    hold(found.data.metrics["loss"], 1 / 20)
    hold(math.isnan(found.data.metrics["broken"]), True)
    hold(found.data.tags["note"], "it works")
    hold(found.info.run_name, "first")
    hold(found.info.end_time >= found.info.start_time, True)


def figures_come_back_exactly():
    client, run = MlflowClient(), _run("history")
    now = int(time.time() * 1000)
    values = [math.sin(step) for step in range(5000)]
    for start in range(0, 5000, 1000):
        some = [Metric("loss", values[s], now + s, s) for s in range(start, start + 1000)]
        client.log_batch(run, metrics=some)
    history = client.get_metric_history(run, "loss")
    hold([one.value for one in history], values)
    hold([one.step for one in history], list(range(5000)))
    hold([one.timestamp for one in history], [now + s for s in range(5000)])
    client.set_terminated(run)


def the_same_batch_twice_changes_nothing():
    client, run = MlflowClient(), _run("twice")
    batch = {
        "metrics": [Metric("loss", 1.5, 1000, 1)],
        "params": [Param("a", "1")],
        "tags": [RunTag("t", "x")],
    }
    for _ in range(2):
        client.log_batch(run, **batch)
    hold(len(client.get_metric_history(run, "loss")), 1)


def what_a_run_began_with_does_not_change():
    client, run = MlflowClient(), _run("params")
    client.log_param(run, "lr", 1)
    client.log_param(run, "lr", 1)
    with refused("INVALID_PARAMETER_VALUE", "lr"):
        client.log_param(run, "lr", 2)
    hold(client.get_run(run).data.params, {"lr": "1"})


def runs_are_searched():
    client = MlflowClient()
    experiment = client.create_experiment(f"{CASE}/search")
    for number in range(5):
        run = client.create_run(experiment, run_name=f"run{number}").info.run_id
        client.log_metric(run, "loss", number / 10, step=1)
        client.log_param(run, "model", "small" if number < 3 else "large")
        client.set_terminated(run)
    asked = "metrics.loss >= 0.1 AND params.model = 'small' AND attributes.status = 'FINISHED'"
    found = client.search_runs([experiment], asked, order_by=["metrics.loss DESC"])
    hold([one.info.run_name for one in found], ["run2", "run1"])
    first = client.search_runs([experiment], max_results=3)
    second = client.search_runs([experiment], max_results=3, page_token=first.token)
    hold((len(first), len(second), second.token), (3, 2, None))
    with refused("INVALID_PARAMETER_VALUE", "OR"):
        client.search_runs([experiment], "params.a = 'x' OR params.b = 'y'")
    names = {one.name for one in client.search_experiments()}
    hold(f"{CASE}/search" in names, True)
    hold(any(TOLD["others"] in name for name in names), False)


def runs_are_put_away_and_restored():
    client, run = MlflowClient(), _run("away")
    experiment = client.get_run(run).info.experiment_id
    client.delete_run(run)
    hold(client.get_run(run).info.lifecycle_stage, "deleted")
    ids = [one.info.run_id for one in client.search_runs([experiment])]
    hold(run in ids, False)
    away = client.search_runs([experiment], run_view_type=ViewType.DELETED_ONLY)
    hold([one.info.run_id for one in away], [run])
    client.restore_run(run)
    hold(client.get_run(run).info.lifecycle_stage, "active")


def files_go_in_and_come_out():
    client, run = MlflowClient(), _run("files")
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home, "model")
        (folder / "deep").mkdir(parents=True)
        (folder / "weights.bin").write_bytes(os.urandom(3 * 2**20))
        (folder / "deep" / "leeg.txt").write_bytes(b"")
        (folder / "met spatie é.txt").write_text("ja")
        client.log_artifacts(run, str(folder), "model")
        top = [(one.path, one.is_dir) for one in client.list_artifacts(run)]
        hold(top, [("model", True)])
        below = {one.path: one.file_size for one in client.list_artifacts(run, "model")}
        hold(below["model/weights.bin"], 3 * 2**20)
        hold(sorted(below), ["model/deep", "model/met spatie é.txt", "model/weights.bin"])
        there = Path(client.download_artifacts(run, "model", home + "/"))
        hold((there / "weights.bin").read_bytes(), (folder / "weights.bin").read_bytes())
        hold((there / "met spatie é.txt").read_text(), "ja")
        hold((there / "deep" / "leeg.txt").read_bytes(), b"")


def others_are_as_if_they_were_not_there():
    client = MlflowClient()
    hold(client.get_experiment_by_name(TOLD["others"]), None)
    with refused("INVALID_PARAMETER_VALUE", "does not begin with the code of a case"):
        client.create_experiment(TOLD["others"])
    with refused("INVALID_PARAMETER_VALUE", "does not begin with the code of a case"):
        client.create_experiment("C26-9999/new")
    for number in (TOLD["other_run"], "0" * 32):
        with refused("RESOURCE_DOES_NOT_EXIST", "no such run"):
            client.get_run(number)
        with refused("RESOURCE_DOES_NOT_EXIST", "no such run"):
            client.log_metric(number, "loss", 1.0)


def a_token_is_needed():
    kept = os.environ.pop("MLFLOW_TRACKING_TOKEN")
    try:
        os.environ["MLFLOW_TRACKING_USERNAME"] = "token"
        os.environ["MLFLOW_TRACKING_PASSWORD"] = kept
        hold(MlflowClient().get_experiment_by_name(CASE + "/never"), None)
        os.environ["MLFLOW_TRACKING_PASSWORD"] = "fbk_wrong"
        with refused("UNAUTHENTICATED", "MLFLOW_TRACKING_TOKEN"):
            MlflowClient().search_experiments()
    finally:
        os.environ["MLFLOW_TRACKING_TOKEN"] = kept
        del os.environ["MLFLOW_TRACKING_USERNAME"], os.environ["MLFLOW_TRACKING_PASSWORD"]


def a_run_of_the_factory_is_read():
    client, number = MlflowClient(), TOLD["factory_run"]
    found = client.get_run(number)
    hold(found.data.tags["fabriek.recipe"], "finetune_lm")
    hold(found.data.metrics, {"loss": 1.0})
    hold([one.value for one in client.get_metric_history(number, "loss")], [3.0, 2.0, 1.0])
    experiment = client.get_experiment_by_name(f"{CASE}/runs")
    runs = client.search_runs([experiment.experiment_id], "metrics.loss < 2")
    hold([one.info.run_id for one in runs], [number])
    with refused("PERMISSION_DENIED", "only its own job"):
        client.log_metric(number, "loss", 1.0)


def the_job_of_a_run_logs_to_its_own_run():
    kept = os.environ["MLFLOW_TRACKING_TOKEN"]
    os.environ["MLFLOW_TRACKING_TOKEN"] = TOLD["job_key"]
    os.environ["MLFLOW_RUN_ID"] = TOLD["factory_run"]
    try:
        mlflow.set_experiment(f"{CASE}/runs")
        with mlflow.start_run():
            mlflow.log_metric("score", 0.5, step=1)
            mlflow.log_param("mine", "yes")
        with refused("PERMISSION_DENIED", "MLFLOW_RUN_ID"):
            MlflowClient().create_experiment(f"{CASE}/job")
    finally:
        os.environ["MLFLOW_TRACKING_TOKEN"] = kept
        os.environ.pop("MLFLOW_RUN_ID", None)
    found = MlflowClient().get_run(TOLD["factory_run"])
    hold(found.data.metrics, {"loss": 1.0, "score": 0.5})
    hold(found.data.params["mine"], "yes")
    hold(found.info.status, "RUNNING")


def _run(name):
    experiment = mlflow.set_experiment(f"{CASE}/{name}")
    return MlflowClient().create_run(experiment.experiment_id, run_name=name).info.run_id


FLOWS = (
    a_script_logs_as_it_would_anywhere,
    figures_come_back_exactly,
    the_same_batch_twice_changes_nothing,
    what_a_run_began_with_does_not_change,
    runs_are_searched,
    runs_are_put_away_and_restored,
    files_go_in_and_come_out,
    others_are_as_if_they_were_not_there,
    a_token_is_needed,
    a_run_of_the_factory_is_read,
    the_job_of_a_run_logs_to_its_own_run,
)


def main():
    print(json.dumps({"version": mlflow.__version__}), flush=True)
    for flow in FLOWS:
        began, trouble = time.monotonic(), ""
        try:
            flow()
        except Exception as error:
            trouble = f"{type(error).__name__}: {error}"
        took = round(time.monotonic() - began, 1)
        line = {"flow": flow.__name__, "trouble": trouble, "took_s": took}
        print(json.dumps(line), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
