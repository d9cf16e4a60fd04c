"""How long one job may be, and what its program does with signals, run by a real shell."""

import signal
import sys
import textwrap

import pytest

from fabriek.engines.slurm_ask import Row
from fabriek.engines.slurm_home import Home, Trail, trail_in
from fabriek.engines.slurm_script import options, script
from fabriek.engines.slurm_sights import Sights
from fabriek.engines.slurm_wall import chosen, limit_of_partition, limit_of_qos, shortest
from tests.engines.test_slurm_words import a_job, begun
from tests.engines.waiting import eventually

PARTITIONS = """\
PartitionName=gpu AllowGroups=ALL Default=YES QoS=N/A MaxTime=7-00:00:00 MinNodes=0
PartitionName=long AllowGroups=ALL Default=NO QoS=long MaxTime=UNLIMITED MinNodes=0
PartitionName=short AllowGroups=ALL Default=NO QoS=N/A MaxTime=01:30:00 MinNodes=0
"""


@pytest.mark.parametrize(
    ("partition", "limits"),
    [("", [604_800]), ("long", [0]), ("short,gpu", [604_800, 5_400]), ("none", [])],
)
def test_the_limits_of_the_partitions_that_jobs_go_to_count(partition, limits):
    assert [limit_of_partition(line) for line in chosen(PARTITIONS, partition)] == limits


@pytest.mark.parametrize(
    ("said", "limit_s"),
    [
        ("QOS=eu-1(3) GrpTRESMins=gres/gpu=3(0) MaxWallPJ=90 MaxTRESPJ=", 5_400),
        ("QOS=eu-1(3) MaxWallPJ= MaxTRESPJ=", 0),
        ("No QOS currently cached in Slurm.", 0),
    ],
)
def test_a_qos_tells_minutes_or_nothing(said, limit_s):
    assert limit_of_qos(said) == limit_s


def test_no_limit_is_longer_than_any():
    assert (shortest(0, 60, 0, 90), shortest(0, 0), shortest()) == (60, 0, 0)


@pytest.mark.parametrize(
    ("timeout_s", "wall_s", "minutes"), [(300, 0, 5), (300, 120, 2), (60, 120, 1), (90, 61, 2)]
)
def test_a_job_asks_for_no_more_than_one_may_have(tmp_path, timeout_s, wall_s, minutes):
    said = options(a_job(tmp_path, timeout_s=timeout_s), wall_s=wall_s)

    assert f"--time={minutes}" in said


def test_one_node_needs_no_srun_and_several_need_one(tmp_path):
    one = script(a_job(tmp_path), grace_s=1)
    many = script(a_job(tmp_path, gpus=4, nodes=2), grace_s=1)

    assert (one.count("srun "), many.count("srun ")) == (0, 1)


def test_who_does_not_listen_is_not_hurt_by_the_wish_to_save(tmp_path):
    # Half of its time: after five seconds. A busy machine loses some of them.
    job = a_job(tmp_path, "/bin/sh", "-c", "sleep 6; echo whole", timeout_s=10)

    assert begun(job).wait() == 0

    assert (tmp_path / "log").read_text() == "whole\n"


def test_who_listens_is_asked_to_save_before_the_end_and_by_hand(tmp_path):
    listens = """
        import signal, time
        signal.signal(signal.SIGUSR1, lambda *_: print("saved", flush=True))
        print("ready", flush=True)
        while True:
            time.sleep(0.05)
    """
    job = a_job(tmp_path, sys.executable, "-c", textwrap.dedent(listens), timeout_s=10)
    process = begun(job)
    eventually(lambda: (tmp_path / "log").exists() and (tmp_path / "log").read_text())

    process.send_signal(signal.SIGUSR1)  # as `scancel --signal=USR1 --batch` does
    eventually(lambda: "saved" in (tmp_path / "log").read_text())

    assert process.wait() == 124
    assert (tmp_path / "log").read_text() == "ready\nsaved\nsaved\n"
    assert trail_in(tmp_path).stopped_for == "timeout"


def test_the_time_of_earlier_starts_counts(tmp_path):
    (tmp_path / ".times").write_text(
        "start 100 7\nend 158 7\nstart 300 7\nstart 400 7\nend 401 7\n"
    )
    job = a_job(tmp_path, "/bin/sh", "-c", "sleep 30", timeout_s=60)

    code = begun(job).wait()

    assert (code, trail_in(tmp_path).stopped_for) == (124, "timeout")
    assert trail_in(tmp_path).held_s - 59 < 20  # by itself it would take half a minute


def test_what_has_no_time_left_is_not_started_again(tmp_path):
    (tmp_path / ".times").write_text("start 100 7\nend 160 7\n")
    job = a_job(tmp_path, "/bin/sh", "-c", "echo again", timeout_s=60)

    code = begun(job).wait()

    assert code == 124
    assert not (tmp_path / "log").exists()
    assert trail_in(tmp_path).stopped_for == "timeout"


@pytest.mark.parametrize(
    "lie", ["start $(id) 7\nend 1 7\n", "end 5 7\n", "start\n\0", "a" * 9999]
)
def test_times_that_the_work_wrote_stop_nothing_but_itself(tmp_path, lie):
    (tmp_path / ".times").write_text(lie)

    assert begun(a_job(tmp_path, "/bin/echo", "runs")).wait() == 0

    assert (tmp_path / "log").read_text() == "runs\n"


def test_a_word_that_the_work_left_is_forgotten_at_the_next_start(tmp_path):
    (tmp_path / ".stopped").write_text("link")

    assert begun(a_job(tmp_path, "/bin/sh", "-c", "exit 143")).wait() == 143

    assert trail_in(tmp_path).stopped_for == ""
    assert Trail().stopped_for == ""


@pytest.mark.parametrize(
    ("state", "elapsed_s", "held_s"),
    [("RUNNING", 5, 65), ("PENDING", 0, 60), ("FAILED", 9, 60)],
)
def test_without_accounting_what_was_held_before_is_read_from_the_folder(
    tmp_path, state, elapsed_s, held_s
):
    home = Home(tmp_path / "home")
    (home.root / "jobs" / "a").mkdir(parents=True)
    home.intend(a_job(tmp_path))
    (tmp_path / ".times").write_text("start 100 7\nend 160 7\n")
    row = Row(
        number="7",
        user="ai",
        key="a",
        account="eu-1",
        state=state,
        restarts=1,
        elapsed_s=elapsed_s,
        started_at=200.0 if elapsed_s else None,
        ended_at=209.0 if state == "FAILED" else None,
    )

    seen = Sights(home).sighting("a", row, [], is_accounted=False)

    assert (seen.elapsed_s, seen.starts) == (held_s, 1 + bool(elapsed_s))
