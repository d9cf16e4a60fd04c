"""Who is let in: people of the consortium by a token, and a job to its own run."""

import base64

import pytest
from django.test import Client
from django.utils import timezone

from fabriek.cases.states import CaseState
from fabriek.people.models import Person, Token
from fabriek.runs import hub_keys
from fabriek.runs.models import Metric
from fabriek.runs.states import RunState
from fabriek.tracking.doors import number_of
from fabriek.tracking.models import Experiment, Tally, Tracked
from tests.factories import a_partner, a_person, a_run, a_token, an_allocation, staff
from tests.tracking.conftest import Mlflow, points

pytestmark = pytest.mark.django_db


def with_header(value):
    return Mlflow(Client(headers={"Authorization": value, "Accept-Language": "en"}))


@pytest.fixture
def job(case):
    """Give a run of the factory that is at work, and what its job would call with."""
    run = a_run(allocation=an_allocation(case=case), state=RunState.RUNNING)
    return run, with_header(f"Bearer {hub_keys.key_of(run)}")


@pytest.mark.parametrize("header", ["", "Bearer fbk_no", "Basic !!", "Bearer fbr_no.no", "x y"])
def test_without_a_good_token_nothing_is_told(run, header):
    answer = with_header(header).get("runs/get", run_id=run)

    assert (answer.status_code, answer.json()["error_code"]) == (401, "UNAUTHENTICATED")


def test_the_token_may_come_as_a_password(run, lead):
    word = base64.b64encode(f"anybody:{a_token(lead)}".encode()).decode()

    assert with_header(f"Basic {word}").read(run)["info"]["run_id"] == run


def test_a_token_that_may_only_look_changes_nothing(program, lead, case, experiment, run):
    reader = Mlflow(program(lead, scope="read"))

    assert reader.read(run)["info"]["run_id"] == run
    answers = [
        reader.log(run, metrics=points([1.0])),
        reader.post("runs/update", run_id=run, status="FAILED"),
        reader.post("runs/delete", run_id=run),
        reader.post("runs/restore", run_id=run),
        reader.post("runs/create", experiment_id=experiment),
        reader.post("experiments/create", name=f"{case.code}/new"),
    ]

    assert {(one.status_code, one.json()["error_code"]) for one in answers} == {
        (403, "PERMISSION_DENIED")
    }
    assert reader.read(run)["data"]["metrics"] == []
    assert (Tracked.objects.count(), Experiment.objects.count()) == (1, 1)


@pytest.mark.parametrize(
    ("change", "status"),
    [
        (lambda _lead: Token.objects.update(revoked_at=timezone.now()), 401),
        (lambda _lead: Token.objects.update(expires_at=timezone.now()), 401),
        (lambda _lead: Token.objects.update(scope="read"), 403),
        (lambda _lead: Person.objects.update(is_active=False), 401),
        (lambda lead: lead.memberships.all().delete(), 404),
    ],
)
def test_whoever_just_wrote_writes_no_more_once_they_may_not(mlflow, lead, run, change, status):
    mlflow.said(mlflow.log(run, metrics=points([1.0, 2.0])))

    change(lead)
    answers = [
        mlflow.log(run, metrics=points([3.0], first=2)),
        mlflow.post("runs/log-metric", run_id=run, key="loss", value=3, timestamp=1, step=2),
        mlflow.post("runs/log-batch", run_id=run, metrics="no list"),
    ]

    assert [one.status_code for one in answers] == [
        status,
        status,
        401 if status == 401 else 400,
    ]
    assert Tally.objects.get().points == 2


def test_others_learn_nothing_of_a_run(mlflow, stranger, experiment, run, case):
    mlflow.log(run, metrics=points([1.0]))
    calls = [
        lambda number: stranger.get("runs/get", run_id=number),
        lambda number: stranger.get("metrics/get-history", run_id=number, metric_key="loss"),
        lambda number: stranger.get("artifacts/list", run_id=number),
        lambda number: stranger.log(number, metrics=points([2.0])),
        lambda number: stranger.post("runs/update", run_id=number, status="FAILED"),
        lambda number: stranger.post("runs/delete", run_id=number),
        lambda number: stranger.post("runs/restore", run_id=number),
        lambda number: stranger.post("runs/log-model", run_id=number),
    ]

    for call in calls:
        theirs, unknown, strange = call(run), call("0" * 32), call("../x")
        assert (theirs.status_code, theirs.content) == (404, unknown.content)
        assert strange.content == unknown.content
    assert stranger.found(experiment) == []
    assert mlflow.history(run, "loss") == points([1.0])
    assert mlflow.read(run)["info"]["status"] == "RUNNING"


def test_others_learn_nothing_of_an_experiment_or_a_case(stranger, experiment, case):
    by_number = stranger.get("experiments/get", experiment_id=experiment)
    by_name = stranger.get("experiments/get-by-name", experiment_name=case.code)
    unknown = stranger.get("experiments/get-by-name", experiment_name="C20-9999")
    runs = stranger.get("experiments/get-by-name", experiment_name=f"{case.code}/runs")
    made = stranger.post("experiments/create", name=f"{case.code}/x")
    made_unknown = stranger.post("experiments/create", name="C20-9999/x")
    begun = stranger.post("runs/create", experiment_id=experiment)

    assert {one.content for one in (by_number, by_name, unknown, runs, begun)} == {
        unknown.content
    }
    assert unknown.status_code == 404
    assert (
        made.json()["message"].replace(case.code, "C20-9999") == made_unknown.json()["message"]
    )
    assert stranger.said(stranger.post("experiments/search"))["experiments"] == []
    assert Experiment.objects.count() == 1


def test_the_factory_s_staff_do_not_see_what_a_firm_measured(program, experiment, run):
    of_staff = Mlflow(program(staff()))

    assert of_staff.get("runs/get", run_id=run).status_code == 404
    assert of_staff.found(experiment) == []


def test_a_partner_sees_and_writes_once_they_accepted(program, case, run):
    person = a_person()
    assert Mlflow(program(person)).get("runs/get", run_id=run).status_code == 404

    a_partner(case, lead=person)

    partner = Mlflow(program(person))
    partner.said(partner.log(run, metrics=points([1.0])))
    assert partner.history(run, "loss") == points([1.0])


@pytest.mark.parametrize(
    "name", ["", "/x", "C26", "{}/", "{}/runs", "{}/a\nb", "{}" + "/x" * 300]
)
def test_a_name_that_will_not_do_makes_no_experiment(mlflow, case, name):
    answer = mlflow.post("experiments/create", name=name.format(case.code))

    assert answer.status_code == 400
    assert not Experiment.objects.exists()


@pytest.mark.parametrize("state", [CaseState.DRAFT, CaseState.CLOSED])
def test_a_case_that_is_not_open_is_read_and_not_written(mlflow, case, experiment, run, state):
    type(case).objects.filter(pk=case.pk).update(state=state)

    answers = [
        mlflow.log(run, metrics=points([1.0])),
        mlflow.post("runs/create", experiment_id=experiment),
        mlflow.post("experiments/create", name=f"{case.code}/new"),
    ]

    assert {one.status_code for one in answers} == {400}
    assert {one.json()["error_code"] for one in answers} == {"RESOURCE_CONFLICT"}
    assert mlflow.read(run)["data"]["metrics"] == []


def test_a_job_logs_to_its_own_run_beside_its_events(mlflow, job):
    run, own = job
    number = number_of(run)
    Metric.objects.create(run=run, name="loss", step=1, value=3.0, at=run.asked_at)

    own.said(own.post("runs/update", run_id=number, status="FAILED"))
    own.said(own.log(number, metrics=points([0.5], key="score")))
    own.said(own.log(number, params=[{"key": "mine", "value": "yes"}]))

    found = mlflow.read(number)
    assert {one["key"]: one["value"] for one in found["data"]["metrics"]} == {
        "loss": 3.0,
        "score": 0.5,
    }
    assert {"key": "mine", "value": "yes"} in found["data"]["params"]
    assert found["info"]["status"] == "RUNNING"
    assert mlflow.history(number, "score") == points([0.5], key="score")
    assert own.history(number, "loss")[0]["value"] == 3.0


def test_a_job_reaches_no_other_run_and_makes_nothing(job, case, experiment, run):
    _own_run, own = job
    other = a_run(allocation=an_allocation(case=case), state=RunState.RUNNING)

    assert own.get("runs/get", run_id=run).status_code == 404
    assert own.log(number_of(other), metrics=points([1.0])).status_code == 404
    assert own.post("experiments/create", name=f"{case.code}/x").status_code == 403
    assert own.post("runs/create", experiment_id=experiment).status_code == 404
    assert own.post("runs/delete", run_id=number_of(_own_run)).status_code == 403
    assert own.found(experiment) == []


def test_a_job_that_ended_writes_no_more(job):
    run, own = job
    type(run).objects.filter(pk=run.pk).update(state=RunState.SUCCEEDED)

    assert own.log(number_of(run), metrics=points([1.0])).status_code == 401


def test_people_write_to_no_run_of_the_factory(mlflow, job):
    run, _own = job
    number = number_of(run)

    refused = mlflow.log(number, metrics=points([1.0]))

    assert (refused.status_code, refused.json()["error_code"]) == (403, "PERMISSION_DENIED")
    assert mlflow.post("runs/delete", run_id=number).status_code == 403
    assert not Tracked.objects.exists()


def test_a_run_of_the_factory_for_others_does_not_exist(stranger, job):
    run, _own = job

    assert stranger.get("runs/get", run_id=number_of(run)).status_code == 404
