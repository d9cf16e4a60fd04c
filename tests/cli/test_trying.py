"""`fabriek try`: begin, wait, ask, read both sides, end."""

import pytest

from fabriek.cli import trying
from fabriek.runs.models import Run
from fabriek.runs.states import RunState
from fabriek.trying import exchange
from tests.trying.world import a_world, again, answered

pytestmark = pytest.mark.django_db


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
            answered(run, question.number, model=f"{question.prompt}!", base="?")

    monkeypatch.setattr(trying.time, "sleep", works)


def test_one_question_is_answered_and_the_session_ends(fabriek, world, machine):
    result = fabriek(world.member, "try", world.model.code, "--prompt", "Wie belt er")

    run = Run.objects.get(recipe="try_model")
    assert result.exit_code == 0
    assert "The model\nWie belt er!\n" in result.output
    assert "Its base model\n?\n" in result.output
    assert again(run).cancel_asked_at is not None


def test_without_one_it_asks_until_an_empty_line(fabriek, world, machine, monkeypatch):
    typed = iter(["Een", "Twee", ""])
    monkeypatch.setattr("builtins.input", lambda _sign: next(typed))

    result = fabriek(world.member, "try", world.model.code)

    assert result.exit_code == 0
    assert "Een!" in result.output
    assert "Twee!" in result.output


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
