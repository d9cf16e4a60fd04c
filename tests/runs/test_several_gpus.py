"""A run on several GPUs: the real recipe in as many processes, on the local engine."""

import pytest

from fabriek.engines.local import Local
from fabriek.runs import folders
from fabriek.runs.states import RunState
from tests.runs.world import a_text, over

pytestmark = [pytest.mark.django_db, pytest.mark.slow, pytest.mark.many]
WITHIN_S = 120


def test_a_run_on_two_gpus_trains_in_two_processes(world, tmp_path):
    machine = Local(tmp_path / "engine", gpus=2, grace_s=2, beat_s=0.1)
    knobs = {"size": "tiny", "vocabulary": 300, "context_tokens": 32, "tokens_per_step": 256}
    text = "\n\n".join(f"Dit is zin {n} over zorg en verkeer." for n in range(300))
    learned = a_text(world.case, world.person, text=text)
    run = world.ask(knobs=knobs, gpus=2, inputs={"dataset": learned})

    run = over(machine, run, within_s=WITHIN_S)

    assert run.state == RunState.SUCCEEDED, folders.log_tail(run)
    assert world.bill(run) == 2 * run.elapsed_s
    assert "gpus" not in str(run.warnings)
