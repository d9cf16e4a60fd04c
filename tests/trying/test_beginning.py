"""Beginning a session: what is loaded, what is held, who may, and what is refused in words."""

from datetime import timedelta

import pytest
from django.utils import timezone

from fabriek.cases.models import Case
from fabriek.cases.states import CaseState
from fabriek.kernel.errors import Invalid, NotAllowed, NotEnough, WrongState
from fabriek.registry.models import Model
from fabriek.runs.models import Run
from fabriek.trying import actions, queries
from tests.agreements.policy_world import an_agreement, passed_on
from tests.factories import (
    a_case,
    a_model,
    a_partner,
    a_person,
    an_allocation,
    an_organisation,
    staff,
)
from tests.registry.worlds import some_data
from tests.trying.world import lent, named_partner

pytestmark = pytest.mark.django_db


def test_the_model_and_what_it_was_made_from_are_laid_out_and_the_time_is_held(world):
    run = world.begin(minutes=10)

    laid_out = dict(run.inputs.values_list("name", "revision"))
    assert laid_out == {"model": world.model.revision_id, "base": world.base.revision_id}
    assert (run.recipe, run.gpus, run.timeout_s) == ("try_model", 1, 600)
    world.allocation.refresh_from_db()
    assert world.allocation.gpu_seconds_held == 600


def test_pressing_twice_or_coming_back_gives_the_session_that_is_open(world):
    first = world.begin()

    assert world.begin() == first
    assert world.begin(by=world.lead) != first
    assert Run.objects.filter(recipe="try_model").count() == 2


def test_nobody_has_many_sessions_at_once(world, monkeypatch):
    monkeypatch.setattr(actions, "SESSIONS_MAX", 1)
    world.begin()

    with pytest.raises(WrongState) as refused:
        actions.start(world.base, actions.Wish(), allocation=world.allocation, by=world.member)

    assert refused.value.code == "too_many_sessions"


@pytest.mark.parametrize("minutes", [0, 1, 61])
def test_a_length_that_will_not_do_is_told(world, minutes):
    with pytest.raises(Invalid, match="Choose 2 to 60 minutes"):
        world.begin(minutes=minutes)

    assert not Run.objects.filter(recipe="try_model").exists()


@pytest.mark.parametrize("make", [a_person, staff])
def test_strangers_and_the_factory_begin_nothing_with_hours_of_others(world, make):
    with pytest.raises(NotAllowed):
        world.begin(by=make())

    assert not Run.objects.filter(recipe="try_model").exists()


def test_a_closed_case_begins_nothing(world):
    Case.objects.filter(pk=world.case.pk).update(state=CaseState.CLOSED)
    world.allocation.case.refresh_from_db()

    with pytest.raises(WrongState):
        world.begin()


def test_what_cannot_be_paid_is_refused(world):
    world.allocation.gpu_seconds_granted = 60
    world.allocation.save()
    world.allocation.refresh_from_db()
    poor = an_allocation(case=world.case, gpu_seconds=60)

    with pytest.raises(NotEnough):
        actions.start(world.model, actions.Wish(), allocation=poor, by=world.member)


def test_a_model_that_reads_no_text_is_not_asked(world):
    Run.objects.filter(pk=world.model.run_id).update(recipe="classify_text")
    model = Model.objects.select_related("run", "repository", "revision").get(pk=world.model.pk)

    with pytest.raises(Invalid) as refused:
        actions.start(model, actions.Wish(), allocation=world.allocation, by=world.member)

    assert refused.value.code == "no_language_model"


def test_a_model_that_fits_no_gpu_is_refused_before_anything_is_held(world, settings):
    settings.GPU_MEMORY_GB = 1e-9

    with pytest.raises(Invalid, match="cannot be tried in the page"):
        world.begin()

    world.allocation.refresh_from_db()
    assert world.allocation.gpu_seconds_held == 0


def test_a_base_that_does_not_fit_beside_it_is_left_out_and_said(world, settings):
    settings.GPU_MEMORY_GB = (world.model.revision.size_bytes + 10) / 1e9

    found = actions.inputs_for(world.model, case=world.case, by=world.member)

    assert set(found.revisions) == {"model"}
    assert "do not fit" in str(found.without_base)


def test_an_open_model_is_tried_with_hours_of_ones_own(world):
    person = a_person()
    case = a_case(lead=person)
    paid = an_allocation(case=case)

    (found,) = queries.allocations_for(world.base, person)
    run = actions.start(world.base, actions.Wish(), allocation=found, by=person)

    assert (found, run.case) == (paid, case)
    assert set(run.inputs.values_list("name", flat=True)) == {"model"}
    assert queries.allocations_for(world.model, person) == []


# --- agreements --------------------------------------------------------------------------
def made_under(world, **terms):
    """Let the model have been made of data of others, under these terms."""
    data = some_data(a_case(), code="D26-9100")
    agreement = an_agreement(data.repository, world.case, **terms)
    row = passed_on(
        world.model.repository, agreement, needs_review="review" in terms.get("duties", ())
    )
    return agreement, row


def test_a_model_that_stays_here_and_answers_questions_may_be_asked(world):
    made_under(world, product="model_api", place="shared")

    assert world.begin().inputs.count() == 2


def test_of_figures_only_no_answer_is_given(world):
    made_under(world, product="statistics")

    with pytest.raises(NotAllowed) as refused:
        world.begin()

    assert refused.value.code == "makes_too_much"
    assert not Run.objects.filter(recipe="try_model").exists()


def test_people_of_organisations_that_are_not_named_are_refused(world):
    partner, agreement = named_partner(world)
    named = world.begin(by=partner)
    colleague = a_person()
    a_partner(world.case, organisation=an_organisation(member=colleague))

    with pytest.raises(NotAllowed) as refused:
        world.begin(by=colleague)

    assert refused.value.code == "not_named"
    assert agreement.code in str(refused.value) or "other organisations" in str(refused.value)
    assert list(Run.objects.filter(recipe="try_model")) == [named]


def test_what_came_of_the_secure_part_is_not_asked_in_a_page(world, settings):
    settings.ENGINE, settings.SLURM_SECURE_PARTITION = "slurm", "secure"
    made_under(world, product="model_weights", place="secure", duties=["review"])

    with pytest.raises(NotAllowed) as refused:
        world.begin()

    assert refused.value.code in {"waits_for_review", "made_secure"}
    assert str(refused.value)


def test_what_waits_for_the_look_of_its_owner_is_not_asked_before_it(world):
    _agreement, row = made_under(world, product="model_api", duties=["review"])

    with pytest.raises(NotAllowed) as refused:
        world.begin()
    row.verdict, row.judged_revision = "released", world.model.revision.number
    row.judged_at = timezone.now()
    row.judged_by = world.lead
    row.save()
    run = world.begin()

    assert refused.value.code == "waits_for_review"
    assert run.recipe == "try_model"


def test_a_model_of_another_case_is_refused_as_one_that_is_not_there(world):
    other = a_model()

    with pytest.raises(Invalid) as refused:
        actions.start(other, actions.Wish(), allocation=world.allocation, by=world.member)

    assert refused.value.code == "input_of_another_case"


def test_a_model_that_is_lent_may_be_asked_for_as_long_as_that_is_agreed(world):
    model, agreement = lent(world, product="model_api", place="shared")

    run = actions.start(model, actions.Wish(), allocation=world.allocation, by=world.member)
    agreement.ends_at = timezone.now() + timedelta(minutes=5)
    agreement.save()

    assert run.inputs.get().agreement == agreement
    with pytest.raises(NotAllowed) as refused:
        actions.price(model, actions.Wish(), case=world.case, by=world.member)
    assert refused.value.code == "would_outlast"
