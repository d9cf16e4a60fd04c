"""Asking in a session: what is written where, what is refused, and that nothing is left."""

import json
import os

import pytest
import time_machine
from django.utils import timezone

from fabriek.agreements.states import AgreementState
from fabriek.kernel.errors import Invalid, NotAllowed, Refused, WrongState
from fabriek.kernel.models import Entry
from fabriek.runs.models import Run
from fabriek.runs.states import RunState
from fabriek.trying import actions, exchange, following
from fabriek_recipes.try_model.lines import ANSWERS, QUESTIONS, conversation
from tests.factories import an_organisation
from tests.trying.world import again, answered, given, lent, named_partner

pytestmark = pytest.mark.django_db


def lines_of(run):
    return [json.loads(line) for line in (run.folder / QUESTIONS).read_text().splitlines()]


def test_a_question_is_a_line_in_the_folder_and_stands_nowhere_else(world):
    run = world.opened()

    number = actions.ask(run, given(" Wie belt er?\r\n", seed=7), by=world.member)

    (line,) = lines_of(run)
    del line["at"]
    assert number == 1
    assert line == {
        "kind": "ask",
        "number": 1,
        "prompt": "Wie belt er?",
        "system": "",
        "temperature": 0.0,
        "tokens_max": 256,
        "seed": 7,
        "since": 0,
    }
    assert not Entry.objects.filter(details__icontains="belt").exists()
    kept = Run.objects.filter(pk=run.pk).values().get()
    assert "belt" not in str(kept)


def test_one_question_at_a_time(world):
    run = world.opened()
    actions.ask(run, given(), by=world.member)
    answered(run, 1, model="Jansen")  # the base is still at it

    with pytest.raises(WrongState) as refused:
        actions.ask(run, given("Nog een"), by=world.member)
    answered(run, 1, base="?")

    assert refused.value.code == "answering"
    assert actions.ask(run, given("Nog een"), by=world.member) == 2


def test_a_question_goes_on_with_the_conversation_or_begins_a_new_one(world):
    run = world.opened()
    for number, goes_on in enumerate((True, True, False, True), start=1):
        actions.ask(run, given(f"Vraag {number}", goes_on=goes_on), by=world.member)
        answered(run, number, model=f"Ja {number}", base="")

    assert [line["since"] for line in lines_of(run)] == [1, 1, 0, 3]
    asked = exchange.read(run).questions
    said = {number: f"Ja {number}" for number in range(1, 5)}
    follows = [("user", "Vraag 3"), ("assistant", "Ja 3"), ("user", "Vraag 4")]
    assert conversation(asked[3], asked, said) == follows
    # What one side had no word to is no question that it was asked.
    assert conversation(asked[3], asked, {}) == [("user", "Vraag 4")]


def test_stopping_an_answer_is_a_line_and_once_is_enough(world):
    run = world.opened()
    actions.ask(run, given(), by=world.member)

    actions.stop(run, by=world.member)
    actions.stop(run, by=world.member)
    answered(run, 1, why="stopped", model="Ja", base="Ne")
    actions.stop(run, by=world.member)

    assert [line["kind"] for line in lines_of(run)] == ["ask", "stop"]


def test_too_many_questions_in_a_minute_wait(world):
    run = world.opened()
    with time_machine.travel(timezone.now(), tick=False) as clock:
        for number in range(1, actions.A_MINUTE_MAX + 1):
            actions.ask(run, given(), by=world.member)
            answered(run, number, model="a", base="b")
        with pytest.raises(Refused) as refused:
            actions.ask(run, given(), by=world.member)
        clock.shift(61)

        assert actions.ask(run, given(), by=world.member) == actions.A_MINUTE_MAX + 1

    assert refused.value.code == "too_fast"


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"prompt": "  "}, "prompt"),
        ({"prompt": "x" * 12_001}, "prompt"),
        ({"prompt": "a\x00b"}, "prompt"),
        ({"prompt": "ja", "system": "x" * 2_001}, "system"),
        ({"prompt": "ja", "temperature": 2.1}, "temperature"),
        ({"prompt": "ja", "temperature": float("nan")}, "temperature"),
        ({"prompt": "ja", "tokens_max": 0}, "tokens_max"),
        ({"prompt": "ja", "seed": -1}, "seed"),
    ],
)
def test_what_cannot_be_asked_is_said_by_field_and_written_nowhere(world, wrong, field):
    run = world.opened()

    with pytest.raises(Invalid) as refused:
        actions.ask(run, actions.Given(**wrong), by=world.member)

    assert set(refused.value.fields) == {field}
    assert lines_of(run) == []


def test_the_longest_question_fits_in_a_line(world):
    run = world.opened()

    actions.ask(run, given("🏭" * 12_000, system="\\" * 2_000), by=world.member)

    assert len(lines_of(run)[0]["prompt"]) == 12_000


def test_before_it_is_ready_and_after_its_end_nothing_is_asked(world):
    run = world.opened()
    for changes, code in (
        ({"stage": "Loading the model"}, "try_not_ready"),
        ({"state": RunState.SUCCEEDED}, "try_over"),
    ):
        Run.objects.filter(pk=run.pk).update(**changes)
        with pytest.raises(WrongState) as refused:
            actions.ask(again(run), given(), by=world.member)
        assert refused.value.code == code

    assert lines_of(run) == []


@pytest.mark.parametrize("trick", ["link", "other", "gone"])
def test_a_file_in_the_place_of_ours_is_not_written_to(world, tmp_path, trick, monkeypatch):
    run = world.opened()
    victim = tmp_path / "victim"
    victim.write_text("")
    path = run.folder / QUESTIONS
    if trick == "other":
        monkeypatch.setattr(os, "geteuid", lambda: 12345)
    else:
        path.unlink()
    if trick == "link":
        path.symlink_to(victim)

    with pytest.raises(WrongState) as refused:
        actions.ask(run, given(), by=world.member)

    assert refused.value.code == "try_not_reached"
    assert victim.read_text() == ""


def test_answers_behind_a_link_are_not_read(world, tmp_path):
    run = world.opened()
    actions.ask(run, given(), by=world.member)
    answered(run, 1, model="geheim", base="geheim")
    (run.folder / ANSWERS).rename(tmp_path / "elsewhere")
    (run.folder / ANSWERS).symlink_to(tmp_path / "elsewhere")

    assert exchange.read(run).said == {}


# --- the end -----------------------------------------------------------------------------
@pytest.mark.parametrize("state", [RunState.SUCCEEDED, RunState.CANCELLED, RunState.FAILED])
def test_when_it_ends_what_was_said_is_gone(world, state):
    run = world.opened()
    actions.ask(run, given(), by=world.member)
    answered(run, 1, model="Jansen", base="?")
    following.tick()
    assert exchange.read(run).questions

    Run.objects.filter(pk=run.pk).update(state=state)
    following.tick()

    assert not (run.folder / QUESTIONS).exists()
    assert not (run.folder / ANSWERS).exists()
    assert again(run).outputs_taken_at is not None


def test_a_session_that_never_was_laid_out_is_no_trouble(world):
    run = world.begin()
    Run.objects.filter(pk=run.pk).update(state=RunState.CANCELLED)

    following.tick()

    assert again(run).outputs_taken_at is not None


def test_a_disk_that_is_away_is_tried_again(world, settings, tmp_path):
    run = world.opened()
    Run.objects.filter(pk=run.pk).update(state=RunState.CANCELLED)
    here = settings.RUNS_HOME
    settings.RUNS_HOME = tmp_path / "away"
    following.tick()
    assert again(run).outputs_taken_at is None

    settings.RUNS_HOME = here
    following.tick()

    assert again(run).outputs_taken_at is not None


def test_ending_is_a_wish_and_the_session_answers_no_more(world):
    run = world.opened()

    actions.end(run, by=world.member)

    with pytest.raises(WrongState):
        actions.ask(again(run), given(), by=world.member)
    assert again(run).cancel_asked_at is not None


def test_an_agreement_that_names_others_in_the_middle_stops_it(world):
    partner, agreement = named_partner(world)
    run = world.opened(by=partner)
    agreement.organisations.set([an_organisation()])

    with pytest.raises(NotAllowed):
        actions.ask(run, given(), by=partner)

    stopped = again(run)
    assert (stopped.stop_reason, lines_of(run)) == ("data_not_named", [])
    assert stopped.cancel_asked_at is not None


def test_the_loop_stops_it_too_when_nobody_asks(world):
    partner, agreement = named_partner(world)
    run = world.opened(by=partner)
    following.tick()
    assert again(run).cancel_asked_at is None

    agreement.organisations.set([an_organisation()])
    following.tick()
    following.tick()

    assert again(run).stop_reason == "data_not_named"
    assert Entry.objects.filter(verb="runs.stop_for_data").count() == 1


def test_a_model_that_was_lent_is_not_asked_after_the_agreement_was_revoked(world):
    model, agreement = lent(world, product="model_api", place="shared")
    run = world.opened(model=model)
    agreement.state, agreement.ended_at = AgreementState.REVOKED, timezone.now()
    agreement.save()

    with pytest.raises(NotAllowed) as refused:
        actions.ask(run, given(), by=world.member)

    assert (refused.value.code, again(run).stop_reason) == ("revoked", "data_revoked")
    assert lines_of(run) == []
