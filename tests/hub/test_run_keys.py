"""What the job of a run may read by the key in its folder, and for how long."""

import json
import stat

import pytest
from django.conf import settings as django_settings
from django.test import Client
from django.utils import timezone

from fabriek.agreements.models import Agreement
from fabriek.agreements.states import AgreementState
from fabriek.engines.fake import Fake
from fabriek.engines.slurm_script import script
from fabriek.runs import hub_keys, jobs
from fabriek.runs.models import Run
from fabriek.runs.states import RunState
from fabriek.store import actions as store
from tests.agreements.policy_world import an_agreement
from tests.factories import a_case, a_repository
from tests.runs.world import a_world, followed, pushed, seen_again

pytestmark = pytest.mark.django_db


@pytest.fixture
def world():
    return a_world()


@pytest.fixture
def questions(world):
    return a_named(a_repository(case=world.case), world.person)


@pytest.fixture
def run(world):
    return followed(Fake(), world.ask(), RunState.QUEUED)


def a_named(repository, person, name="questions"):
    store.name_repository(repository, code=f"D26-{repository.pk:04d}", title=name)
    pushed(repository, {"data.csv": "a,b\n1,2\n"}, person)
    return repository


def by(run):
    return Client(HTTP_AUTHORIZATION=f"Bearer {key_in(run)}")


def key_in(run):
    return (run.folder / "hub-key").read_text()


def info(client, repository, kind="datasets"):
    return client.get(f"/api/{kind}/{repository.repo_id}")


def test_a_job_reads_the_data_of_its_case(run, questions):
    there = info(by(run), questions)
    at = f"/datasets/{questions.repo_id}/resolve/main/data.csv"
    content = by(run).get(at)

    assert there.status_code == 200, there.content
    assert content.getvalue() == b"a,b\n1,2\n"


def test_a_job_reads_what_is_open(run, questions):
    open_to_all = a_named(a_repository(is_open=True), run.asked_by, name="wiki")

    assert info(by(run), open_to_all).status_code == 200


def test_of_others_it_learns_nothing(run, world):
    """Also not of another case in which the person who asked for it takes part."""
    others = a_named(a_repository(), world.person, name="secret")
    same_person = a_case(lead=world.person, organisation=world.case.organisation)
    sibling = a_named(a_repository(case=same_person), world.person, name="sibling")

    answers = [info(by(run), one) for one in (others, sibling)]
    unknown = by(run).get("/api/datasets/C26-9999/nothing")

    assert {(one.status_code, one.content) for one in (*answers, unknown)} == {
        (404, unknown.content)
    }
    assert {one["X-Error-Code"] for one in (*answers, unknown)} == {"RepoNotFound"}


@pytest.mark.parametrize(
    "state", [RunState.WAITING, RunState.SUCCEEDED, RunState.FAILED, RunState.LOST]
)
def test_it_is_good_while_the_run_lives(run, questions, state):
    client = by(run)
    before = info(client, questions)
    Run.objects.filter(pk=run.pk).update(state=state)

    assert (before.status_code, info(client, questions).status_code) == (200, 401)


def test_a_run_that_is_to_stop_reads_nothing_more(run, questions):
    Run.objects.filter(pk=run.pk).update(cancel_asked_at=timezone.now())

    assert info(by(run), questions).status_code == 401


def test_a_job_writes_nothing(run, questions):
    client = by(run)
    at = f"/api/datasets/{questions.repo_id}"
    asked = {"type": "dataset", "name": "new", "organization": run.case.code}

    answers = [
        client.post("/api/repos/create", json.dumps(asked), content_type="application/json"),
        client.post(f"{at}/commit/main", b"{}", content_type="application/x-ndjson"),
        client.post(f"{at}/preupload/main", b"{}", content_type="application/json"),
        client.get(f"{at}/xet-write-token/main"),
        client.post(
            f"/datasets/{questions.repo_id}.git/info/lfs/objects/batch",
            json.dumps({"operation": "upload", "objects": []}),
            content_type="application/json",
        ),
        client.delete("/api/repos/delete", json.dumps(asked), content_type="application/json"),
    ]

    assert [one.status_code for one in answers] == [403] * 6
    assert {json.loads(one.content)["code"] for one in answers} == {"token_scope"}


def test_it_is_no_token_of_our_own_api_and_does_not_tell_who_asked(run):
    client = by(run)

    assert client.get("/api/people/me").status_code == 401
    assert client.get("/api/datasets").status_code in {401, 403}
    assert client.get("/api/whoami-v2").status_code == 403


def test_a_key_that_was_changed_opens_nothing(run, world, questions):
    other = world.ask(seed=2)
    key = key_in(run)
    forged = key.replace(run.key, other.key)

    for wrong in (forged, key[:-1], key + "x", "fbr_", "fbr_.", f"fbr_{run.key}"):
        client = Client(HTTP_AUTHORIZATION=f"Bearer {wrong}")
        assert info(client, questions).status_code == 401


def test_the_key_lies_in_a_file_for_its_owner_alone(run):
    path = run.folder / "hub-key"

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(run.folder.stat().st_mode) == 0o700


def test_no_engine_and_no_list_of_processes_is_told_the_key(run):
    job = jobs.job_of(run)
    secret = key_in(run).rpartition(".")[2]

    assert secret not in repr(job)
    assert secret not in script(job, grace_s=10)
    assert dict(job.environment)["HF_TOKEN_PATH"] == str(run.folder / "hub-key")
    assert dict(job.environment)["HF_ENDPOINT"] == django_settings.FACTORY_URL


def test_nothing_of_the_key_is_in_the_database(run):
    secret = key_in(run).rpartition(".")[2]

    values = Run.objects.filter(pk=run.pk).values()[0]

    assert secret not in repr(values)
    assert hub_keys.find(key_in(seen_again(run))) == run


# --- data of others, under agreement ------------------------------------------------------
@pytest.fixture
def lent(world):
    """Make data of another company that the case may train on, on this machine only."""
    owner = a_world()
    repository = a_named(a_repository(case=owner.case), owner.person, name="lent")
    an_agreement(repository, world.case, place="shared", purposes=["training"])
    return repository


def test_a_job_reads_what_an_agreement_lets_it_work_on(run, lent):
    at = f"/datasets/{lent.repo_id}/resolve/main/data.csv"

    assert by(run).get(at).getvalue() == b"a,b\n1,2\n"


def test_where_people_can_carry_data_away_the_key_does_not_help(run, lent):
    """Interactive work reads no data that may not leave the machine, by the key neither."""
    Run.objects.filter(pk=run.pk).update(recipe="lab")

    answer = info(by(run), lent)

    assert (answer.status_code, answer["X-Error-Code"]) == (403, "GatedRepo")


def test_when_the_agreement_is_revoked_nothing_more_is_read(run, lent):
    before = info(by(run), lent)
    Agreement.objects.update(state=AgreementState.REVOKED)

    after = info(by(run), lent)

    assert before.status_code == 200
    assert after.status_code in {403, 404}
    assert b"data.csv" not in after.content
