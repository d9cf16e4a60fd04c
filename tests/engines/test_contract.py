"""The promises of engines/base.py, kept by every engine."""

import time
from dataclasses import replace

import pytest

from fabriek.engines.base import (
    Budget,
    EngineDown,
    Job,
    JobRejected,
    NodeState,
    Phase,
    Reason,
    Sighting,
)
from fabriek.engines.fake import Fake
from fabriek.engines.local import Local
from tests.engines.cluster import Cluster
from tests.engines.waiting import ended, eventually


class FakeBench:
    def __init__(self, tmp_path):
        self.engine = Fake()
        self.account = "eu-1"

    def finish(self, job):
        now = time.time()
        self.engine.move(
            job.key, Sighting(Phase.SUCCEEDED, 1, exit_code=0, started_at=now - 1, ended_at=now)
        )

    def start(self, job):
        self.engine.move(job.key, Sighting(Phase.RUNNING, 0, started_at=time.time()))

    def silence(self):
        self.engine.down = True

    def clear(self):
        pass


class LocalBench:
    def __init__(self, tmp_path):
        self.home = tmp_path / "home"
        self.engine = Local(self.home, gpus=1, grace_s=0.2, beat_s=0.1)
        self.account = "eu-1"

    def finish(self, job):
        (job.folder / "go").touch()
        ended(self.engine, job.key)

    def start(self, job):
        eventually(lambda: self.engine.look([job.key])[job.key].phase == Phase.RUNNING)

    def silence(self):
        self.home.write_text("a file where the home should be")

    def clear(self):
        pass


class SlurmBench:
    """A real cluster, which knows what other tests did: nothing here has their names."""

    def __init__(self, tmp_path):
        cluster = Cluster(tmp_path, partition="narrow")
        # usage(0) tells of all accounts below ours: they must be those of this test.
        self.cluster = cluster.below_its_own_root().open()
        self.engine = self.cluster.engine
        self.account = self.cluster.account

    def finish(self, job):
        (job.folder / "go").touch()
        ended(self.engine, job.key)
        # Its accounting may be a moment behind its queue.
        eventually(lambda: job.key in [record.key for record in self.engine.usage(0)])

    def start(self, job):
        eventually(lambda: self.engine.look([job.key])[job.key].phase == Phase.RUNNING)

    def silence(self):
        self.cluster.silence()

    def clear(self):
        self.cluster.clear()


@pytest.fixture(
    params=[FakeBench, LocalBench, pytest.param(SlurmBench, marks=pytest.mark.slurm)],
    ids=["fake", "local", "slurm"],
)
def bench(request, tmp_path):
    (tmp_path / "run").mkdir()
    bench = request.param(tmp_path)
    yield bench
    (tmp_path / "run" / "go").touch()  # lets go of the job that a test left running
    bench.clear()


@pytest.fixture
def engine(bench):
    return bench.engine


@pytest.fixture
def job(bench, tmp_path):
    """Make a job that lasts until there is a file `go` in its folder."""
    wait = "while [ ! -e go ]; do sleep 0.02; done"
    return Job(
        key=f"{bench.account}-1",
        account=bench.account,
        folder=tmp_path / "run",
        command=("/bin/sh", "-c", wait),
        gpus=1,
        timeout_s=300,
    )


def tell(engine, account, **more):
    engine.tell_budgets([Budget(account=account, gpu_seconds=7200, **more)])


@pytest.fixture
def second(job):
    return replace(job, key=f"{job.account}-2")


def test_a_submitted_job_is_seen(engine, job):
    engine.submit(job)

    assert engine.look([job.key, "fabriek-never"]).keys() == {job.key}


def test_what_needs_a_secure_part_is_refused_where_there_is_none(engine, job):
    with pytest.raises(JobRejected) as refused:
        engine.submit(replace(job, is_secure=True))

    assert refused.value.code == "no_secure_part"
    assert engine.look([job.key]) == {}


def test_a_job_that_waits_has_held_nothing(engine, job, second):
    engine.submit(job)
    engine.submit(second)

    seen = engine.look([second.key])[second.key]

    assert (seen.phase, seen.elapsed_s, seen.started_at) == (Phase.QUEUED, 0, None)


def test_an_unknown_job_is_absent_not_finished(engine):
    assert engine.look(["fabriek-never"]) == {}


def test_a_job_that_ends_well_succeeds(bench, engine, job):
    engine.submit(job)

    bench.finish(job)

    seen = engine.look([job.key])[job.key]
    assert (seen.phase, seen.reason, seen.exit_code) == (Phase.SUCCEEDED, "", 0)
    assert seen.started_at <= seen.ended_at


def test_submitting_again_changes_nothing_even_after_the_end(bench, engine, job):
    engine.submit(job)
    engine.submit(job)
    bench.finish(job)
    before = engine.look([job.key])

    engine.submit(job)

    assert engine.look([job.key]) == before
    assert [record.key for record in engine.usage(0)] == [job.key]


def test_cancelling_stops_a_running_job_and_may_be_repeated(bench, engine, job):
    engine.submit(job)
    bench.start(job)

    engine.cancel(job.key)
    engine.cancel(job.key)

    seen = ended(engine, job.key)
    assert (seen.phase, seen.reason) == (Phase.CANCELLED, Reason.CANCELLED)


def test_cancelling_a_waiting_job_means_it_never_held_anything(engine, job, second):
    engine.submit(job)
    engine.submit(second)

    engine.cancel(second.key)

    seen = ended(engine, second.key)
    assert (seen.phase, seen.elapsed_s, seen.started_at) == (Phase.CANCELLED, 0, None)
    assert second.key not in [record.key for record in engine.usage(0)]


def test_cancelling_what_is_unknown_or_ended_changes_nothing(bench, engine, job):
    engine.submit(job)
    bench.finish(job)
    before = engine.look([job.key])

    engine.cancel(job.key)
    engine.cancel("fabriek-never")

    assert engine.look([job.key, "fabriek-never"]) == before


def test_a_closed_budget_lets_no_new_job_in_but_the_old_one_goes_on(bench, engine, job, second):
    tell(engine, job.account)
    engine.submit(job)

    tell(engine, job.account, is_open=False)
    tell(engine, job.account, is_open=False)

    with pytest.raises(JobRejected) as refused:
        engine.submit(second)
    assert refused.value.code == "account_closed"
    assert engine.look([second.key]) == {}
    engine.submit(job)
    bench.finish(job)
    assert engine.look([job.key])[job.key].phase == Phase.SUCCEEDED


def test_a_closed_budget_opens_when_it_is_told_open(engine, job):
    tell(engine, job.account, is_open=False)
    with pytest.raises(JobRejected):
        engine.submit(job)

    tell(engine, job.account)
    tell(engine, job.account)
    engine.submit(job)

    assert engine.look([job.key]).keys() == {job.key}


def test_budgets_are_told_many_at_once_and_each_counts(engine, job, second):
    budgets = [
        Budget(account=job.account, gpu_seconds=7200),
        Budget(account=f"{job.account}-shut", gpu_seconds=7200, is_open=False),
    ]

    engine.tell_budgets(budgets)

    engine.submit(job)
    with pytest.raises(JobRejected):
        engine.submit(replace(second, account=f"{job.account}-shut"))


def test_telling_of_one_budget_says_nothing_of_another(engine, job):
    tell(engine, job.account)

    tell(engine, f"{job.account}-other", is_open=False)
    engine.tell_budgets([])

    engine.submit(job)
    assert engine.look([job.key]).keys() == {job.key}


def test_usage_tells_of_ended_jobs_since_a_moment(bench, engine, job):
    before = time.time()
    engine.submit(job)
    bench.finish(job)

    [record] = engine.usage(before - 1)

    seen = engine.look([job.key])[job.key]
    assert (record.key, record.account, record.gpus) == (job.key, job.account, 1)
    assert (record.started_at, record.ended_at) == (seen.started_at, seen.ended_at)
    assert (record.elapsed_s, record.phase) == (seen.elapsed_s, Phase.SUCCEEDED)
    assert list(engine.usage(record.ended_at + 1)) == []


def test_usage_has_an_end_so_that_no_job_is_in_two_windows(bench, engine, job):
    engine.submit(job)
    bench.finish(job)
    [record] = engine.usage(0)

    assert list(engine.usage(0, record.ended_at)) == []
    assert list(engine.usage(record.ended_at, record.ended_at + 1)) == [record]


def test_usage_tells_who_asked_and_how_long_it_waited(bench, engine, job, second):
    engine.submit(job)
    bench.finish(job)

    [record] = engine.usage(0)

    assert record.submitted_at is None or record.submitted_at <= record.started_at + 1
    assert (record.nodes, record.gpu_seconds) == (1, record.elapsed_s)
    assert record.state
    assert (record.energy_j, record.energy_method) == (None, "")  # nothing here measures it
    assert record.identity not in {"", job.key}


def test_usage_is_silent_about_jobs_that_still_run(bench, engine, job):
    engine.submit(job)
    bench.start(job)

    assert list(engine.usage(0)) == []


def test_the_machine_tells_of_its_gpus_and_of_who_uses_them(bench, engine, job):
    before = engine.machine()

    engine.submit(job)
    bench.start(job)

    now = eventually(lambda: moved_on(engine, before, "gpus_used", "jobs_running"))
    assert before.gpus == now.gpus == sum(node.gpus for node in now.nodes)
    assert (now.gpus_used, now.gpus_free) == (before.gpus_used + 1, before.gpus_free - 1)
    assert now.jobs_running == before.jobs_running + 1
    assert {node.state for node in now.nodes if node.gpus_used} == {NodeState.BUSY}
    bench.finish(job)
    assert eventually(lambda: moved_on(engine, now, "gpus_used", "jobs_running")) == before


def test_the_machine_counts_who_waits_and_what_they_ask(bench, engine, job, second):
    engine.submit(job)
    bench.start(job)
    before = engine.machine()

    engine.submit(second)

    now = eventually(lambda: moved_on(engine, before, "jobs_waiting", "gpus_waited_for"))
    assert now.jobs_waiting == before.jobs_waiting + 1
    assert now.gpus_waited_for == before.gpus_waited_for + second.gpus
    assert now.nodes == before.nodes


def moved_on(engine, before, *counts):
    """Give how the machine stands as soon as these counts of it are other ones.

    An engine may learn one a moment before the other.
    """
    now = engine.machine()
    return now if all(getattr(now, one) != getattr(before, one) for one in counts) else None


@pytest.mark.parametrize(
    "ask",
    [
        lambda engine, job: engine.submit(job),
        lambda engine, job: engine.look([job.key]),
        lambda engine, job: engine.cancel(job.key),
        lambda engine, job: tell(engine, job.account),
        lambda engine, job: engine.usage(0),
        lambda engine, job: engine.machine(),
    ],
    ids=["submit", "look", "cancel", "tell", "usage", "machine"],
)
def test_an_engine_that_cannot_answer_says_so(bench, engine, job, ask):
    bench.silence()

    with pytest.raises(EngineDown):
        ask(engine, job)
