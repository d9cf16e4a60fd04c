"""Data for the secure part of the machine only: each moment, with such a part and without."""

import pytest

from fabriek.agreements import inheritance, policy, reviews
from fabriek.agreements.models import Inherited
from fabriek.agreements.policy import ANYTHING, Moment, Wish
from fabriek.agreements.states import AGREEMENT
from fabriek.registry import actions as registry
from fabriek.registry import rules as model_rules
from fabriek.runs.models import RunInput
from tests.agreements.policy_world import a_policy_world, an_agreement, passed_on
from tests.agreements.test_policy import code
from tests.answers import put_away
from tests.factories import a_case, a_model
from tests.registry.worlds import a_finished_run
from tests.runs.world import pushed

FILES = {"text.txt": "De assistent leest.\n", "geheim.csv": "a,b\n1,2\n"}


@pytest.fixture
def world(db):
    world = a_policy_world()
    pushed(world.repository, FILES, world.owner)
    return world


@pytest.fixture
def part(settings):
    settings.ENGINE = "slurm"
    settings.SLURM_SECURE_PARTITION = "safe"


def released(world, **more):
    wish = {"moment": Moment.RELEASE, "repository": world.repository, "person": world.user}
    return Wish(**wish | more)


# --- the four moments ---------------------------------------------------------------------
def test_with_a_secure_part_a_run_in_it_may_have_the_data(world, part):
    world.agree(place="secure")

    assert code(world.see()) == "party"
    assert code(world.run(is_secure=True)) == "agreed_secure"
    assert code(world.lay_out(is_secure=True)) == "agreed_secure"


def test_outside_of_it_nothing_may_have_the_data(world, part):
    world.agree(place="secure", purposes=["training", "evaluation"])

    assert code(world.run()) == "no: stays_secure"
    assert code(world.lay_out()) == "no: stays_secure"
    assert code(world.read()) == "no: stays_secure"
    assert code(released(world)) == "no: stays_secure"


def test_no_person_gets_it_by_saying_that_they_are_in_there(world, part):
    world.agree(place="secure")

    assert code(world.read(is_secure=True)) == "no: stays_secure"
    assert code(released(world, is_secure=True)) == "no: stays_secure"
    session = world.run(is_secure=True, leaves=True, purpose=ANYTHING)
    assert code(session) == "no: stays_secure"


@pytest.mark.parametrize(("engine", "partition"), [("slurm", ""), ("local", "safe")])
def test_where_there_is_none_every_use_is_denied_in_words(world, settings, engine, partition):
    settings.ENGINE, settings.SLURM_SECURE_PARTITION = engine, partition
    world.agree(place="secure")

    assert code(world.see()) == "party"
    for wish in (world.read(), world.lay_out(is_secure=True), world.run(is_secure=True)):
        assert code(wish) == "no: no_secure_place"
    assert code(released(world)) == "no: no_secure_place"


def test_all_other_terms_count_there_too(world, part):
    agreement = world.agree(place="secure", purposes=["evaluation"], product="statistics")

    assert code(world.run(is_secure=True)) == "no: other_purpose"
    evaluation = {"is_secure": True, "purpose": "evaluation"}
    assert code(world.run(**evaluation)) == "no: makes_too_much"
    assert code(world.run(**evaluation, makes="")) == "agreed_secure"
    AGREEMENT.take("revoke", agreement, by=None, over_at=agreement.begins_at, reason="x")
    assert code(world.run(**evaluation, makes="")) == "no: revoked"
    assert code(world.lay_out(is_secure=True)) == "no: revoked"


@pytest.mark.parametrize("place", ["open", "shared"])
def test_what_asks_for_less_may_be_used_there_as_well(world, part, place):
    world.agree(place=place)

    assert code(world.run(is_secure=True)) == "agreed"
    assert code(world.lay_out(is_secure=True)) == "agreed"


def test_what_a_run_there_could_use_is_told_to_nobody_else(world, part):
    world.agree(place="secure")
    theirs = a_case(lead=world.stranger)

    assert world.repository not in policy.usable_by(world.using)
    assert world.repository in policy.usable_by(world.using, is_secure=True)
    assert world.repository not in policy.usable_by(theirs, is_secure=True)


def test_without_a_secure_part_no_list_offers_it(world):
    world.agree(place="secure")

    assert world.repository not in policy.usable_by(world.using, is_secure=True)


# --- by all doors ---------------------------------------------------------------------------
def test_no_door_gives_a_byte_or_a_name_of_a_file(world, part, browser, program):
    world.agree(place="secure")
    at = f"/api/datasets/{world.dataset.code}"

    page = browser(world.user).get(f"/data/{world.dataset.code}/")

    assert "in the secure part of the machine only" in page.text
    assert "geheim" not in page.text
    for rest in ("files", "files/text.txt", "revisions", "listing", "bundle", "changes"):
        answer = program(world.user).get(f"{at}/{rest}")
        assert (answer.status_code, answer.json()["code"]) == (403, "stays_secure")
    for rest in ("look/", "look/1/files/text.txt"):
        answer = browser(world.user).get(f"/data/{world.dataset.code}/{rest}")
        assert answer.status_code == 403


# --- what is made of it ---------------------------------------------------------------------
def used(model, world, **more):
    wish = {"moment": Moment.RUN, "repository": model.repository, "case": world.using}
    return Wish(**wish | {"purpose": "training", "makes": "model_api"} | more)


def laid_out(model, world, **more):
    wish = {"moment": Moment.READ, "repository": model.repository, "case": world.using}
    return Wish(**wish | more)


@pytest.fixture
def model(world, part):
    """Register a model that was made in there; its agreement names no duty to review."""
    agreement = world.agree(place="secure")
    run = a_finished_run(case=world.using, is_secure=True)
    revision = world.repository.revisions.get()
    RunInput.objects.create(run=run, name="data", revision=revision, agreement=agreement)
    return registry.register(run)


def test_a_model_goes_out_only_after_the_owner_looked(world, model, browser, program):
    """Whatever duties were ticked: the text of this place promises it."""
    address = f"/api/models/{model.code}/files/model.safetensors"
    page = f"/models/{model.code}/files/model.safetensors"
    before = program(world.user).get(address)
    refused = browser(world.user).get(page)
    hub = program(world.user).get(f"/{model.repository.repo_id}/resolve/main/model.safetensors")

    reviews.judge(Inherited.objects.get(), by=world.owner, verdict="released")

    assert (before.status_code, before.json()["code"]) == (403, "waits_for_review")
    assert refused.status_code == 403
    assert hub.status_code == 403
    assert model_rules.may_download(world.user, model)
    after = program(world.user).get(address)
    put_away(after)
    assert after.status_code == 200


def test_until_then_it_is_used_in_the_secure_part_only(world, model):
    assert code(used(model, world)) == "no: made_secure"
    assert code(laid_out(model, world)) == "no: made_secure"
    assert code(used(model, world, is_secure=True)) == "rights_kept"
    assert code(laid_out(model, world, is_secure=True)) == "rights_kept"
    assert code(used(model, world, leaves=True)) == "no: waits_for_review"

    reviews.judge(Inherited.objects.get(), by=world.owner, verdict="released")

    assert code(used(model, world)) == "rights_kept"
    assert code(laid_out(model, world)) == "rights_kept"


def test_one_that_is_held_back_or_may_never_leave_stays_there(world, part):
    agreement = world.agree(place="secure", product="model_api")
    kept = a_model(case=world.using)
    passed_on(kept.repository, agreement, needs_review=True)

    reviews.judge(Inherited.objects.get(), by=world.owner, verdict="released")

    assert code(used(kept, world)) == "no: made_secure"
    assert code(used(kept, world, is_secure=True)) == "rights_kept"


def test_a_copy_of_the_data_is_kept_there_as_the_data_is(world, part):
    agreement = world.agree(place="secure")
    copy = a_policy_world().repository
    copy.case = world.using
    copy.save()
    inheritance.pass_on(copy, agreements=[agreement.pk], sources=[])
    wish = Wish(moment=Moment.RUN, repository=copy, case=world.using, purpose="training")

    assert code(wish) == "no: stays_secure"
    assert code(Wish(moment=Moment.READ, repository=copy, person=world.user)) == (
        "no: stays_secure"
    )
    there = Wish(
        moment=Moment.RUN,
        repository=copy,
        case=world.using,
        purpose="training",
        is_secure=True,
    )
    assert policy.would(there).allowed


def test_of_two_agreements_one_for_the_whole_machine_is_enough(world, part):
    world.agree(place="secure")
    an_agreement(world.repository, world.using, place="shared")

    assert code(world.run()) == "agreed"
