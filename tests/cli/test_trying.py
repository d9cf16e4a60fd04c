"""`fabriek try`: begin, wait, ask, read both sides, end."""

import pytest

from fabriek.cli import trying
from fabriek.runs.models import Run
from fabriek.runs.states import RunState
from fabriek.trying import actions, exchange
from fabriek_recipes.try_model.lines import ANSWERS, SIDES, Answers
from tests.trying.world import a_world, again, answered, given

pytestmark = pytest.mark.django_db
TOO_MUCH = "Alles nog eens"


@pytest.fixture
def world(db, tmp_path):
    return a_world(tmp_path)


@pytest.fixture
def machine(world, monkeypatch):
    """Let the session become ready while somebody waits, and answer what is asked."""

    def works(_pause_s):
        run = Run.objects.filter(recipe="try_model").latest("pk")
        if run.state == RunState.WAITING:
            world.opened()
            return
        for question in exchange.read(run).questions:
            if question.prompt == TOO_MUCH:
                with Answers(run.folder / ANSWERS) as answers:
                    for side in SIDES:
                        answers.refused(question.number, side, "talk_too_long")
            else:
                answered(run, question.number, model=f"{question.prompt}!", base="?")

    monkeypatch.setattr(trying.time, "sleep", works)


def begun_with():
    run = Run.objects.get(recipe="try_model")
    return [question.begun_with for question in exchange.read(run).questions]


def test_one_question_is_answered_and_the_session_ends(fabriek, world, machine):
    in_page = world.opened()
    actions.ask(in_page, given("Wat op de pagina gevraagd is"), by=world.member)
    answered(in_page, 1, model="Ja", base="Nee")

    result = fabriek(world.member, "try", world.model.code, "--prompt", "Wie belt er")

    run = Run.objects.get(recipe="try_model")
    assert result.exit_code == 0
    assert "The model\nWie belt er!\n" in result.output
    assert "Its base model\n?\n" in result.output
    assert begun_with() == [1, 2]
    assert again(run).cancel_asked_at is not None


def test_without_one_it_asks_until_an_empty_line(fabriek, world, machine, monkeypatch):
    typed = iter(["Een", "Twee", TOO_MUCH, "Vier", "Vijf", ""])
    monkeypatch.setattr("builtins.input", lambda _sign: next(typed))

    result = fabriek(world.member, "try", world.model.code)

    assert result.exit_code == 0
    assert "What is answered here is remembered." in result.output
    assert "Een!" in result.output
    assert "Twee!" in result.output
    assert result.output.count("Your next question begins a new conversation.") == 1
    assert begun_with() == [1, 1, 1, 4, 4]


def test_alone_nothing_is_remembered_and_nothing_else_is_said(
    fabriek, world, machine, monkeypatch
):
    typed = iter(["Een", "Twee", ""])
    monkeypatch.setattr("builtins.input", lambda _sign: next(typed))

    result = fabriek(world.member, "try", world.model.code, "--alone")

    assert "Each question stands alone." in result.output
    assert "remembered" not in result.output
    assert begun_with() == [1, 2]


def test_a_session_that_ends_meanwhile_is_told(fabriek, world, monkeypatch):
    def breaks(_pause_s):
        Run.objects.filter(recipe="try_model").update(state=RunState.FAILED, reason="killed")

    monkeypatch.setattr(trying.time, "sleep", breaks)

    result = fabriek(world.member, "try", world.model.code, "--prompt", "Wie")

    assert result.exit_code == 1
    assert "The machine ended the program from outside." in result.output


def test_a_model_that_is_not_there_is_said(fabriek, world):
    result = fabriek(world.member, "try", "M26-9999", "--prompt", "Wie")

    assert result.exit_code == 1
    assert "it is not yours to see" in result.output
