"""The real recipe through the factory: over several nodes, and longer than one job may be."""

import pytest

from fabriek.engines.slurm_site import WALL_LEAST_S
from fabriek.kernel.models import Entry
from fabriek.runs import folders, jobs
from fabriek.runs.engine import engine
from fabriek.runs.states import RunState
from tests.engines.cluster import mended, part, said
from tests.engines.waiting import eventually
from tests.runs.world import a_text, followed, over, passes, seen_again

pytestmark = [pytest.mark.slurm, pytest.mark.django_db]

KNOBS = {"size": "tiny", "vocabulary": 300, "context_tokens": 32, "tokens_per_step": 256}
TEXT = "\n\n".join(f"Dit is zin {n} over zorg en verkeer." for n in range(300))
# What the loss of several processes may differ from that of one: sums in another order.
CLOSE = 1e-4
PATIENCE_S = 120
ENOUGH_S = 1800  # for a run on the slowest machine
# The recipe, which at its first start does not go on after four steps by itself: only when it
# is told to save or to stop, or when there is a file `go`. So no machine is too fast for this.
WAITS = """
import runpy, sys, time
from pathlib import Path
from fabriek_recipes.training.stopping import Stop

folder = Path(sys.argv[1])
is_first = not any((folder / "checkpoints").glob("*"))
take_save = Stop.take_save
taken = []

def waits(stop):
    taken.append(stop)
    while is_first and len(taken) > 4 and not (stop.asked or stop.save_asked):
        if (folder / "go").exists():
            break
        time.sleep(0.05)
    return take_save(stop)

Stop.take_save = waits
runpy.run_module("fabriek_recipes.pretrain_lm", run_name="__main__")
"""


@pytest.fixture
def text(world):
    return a_text(world.case, world.person, text=TEXT)


@pytest.fixture
def waits(monkeypatch, tmp_path):
    """Let each run that is asked for from now on wait at its first start."""
    file = tmp_path / "waits.py"
    file.write_text(WAITS)

    def let():
        command_of = jobs.command_of

        def instead(run):
            *before, _m, _module, folder = command_of(run)
            return (*before, str(file), folder)

        monkeypatch.setattr("fabriek.runs.jobs.command_of", instead)

    return let


def losses(run):
    return dict(run.metrics.filter(name="loss").values_list("step", "value"))


def over_in_links(cluster, machine, run):
    """Follow a run to its end, and let it go on at once where Slurm waits two minutes."""

    def reached():
        cluster.hurry_key(run.key)
        passes(machine)
        return not seen_again(run).is_unfinished

    eventually(reached, within_s=PATIENCE_S)
    return seen_again(run)


def test_two_nodes_of_two_gpus_learn_what_one_process_learns(world, machine, text):
    wish = {"knobs": KNOBS, "inputs": {"dataset": text}, "timeout_s": ENOUGH_S}
    many = over(machine, world.ask(**wish, gpus=4, nodes=2), within_s=PATIENCE_S)
    one = over(machine, world.ask(**wish), within_s=PATIENCE_S)

    assert (many.state, one.state) == (RunState.SUCCEEDED,) * 2, folders.log_tail(many)
    assert losses(many).keys() == losses(one).keys() != set()
    assert losses(many) == pytest.approx(losses(one), abs=CLOSE)
    assert many.scores == pytest.approx(one.scores, abs=CLOSE)
    assert "0: Starts on gpu" in folders.log_tail(many)
    assert world.bill(many) == 4 * many.elapsed_s


def test_a_run_longer_than_the_wall_is_one_run_with_one_bill(
    world, machine, cluster, settings, text, waits
):
    wish = {"knobs": KNOBS | {"epochs": 2}, "inputs": {"dataset": text}, "timeout_s": ENOUGH_S}
    whole = over(machine, world.ask(**wish), within_s=PATIENCE_S)
    # It comes to its first step in much less, also when the machine has more to do by then.
    settings.SLURM_WALL_S = max(WALL_LEAST_S, whole.elapsed_s * 3)
    waits()
    links = over_in_links(cluster, engine(), world.ask(**wish))

    assert (links.state, links.exit_code) == (RunState.SUCCEEDED, 0), folders.log_tail(links)
    assert links.starts >= 2
    assert links.elapsed_s > settings.SLURM_WALL_S * 3 // 4
    entries = Entry.objects.filter(subject_kind="runs.run", subject_id=links.pk)
    assert entries.filter(verb="runs.requeue").count() == links.starts - 1
    assert losses(links) == pytest.approx(losses(whole), abs=CLOSE)
    assert world.bill(links) == links.elapsed_s == links.gpu_seconds_used
    assert world.held() == 0


def test_a_node_that_dies_under_a_run_costs_only_time(world, machine, cluster, text, waits):
    waits()
    wish = {"knobs": KNOBS | {"checkpoint_every_steps": 3}, "inputs": {"dataset": text}}
    run = world.ask(**wish, timeout_s=ENOUGH_S, gpus=2, nodes=2)
    followed(machine, run, RunState.RUNNING, within_s=PATIENCE_S)
    eventually(lambda: folders.has_checkpoint(run), within_s=PATIENCE_S)
    names = said("squeue", "--noheader", f"--name={run.key}", "--format=%N").strip()
    second = said("scontrol", "show", "hostnames", names).split()[1]
    try:
        part("stop", second)
        (run.folder / "go").touch()
        ended = over_in_links(cluster, machine, run)
    finally:
        mended()

    assert (ended.state, ended.exit_code) == (RunState.SUCCEEDED, 0), folders.log_tail(ended)
    assert ended.starts >= 2
    assert (ended.failure, ended.progress_done) == ({}, ended.progress_total)
    assert world.bill(run) == 2 * ended.elapsed_s
