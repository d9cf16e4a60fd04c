"""What needs no cluster: Slurm's words, and the script of a job, run by a real shell."""

import os
import signal
import subprocess
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fabriek.engines.base import Job, JobRejected, Phase, Reason
from fabriek.engines.slurm_ask import accounting_rows, queue_rows
from fabriek.engines.slurm_home import Trail, trail_in
from fabriek.engines.slurm_script import options, refuse_misfit, script
from fabriek.engines.slurm_words import (
    duration_s,
    gpus,
    parted_status,
    phase,
    reason,
    refusal,
    state_word,
    waited_status,
)
from tests.engines.waiting import eventually, is_alive

# States


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ("PENDING", Phase.QUEUED),
        ("REQUEUED", Phase.QUEUED),
        ("REQUEUE_HOLD", Phase.QUEUED),
        ("REQUEUE_FED", Phase.QUEUED),
        ("SPECIAL_EXIT", Phase.QUEUED),
        ("CONFIGURING", Phase.RUNNING),
        ("RUNNING", Phase.RUNNING),
        ("COMPLETING", Phase.RUNNING),
        ("SUSPENDED", Phase.RUNNING),
        ("STOPPED", Phase.RUNNING),
        ("SIGNALING", Phase.RUNNING),
        ("STAGE_OUT", Phase.RUNNING),
        ("RESIZING", Phase.RUNNING),
        ("COMPLETED", Phase.SUCCEEDED),
        ("CANCELLED", Phase.CANCELLED),
        ("CANCELLED by 1000", Phase.CANCELLED),
        ("CANCELLED+", Phase.CANCELLED),
        ("FAILED", Phase.FAILED),
        ("TIMEOUT", Phase.FAILED),
        ("NODE_FAIL", Phase.FAILED),
        ("BOOT_FAIL", Phase.FAILED),
        ("DEADLINE", Phase.FAILED),
        ("OUT_OF_MEMORY", Phase.FAILED),
        ("OUT_OF_ME+", Phase.UNKNOWN),
        ("PREEMPTED", Phase.FAILED),
        ("LAUNCH_FAILED", Phase.FAILED),
        ("RECONFIG_FAIL", Phase.FAILED),
        ("REVOKED", Phase.UNKNOWN),
        ("LEVITATING", Phase.UNKNOWN),
        ("", Phase.UNKNOWN),
    ],
)
def test_every_state_is_known_and_no_other_concludes_anything(told, expected):
    assert phase(state_word(told)) == expected


@pytest.mark.parametrize(
    ("state", "code", "expected"),
    [
        ("COMPLETED", 0, ""),
        ("FAILED", 3, Reason.EXIT),
        ("FAILED", 137, Reason.KILLED),
        ("FAILED", None, Reason.EXIT),
        ("TIMEOUT", 0, Reason.TIMEOUT),
        ("CANCELLED", 143, Reason.CANCELLED),
        ("NODE_FAIL", None, Reason.VANISHED),
        ("OUT_OF_MEMORY", 137, Reason.OUT_OF_MEMORY),
        ("PREEMPTED", None, "preempted"),
    ],
)
def test_the_reason_follows_from_the_state(state, code, expected):
    assert reason(state, code) == expected


@pytest.mark.parametrize(
    ("told", "expected_s"),
    [("0:00", 0), ("1:07", 67), ("2:01:07", 7267), ("3-02:01:07", 266_467), ("INVALID", 0)],
)
def test_durations_are_understood(told, expected_s):
    assert duration_s(told) == expected_s


def test_exit_codes_are_understood_in_both_ways_of_writing():
    assert [waited_status(told) for told in ("0", "768", "9", "")] == [None, 3, 137, None]
    assert [parted_status(told) for told in ("0:0", "3:0", "0:9", "")] == [None, 3, 137, None]


def test_gpus_are_counted_once_though_slurm_lists_them_by_type_too():
    assert gpus("billing=2,cpu=2,gres/gpu:h200=4,gres/gpu=4,mem=200M,node=2") == 4
    assert gpus("") == 0


# Lines


def queued(*fields, mark="~x~"):
    return "".join(f"{field}{mark}" for field in fields) + "\n"


def a_line(number="7", **changes):
    field = {
        "user": "ai", "state": "PENDING", "reason": "Priority", "account": "eu-1",
        "partition": "gpu", "priority": "5", "start": "N/A", "end": "N/A", "used": "0:00",
        "restarts": "0", "exit": "0", "nodes": "", "submitted": "1795695300",
        "name": "fabriek-7",
    } | changes  # fmt: skip
    return queued(number, *field.values())


def test_a_job_that_waits_has_no_start_even_if_slurm_expects_one():
    [row] = queue_rows(a_line(start="1795695307"), "~x~")

    assert (row.key, row.state, row.reason) == ("fabriek-7", "PENDING", "Priority")
    assert row.submitted_at == 1795695300.0
    assert (row.started_at, row.elapsed_s, row.position) == (None, 0, 1)


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"start": "1795695307"}, 1795695307.0),
        ({"start": "N/A"}, None),
        ({"start": "1795695307", "state": "RUNNING", "nodes": "gpu1"}, None),
        ({"start": "1795695307", "state": "CANCELLED"}, None),
    ],
    ids=["waits", "not planned yet", "runs", "over"],
)
def test_only_of_a_job_that_waits_the_start_is_an_expectation(told, expected):
    [row] = queue_rows(a_line(**told), "~x~")

    assert row.starts_at == expected


def test_positions_follow_priority_within_a_partition_and_skip_what_runs():
    lines = [
        a_line("1", priority="5", name="a"),
        a_line("2", priority="9", name="b"),
        a_line("3", priority="7", name="c", partition="other"),
        a_line("4", priority="99", name="d", state="RUNNING", nodes="gpu1"),
        a_line("5", priority="5", name="e"),
    ]

    places = {row.key: row.position for row in queue_rows("".join(lines), "~x~")}

    assert places == {"b": 1, "a": 2, "e": 3, "c": 1, "d": None}


def test_a_name_that_looks_like_a_line_is_not_read_as_one():
    forged = "x\n" + queued("8", "ai", *["COMPLETED"] * 12, "fabriek-7", mark="~y~").strip()

    rows = queue_rows(a_line("1", name=forged) + a_line("2", name="b"), "~x~")

    assert [row.number for row in rows] == ["2"]


def test_accounting_comes_oldest_first_with_what_each_stretch_held():
    def line(state, start, end, elapsed, code="0:0", tres="cpu=1,gres/gpu=2"):
        asked = "cpu=1,gres/gpu=2"
        fields = (
            "7",
            "ai",
            state,
            "eu-1",
            start,
            end,
            elapsed,
            code,
            tres,
            asked,
            "90",
            "fabriek-7",
        )
        return "~x~".join(fields) + "\n"

    said = line("RUNNING", "200", "Unknown", "5") + line("REQUEUED", "100", "150", "50")
    rows = accounting_rows(said + line("CANCELLED by 0", "300", "300", "0", tres=""), "~x~")

    told = [(row.state, row.started_at, row.ended_at, row.elapsed_s) for row in rows]
    assert told == [
        ("REQUEUED", 100.0, 150.0, 50),
        ("RUNNING", 200.0, None, 5),
        ("CANCELLED", None, 300.0, 0),
    ]
    assert [(row.gpus, row.submitted_at) for row in rows] == [(2, 90.0), (2, 90.0), (0, 90.0)]


# Refusals


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("AssocGrpSubmitJobsLimit\n: Job violates accounting/QOS policy", "account_closed"),
        ("QOSGrpGRESMinutes\n: Job violates accounting/QOS policy", "over_budget"),
        ("Batch job submission failed: Invalid account or account/p", "account_unknown"),
        ("Batch job submission failed: Requested node configuration is not available",
         "too_many_gpus"),
        ("Batch job submission failed: Requested time limit is invalid", "bad_timeout"),
        ("Batch job submission failed: The moon is full", "rejected"),
    ],
)  # fmt: skip
def test_refusals_have_a_stable_code(said, code):
    refused = refusal(f"sbatch: error: {said}")

    assert isinstance(refused, JobRejected)
    assert refused.code == code


@pytest.mark.parametrize(
    "said",
    [
        "Batch job submission failed: Unable to contact slurm controller (connect failure)",
        "Batch job submission failed: Socket timed out on send/recv operation",
        "Batch job submission failed: Protocol authentication error",
        "Batch job submission failed: Resource temporarily unavailable",
        "Batch job submission failed: Requested partition configuration not available now",
        "QOSMaxSubmitJobPerUserLimit\n: Job violates accounting/QOS policy",
        "Segmentation fault",
        "",
    ],
)
def test_silence_is_no_refusal(said):
    assert refusal(f"sbatch: error: {said}") is None


# What is said to Slurm


def a_job(folder, *command, **more):
    wish = {"key": "a", "account": "eu-1", "gpus": 1, "timeout_s": 60} | more
    return Job(folder=folder, command=command or ("/bin/true",), **wish)


def test_the_options_are_a_closed_list_whatever_a_job_says(tmp_path):
    hostile = ("--output=/etc/passwd", "#SBATCH --uid=0", "\n#SBATCH --uid=0")

    plain = options(a_job(tmp_path, "true"))

    assert options(a_job(tmp_path, *hostile, environment=(("SBATCH_UID", "0"),))) == plain
    assert [option for option in plain if "passwd" in option or "uid" in option] == []


def test_gpus_are_spread_over_nodes_and_time_is_whole_minutes(tmp_path):
    said = options(a_job(tmp_path, gpus=8, nodes=2, timeout_s=61), partition="gpu")

    assert {"--gpus-per-node=4", "--nodes=2-2", "--time=2", "--partition=gpu"} <= set(said)


@pytest.mark.parametrize(
    ("wish", "code"),
    [
        *[({"key": key}, "bad_key") for key in ("", "..", "../a", "a,b", "a\n", "-a", "é")],
        ({"account": "eu 1"}, "account_unknown"),
        ({"account": "root,eu-1"}, "account_unknown"),
        ({"gpus": 0}, "too_many_gpus"),
        ({"gpus": 3, "nodes": 2}, "too_many_nodes"),
        ({"nodes": 0}, "too_many_nodes"),
        ({"timeout_s": 0}, "bad_timeout"),
        ({"command": ()}, "bad_command"),
        ({"command": ("A=1", "b")}, "bad_command"),
        ({"command": ("echo", "\0")}, "bad_command"),
        ({"command": ("echo", "a" * 4_000_000)}, "bad_command"),
        ({"environment": (("A=B", "c"),)}, "bad_command"),
        ({"folder": Path("/nowhere/at/all")}, "no_folder"),
        ({"folder": Path("relative")}, "no_folder"),
    ],
)
def test_a_job_that_can_never_run_is_refused_before_slurm_hears_of_it(tmp_path, wish, code):
    whole = {"key": "a", "account": "eu-1", "gpus": 1, "timeout_s": 60} | wish

    with pytest.raises(JobRejected) as refused:
        refuse_misfit(Job(**{"folder": tmp_path, "command": ("true",)} | whole))

    assert refused.value.code == code


# The script, run by a real shell


def begun(job, *, grace_s=1, **told):
    """Start the script as slurmstepd does: from a file, in a session of its own."""
    path = job.folder / "script"
    path.write_bytes(script(job, grace_s=grace_s).encode("utf-8", "surrogateescape"))
    path.chmod(0o700)
    told = {"PATH": os.environ["PATH"], "SLURM_JOB_ID": "7", "SLURM_JOB_GPUS": "2,3"} | told
    return subprocess.Popen([path], env=told | {"SECRET": "x"}, cwd="/", start_new_session=True)


@pytest.mark.parametrize(
    "word",
    ["", "a b", "it's", '"', "$HOME", "`id`", "\\", "\n", "\r\n", "a\rb", "-rf", "é", "\udcff"],
)
def test_every_word_of_a_command_arrives_as_it_is(tmp_path, word):
    job = a_job(tmp_path, "/usr/bin/printf", "%s", word, environment=(("WORD", word),))

    assert begun(job).wait() == 0

    expected = word.encode("utf-8", "surrogateescape")
    assert (tmp_path / "log").read_bytes() == expected
    assert b"\r\n" not in (tmp_path / "script").read_bytes()


def test_the_job_finds_its_own_environment_and_nothing_else(tmp_path):
    words = (("SEED", "7"), ("FABRIEK_GPUS", "0,1,2,3"), ("FABRIEK_JOB", "b"))
    job = a_job(tmp_path, "/usr/bin/env", "-0", environment=words)

    begun(job).wait()

    told = dict(one.split("=", 1) for one in (tmp_path / "log").read_text()[:-1].split("\0"))
    assert told.keys() == {"PATH", "HOME", "LANG", "SEED", "FABRIEK_JOB", "FABRIEK_GPUS"}
    assert (told["FABRIEK_JOB"], told["FABRIEK_GPUS"], told["SEED"]) == ("a", "2,3", "7")
    assert told["HOME"] == str(tmp_path)


def test_the_log_is_added_to_and_the_exit_is_of_this_attempt(tmp_path):
    (tmp_path / "log").write_text("before\n")
    (tmp_path / "exit").write_text("0\n")
    job = a_job(tmp_path, "/bin/sh", "-c", "pwd; cat exit; echo wrong >&2; exit 3")
    before = int(time.time())

    assert begun(job).wait() == 3

    said = (tmp_path / "log").read_text()
    assert said.startswith(f"before\n{tmp_path}\ncat: exit: No such file")
    assert said.endswith("wrong\n")
    assert (tmp_path / "exit").read_text() == "3\n"
    trail = trail_in(tmp_path)
    assert (trail.exit_code, trail.stopped_for) == (3, "")
    assert before <= trail.started_at <= trail.ended_at <= time.time()
    assert trail.held_s == trail.ended_at - trail.started_at


def test_others_of_the_group_may_read_what_a_job_writes(tmp_path):
    begun(a_job(tmp_path, "/usr/bin/touch", "made")).wait()

    assert [(tmp_path / name).stat().st_mode & 0o777 for name in ("made", "log", "exit")] == [
        0o640
    ] * 3


def test_a_job_that_takes_too_long_may_write_a_checkpoint_first(tmp_path):
    wait = "trap 'touch checkpoint; exit 0' TERM; while :; do sleep 0.02; done"
    job = a_job(tmp_path, "/bin/sh", "-c", wait, timeout_s=3)  # it surely comes to its trap

    code = begun(job, grace_s=60).wait()

    assert (code, (tmp_path / "exit").read_text()) == (124, "0\n")
    assert (tmp_path / "checkpoint").exists()
    assert trail_in(tmp_path).stopped_for == "timeout"


def test_a_job_that_does_not_listen_is_killed_after_the_grace(tmp_path):
    wait = "trap '' TERM; while :; do sleep 0.02; done"

    code = begun(a_job(tmp_path, "/bin/sh", "-c", wait, timeout_s=3)).wait()

    assert (code, (tmp_path / "exit").read_text()) == (124, "137\n")


def test_what_a_job_leaves_running_ends_with_it(tmp_path):
    job = a_job(tmp_path, "/bin/sh", "-c", "sleep 60 & echo $! >pid")

    begun(job).wait()

    pid = int((tmp_path / "pid").read_text())
    eventually(lambda: not is_alive(pid))


def test_a_signal_to_all_lets_the_exit_be_written(tmp_path):
    wait = "trap 'exit 5' TERM; : >ready; while :; do sleep 0.02; done"
    process = begun(a_job(tmp_path, "/bin/sh", "-c", wait))
    eventually((tmp_path / "ready").exists)

    _to_all_below(process.pid, signal.SIGTERM)

    assert process.wait() == 5
    assert (tmp_path / "exit").read_text() == "5\n"


def test_a_folder_that_is_not_there_runs_nothing_elsewhere(tmp_path):
    made = tmp_path / "made"
    job = a_job(tmp_path, "/usr/bin/touch", str(made))
    said = script(job, grace_s=1).replace(f"cd -- {tmp_path}", "cd -- /nowhere/at/all")

    done = subprocess.run(["/bin/sh", "-c", said], capture_output=True)

    assert done.returncode == 1
    assert not made.exists()


def test_stretches_of_a_job_that_started_again_are_added_up(tmp_path):
    (tmp_path / ".times").write_text(
        "start 100 7\nend 150 7\nstart 200 7\nstart 300 7\nend 310 7\n"
    )
    (tmp_path / "exit").write_text("nonsense")

    expected = Trail(exit_code=None, started_at=100.0, ended_at=310.0, held_s=60)
    assert trail_in(tmp_path) == expected
    assert trail_in(tmp_path / "nothing") == Trail()


def test_times_beyond_all_dates_are_brought_within_them(tmp_path):
    (tmp_path / ".times").write_text("start 999999999998 7\nend 999999999999 7\n")

    trail = trail_in(tmp_path)

    assert datetime.fromtimestamp(trail.started_at, UTC).year == 3000
    assert datetime.fromtimestamp(trail.ended_at, UTC).year == 3000


@pytest.mark.parametrize("name", ["exit", ".times"])
def test_what_a_job_made_of_its_files_stops_nobody(tmp_path, name):
    path = tmp_path / name
    for spoil in (
        lambda: os.mkfifo(path),
        path.mkdir,
        lambda: path.symlink_to("/dev/zero"),
        lambda: path.write_text("start " + "9" * 60_000 + " 7\n"),
        lambda: path.write_text("\u00b2"),
        lambda: path.write_bytes(b"\xff\x00"),
    ):
        spoil()
        assert trail_in(tmp_path) == Trail()
        path.rmdir() if path.is_dir() else path.unlink()


def _to_all_below(pid, number):
    below = subprocess.run(["ps", "-eo", "pid,ppid"], capture_output=True, text=True).stdout
    parents = [tuple(map(int, line.split())) for line in below.splitlines()[1:]]
    found = [pid]
    for one in found:
        found += [child for child, parent in parents if parent == one]
    for one in found:
        with suppress(ProcessLookupError):  # a nap of the script, over since we looked
            os.kill(one, number)
