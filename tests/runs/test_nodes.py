"""A run over several nodes, and one that stops, saves and goes on: rules, faces, the loop."""

import pytest

from fabriek.engines.base import Phase, Reason, Sighting
from fabriek.kernel.errors import Invalid
from fabriek.kernel.models import Entry
from fabriek.runs import actions, jobs, show
from fabriek.runs.models import Run
from fabriek.runs.moves import OVERDUE_S
from fabriek.runs.states import RunState
from tests.runs.test_pages import FORM, text_of, typed
from tests.runs.world import answered_steadily, passes, seen_again

pytestmark = pytest.mark.django_db

BEGAN = 1_800_000_000.0


@pytest.fixture
def cluster(settings):
    settings.ENGINE = "slurm"


# --- asking ----------------------------------------------------------------------------------
def test_a_run_over_two_nodes_starts_its_processes_on_each(world, cluster, settings):
    settings.SLURM_INTERFACE = "ib0"

    job = jobs.job_of(world.ask(gpus=8, nodes=2))

    assert (job.gpus, job.nodes) == (8, 2)
    assert job.command[1:4] == ("-m", "fabriek_recipes.torchrun", "--nproc-per-node=4")
    told = dict(job.environment)
    assert (told["GLOO_SOCKET_IFNAME"], told["NCCL_SOCKET_IFNAME"]) == ("ib0", "ib0")


def test_one_node_needs_nothing_of_a_network(world, settings):
    settings.SLURM_INTERFACE = "ib0"

    job = jobs.job_of(world.ask(gpus=4))

    assert job.command[1:4] == ("-m", "fabriek_recipes.torchrun", "--nproc-per-node=4")
    assert "NCCL_SOCKET_IFNAME" not in dict(job.environment)


def test_all_gpus_of_all_nodes_are_held(world, cluster):
    run = world.ask(gpus=8, nodes=2, timeout_s=60)

    assert (run.gpu_seconds_held, world.held()) == (480, 480)


@pytest.mark.parametrize(
    ("wish", "code", "field"),
    [
        ({"nodes": 0}, "too_many_nodes", "nodes"),
        ({"gpus": 65, "nodes": 65}, "too_many_nodes", "nodes"),
        ({"gpus": 3, "nodes": 2}, "uneven_nodes", "gpus"),
        ({"gpus": 1, "nodes": 2}, "uneven_nodes", "gpus"),
    ],
)
def test_nodes_that_cannot_be_are_refused_beside_the_field(world, cluster, wish, code, field):
    with pytest.raises(Invalid) as refused:
        world.ask(**wish)

    assert (refused.value.code, list(refused.value.fields)) == (code, [field])
    assert not Run.objects.exists()


def test_one_machine_is_one_node(world, settings):
    settings.ENGINE = "local"

    with pytest.raises(Invalid) as refused:
        world.ask(gpus=2, nodes=2)

    assert str(refused.value) == "This runs on one node only."


def test_continuing_keeps_the_nodes(world, cluster, engine):
    run = world.ask(gpus=4, nodes=2)
    passes(engine)
    engine.move(run.key, Sighting(Phase.FAILED, 40, "exit", exit_code=2))
    (run.folder / "checkpoints").mkdir()
    (run.folder / "checkpoints" / "step-1.safetensors").write_text("x")
    passes(engine)

    onward = actions.go_on(seen_again(run), by=world.person)

    assert (onward.gpus, onward.nodes) == (4, 2)


# --- the faces -------------------------------------------------------------------------------
def test_the_form_asks_for_nodes_where_there_are_several(world, cluster, browser):
    client = browser(world.person)
    page = client.get(FORM.format(world.case.code))
    assert 'name="nodes"' in page.content.decode()

    answer = client.post(FORM.format(world.case.code), typed(world, gpus="4", nodes="2"))

    run = Run.objects.get()
    assert (answer.status_code, run.gpus, run.nodes) == (302, 4, 2)
    assert "4 over 2 nodes" in text_of(client.get(run.get_absolute_url()))


def test_the_form_says_beside_the_field_what_does_not_fit(world, cluster, browser):
    client = browser(world.person)

    uneven = client.post(FORM.format(world.case.code), typed(world, gpus="3", nodes="2"))
    many = client.post(FORM.format(world.case.code), typed(world, gpus="65", nodes="65"))

    assert "3 GPUs cannot be spread evenly over 2 nodes." in text_of(uneven)
    assert "less than or equal to 64" in text_of(many)
    assert not Run.objects.exists()


def test_the_form_of_one_machine_does_not_speak_of_nodes(world, settings, browser):
    settings.ENGINE = "local"

    page = browser(world.person).get(FORM.format(world.case.code)).content.decode()

    assert 'name="nodes"' not in page


def test_the_settings_of_an_earlier_run_are_proposed_with_its_nodes(world, cluster, browser):
    run = world.ask(gpus=4, nodes=2)

    page = browser(world.person).get(f"/runs/new?like={run.code}").content.decode()

    assert 'name="nodes" value="2"' in page


# --- stopping, saving and going on -----------------------------------------------------------
@pytest.fixture
def waiting_again(world, engine):
    """Let a run stop after 40 s, and wait for its turn again."""
    run = world.ask(gpus=2)
    passes(engine)
    engine.move(run.key, Sighting(Phase.RUNNING, 40, started_at=BEGAN, starts=1))
    passes(engine)
    again = Sighting(
        Phase.QUEUED, 40, "Resources", started_at=BEGAN, queue_position=3, starts=1
    )
    engine.move(run.key, again)
    passes(engine)
    return seen_again(run)


def test_a_run_that_waits_to_go_on_is_queued_and_says_so(world, waiting_again):
    run = waiting_again

    assert (run.state, run.elapsed_s, run.starts) == (RunState.QUEUED, 40, 1)
    assert (run.started_at.timestamp(), run.ended_at, run.gpu_seconds_used) == (
        BEGAN,
        None,
        None,
    )
    assert show.waiting(run).startswith(
        "The run waits to go on from its last checkpoint, by itself. Your run is third"
    )


def test_what_goes_on_is_one_run_with_one_bill(world, engine, waiting_again, browser):
    run = waiting_again
    engine.move(run.key, Sighting(Phase.RUNNING, 50, started_at=BEGAN, starts=2))
    passes(engine)
    going = seen_again(run)
    page = text_of(browser(world.person).get(run.get_absolute_url()))
    engine.move(run.key, Sighting(Phase.SUCCEEDED, 70, exit_code=0, started_at=BEGAN, starts=2))
    passes(engine)

    ended = seen_again(run)
    assert (going.state, going.starts, going.waiting_reason) == (RunState.RUNNING, 2, "")
    assert "Parts 2 The run stopped, saved and went on" in page
    assert (ended.state, ended.starts) == (RunState.SUCCEEDED, 2)
    assert (world.bill(run), ended.gpu_seconds_used) == (140, 140)
    entries = Entry.objects.filter(subject_kind="runs.run", subject_id=run.pk).order_by("pk")
    assert list(entries.values_list("verb", flat=True)) == [
        "runs.ask", "runs.enqueue", "runs.start", "runs.requeue", "runs.start", "runs.succeed",
    ]  # fmt: skip


def test_starts_that_nobody_saw_are_counted(world, engine, waiting_again):
    run = waiting_again
    engine.move(run.key, Sighting(Phase.RUNNING, 50, started_at=BEGAN, starts=2))
    passes(engine)

    engine.move(run.key, Sighting(Phase.RUNNING, 90, started_at=BEGAN, starts=5))
    passes(engine)

    assert seen_again(run).starts == 5


def test_what_is_started_again_has_no_more_time_than_it_was_given(world, engine):
    run = world.ask(timeout_s=60)
    passes(engine)
    engine.move(run.key, Sighting(Phase.RUNNING, 60 + OVERDUE_S, started_at=BEGAN, starts=9))
    passes(engine)
    in_time = engine.seen[run.key].phase
    engine.move(run.key, Sighting(Phase.RUNNING, 61 + OVERDUE_S, started_at=BEGAN, starts=9))

    answered_steadily(engine)

    ended = seen_again(run)
    assert in_time == Phase.RUNNING
    assert (ended.state, ended.reason) == (RunState.CANCELLED, Reason.TIMEOUT)
    assert ended.cancel_asked_at is None
