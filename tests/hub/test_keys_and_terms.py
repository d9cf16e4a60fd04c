"""What an agreement says of organisations and of time holds for the key of a run too."""

from datetime import timedelta

import pytest
from django.utils import timezone

from fabriek.agreements.models import Agreement, Decided, Inherited
from fabriek.cases.states import PartnerState
from fabriek.engines.fake import Fake
from fabriek.lab.models import Entry
from fabriek.runs import lineage, use
from fabriek.runs.models import Run
from fabriek.runs.states import RunState
from tests.agreements.policy_world import an_agreement
from tests.answers import put_away
from tests.factories import a_partner, a_person, a_repository, an_organisation
from tests.hub.test_run_keys import a_named, by, info
from tests.runs.world import a_world, followed, seen_again

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)


@pytest.fixture
def world():
    return a_world()


@pytest.fixture
def lent(world):
    owner = a_world()
    return a_named(a_repository(case=owner.case), owner.person, name="lent")


@pytest.fixture
def partner(world):
    person = a_person()
    a_partner(world.case, organisation=an_organisation(lead=person))
    return person


def fetched(run, repository, name="data.csv"):
    kind = "/datasets" if repository.kind == "dataset" else ""
    answer = by(run).get(f"{kind}/{repository.repo_id}/resolve/main/{name}")
    put_away(answer)
    return answer


def asked_by(world, person):
    world.person = person
    return followed(Fake(), world.ask(), RunState.QUEUED)


def as_session(run):
    Run.objects.filter(pk=run.pk).update(recipe="lab")
    return seen_again(run)


# --- organisations ------------------------------------------------------------------------
@pytest.mark.parametrize("recipe", ["pretrain_lm", "lab"])
def test_the_run_of_a_partner_that_is_not_named_learns_nothing(world, lent, partner, recipe):
    an_agreement(lent, world.case, organisations=[world.case.organisation])
    named = asked_by(world, world.person)
    run = asked_by(world, partner)
    Run.objects.filter(pk=run.pk).update(recipe=recipe)
    unknown = by(run).get("/api/datasets/C26-9999/nothing")

    answers = fetched(run, lent), info(by(run), lent)

    assert [one.status_code for one in answers] == [404, 404]
    assert answers[1].content == unknown.content
    assert fetched(named, lent).status_code == 200


def test_the_run_of_a_partner_that_is_named_reads(world, lent, partner):
    firms = [partner.memberships.get().organisation]
    an_agreement(lent, world.case, organisations=firms, place="shared")

    assert fetched(asked_by(world, partner), lent).status_code == 200


def test_a_model_made_of_data_for_named_ones_is_for_them_as_well(world, lent, partner):
    agreement = an_agreement(
        lent, world.case, product="model_api", organisations=[world.case.organisation]
    )
    model = a_named(a_repository(case=world.case, kind="model"), world.person, name="model")
    Inherited.objects.create(repository=model, agreement=agreement)
    named = asked_by(world, world.person)

    denied = fetched(asked_by(world, partner), model)

    assert (denied.status_code, denied["X-Error-Code"]) == (403, "GatedRepo")
    assert fetched(named, model).status_code == 200


def test_who_left_the_consortium_reads_nothing_more_by_a_run(world, lent, partner):
    an_agreement(lent, world.case)
    run = asked_by(world, partner)
    before = fetched(run, lent)
    world.case.partners.update(state=PartnerState.LEFT)

    assert (before.status_code, fetched(run, lent).status_code) == (200, 401)


def test_a_session_fetches_only_what_all_who_were_in_it_may_have(world, lent, partner):
    """Whoever was in can read the key; and a program that they left still runs."""
    an_agreement(lent, world.case, organisations=[world.case.organisation])
    run = as_session(asked_by(world, world.person))
    before = fetched(run, lent)
    entry = {"run": run, "person": partner, "session_key": "x", "ticket": "t"}
    Entry.objects.create(**entry, admission="a", admitted_at=timezone.now())

    after = fetched(run, lent)

    assert (before.status_code, after.status_code) == (200, 403)


def test_nobody_goes_into_a_session_that_fetched_what_is_not_for_them(world, lent, partner):
    an_agreement(lent, world.case, organisations=[world.case.organisation])
    run = as_session(asked_by(world, world.person))
    before = use.may_leave(run, partner)

    fetched(run, lent)

    assert before is None
    denied = use.may_leave(run, partner)
    assert denied is not None
    assert denied.code == "not_named"
    assert use.may_leave(run, world.person) is None


# --- time ---------------------------------------------------------------------------------
def test_a_run_that_could_outlast_the_agreement_fetches_nothing(world, lent):
    run = asked_by(world, world.person)
    agreement = an_agreement(lent, world.case)
    longest = timedelta(seconds=run.timeout_s)

    def with_days_until(ends_at):
        Agreement.objects.filter(pk=agreement.pk).update(ends_at=ends_at)
        return fetched(run, lent)

    now = timezone.now()
    before = with_days_until(now + longest - MINUTE)
    Run.objects.filter(pk=run.pk).update(started_at=now - 2 * MINUTE)
    after = with_days_until(now + longest - MINUTE)

    assert (before.status_code, after.status_code) == (403, 200)
    assert Decided.objects.filter(repository=lent).first().code == "would_outlast"


def test_one_that_was_started_again_has_all_its_time_anew(world, lent):
    run = asked_by(world, world.person)
    now = timezone.now()
    an_agreement(lent, world.case, ends_at=now + timedelta(seconds=run.timeout_s) - MINUTE)
    Run.objects.filter(pk=run.pk).update(started_at=now - 2 * MINUTE, starts=2)

    assert fetched(run, lent).status_code == 403


# --- the log ------------------------------------------------------------------------------
def test_what_was_denied_is_no_read_and_binds_nothing(world, lent):
    an_agreement(lent, world.case, product="statistics", purposes=["evaluation"])
    run = asked_by(world, world.person)

    answer = fetched(run, lent)

    lines = Decided.objects.filter(repository=lent).values_list("moment", "allowed", "code")
    assert answer.status_code == 403
    assert list(lines) == [("run", False, "other_purpose")]
    assert lineage.terms_of(run) == (set(), {world.revision.repository_id})


def test_what_was_given_is_a_read_and_binds(world, lent):
    agreement = an_agreement(lent, world.case, place="shared")
    run = asked_by(world, world.person)

    fetched(run, lent)

    lines = Decided.objects.filter(repository=lent).values_list("moment", "allowed", "code")
    assert list(lines) == [("read", True, "agreed")]
    assert lineage.terms_of(run)[0] == {agreement.pk}
