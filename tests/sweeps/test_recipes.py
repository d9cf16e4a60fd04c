"""A search of each recipe that has one, from its form to its winner."""

import json

import pytest

from fabriek.sweeps import queries, reasons
from fabriek.sweeps.models import Sweep
from tests.factories import a_repository
from tests.runs.chats import model_files, pushed
from tests.runs.test_pages import text_of
from tests.runs.world import events
from tests.sweeps.searching import begun, searched
from tests.sweeps.test_pages import filled_in

pytestmark = pytest.mark.django_db


def lines(*rows):
    return {"rows.jsonl": "".join(json.dumps(row) + "\n" for row in rows)}


NUMBERS = range(40)
SEER = {"preprocessor_config.json": "{}"}
# What each learns from, its base model, what must be said, and the scores that a run ends with.
RECIPES = {
    "prefer_lm": (
        lines(*({"prompt": f"Vraag {n}", "chosen": "ja", "rejected": "nee"} for n in NUMBERS)),
        model_files(),
        {},
        {"preference_before": 0.5, "moved_right_after": 0.6},
        "preference",
    ),
    "classify_text": (
        lines(*({"text": f"Brief {n}", "label": "ab"[n % 2]} for n in NUMBERS)),
        model_files(),
        {},
        {"accuracy_after": 0.9},
        "macro_f1",
    ),
    "classify_images": (
        {f"{'ab'[n % 2]}/{n}.png": b"\x89PNG\r\n\x1a\n" for n in NUMBERS},
        model_files() | SEER,
        {},
        {"accuracy_after": 0.9},
        "macro_f1",
    ),
    "tabular": (
        lines(*({"uren": n, "prijs": 3.5 * n} for n in NUMBERS)),
        None,
        {"target": "prijs"},
        {"mae_after": 9.0},
        "rmse",
    ),
    "forecast": (
        lines(*({"time": f"2020-01-{n + 1:02d}", "value": n % 7} for n in range(30))),
        None,
        {},
        {"mase_after": 9.0},
        "smape",
    ),
}
IN_PARTS = {"prefer_lm", "classify_text", "classify_images"}
WHOLE = "so each trial is a whole run."


@pytest.fixture(params=RECIPES)
def recipe(request):
    return request.param


@pytest.fixture
def wish(world, recipe):
    files, model, knobs, _scores, _main = RECIPES[recipe]
    inputs = {"dataset": given(world, "dataset", "D26-7001", files)}
    if model:
        inputs["model"] = given(world, "model", "M26-7001", model)
    return {"recipe": recipe, "knobs": knobs, "inputs": inputs}


def given(world, kind, code, files):
    repository = a_repository(case=world.case, kind=kind, code=code)
    return pushed(repository, files, world.person)


def measured(recipe, *, without=""):
    """Give each run another score, and its worst one under another name."""
    _files, _model, _knobs, others, main = RECIPES[recipe]

    def measure(run):
        found = others | {f"{main}_after": 1 / run.pk}
        found.pop(f"{without}_after", None)
        events(run, {"at": 1, "kind": "result", "scores": found})

    return measure


def test_somebody_gives_data_and_a_budget_and_a_winner_comes(
    world, engine, browser, recipe, wish
):
    client = browser(world.person)
    address = f"/sweeps/new?case={world.case.code}&recipe={recipe}"
    page = client.get(address)
    named = {f"input_{name}": f"{one}" for name, one in codes(wish).items()}
    named |= {f"knob_{name}": value for name, value in wish["knobs"].items()}

    answer = client.post(address, filled_in(page, budget="50", trials="2", **named))
    assert answer.status_code == 302, text_of(answer)
    over = searched(engine, Sweep.objects.get(), score=measured(recipe))

    board = queries.board(over)
    rounds = {place for _number, place in board.parts}
    assert (over.state, over.reason) == ("done", "")
    assert over.score == RECIPES[recipe][-1]
    assert (WHOLE in text_of(page)) == (recipe not in IN_PARTS)
    assert (over.halving, rounds) == ((3, {0}) if recipe in IN_PARTS else (0, {0}))
    runs = [part.run for part in board.parts.values()]
    assert {run.until_share < 1 for run in runs} == {recipe in IN_PARTS}
    # Each later run has a lower score: of errors that is better, of the others the first was.
    best = max if RECIPES[recipe][-1] in {"rmse", "smape"} else min
    assert board.best.trial.number == best(board.trials)


def codes(wish):
    return {name: f"{one.repository.code}@1" for name, one in wish["inputs"].items()}


@pytest.mark.parametrize("recipe", ["tabular"])
def test_a_score_that_the_data_does_not_give_is_told_with_those_it_has(world, engine, wish):
    sweep = begun(world, **wish, ranges=(), score="auc", trials=4)

    over = searched(engine, sweep, score=measured("tabular"))

    assert (over.state, over.reason) == ("failed", "same_trouble")
    assert reasons.why(over).endswith(
        "Data like this has no such score. Begin a search that chooses by: "
        "“How far off, large errors counted more (RMSE): lower is better”, "
        "“How far off on average: lower is better”."
    )
