"""Things that go wrong on a cluster, through the whole factory: state, words and bill."""

import resource
import time
from datetime import timedelta
from pathlib import Path

import pytest
import time_machine
from django.utils import timezone

from fabriek.allocations import actions as allocations
from fabriek.cases.models import Case
from fabriek.datasets.models import Dataset
from fabriek.engines.slurm_shell import Shell
from fabriek.machine import books
from fabriek.machine.models import Stretch
from fabriek.people.models import Organisation, Person
from fabriek.runs import actions, folders
from fabriek.runs.models import Run
from fabriek.runs.states import RunState
from tests.engines.cluster import CONF, mended, part, said
from tests.engines.waiting import eventually
from tests.factories import staff
from tests.runs.world import a_world, followed, over, passes, seen_again
from tests.slurm.accounting import held_by

pytestmark = pytest.mark.slurm

PATIENCE_S = 60
WAITS = "echo began >>began; while [ ! -e go ]; do sleep 0.05; done"
DEAF = "trap '' TERM; : >ready; while :; do sleep 0.05; done"
GIGABYTE = 1_000_000_000
MEBIBYTE = 2**20


@pytest.fixture
def program(monkeypatch):
    """Let every recipe be this shell script; the engine, the folder and the loop are real."""

    def instead(script):
        monkeypatch.setattr(
            "fabriek.runs.jobs.command_of", lambda _run: ("/bin/sh", "-c", script)
        )

    return instead


@pytest.fixture
def hurt():
    """Mend the cluster afterwards."""
    yield part
    mended()


# Accounting is away


def test_runs_go_on_while_the_accounting_is_away_and_new_budgets_wait_for_it(
    world, machine, program, hurt, cluster
):
    program(WAITS)
    passes(machine)
    first = world.ask()
    followed(machine, first, RunState.RUNNING, within_s=PATIENCE_S)
    other = a_world()
    other.allocation.account = f"{cluster.account}-b"
    other.allocation.save()
    hurt("stop", "slurmdbd")

    asked = world.ask()
    followed(machine, asked, RunState.RUNNING, within_s=PATIENCE_S)
    _extend(world.allocation, gpu_hours=100)
    later, unpaid = world.ask(), other.ask()
    _go(first)
    ended = over(machine, first, within_s=PATIENCE_S)
    meanwhile = {seen_again(later).state, seen_again(unpaid).state}

    assert (ended.state, meanwhile) == (RunState.SUCCEEDED, {RunState.WAITING})
    hurt("start", "slurmdbd")
    for run in (asked, later, unpaid):
        _go(run)
        assert over(machine, run, within_s=PATIENCE_S).state == RunState.SUCCEEDED
    ours = _bills(world, first, asked, later)
    assert ours | _bills(other, unpaid) == _held(first, asked, later, unpaid)
    assert world.held() == other.held() == 0
    qos = said("sacctmgr", "-nP", "show", "qos", cluster.account, "format=grptresmins")
    assert qos.strip() == f"gres/gpu={world.allocation.gpu_seconds_granted // 60}"


# A node dies


def test_a_run_whose_node_dies_starts_again_and_pays_for_all_it_held(
    world, machine, program, hurt, cluster, browser
):
    program(WAITS)
    run = world.ask(gpus=2)
    followed(machine, run, RunState.RUNNING, within_s=PATIENCE_S)
    eventually((run.folder / "began").exists, within_s=PATIENCE_S)
    eventually(lambda: _has_run(machine, run, seconds=2), within_s=PATIENCE_S)
    [node] = said("squeue", "--noheader", f"--name={run.key}", "--format=%N").split()

    hurt("stop", node)
    said("scontrol", "update", f"nodename={node}", "state=down", "reason=died")

    waits = followed(machine, run, RunState.QUEUED, within_s=PATIENCE_S)
    page = browser(world.person).get(run.get_absolute_url()).content.decode()
    assert "The run waits to go on from its last checkpoint, by itself." in page
    assert waits.started_at is not None
    eventually(lambda: _began_again(machine, cluster, run), within_s=PATIENCE_S)
    _go(run)
    ended = over(machine, run, within_s=PATIENCE_S)
    assert (ended.state, ended.started_at) == (RunState.SUCCEEDED, waits.started_at)
    [stretches] = held_by(run.key, stretches=2).values()
    assert world.bill(run) == sum(stretches) == ended.gpu_seconds_used
    assert world.held() == 0


def test_a_run_that_was_started_again_while_the_accounting_was_away_pays_for_both_parts(
    world, machine, program, hurt, cluster
):
    program(WAITS)
    run = world.ask(gpus=2)
    followed(machine, run, RunState.RUNNING, within_s=PATIENCE_S)
    eventually((run.folder / "began").exists, within_s=PATIENCE_S)
    hurt("stop", "slurmdbd")
    eventually(lambda: _has_run(machine, run, seconds=3), within_s=PATIENCE_S)
    said("scontrol", "requeue", _number(run))
    eventually(lambda: _began_again(machine, cluster, run), within_s=PATIENCE_S)
    _go(run)
    eventually(lambda: _has_ended_in_queue(run), within_s=PATIENCE_S)
    passes(machine, 2)
    state_meanwhile = seen_again(run).state
    hurt("start", "slurmdbd")

    ended = over(machine, run, within_s=PATIENCE_S)

    assert state_meanwhile == RunState.RUNNING
    [stretches] = held_by(run.key, stretches=2).values()
    assert world.bill(run) == sum(stretches) == ended.gpu_seconds_used


# No room in the queue


@pytest.fixture
def queue_of(hurt):
    """Let Slurm keep no more than so many jobs, until the test is over."""
    usual = CONF.read_text()

    def limited(jobs=None):
        part("stop", "slurmctld")
        CONF.write_text(usual + f"MaxJobCount={jobs}\n" * bool(jobs))
        part("start", "slurmctld")

    yield limited
    limited()


def test_a_full_queue_holds_up_what_waits_and_nothing_that_runs(
    world, machine, program, queue_of, monkeypatch
):
    monkeypatch.setattr("fabriek.engines.slurm.SBATCH_S", 3)
    monkeypatch.setattr("fabriek.engines.slurm.UNCLEAR_S", 3)
    program(WAITS)
    first = world.ask()
    followed(machine, first, RunState.RUNNING, within_s=PATIENCE_S)
    queue_of(jobs=1)
    held_up = world.ask()
    _go(first)
    began = time.monotonic()

    ended = over(machine, first, within_s=PATIENCE_S)

    assert time.monotonic() - began < 100  # sbatch itself would go on trying for two minutes
    assert (ended.state, seen_again(held_up).state) == (RunState.SUCCEEDED, RunState.WAITING)
    queue_of()
    _go(held_up)
    assert over(machine, held_up, within_s=PATIENCE_S).state == RunState.SUCCEEDED
    assert (held_up.folder / "began").read_text() == "began\n"
    assert _bills(world, first, held_up) == _held(first, held_up)


# Runs that do not listen


def test_a_run_that_ignores_sigterm_is_stopped_all_the_same_and_billed_to_the_second(
    world, machine, program, browser
):
    program(DEAF)
    run = world.ask()
    followed(machine, run, RunState.RUNNING, within_s=PATIENCE_S)
    eventually((run.folder / "ready").exists, within_s=PATIENCE_S)
    actions.cancel(run, by=world.person)

    ended = over(machine, run, within_s=PATIENCE_S)

    assert (ended.state, ended.reason, ended.exit_code) == ("cancelled", "cancelled", 137)
    assert _bills(world, run) == _held(run)
    assert world.held() == 0


def test_a_run_that_ignores_the_end_of_its_time_is_stopped_and_the_page_says_so(
    world, cluster, machine, program, browser
):
    program(DEAF)
    engine = cluster.another(root=cluster.root)  # waits one second, not thirty
    run = world.ask()
    Run.objects.filter(pk=run.pk).update(timeout_s=2)

    ended = over(engine, run, within_s=PATIENCE_S)

    assert (ended.state, ended.reason) == (RunState.FAILED, "timeout")
    assert 2 <= ended.elapsed_s < 60  # Slurm's own limit is a whole minute
    assert _bills(world, run) == _held(run)
    page = browser(world.person).get(run.get_absolute_url()).content.decode()
    assert "The run took longer than the time it was given and was stopped." in page


# Very much to say


def test_a_gigabyte_of_log_leaves_pages_passes_and_memory_small(
    world, machine, program, browser
):
    program("yes 'all work and no play' | head -c 1000000000; echo; echo last words")
    run = world.ask()
    page = browser(world.person)
    page.get(run.get_absolute_url())
    before = _memory_bytes()

    ended = over(machine, run, within_s=PATIENCE_S)
    read = _read_bytes()
    answers = [
        page.get(run.get_absolute_url()),
        page.get(f"/api/runs/{run.code}/log"),
        page.get(f"/api/runs/{run.code}/log?offset={GIGABYTE - 40}"),
    ]
    read = _read_bytes() - read

    assert ended.state == RunState.SUCCEEDED
    assert folders.log_bytes(run) > GIGABYTE
    assert [answer.status_code for answer in answers] == [200] * 3
    assert ["last words" in answer.content.decode() for answer in answers] == [
        True,
        False,
        True,
    ]
    assert max(len(answer.content) for answer in answers) < MEBIBYTE // 4
    assert _memory_bytes() - before < 50 * MEBIBYTE
    assert read < 50 * MEBIBYTE


HOSTILE = "\n#SBATCH --uid=0\r\n;touch /tmp/hurt;$(id)`id` %u '\"|~ --wrap=id ünïcødé 🏭 -"
HURTS = ("uid=0", "hurt", "wrap=id", "`id`", "ünïcødé", "🏭")


def test_no_word_that_a_person_chose_comes_near_slurm(
    world, machine, program, cluster, monkeypatch
):
    program("echo ok")
    named = f"--uid=0 {HOSTILE}"
    Person.objects.update(name=named)
    Case.objects.update(title=named, problem=named)
    Organisation.objects.update(name=named)
    Dataset.objects.update(title=named)
    passes(machine)
    _submit_around_us(cluster, named)
    said_to_slurm = _listened(monkeypatch)

    run = world.ask(knobs={"size": "tiny"})
    ended = over(machine, run, within_s=PATIENCE_S)
    books.draw(machine, timezone.now())

    assert ended.state == RunState.SUCCEEDED
    assert folders.log_tail(ended) == "ok\n"
    assert {word for words in said_to_slurm for word in words.split("\0")} >= {
        "sbatch",
        "squeue",
    }
    assert [hurt for hurt in HURTS if hurt in "".join(said_to_slurm)] == []
    assert _bills(world, run) == _held(run)


MISREAD = (
    "hurt;id",
    "hurt\nadd user root account=root",
    "-i hurt",
    "hurt,root",
    "hürt",
    "hurt%u",
    "hurt'",
    "",
)


def test_logins_and_shares_that_slurm_would_misread_are_not_told(cluster, monkeypatch):
    said_to_slurm = _listened(monkeypatch)

    cluster.tell(users=(*MISREAD, "nobody"), share=MISREAD[1])

    told = "".join(said_to_slurm)
    assert f"account={cluster.account}" in told
    assert "hurt" not in told
    assert "hürt" not in told
    rows = said("sacctmgr", "-nP", "list", "associations", f"account={cluster.account}")
    assert {row.split("|")[2] for row in rows.splitlines()} == {"", "root", "nobody"}


# Clocks that differ


@pytest.mark.parametrize("skew_s", [-300, 300])
def test_a_portal_whose_clock_is_five_minutes_wrong_bills_and_tells_the_same(
    world, machine, program, skew_s, browser
):
    program("sleep 1.2")
    began = time.time()
    with time_machine.travel(time.time() + skew_s, tick=True):
        run = world.ask(gpus=2)
        ended = over(machine, run, within_s=PATIENCE_S)
        page = browser(world.person).get(run.get_absolute_url()).content.decode()
        held = _held(run)
        eventually(lambda: _drawn(machine, run), within_s=PATIENCE_S)

    assert ended.state == RunState.SUCCEEDED
    assert _bills(world, run) == held
    took = ended.ended_at - ended.started_at
    assert took == timedelta(seconds=ended.elapsed_s)
    assert began < ended.ended_at.timestamp() < time.time()  # by the clock of the cluster
    assert "-" not in page.split("Ended")[1][:80]


def _go(run):
    run.folder.mkdir(exist_ok=True)
    (run.folder / "go").touch()


def _extend(allocation, *, gpu_hours):
    share = allocation.grants.get().share
    ends_on = allocation.ends_on + timedelta(days=30)
    allocations.extend(
        allocation, ends_on=ends_on, share=share, gpu_hours=gpu_hours, by=staff()
    )


def _bills(world, *runs):
    return {run.key: world.bill(run) for run in runs}


def _held(*runs):
    held = held_by(*(run.key for run in runs), stretches=len(runs))
    return {key: sum(stretches) for key, stretches in held.items()}


def _number(run):
    return said("squeue", "--noheader", f"--name={run.key}", "--format=%i").strip()


def _has_ended_in_queue(run):
    states = ("squeue", "--noheader", "--states=all", f"--name={run.key}", "--format=%T")
    return said(*states).strip() == "COMPLETED"


def _has_run(machine, run, seconds):
    passes(machine)
    return seen_again(run).elapsed_s >= seconds


def _began_again(machine, cluster, run):
    """Let it not wait for the two minutes that Slurm takes before it starts a job again."""
    cluster.hurry_key(run.key)
    passes(machine)
    return (run.folder / "began").read_text().split() == ["began", "began"]


def _read_bytes():
    """Tell how much this process read so far, of files and pipes."""
    return int(Path("/proc/self/io").read_text().split()[1])


def _memory_bytes():
    """Tell the most that this process, which is the loop and the pages here, ever had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _submit_around_us(cluster, name):
    """Let somebody submit a job of that name under our account, past the portal."""
    words = ["sbatch", f"--job-name={name}", f"--account={cluster.account}", "--chdir=/"]
    words += [f"--qos={cluster.account}", "--gpus-per-node=1", "--output=/dev/null"]
    said(*words, "--wrap=true")


def _listened(monkeypatch):
    """Hear all that is said to Slurm's commands, which are asked all the same."""
    heard = []
    ask = Shell.ask

    def listened(shell, *words, given="", **more):
        heard.append("\0".join([*words, given]))
        return ask(shell, *words, given=given, **more)

    monkeypatch.setattr(Shell, "ask", listened)
    return heard


def _drawn(machine, run):
    books.draw(machine, timezone.now())
    return Stretch.objects.filter(run=run).first()
