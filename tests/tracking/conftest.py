import json

import pytest

from tests.factories import a_case, a_person


class Mlflow:
    """Calls the routes as MLflow's clients do: JSON, with a token."""

    def __init__(self, client):
        self.client = client

    def post(self, route, **words):
        return self.client.post(
            f"/api/2.0/mlflow/{route}", json.dumps(words), content_type="application/json"
        )

    def get(self, route, **words):
        return self.client.get(f"/api/2.0/mlflow/{route}", words)

    def said(self, answer):
        assert answer.status_code == 200, answer.content
        return json.loads(b"".join(answer)) if answer.streaming else answer.json()

    def experiment(self, name):
        return self.said(self.post("experiments/create", name=name))["experiment_id"]

    def run(self, experiment, **words):
        asked = {"experiment_id": experiment, "start_time": 1000} | words
        return self.said(self.post("runs/create", **asked))["run"]["info"]["run_id"]

    def log(self, run, **words):
        return self.post("runs/log-batch", run_id=run, **words)

    def read(self, run):
        return self.said(self.get("runs/get", run_id=run))["run"]

    def history(self, run, name, **words):
        return self.said(self.get("metrics/get-history", run_id=run, metric_key=name, **words))[
            "metrics"
        ]

    def found(self, *experiments, **words):
        asked = {"experiment_ids": list(experiments)} | words
        return self.said(self.post("runs/search", **asked))["runs"]


@pytest.fixture(autouse=True)
def own_files(settings, tmp_path):
    settings.TRACKING_HOME = tmp_path / "tracking"


@pytest.fixture
def lead():
    return a_person()


@pytest.fixture
def case(lead):
    return a_case(lead=lead)


@pytest.fixture
def mlflow(program, lead):
    return Mlflow(program(lead))


@pytest.fixture
def stranger(program):
    return Mlflow(program(a_case().created_by))


@pytest.fixture
def experiment(mlflow, case):
    return mlflow.experiment(case.code)


@pytest.fixture
def run(mlflow, experiment):
    return mlflow.run(experiment)


def points(values, *, key="loss", first=0):
    """Give figures of one name, a step and a second apart."""
    return [
        {"key": key, "value": value, "timestamp": 1000 * step, "step": step}
        for step, value in enumerate(values, first)
    ]
