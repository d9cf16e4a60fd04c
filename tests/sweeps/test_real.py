"""One search for real: small trainings on this machine, from checkpoint to checkpoint."""

import pytest

from fabriek.engines.local import Local
from fabriek.registry import collect
from fabriek.registry.models import Model
from fabriek.runs.models import Run
from fabriek.runs.states import RunState
from fabriek.sweeps import actions, queries
from fabriek.sweeps.states import SweepState
from tests.engines.waiting import eventually
from tests.runs.world import a_text
from tests.sweeps.searching import RATE, again, begun, ticks

pytestmark = [pytest.mark.django_db, pytest.mark.slow]

WORDS = ("de brug", "het plein", "de sluis", "het station", "de kade", "het bos", "de dijk")
# All different, so that some can be kept apart.
TEXTS = "".join(
    f"Bij {WORDS[n % 7]} van huis {n} staat {WORDS[(n * 3 + 1) % 7]}, op {n % 5} meter.\n\n"
    for n in range(120)
)
KNOBS = {
    "size": "tiny",
    "vocabulary": 320,
    "context_tokens": 64,
    "tokens_per_step": 256,
    "epochs": 6,
    "held_out_percent": 20,
}


def test_four_tiny_trainings_two_go_on_and_the_winner_becomes_a_model(
    world, tmp_path, monkeypatch
):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    machine = Local(tmp_path / "engine", gpus=2, grace_s=5, beat_s=0.2)
    text = a_text(world.case, world.person, text=TEXTS)
    wish = {"knobs": KNOBS, "inputs": {"dataset": text}, "ranges": [RATE], "trials": 4}
    sweep = begun(world, **wish, halving=2, at_once=2)

    def is_over():
        ticks(machine)
        return not again(sweep).is_unfinished

    eventually(is_over, within_s=400)
    over = again(sweep)
    board = queries.board(over)
    assert over.state == SweepState.DONE, (over.reason, over.told)
    assert Run.objects.filter(state=RunState.SUCCEEDED).count() == 6
    second = [part for (_number, place), part in board.parts.items() if place == 1]
    # Going on from where they were, not anew: the last step of the part before is done once.
    for part in second:
        before = board.parts[part.trial.number, 0]
        steps = [
            set(one.run.metrics.filter(name="loss").values_list("step", flat=True))
            for one in (before, part)
        ]
        assert max(steps[0]) < min(steps[1])
    assert board.spent <= over.gpu_seconds_budget
    assert over.score == "loss"

    run = actions.keep(over, by=world.person)

    def is_made():
        ticks(machine)
        collect.tick()
        return Model.objects.filter(run=run).exists()

    eventually(is_made, within_s=120)
    card = Model.objects.get().card
    assert f"Settings chosen from 4 trials of sweep {over.code}, by `loss`" in card
    final = Run.objects.get(pk=run.pk)
    assert final.scores["loss_after"] <= board.best.score + 0.5
    assert Model.objects.count() == 1
