"""A search on data that is meant for some of a case: hidden from the others, and not theirs."""

import pytest

from fabriek.kernel.errors import NotAllowed
from fabriek.people.models import Organisation
from fabriek.runs.models import Run
from fabriek.sweeps import actions, queries, rules
from fabriek.sweeps.models import Sweep
from fabriek.sweeps.states import SweepState
from tests.factories import a_partner, a_person, an_organisation
from tests.runs.test_ended_agreements import a_lent_world
from tests.runs.test_pages import text_of
from tests.sweeps.searching import HOUR, RATE, again, begun, ends, living, searched, ticks

pytestmark = pytest.mark.django_db

SCORE = "1.2345"
HIDDEN = {
    "reason": "",
    "reason_sentence": "",
    "knobs": {},
    "ranges": [],
    "score": "",
    "winner": None,
    "winner_run": None,
    "trials_tried": [],
}


@pytest.fixture
def lent():
    return a_lent_world(place="shared")


@pytest.fixture
def partner(lent):
    """Give somebody of the case whom the agreement does not mean."""
    person = a_person()
    a_partner(lent.world.case, organisation=an_organisation(lead=person))
    return person


@pytest.fixture
def sweep(lent, partner, engine):
    """Give one with a score and a failure, for the leader of the case only."""
    only_for(lent, lent.world.case.organisation)
    sweep = begun(
        lent.world, gpu_seconds_budget=3 * HOUR, ranges=[RATE], trials=3, halving=0, at_once=2
    )
    ticks(engine)
    first, second = living()
    ends(engine, first, loss=float(SCORE))
    ends(engine, second, failure="out_of_memory")
    ticks(engine)
    return again(sweep)


def only_for(lent, *organisations):
    lent.agreement.organisations.set(organisations)


def theirs(partner) -> Organisation:
    return Organisation.objects.get(pk__in=partner.organisation_ids)


def stands_still(sweep) -> Sweep:
    Sweep.objects.filter(pk=sweep.pk).update(
        state=SweepState.PAUSED, reason="refused", told={"text": "A secret."}
    )
    return again(sweep)


def test_who_is_not_meant_gets_no_settings_scores_or_failures(sweep, partner, lent, program):
    stands_still(sweep)

    told = program(partner).get(f"/api/sweeps/{sweep.code}").json()
    own = program(lent.world.person).get(f"/api/sweeps/{sweep.code}").json()

    assert {name: told[name] for name in HIDDEN} == HIDDEN
    assert told["gpu_seconds_spent"] is None
    assert [step["name"] for step in told["next_steps"]] == ["stop"]
    assert own["trials_tried"][0]["score"] == float(SCORE)
    assert [step["name"] for step in own["next_steps"]] == ["go_on", "keep", "stop"]


def test_the_page_and_the_list_tell_no_more(sweep, partner, lent, engine, browser):
    over = searched(engine, sweep)
    run = actions.keep(over, by=lent.world.person)
    client = browser(partner)

    text = text_of(client.get(f"/sweeps/{sweep.code}/"))
    listed = text_of(client.get("/sweeps/"))
    live = client.get(f"/sweeps/{sweep.code}/live/")

    assert "meant for some organisations of this case only" in text
    for secret in (SCORE[:4], "Learning rate", "memory", run.code, "Train the winner"):
        assert secret not in text + listed + live.content.decode()
    assert SCORE[:4] in text_of(browser(lent.world.person).get(f"/sweeps/{sweep.code}/"))


def test_who_is_not_meant_cannot_let_it_go_on_or_train_its_winner(sweep, partner, program):
    stood = stands_still(sweep)
    client = program(partner)

    answers = [client.post(f"/api/sweeps/{sweep.code}/{door}") for door in ("go-on", "keep")]

    assert [one.status_code for one in answers] == [403, 403]
    assert all(one.json()["detail"] for one in answers)
    after = again(sweep)
    assert (after.state, after.reason, after.told) == (stood.state, stood.reason, stood.told)
    assert (after.runs_as, after.winner_run) == (sweep.runs_as, None)
    assert not rules.may_see_inside(partner, after)


def test_who_is_meant_lets_it_go_on(sweep, lent):
    stood = stands_still(sweep)

    actions.go_on(stood, by=lent.world.person)

    assert again(sweep).state == SweepState.RUNNING


def test_nobody_lets_it_go_on_whose_next_run_is_forbidden(sweep, lent):
    stood = stands_still(sweep)
    lent.revoke()

    with pytest.raises(NotAllowed) as refused:
        actions.go_on(stood, by=lent.world.person)

    assert refused.value.code == "revoked"
    assert again(sweep).state == SweepState.PAUSED


def test_who_is_let_in_later_neither_sees_nor_takes_over_what_was_before(sweep, lent, partner):
    stood = stands_still(sweep)
    only_for(lent, lent.world.case.organisation, theirs(partner))

    with pytest.raises(NotAllowed) as refused:
        actions.go_on(stood, by=partner)

    assert refused.value.code == "not_meant_for_you"
    assert not rules.may_see_inside(partner, again(sweep))


def test_a_search_is_shown_to_no_more_than_its_later_runs(lent, partner, engine):
    sweep = begun(
        lent.world, gpu_seconds_budget=3 * HOUR, ranges=[RATE], trials=3, halving=0, at_once=1
    )
    ticks(engine)
    ends(engine, living()[0], loss=2.0)
    before = rules.may_see_inside(partner, again(sweep))
    only_for(lent, lent.world.case.organisation)
    ticks(engine)
    ends(engine, living()[0], loss=float(SCORE))
    ticks(engine)

    assert before
    assert len(Run.objects.exclude(meant_for="")) == 2
    assert queries.board(again(sweep)).best.score == float(SCORE)
    assert not rules.may_see_inside(partner, again(sweep))
    assert rules.may_see_inside(lent.world.person, again(sweep))


def test_a_search_on_what_is_of_the_case_is_for_all_of_it(lent, partner, world):
    a_partner(world.case, organisation=theirs(partner))

    sweep = begun(world)

    assert sweep.meant_for == ""
    assert rules.may_see_inside(partner, again(sweep))
