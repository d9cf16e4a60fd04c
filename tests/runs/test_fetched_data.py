"""The end of an agreement for data that runs fetched, and for whom another text leaves out."""

import pytest
from django.test import Client
from django.utils import timezone

from fabriek.agreements.models import Agreement, Statement
from fabriek.agreements.states import AGREEMENT
from fabriek.cases.states import PartnerState
from fabriek.kernel.errors import NotAllowed
from fabriek.runs import actions
from fabriek.runs.models import Run
from fabriek.runs.states import RunState
from fabriek.store import actions as store
from tests.agreements.policy_world import an_agreement
from tests.answers import put_away
from tests.factories import a_case, a_partner, a_person, a_repository, an_organisation
from tests.runs.test_ended_agreements import loop, running
from tests.runs.world import a_text, a_world, passes, pushed, seen_again

pytestmark = pytest.mark.django_db


@pytest.fixture
def world():
    return a_world()


@pytest.fixture
def lent(world):
    owner = a_world()
    repository = a_repository(case=owner.case)
    store.name_repository(repository, code=f"D26-{repository.pk:04d}", title="lent")
    pushed(repository, {"data.csv": "a,b\n1,2\n"}, owner.person)
    return repository


@pytest.fixture
def partner(world):
    person = a_person()
    a_partner(world.case, organisation=an_organisation(lead=person))
    return person


def fetch(run, repository):
    client = Client(HTTP_AUTHORIZATION=f"Bearer {(run.folder / 'hub-key').read_text()}")
    answer = client.get(f"/datasets/{repository.repo_id}/resolve/main/data.csv")
    assert answer.status_code == 200
    put_away(answer)
    (run.folder / "hub").mkdir(exist_ok=True)
    (run.folder / "hub/data.csv").write_text("a,b")


def revoke(agreement):
    again = Agreement.objects.get(pk=agreement.pk)
    AGREEMENT.take("revoke", again, by=None, over_at=timezone.now(), reason="Misused.")


def a_lab(world, *, continues=None):
    wish = world.wish(recipe="lab", knobs={"idle_minutes": 30}, timeout_s=3600, inputs={})
    return actions.ask(wish, allocation=world.allocation, by=world.person, continues=continues)


def test_a_run_that_fetched_the_data_is_stopped_and_cleared(world, lent, engine):
    agreement = an_agreement(lent, world.case, place="shared")
    run, other = running(engine, world.ask()), running(engine, world.ask(seed=2))
    fetch(run, lent)
    revoke(agreement)

    for _ in range(3):
        loop(engine)

    assert (seen_again(run).state, seen_again(other).state) == (
        RunState.CANCELLED,
        RunState.RUNNING,
    )
    assert not (run.folder / "hub").exists()
    facts = Statement.objects.get().facts
    assert (facts["stopped"], [one["name"] for one in facts["removed"]]) == (
        [run.code],
        ["hub"],
    )


def test_a_session_that_fetched_it_is_stopped_and_no_other_begins_with_its_files(
    world, lent, engine
):
    agreement = an_agreement(lent, world.case)
    lab = running(engine, a_lab(world))
    fetch(lab, lent)
    revoke(agreement)

    for _ in range(3):
        loop(engine)

    assert seen_again(lab).state == RunState.CANCELLED
    with pytest.raises(NotAllowed) as refused:
        a_lab(world, continues=seen_again(lab))
    assert refused.value.code == "revoked"


def test_one_that_waits_to_begin_with_fetched_files_never_starts(world, lent, engine):
    agreement = an_agreement(lent, world.case)
    first = running(engine, a_lab(world))
    fetch(first, lent)
    Run.objects.filter(pk=first.pk).update(state=RunState.CANCELLED)
    second = a_lab(world, continues=seen_again(first))
    Agreement.objects.filter(pk=agreement.pk).update(state="ended")

    passes(engine)

    ended = seen_again(second)
    assert (ended.state, ended.reason) == (RunState.FAILED, "data_ended")


# --- organisations ------------------------------------------------------------------------
@pytest.fixture
def text(world):
    owner = a_person()
    world.revision = a_text(a_case(lead=owner), owner)
    return world.revision.repository


def test_a_narrower_text_stops_whom_it_leaves_out_and_nobody_else(world, text, partner, engine):
    wide = an_agreement(text, world.case, place="shared", product="model_api")
    ours = running(engine, world.ask())
    world.person = partner
    theirs = running(engine, world.ask(seed=2))
    firms = [world.case.organisation]
    an_agreement(text, world.case, place="shared", product="model_api", organisations=firms)
    AGREEMENT.take("replace", wide, by=None, over_at=timezone.now())

    for _ in range(3):
        loop(engine)

    assert (seen_again(ours).state, seen_again(theirs).state) == (
        RunState.RUNNING,
        RunState.CANCELLED,
    )
    assert (ours.folder / "inputs/dataset/text.txt").exists()
    assert not (theirs.folder / "inputs/dataset").exists()
    facts = Statement.objects.get().facts
    assert facts["covered_by"] == ""
    assert [(one["run"], one["name"]) for one in facts["removed"]] == [
        (theirs.code, "inputs/dataset")
    ]
    assert "covered" in facts["remains"]


def test_a_partner_that_left_gets_no_run_started(world, text, partner, engine):
    firms = [partner.memberships.get().organisation]
    an_agreement(text, world.case, place="shared", product="model_api", organisations=firms)
    world.person = partner
    run = world.ask()
    world.case.partners.update(state=PartnerState.LEFT)

    passes(engine)

    ended = seen_again(run)
    assert (ended.state, ended.reason) == (RunState.FAILED, "data_not_yours")
    assert not (run.folder / "inputs").exists()
