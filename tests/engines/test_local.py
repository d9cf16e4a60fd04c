import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

import fabriek
from fabriek.engines.base import EngineDown, JobRejected, Phase, Reason
from fabriek.engines.local_job import environment_of, verdict
from fabriek.engines.local_proc import real_gpus
from tests.engines.waiting import eventually, is_alive

SOURCE = str(Path(fabriek.__file__).parents[1])


def python(program, *arguments, **options):
    """Another process, as a second portal would be."""
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program), *map(str, arguments)],
        env={"PYTHONPATH": SOURCE, "PATH": os.environ["PATH"]},
        **options,
    )


SUBMIT = """
    import sys
    from pathlib import Path
    from fabriek.engines.base import Job
    from fabriek.engines.local import Local
    home, folder, script = sys.argv[1:]
    job = Job(key="a", account="eu-1", folder=Path(folder), gpus=1, timeout_s=20,
              command=("/bin/sh", "-c", script))
    Local(Path(home), gpus=1, grace_s=0.3, beat_s=0.1).submit(job)
"""


# What a job finds and leaves behind


def test_a_job_runs_in_its_folder_and_leaves_its_log_and_exit(machine):
    job = machine.submit("a", "echo out; echo err >&2; pwd; exit 3")

    seen = machine.ended("a")

    assert (seen.phase, seen.reason, seen.exit_code) == (Phase.FAILED, Reason.EXIT, 3)
    assert (job.folder / "log").read_text() == f"out\nerr\n{job.folder}\n"
    assert (job.folder / "exit").read_text() == "3\n"


def test_a_command_that_does_not_exist_fails_and_the_log_says_why(machine):
    job = machine.job("a", "")
    machine.engine.submit(replace(job, command=("no-such-program",)))

    seen = machine.ended("a")

    assert (seen.reason, seen.exit_code) == (Reason.EXIT, 127)
    assert "No such file or directory" in (job.folder / "log").read_text()


def test_a_job_knows_nothing_of_the_portal(machine, monkeypatch):
    for name in ("FABRIEK_SECRET_KEY", "DATABASE_URL", "FABRIEK_DATABASE_URL", "PGPASSWORD"):
        monkeypatch.setenv(name, "do-not-tell")
    environment = (("SEED", "7"), ("FABRIEK_GPUS", "0,1,2,3"))
    job = machine.submit("a", "env -0 >told; echo $$ >pid; sleep 20", environment=environment)

    machine.pid(job)

    told = dict(
        line.split("=", 1) for line in (job.folder / "told").read_text()[:-1].split("\0")
    )
    given = {"PATH", "HOME", "LANG", "SEED", "FABRIEK_JOB", "FABRIEK_MARK", "FABRIEK_GPUS"}
    set_by_the_shell = {"PWD", "OLDPWD", "SHLVL", "_"}
    assert told.keys() - set_by_the_shell - {"CUDA_VISIBLE_DEVICES"} == given
    assert told["HOME"] == str(job.folder)
    assert (told["SEED"], told["FABRIEK_GPUS"], told["FABRIEK_JOB"]) == ("7", "0", "a")
    supervisor = Path(f"/proc/{machine.started('a')['supervisor']}/environ").read_bytes()
    assert b"do-not-tell" not in supervisor


def test_cuda_sees_the_devices_only_where_there_are_any(machine):
    told = environment_of(machine.job("a", "true"), [0], "mark")

    assert told.get("CUDA_VISIBLE_DEVICES") == ("0" if real_gpus() else None)


def test_a_second_attempt_in_the_same_folder_adds_to_the_log(machine):
    first = machine.submit("a", "echo one; exit 1")
    machine.ended("a")
    machine.engine.submit(replace(first, key="b"))

    machine.ended("b")

    assert (first.folder / "log").read_text() == "one\none\n"


def test_what_a_job_leaves_running_ends_with_it(machine):
    job = machine.submit("a", "setsid sleep 60 & echo $! >pid")

    assert machine.ended("a").phase == Phase.SUCCEEDED

    assert not is_alive(machine.pid(job))


def test_a_job_that_removes_its_own_folder_still_ends_truly(machine):
    machine.submit("a", 'rm -rf "$HOME"')

    assert machine.ended("a").phase == Phase.SUCCEEDED


def test_a_supervisor_whose_home_is_gone_does_not_stay_behind(machine):
    job = machine.submit("a", "echo $$ >pid; while [ ! -e go ]; do sleep 0.02; done")
    machine.pid(job)
    supervisor = machine.started("a")["supervisor"]
    shutil.rmtree(machine.home)

    (job.folder / "go").touch()

    eventually(lambda: not is_alive(supervisor))
    assert (job.folder / "exit").read_text() == "0\n"


# Ends that somebody or something forces


def test_kill_9_of_the_job_is_seen_as_killed_and_billed_for_what_it_held(machine):
    began = time.monotonic()
    job = machine.submit("a", "echo $$ >pid; exec sleep 20")
    eventually(lambda: machine.seen("a").elapsed_s >= 1)

    os.kill(machine.pid(job), signal.SIGKILL)

    seen = machine.ended("a")
    assert (seen.phase, seen.reason, seen.exit_code) == (Phase.FAILED, Reason.KILLED, 137)
    assert 1 <= seen.elapsed_s <= time.monotonic() - began
    assert seen.ended_at - seen.started_at == pytest.approx(seen.elapsed_s, abs=1.1)
    assert (job.folder / "exit").read_text() == "137\n"


def test_kill_9_of_the_supervisor_ends_the_job_and_frees_its_gpu(machine):
    job = machine.submit("a", "setsid sleep 60 & echo $! >stray; echo $$ >pid; sleep 60")
    stray, main = machine.pid(job, "stray"), machine.pid(job)
    eventually(lambda: machine.last_beat_s("a") >= 1)

    os.kill(machine.started("a")["supervisor"], signal.SIGKILL)

    eventually(lambda: not is_alive(main))
    seen = machine.ended("a")
    assert (seen.phase, seen.reason, seen.exit_code) == (Phase.FAILED, Reason.VANISHED, None)
    assert seen.elapsed_s == int(machine.last_beat_s("a")) >= 1
    assert not is_alive(stray)
    assert not (job.folder / "exit").exists()
    machine.submit("b", "true")
    assert machine.ended("b").phase == Phase.SUCCEEDED


def test_a_supervisor_told_to_end_lets_its_job_write_a_checkpoint(machine):
    machine.with_gpus(1, grace_s=60)
    script = "trap 'touch checkpoint; exit 0' TERM; echo $$ >pid; while :; do sleep 0.02; done"
    job = machine.submit("a", script)
    machine.pid(job)

    os.kill(machine.started("a")["supervisor"], signal.SIGTERM)

    seen = machine.ended("a")
    assert (seen.phase, seen.reason, seen.exit_code) == (Phase.FAILED, Reason.KILLED, 0)
    assert (job.folder / "checkpoint").exists()


def test_a_job_that_takes_too_long_may_write_a_checkpoint_first(machine):
    machine.with_gpus(1, grace_s=60)
    script = "trap 'touch checkpoint; exit 0' TERM; while :; do sleep 0.02; done"
    job = machine.submit("a", script, timeout_s=3)  # in which it surely comes to its trap

    seen = machine.ended("a")

    assert (seen.phase, seen.reason, seen.exit_code) == (Phase.FAILED, Reason.TIMEOUT, 0)
    assert 3 <= seen.elapsed_s < 60  # by itself it would never end
    assert (job.folder / "checkpoint").exists()


def test_a_job_that_does_not_listen_is_killed_after_the_grace(machine):
    machine.with_gpus(1, grace_s=0.2)
    job = machine.submit("a", "trap '' TERM; echo $$ >pid; while :; do sleep 0.02; done")
    main = machine.pid(job)

    machine.engine.cancel("a")

    seen = machine.ended("a")
    assert (seen.phase, seen.exit_code) == (Phase.CANCELLED, 137)
    assert not is_alive(main)


@pytest.mark.parametrize(
    ("stopped", "code", "memory_ran_out", "expected"),
    [
        (None, 0, True, (Phase.SUCCEEDED, "")),
        (None, 1, True, (Phase.FAILED, Reason.EXIT)),
        (None, -9, False, (Phase.FAILED, Reason.KILLED)),
        (None, -9, True, (Phase.FAILED, Reason.OUT_OF_MEMORY)),
        (None, -11, True, (Phase.FAILED, Reason.KILLED)),
        (Reason.TIMEOUT, -9, True, (Phase.FAILED, Reason.TIMEOUT)),
        (Reason.CANCELLED, 0, False, (Phase.CANCELLED, Reason.CANCELLED)),
    ],
)
def test_the_verdict_follows_from_what_happened(stopped, code, memory_ran_out, expected):
    assert verdict(stopped, code, memory_ran_out) == expected


# The queue


def test_jobs_start_in_the_order_in_which_they_came_without_anybody_looking(machine):
    order = machine.folder / "order"
    machine.submit("z", f"while [ ! -e go ]; do sleep 0.02; done; echo z >>{order}")
    for key in "cab":
        machine.submit(key, f"echo {key} >>{order}")
    eventually(lambda: machine.seen("z").phase == Phase.RUNNING)
    waiting = {key: machine.seen(key).queue_position for key in "cab"}

    (machine.folder / "run-z" / "go").touch()

    eventually(lambda: order.exists() and order.read_text() == "z\nc\na\nb\n")
    assert waiting == {"c": 1, "a": 2, "b": 3}


def test_a_small_job_does_not_overtake_a_large_one(machine):
    machine.with_gpus(2)
    machine.submit("a", "sleep 600", timeout_s=600)
    machine.submit("large", "true", gpus=2)
    machine.submit("small", "true")

    assert machine.seen("small").queue_position == 2
    assert (machine.was_launched("a"), machine.was_launched("small")) == (True, False)
    machine.engine.cancel("a")
    assert machine.ended("large").phase == machine.ended("small").phase == Phase.SUCCEEDED


def test_jobs_that_run_together_have_different_gpus(machine):
    machine.with_gpus(3)
    script = "echo $FABRIEK_GPUS >gpus; sleep 20"
    jobs = [machine.submit("a", script, gpus=2), machine.submit("b", script)]

    told = [eventually(lambda j=j: _text(j.folder / "gpus")) for j in jobs]

    assert told == ["0,1\n", "2\n"]


def test_a_cancelled_waiting_job_never_starts(machine):
    machine.submit("a", "sleep 600", timeout_s=600)
    job = machine.submit("b", "touch began")

    machine.engine.cancel("b")
    machine.engine.cancel("a")

    machine.ended("a")
    assert machine.seen("b").phase == Phase.CANCELLED
    assert not (job.folder / "began").exists()
    machine.submit("c", "true")
    assert machine.ended("c").phase == Phase.SUCCEEDED


def test_a_waiting_job_that_no_longer_fits_does_not_block_the_others(machine):
    machine.with_gpus(2)
    machine.submit("a", "sleep 600", gpus=2, timeout_s=600)
    machine.submit("b", "true", gpus=2)
    machine.submit("c", "true")

    os.kill(machine.started("a")["supervisor"], signal.SIGKILL)
    machine.with_gpus(1)

    assert machine.ended("c").phase == Phase.SUCCEEDED
    assert machine.seen("b").reason == Reason.NO_ROOM
    assert [record.key for record in machine.engine.usage(0)] == ["a", "c"]


def test_two_hundred_waiting_jobs_are_looked_at_cheaply(machine, monkeypatch):
    machine.submit("a", "sleep 600", timeout_s=600)
    machine.started("a")
    keys = [f"fabriek-{n}" for n in range(200)]
    for key in keys:
        machine.submit(key, "true")
    listed, listdir = [], os.listdir
    monkeypatch.setattr(
        os, "listdir", lambda place: listed.append(place.name) or listdir(place)
    )

    seen = machine.engine.look(keys)

    assert [seen[key].queue_position for key in keys] == list(range(1, 201))
    assert listed == ["live", "queue"]  # a queue that is read anew for each job takes seconds


# Races, and a home that does not do what it should


def test_submitters_at_once_make_one_job(machine):
    job = machine.job("a", "echo once >>times")
    threads = [threading.Thread(target=machine.engine.submit, args=(job,)) for _ in range(8)]
    others = [python(SUBMIT, machine.home, job.folder, "echo once >>times") for _ in range(3)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    codes = [other.wait() for other in others]

    machine.ended("a")
    assert codes == [0, 0, 0]
    assert (job.folder / "times").read_text() == "once\n"


def test_a_job_outlives_the_portal_that_submitted_it(machine):
    job = machine.job("a", "")
    script = "echo $$ >pid; while [ ! -e go ]; do sleep 0.02; done"
    portal = python(SUBMIT + "    sys.stdin.read()\n", machine.home, job.folder, script,
                    stdin=subprocess.PIPE, start_new_session=True)  # fmt: skip
    machine.pid(job)

    os.killpg(portal.pid, signal.SIGKILL)
    portal.wait()
    portal.stdin.close()
    (job.folder / "go").touch()

    assert machine.ended("a").phase == Phase.SUCCEEDED


@pytest.mark.parametrize("rebooted", [False, True])
def test_a_pid_that_somebody_else_has_now_is_left_alone(machine, rebooted):
    machine.submit("a", "sleep 60")
    start = machine.started("a")
    # After a reboot even the mark proves nothing; within one boot the pid proves nothing.
    mark = start["mark"] if rebooted else "another"
    bystander = subprocess.Popen(["sleep", "60"], env={"FABRIEK_MARK": mark})
    os.kill(start["supervisor"], signal.SIGKILL)
    forged = start | {"supervisor": bystander.pid}
    if rebooted:
        forged |= {"boot": "00000000-0000-0000-0000-000000000000", "monotonic_s": 9e9}
    (machine.home / "jobs" / "a" / "start.json").write_text(json.dumps(forged))

    machine.engine.cancel("a")
    seen = machine.ended("a")

    assert (seen.phase, seen.reason) == (Phase.FAILED, Reason.VANISHED)
    assert bystander.poll() is None
    bystander.kill()
    bystander.wait()


def test_a_disk_that_takes_no_more_makes_no_half_job(machine):
    job = machine.job("a", "true")
    full = """
        import resource, sys
        from fabriek.engines.base import EngineDown
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
        try:
    """ + textwrap.indent(SUBMIT, "        ") + """
        except EngineDown:
            sys.exit(42)
    """  # fmt: skip

    code = python(full, machine.home, job.folder, "true").wait()

    assert code == 42
    assert machine.engine.look(["a"]) == {}
    machine.engine.submit(job)
    assert machine.ended("a").phase == Phase.SUCCEEDED


def test_a_submitter_that_died_half_way_blocks_nobody(machine):
    machine.submit("a", "true")
    machine.ended("a")
    (machine.home / "queue" / "000000000001-half").touch()
    (machine.home / "new" / "half").mkdir()

    machine.submit("b", "true")

    assert machine.ended("b").phase == Phase.SUCCEEDED
    assert machine.engine.look(["half"]) == {}


def test_a_home_that_somebody_keeps_locked_is_an_engine_that_is_down(machine, monkeypatch):
    machine.submit("a", "true")
    machine.ended("a")
    holder = python(
        "import fcntl, sys; desk = open(sys.argv[1]); fcntl.flock(desk, fcntl.LOCK_EX); "
        "print(flush=True); sys.stdin.read()",
        machine.home / "desk",
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    holder.stdout.readline()

    # Only now: a supervisor that ends keeps it locked for a moment too.
    with monkeypatch.context() as hurried:
        hurried.setattr("fabriek.engines.local_home.DESK_PATIENCE_S", 0.05)
        with pytest.raises(EngineDown):
            machine.engine.look(["a"])

    holder.communicate()
    assert machine.seen("a").phase == Phase.SUCCEEDED


# What is refused


@pytest.mark.parametrize("key", ["", "..", "../a", "a/b", "a\n", "-a", "a" * 101, "é"])
def test_a_key_that_could_not_be_a_folder_is_refused(machine, key):
    job = machine.job("a", "true")

    with pytest.raises(JobRejected) as refused:
        machine.engine.submit(replace(job, key=key))

    assert refused.value.code == "bad_key"
    assert machine.engine.look([key]) == {}
    machine.engine.cancel(key)


@pytest.mark.parametrize(
    ("wish", "code"),
    [
        ({"gpus": 2}, "too_many_gpus"),
        ({"gpus": 0}, "too_many_gpus"),
        ({"nodes": 2}, "too_many_nodes"),
        ({"timeout_s": 0}, "bad_timeout"),
        ({"command": ()}, "bad_command"),
        ({"command": ("echo", "\0")}, "bad_command"),
        ({"environment": (("A=B", "c"),)}, "bad_command"),
        ({"folder": Path("/nowhere/at/all")}, "no_folder"),
        ({"folder": Path("relative")}, "no_folder"),
    ],
)
def test_a_job_that_can_never_run_here_is_refused(machine, wish, code):
    job = machine.job("a", "true")

    with pytest.raises(JobRejected) as refused:
        machine.engine.submit(replace(job, **wish))

    assert refused.value.code == code
    assert machine.engine.look(["a"]) == {}


# What it costs


def test_a_supervisor_starts_quickly_because_it_imports_little():
    # Without site-packages (-S) nothing of others can be imported at all.
    program = "import sys, fabriek.engines.local_job; print(*sys.modules)"
    command = [sys.executable, "-S", "-P", "-c", program]

    done = subprocess.run(
        command, env={"PYTHONPATH": SOURCE}, check=True, capture_output=True, text=True
    )

    imported = set(done.stdout.split())
    slow = {"argparse", "asyncio", "logging", "multiprocessing", "uuid", "zipfile"}
    assert slow.isdisjoint(imported)
    # 126 of them take 0.06 s of a processor; how long depends on who else uses its caches.
    assert len(imported) < 150


def _text(path):
    return path.read_text() if path.exists() else ""
