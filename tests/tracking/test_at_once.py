"""Two calls at once on one run, and bodies whose length nobody announced."""

import io
import json

import pytest
from django.test import Client

from fabriek.tracking import actions
from fabriek.tracking.models import Artifact, Block, Series, Tally, Tracked
from fabriek.tracking.settling import settle
from tests.factories import a_token
from tests.threads import at_once, many_connections  # noqa: F401  a fixture
from tests.tracking.conftest import Mlflow, points
from tests.tracking.test_files import Files


def posted(client, path, content, method="POST"):
    """Send a body in chunks: without a length, as the web server hands it on."""
    return client.generic(
        method,
        path,
        content_type="application/json",
        CONTENT_LENGTH="",
        HTTP_TRANSFER_ENCODING="chunked",
        **{"wsgi.input": io.BytesIO(content)},
    )


@pytest.mark.django_db
def test_a_batch_without_a_length_is_read(mlflow, run):
    body = json.dumps({"run_id": run, "metrics": points([1.0])}).encode()

    assert posted(mlflow.client, "/api/2.0/mlflow/runs/log-batch", body).status_code == 200
    assert mlflow.history(run, "loss") == points([1.0])


@pytest.mark.django_db
def test_a_file_without_a_length_is_read(mlflow, run):
    files = Files(mlflow.client, run)

    assert posted(mlflow.client, files.at("a"), b"words", "PUT").status_code == 200
    assert b"".join(files.get("a")) == b"words"


@pytest.fixture
def two(lead):
    """Give two programs of one person."""
    return [
        Mlflow(Client(headers={"Authorization": f"Bearer {a_token(lead)}"})) for _ in range(2)
    ]


@pytest.mark.django_db(transaction=True)
def test_figures_of_two_at_once_are_all_kept_once(many_connections, two, mlflow, run):  # noqa: F811
    same, first, second = points([1.0] * 50), points([2.0] * 50, first=50), points([3.0] * 50)
    other = [one | {"key": "other"} for one in second]

    said = at_once(
        lambda: two[0].log(run, metrics=same + first).status_code,
        lambda: two[1].log(run, metrics=same + other).status_code,
        lambda: settle(Tracked.objects.get().pk),
    )

    assert sorted(said, key=str) == [200, 200, None]
    assert len(mlflow.history(run, "loss")) == 100
    assert len(mlflow.history(run, "other")) == 50
    assert (Tally.objects.get().points, Tally.objects.get().arrivals_waiting) == (150, 0)
    assert (Series.objects.count(), Block.objects.count()) == (2, 2)


@pytest.mark.django_db(transaction=True)
def test_figures_of_one_go_by_while_another_writes_parameters(
    many_connections,  # noqa: F811
    two,
    mlflow,
    run,
    monkeypatch,
):
    """Each holds what the other asks for next, unless they lock no more than they must."""
    really, said = actions.arriving.arrive, []

    def arrive(tracked, batch):
        if not said:
            said.append(None)  # the other one's figures come by here, if anywhere
            said[:] = at_once(lambda: two[0].log(run, metrics=points([2.0])).status_code)
        return really(tracked, batch)

    monkeypatch.setattr(actions.arriving, "arrive", arrive)
    answer = mlflow.log(run, metrics=points([1.0]), params=[{"key": "lr", "value": "1"}])

    assert (answer.status_code, said) == (200, [200])


@pytest.mark.django_db(transaction=True)
def test_of_two_values_at_once_one_parameter_keeps_one(many_connections, two, mlflow, run):  # noqa: F811
    said = at_once(
        lambda: two[0].log(run, params=[{"key": "lr", "value": "1"}]).status_code,
        lambda: two[1].log(run, params=[{"key": "lr", "value": "2"}]).status_code,
    )

    assert sorted(said) == [200, 400]
    assert len(mlflow.read(run)["data"]["params"]) == 1


@pytest.mark.django_db(transaction=True)
def test_an_experiment_of_two_at_once_is_made_once(many_connections, two, case):  # noqa: F811
    name = f"{case.code}/both"

    said = at_once(
        *(lambda one=one: one.post("experiments/create", name=name).status_code for one in two)
    )

    assert sorted(said) == [200, 400]


@pytest.mark.django_db(transaction=True)
def test_two_files_at_once_stay_within_what_a_case_may_keep(
    many_connections, two, run, settings  # noqa: F811
):  # fmt: skip
    settings.TRACKING_BYTES = 10

    said = at_once(
        lambda: Files(two[0].client, run).put("a", b"123456").status_code,
        lambda: Files(two[1].client, run).put("b", b"123456").status_code,
    )

    assert sorted(said) == [200, 507]
    assert Artifact.objects.count() == 1
