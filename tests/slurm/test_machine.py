"""How the machine stands, and when a run that waits is expected to start, on a real Slurm."""

import pytest

from fabriek.engines.base import NodeState, Phase
from fabriek.machine import standing
from fabriek.runs import actions
from fabriek.runs.models import Run
from fabriek.runs.states import RunState
from tests.engines.cluster import mended, part, said
from tests.engines.waiting import eventually
from tests.runs.world import followed, over, passes, seen_again

pytestmark = pytest.mark.slurm
LONG_S = 600


@pytest.fixture(autouse=True)
def quiet(cluster):
    """Wait until nothing of other tests holds GPUs any more."""
    eventually(lambda: not standing_now(cluster).gpus_used, within_s=60)


@pytest.fixture
def whole(cluster):
    """Let every node take jobs again, whatever a test did to it."""
    yield
    mended()
    eventually(lambda: all(node.state.takes_jobs for node in nodes(cluster)), within_s=30)


@pytest.fixture
def full(cluster):
    """Let jobs of ten minutes hold every GPU there is; tells when the first has to end."""
    cluster.open()
    for number in range(4):
        cluster.submit(f"holds{number}", f"sleep {LONG_S}", gpus=4, timeout_s=LONG_S)
    held = [cluster.reached(f"holds{number}", Phase.RUNNING) for number in range(4)]
    return min(seen.started_at for seen in held) + LONG_S


def standing_now(cluster):
    return cluster.engine.machine()


def nodes(cluster):
    return standing_now(cluster).nodes


def node(cluster, name):
    return next(node for node in nodes(cluster) if node.name == name)


def test_a_free_cluster_has_all_its_gpus(cluster):
    machine = standing_now(cluster)

    assert [node.name for node in machine.nodes] == ["gpu1", "gpu2", "gpu3", "gpu4"]
    assert {(node.gpus, node.gpu_kind) for node in machine.nodes} == {(4, "h200")}
    assert (machine.gpus, machine.gpus_used, machine.gpus_free) == (16, 0, 16)
    assert (machine.jobs_running, machine.jobs_waiting) == (0, 0)


def test_jobs_of_others_are_counted_and_those_without_gpus_are_not(cluster):
    line = ("--partition=gpu", "--time=10", "--output=/dev/null", "--error=/dev/null")
    name = f"--job-name={cluster.key('other')}"
    asked = ["--gres=gpu:3", "--gres=gpu:1 --array=1-2", ""]
    for words in asked:
        said("sbatch", *line, name, *words.split(), "--wrap=sleep 500")

    machine = eventually(lambda: using(cluster, 5))

    assert (machine.jobs_running, machine.jobs_waiting, machine.gpus_free) == (3, 0, 11)


def using(cluster, gpus):
    machine = standing_now(cluster)
    return machine if machine.gpus_used == gpus else None


def test_a_drained_node_takes_nothing_new_and_says_why(cluster, whole):
    why = "fan | broken, ask ~Piet~"
    said("scontrol", "update", "nodename=gpu2", "state=drain", f"reason={why}")

    drained = node(cluster, "gpu2")

    assert (drained.state, drained.reason) == (NodeState.DRAINING, why)
    machine = standing_now(cluster)
    assert (machine.gpus_free, machine.gpus_out) == (12, 4)


def test_a_node_that_drains_goes_on_with_what_it_has(cluster, whole):
    cluster.open()
    cluster.submit("a", "sleep 500", gpus=1)
    cluster.reached("a", Phase.RUNNING)
    busy = next(node for node in nodes(cluster) if node.gpus_used)
    said("scontrol", "update", f"nodename={busy.name}", "state=drain", "reason=later")

    drains = node(cluster, busy.name)

    assert (busy.state, drains.state, drains.gpus_used) == (
        NodeState.BUSY,
        NodeState.DRAINING,
        1,
    )
    machine = standing_now(cluster)
    assert (machine.gpus_used, machine.gpus_free, machine.gpus_out) == (1, 12, 3)


def test_a_node_that_died_is_down(cluster, whole):
    part("stop", "gpu3")

    dead = eventually(lambda: is_down(cluster, "gpu3"), within_s=60)

    assert dead.gpus == 4
    assert standing_now(cluster).gpus_out == 4


def is_down(cluster, name):
    found = node(cluster, name)
    return found if found.state is NodeState.DOWN else None


def test_a_job_that_waits_tells_when_slurm_expects_it_to_start(cluster, full):
    cluster.submit("waits", "true", gpus=2)

    seen = eventually(lambda: expected(cluster, "waits"), within_s=20)

    # It cannot start before the first of those that run has to end.
    assert abs(seen.starts_at - full) < 60
    assert seen.queue_position == 1
    machine = standing_now(cluster)
    assert (machine.jobs_waiting, machine.gpus_waited_for, machine.gpus_free) == (1, 2, 0)


def expected(cluster, name):
    seen = cluster.seen(name)
    return seen if seen.starts_at else None


def test_a_run_that_waits_keeps_when_it_is_expected_to_start_until_it_does(
    world, machine, cluster, full
):
    run = world.ask()

    waiting = eventually(lambda: keeps_expected(machine, run), within_s=30)

    assert abs(waiting.starts_expected_at.timestamp() - full) < 60
    assert waiting.state == RunState.QUEUED
    for number in range(4):
        cluster.engine.cancel(cluster.key(f"holds{number}"))
    started = followed(machine, run, *set(RunState) - {RunState.QUEUED}, within_s=60)
    assert started.starts_expected_at is None
    actions.cancel(started, by=world.person)
    over(machine, run, within_s=60)


def keeps_expected(machine, run):
    passes(machine)
    found = seen_again(run)
    return found if found.starts_expected_at else None


def test_the_loop_keeps_how_the_cluster_stands(world, machine, cluster):
    standing.keep(machine)

    seen = standing.last()

    assert (seen.machine.gpus, seen.silent_since) == (16, None)
    assert not Run.objects.exists()


def test_a_cluster_that_does_not_answer_keeps_its_standing(world, machine, cluster):
    standing.keep(machine)
    known = standing.last()
    cluster.silence()
    _it_is_time_again()

    standing.keep(machine)

    seen = standing.last()
    assert (seen.machine, seen.seen_at) == (known.machine, known.seen_at)
    assert seen.silent_since


def _it_is_time_again():
    row = standing.Standing.objects.get()
    row.facts["asked_at"] = "2026-01-01T00:00:00+00:00"
    row.save()
