"""What is told of a search elsewhere: by mail, on the card of the winner, and in prices."""

import pytest
from django.core import mail
from django.utils import timezone

from fabriek.kernel.errors import Invalid
from fabriek.kernel.models import Entry
from fabriek.notices import post
from fabriek.notices.models import Watermark
from fabriek.registry import card_facts
from fabriek.runs import actions as runs
from fabriek.runs import rules
from fabriek.runs.models import Run
from fabriek.runs.states import RunState
from fabriek.sweeps import actions
from tests.runs.world import passes
from tests.sweeps.searching import begun, ends, living, searched, ticks

pytestmark = pytest.mark.django_db


def mailed():
    """Let the loop mail about all that was written in the journal."""
    Entry.objects.update(at=timezone.now() - 2 * post.SETTLING)
    Watermark.objects.update(busy_until=timezone.now())
    post.tick()
    return [letter.subject for letter in mail.outbox]


@pytest.fixture
def post_stands_ready(settings, db):
    settings.FACTORY_URL = "https://factory.example"
    settings.LANGUAGE_CODE = "en"
    post.tick()


def test_one_mail_tells_that_it_is_done_and_none_of_each_trial(
    post_stands_ready, world, engine
):
    sweep = begun(world, trials=4, halving=2)
    ticks(engine)
    ends(engine, living()[0], failure="diverged")
    searched(engine, sweep)

    subjects = mailed()

    assert subjects == [f"[Fabriek] The search {sweep.code} is done"]
    assert mail.outbox[0].to == [world.person.email]
    assert f"https://factory.example/sweeps/{sweep.code}/" in mail.outbox[0].body


def test_a_mail_tells_that_it_found_nothing(post_stands_ready, world, engine):
    sweep = begun(world, trials=2)
    searched(engine, sweep, score=lambda _run: None)

    assert mailed() == [f"[Fabriek] The search {sweep.code} found nothing"]


def test_the_card_of_the_winner_says_from_how_many_its_settings_were_chosen(world, engine):
    over = searched(engine, begun(world))
    run = actions.keep(over, by=world.person)
    ordinary = world.ask()

    told = card_facts.of_run(run, base=None, parameters=1)
    other = card_facts.of_run(ordinary, base=None, parameters=1)

    assert told.chosen.startswith(
        f"Settings chosen from 9 trials of sweep {over.code}, by `loss` on the rows kept apart."
    )
    assert other.chosen == ""


def test_a_part_costs_less_than_a_whole_run_and_going_on_less_than_beginning_anew(world):
    knobs = {"size": "small", "epochs": 50}
    shares = ((0.0, 1.0), (0.0, 0.1), (0.1, 0.3), (0.0, 0.3))

    whole, first, onward, anew = (
        runs.price_for(
            world.wish(knobs=knobs, since_share=since, until_share=until),
            case=world.case,
            by=world.person,
        ).gpu_seconds
        for since, until in shares
    )

    assert first < onward < anew < whole
    assert anew - onward == pytest.approx(0.1 / 0.7 * (whole - anew), rel=0.05)


def test_a_recipe_that_saves_nothing_has_no_parts(world):
    with pytest.raises(Invalid) as refused:
        runs.price(runs.Wish(recipe="tabular", until_share=0.5))

    assert refused.value.code == "no_parts"


def test_a_trial_is_neither_paused_nor_continued_by_hand(world, engine):
    begun(world, at_once=1)
    ticks(engine)
    run = living()[0]
    run.state = RunState.RUNNING

    assert not rules.is_pausable(run)
    run.state = RunState.FAILED
    assert not rules.is_continuable(run)


def test_a_failed_trial_is_not_mended_by_hand_into_one_of_no_search(world, engine, program):
    begun(world, trials=2, halving=0, at_once=1)
    ticks(engine)
    run = living()[0]
    ends(engine, run, failure="out_of_memory")
    passes(engine, 2)
    client = program(world.person)

    told = client.get(f"/api/runs/{run.code}").json()
    mended = client.post(f"/api/runs/{run.code}/mend")

    assert (told["state"], told["mending"]) == ("failed", {})
    assert "mend" not in {step["name"] for step in told["next_steps"]}
    assert (mended.status_code, mended.json()["code"]) == (409, "no_mending")
    assert Run.objects.count() == 1
    Run.objects.update(is_trial=False)
    assert client.get(f"/api/runs/{run.code}").json()["mending"] != {}
