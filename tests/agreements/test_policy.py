"""The one place that decides: four moments, and what lets each of them pass."""

from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone, translation

from fabriek.agreements import inheritance, policy, reasons
from fabriek.agreements.policy import ANYTHING, Moment, Wish
from fabriek.agreements.states import AgreementState
from fabriek.cases.models import Intake
from fabriek.kernel.errors import NotAllowed
from fabriek.store.models import Repository
from tests.agreements.policy_world import HOUR, a_policy_world, an_agreement
from tests.factories import a_case, a_partner, a_person, an_organisation, staff

MOMENTS = ("see", "read", "lay_out", "run")


@pytest.fixture
def world(db):
    return a_policy_world()


def code(wish):
    decision = policy.would(wish)
    return decision.code if decision.allowed else f"no: {decision.code}"


# --- strangers ---------------------------------------------------------------------------
def test_a_stranger_is_told_at_each_moment_that_it_does_not_exist(world):
    world.agree()
    theirs = a_case(lead=world.stranger)

    for wish in (
        world.see(world.stranger),
        world.read(world.stranger),
        world.lay_out(case=theirs),
        world.run(person=world.stranger, case=theirs),
        Wish(moment=Moment.RELEASE, repository=world.repository, person=world.stranger),
    ):
        assert code(wish) == "no: not_yours"


def test_the_staff_of_the_factory_are_strangers_to_data(world):
    world.agree()

    assert code(world.see(staff())) == "no: not_yours"
    assert code(world.read(staff())) == "no: not_yours"


def test_nobody_uses_a_case_that_is_not_theirs(world):
    world.agree()

    assert code(world.run(person=world.stranger)) == "no: not_yours"
    assert code(world.run(person=world.stranger, case=world.owning)) == "no: not_yours"
    assert code(world.read(world.stranger, case=world.owning)) == "no: not_yours"


def test_an_agreement_on_other_data_opens_nothing(world):
    other = a_policy_world()
    an_agreement(other.repository, world.using)

    assert [code(getattr(world, moment)()) for moment in MOMENTS] == ["no: not_yours"] * 4


def test_an_agreement_of_another_case_opens_nothing(world):
    """The person has an agreement, but for the other of their two cases."""
    other = a_case(lead=world.user, organisation=world.using.organisation)
    an_agreement(world.repository, other)

    assert code(world.run()) == "no: not_yours"
    assert code(world.run(case=other)) == "agreed"


def test_who_nobody_is_may_do_nothing(world):
    world.agree()

    for moment in Moment:
        assert code(Wish(moment=moment, repository=world.repository)) == "no: not_yours"


# --- owners, and what is open -------------------------------------------------------------
def test_the_owner_may_do_everything(world):
    assert code(world.see(world.owner)) == "own"
    assert code(world.read(world.owner)) == "own"
    assert code(world.lay_out(case=world.owning)) == "own"
    assert code(world.run(person=world.owner, case=world.owning)) == "own"


def test_what_is_open_is_everybodys(db):
    world = a_policy_world(is_open=True)

    assert [code(getattr(world, moment)()) for moment in MOMENTS] == ["open"] * 4
    assert code(world.see(world.stranger)) == "open"


def test_what_is_listed_may_be_seen_and_no_more(db):
    world = a_policy_world(listed_for="members")

    assert code(world.see(world.stranger)) == "listed"
    assert code(world.read(world.stranger)) == "no: not_agreed"
    assert code(world.run()) == "no: not_agreed"


# --- an agreement in force ----------------------------------------------------------------
def test_an_agreement_in_force_opens_all_moments(world):
    world.agree()

    assert [code(getattr(world, moment)()) for moment in MOMENTS] == [
        "party",
        "agreed",
        "agreed",
        "agreed",
    ]


def test_partners_of_the_case_are_let_in_too(world):
    world.agree()
    partner = a_person()
    a_partner(world.using, lead=partner)

    assert code(world.read(partner)) == "agreed"


def test_where_organisations_are_named_the_others_of_the_case_are_left_out(world):
    partner, other = a_person(), a_person()
    named = a_partner(world.using, lead=partner).organisation
    a_partner(world.using, lead=other)
    world.agree(organisations=[named])

    assert code(world.read(partner)) == "agreed"
    assert code(world.run(person=partner)) == "agreed"
    assert code(world.run()) == "agreed"  # who leads the case asks for its runs
    assert code(world.see(other)) == "no: not_yours"
    assert code(world.read(other)) == "no: not_named"
    assert code(world.run(person=other)) == "no: not_named"


@pytest.mark.parametrize(
    ("state", "told"),
    [
        (AgreementState.ASKED, "not_signed"),
        (AgreementState.OFFERED, "not_signed"),
        (AgreementState.ENDED, "ended"),
        (AgreementState.REVOKED, "revoked"),
        (AgreementState.REFUSED, "not_yours"),
        (AgreementState.WITHDRAWN, "not_yours"),
    ],
)
def test_one_that_is_not_in_force_opens_nothing_and_says_why(world, state, told):
    world.agree(state=state)

    assert code(world.read()) == f"no: {told}"
    assert code(world.lay_out()) == f"no: {told}"
    assert code(world.run()) == f"no: {told}"


def test_of_two_that_were_revoked_the_newest_is_told(world):
    world.agree(state=AgreementState.REVOKED)
    newest = world.agree(state=AgreementState.REVOKED)

    assert policy.would(world.read()).agreement == newest


def test_a_party_still_sees_what_it_once_had(world):
    world.agree(state=AgreementState.ENDED)

    assert code(world.see()) == "party"


@pytest.mark.parametrize("state", sorted(set(AgreementState) - {AgreementState.IN_FORCE}))
def test_whatever_the_state_is_nothing_but_in_force_opens_files(world, state):
    """A new state of agreements is denied until somebody decided about it."""
    world.agree(state=state)

    assert not policy.would(world.read()).allowed
    assert not policy.would(world.lay_out()).allowed
    assert not policy.would(world.run()).allowed


def test_of_two_agreements_the_one_that_allows_counts(world):
    world.agree(state=AgreementState.ENDED)
    world.agree(place="shared")
    best = world.agree()

    assert policy.would(world.read()).agreement == best


# --- place, purpose, product --------------------------------------------------------------
def test_data_that_stays_here_is_laid_out_but_never_handed_over(world):
    world.agree(place="shared")

    assert code(world.lay_out()) == "agreed"
    assert code(world.run()) == "agreed"
    assert code(world.read()) == "no: stays_here"
    assert code(world.run(leaves=True, purpose=ANYTHING)) == "no: stays_here"


def test_a_secure_place_is_not_there_yet(world):
    world.agree(place="secure")

    assert code(world.read()) == "no: no_secure_place"
    assert code(world.lay_out()) == "no: no_secure_place"
    assert code(world.run()) == "no: no_secure_place"


def test_the_purpose_must_be_agreed(world):
    world.agree(purposes=["evaluation", "statistics"])

    assert code(world.run()) == "no: other_purpose"
    assert code(world.run(purpose="evaluation", makes="")) == "agreed"
    assert code(world.run(purpose="", makes="")) == "no: other_purpose"


def test_no_purposes_allow_no_work_at_all(world):
    world.agree(purposes=[])

    assert code(world.run()) == "no: other_purpose"
    assert code(world.run(purpose=ANYTHING)) == "no: other_purpose"


def test_research_covers_all_work_of_a_case_that_said_it_is_that(world):
    world.agree(purposes=["research"])
    before = code(world.run())

    Intake.objects.create(case=world.using, purpose="research", experience="some", months=3)

    assert (before, code(world.run())) == ("no: only_research", "agreed")


@pytest.mark.parametrize(
    ("product", "makes", "told"),
    [
        ("statistics", "", "agreed"),
        ("statistics", "model_api", "no: makes_too_much"),
        ("model_api", "model_api", "agreed"),
        ("model_api", "model_weights", "no: makes_too_much"),
        ("model_weights", "model_weights", "agreed"),
    ],
)
def test_no_more_may_be_made_than_was_agreed(world, product, makes, told):
    world.agree(product=product)

    assert code(world.run(makes=makes)) == told


# --- time -----------------------------------------------------------------------------------
def test_a_run_may_last_until_the_last_moment_and_not_longer(world):
    agreement = world.agree()

    assert code(world.run(until=agreement.ends_at)) == "agreed"
    too_long = agreement.ends_at + timedelta(microseconds=1)
    assert code(world.run(until=too_long)) == "no: would_outlast"


def test_the_clock_at_the_very_end(world):
    agreement = world.agree()

    with time_machine.travel(agreement.ends_at - timedelta(microseconds=1), tick=False):
        assert code(world.read()) == "agreed"
    with time_machine.travel(agreement.ends_at, tick=False):
        assert code(world.read()) == "no: ended"
        assert code(world.lay_out()) == "no: ended"
        assert world.repository not in policy.usable_by(world.using)


def test_the_clock_at_the_very_beginning(world):
    agreement = world.agree(begins_at=timezone.now() + HOUR)

    assert code(world.read()) == "no: not_begun"
    with time_machine.travel(agreement.begins_at, tick=False):
        assert code(world.read()) == "agreed"


# --- sets -----------------------------------------------------------------------------------
def test_the_sets_and_the_single_answers_agree(world):
    """Whatever the agreement, `visible_to` and `usable_by` say what `would` says."""
    partner = a_person()
    firm = a_partner(world.using, lead=partner).organisation
    open_one, listed = a_policy_world(is_open=True), a_policy_world(listed_for="everybody")
    worlds = [a_policy_world() for _ in range(8)]
    for one, fields in zip(
        worlds,
        (
            {},
            {"place": "shared"},
            {"place": "secure"},
            {"state": AgreementState.ASKED},
            {"state": AgreementState.REFUSED},
            {"state": AgreementState.REVOKED},
            {"organisations": [firm]},
            {"begins_at": timezone.now() + HOUR},
        ),
        strict=True,
    ):
        an_agreement(one.repository, world.using, **fields)
    people = [world.user, partner, world.stranger, worlds[0].owner, staff()]

    for person in people:
        seen = set(policy.visible_to(person))
        for repository in Repository.objects.all():
            wish = Wish(moment=Moment.SEE, repository=repository, person=person)
            assert (repository in seen) == policy.would(wish).allowed
    usable = set(policy.usable_by(world.using))
    for repository in Repository.objects.all():
        wish = Wish(moment=Moment.READ, repository=repository, case=world.using)
        assert (repository in usable) == policy.would(wish).allowed
    assert {open_one.repository, listed.repository} <= set(policy.visible_to(world.stranger))
    assert open_one.repository in usable


def test_lists_take_one_question_however_many_agreements(world, django_assert_num_queries):
    for _ in range(3):
        an_agreement(a_policy_world().repository, world.using)
    assert world.user.organisation_ids

    with django_assert_num_queries(1):
        assert len(policy.visible_to(world.user)) == 3
    with django_assert_num_queries(1):
        assert len(policy.usable_by(world.using)) == 3


def test_a_decision_costs_few_questions(world, django_assert_max_num_queries):
    world.agree()
    wish = world.run()
    assert world.user.organisation_ids

    with django_assert_max_num_queries(4):
        assert policy.would(wish).allowed


def test_what_was_read_along_with_data_serves_one_decision(world):
    result = a_policy_world().repository
    agreement = world.agree()
    inheritance.note(result, is_bound=False)

    inheritance.pass_on(result, agreements=[agreement.pk], sources=[])
    told = [inheritance.terms_of(result)]
    inheritance.note(result, is_bound=False)
    told += [inheritance.terms_of(result) for _time in range(2)]

    assert [len(each) for each in told] == [1, 0, 1]


# --- words ----------------------------------------------------------------------------------
def test_a_denial_says_why_and_what_to_do(world):
    agreement = world.agree(state=AgreementState.ENDED)

    with pytest.raises(NotAllowed) as refused:
        policy.require(world.read())

    assert refused.value.code == "ended"
    assert str(refused.value) == (
        f"Agreement {agreement.code} ended on {_written(agreement.ends_at)}. "
        "Ask the owner of the data to prolong it."
    )


def test_every_reason_is_said_in_both_languages():
    facts = {
        "agreement": "G26-0001",
        "begins_at": "2026-12-01T00:00:00+00:00",
        "ends_at": "2026-12-31T00:00:00+00:00",
        "until": "2027-01-01T00:00:00+00:00",
        "note": "no",
    }
    for reason in reasons.SENTENCES:
        with translation.override("en"):
            english = reasons.said(reason, facts)
        with translation.override("nl"):
            dutch = reasons.said(reason, facts)
        assert english != dutch
        assert "%(" not in english + dutch


def test_every_denial_of_an_agreement_has_its_place_among_the_others():
    of_others = {"not_yours", "weights_stay", "made_secure", "waits_for_review", "held_back"}
    denials = reasons.DENIED - of_others - {"not_beside"}
    assert denials == set(reasons.NEARNESS)


def _written(moment):
    local = timezone.localtime(moment)
    return f"{local.day} {local:%B %Y, %H:%M} (Amsterdam, {local:%Z})"


def test_an_organisation_that_left_the_case_is_a_stranger(world):
    partner = a_person()
    place = a_partner(world.using, organisation=an_organisation(lead=partner))
    world.agree()
    before = code(world.read(partner))

    place.state = "left"
    place.save()

    assert (before, code(world.read(partner))) == ("agreed", "no: not_yours")
