"""Jobs over several nodes, and jobs longer than one may be, on a real Slurm."""

import re
import sys
import textwrap
import time
from dataclasses import replace
from pathlib import Path

import pytest

from fabriek.engines.base import JobRejected, Phase, Reason
from fabriek.engines.slurm_site import WALL_LEAST_S
from tests.engines.cluster import CONF, Cluster, mended, part, said
from tests.engines.waiting import eventually, is_alive

pytestmark = pytest.mark.slurm

TWO = {"gpus": 4, "nodes": 2}
# Long enough for a busy machine to start Python in half of it, and to end a job in the rest.
WALL_S = 20
# Learns one step in a fifth of a second and begins where it was saved; says what it heard.
LEARNS = """
    import os, pathlib, signal, sys, time
    saved = pathlib.Path("checkpoints"); saved.mkdir(exist_ok=True)
    step = max((int(one.name) for one in saved.iterdir()), default=0)
    print("from", step, flush=True)
    def save(number, _frame):
        (saved / str(step)).touch()
        print("heard", signal.Signals(number).name, flush=True)
        if number == signal.SIGTERM:
            sys.exit(143)
    signal.signal(signal.SIGTERM, save)
    signal.signal(signal.SIGUSR1, save)
    while step < int(sys.argv[1]) and not os.path.exists("go"):
        time.sleep(0.2)
        step += 1
    print("done", flush=True)
"""


@pytest.fixture
def cluster(tmp_path):
    cluster = Cluster(tmp_path).open()
    yield cluster
    cluster.clear()


def learns(cluster, steps=10**6, *, name="a", **more):
    """Let it learn so many steps, or until there is a file `go`."""
    words = (sys.executable, "-c", textwrap.dedent(LEARNS), str(steps))
    job = replace(cluster.job(name, "", **more), command=words)
    cluster.engine.submit(job)
    return job


def log(job):
    return (job.folder / "log").read_text()


def lines_by_node(job):
    found = {}
    for line in log(job).splitlines():
        node, _, text = line.partition(": ")
        found.setdefault(node, []).append(text)
    return found


def ended_in_links(cluster, name="a", within_s=90):
    """Let what waits between two links go on at once, where Slurm lets it wait two minutes."""

    def final():
        cluster.hurry(name)
        seen = cluster.seen(name)
        return seen if seen.phase.is_final else None

    return eventually(final, within_s=within_s)


def usage(cluster, job, stretches):
    def told():
        since = time.time() - 600
        records = [one for one in cluster.engine.usage(since) if one.key == job.key]
        return records if len(records) == stretches else None

    return eventually(told, within_s=20)


# Several nodes


def test_each_node_starts_the_command_and_knows_its_number_and_the_first(cluster):
    script = 'echo "$FABRIEK_NODE of $FABRIEK_NODES"; echo "$FABRIEK_GPUS"; env'
    job = cluster.submit("a", script, **TWO, environment=(("SEED", "7"),))

    assert cluster.ended().phase == Phase.SUCCEEDED

    first, second = (lines_by_node(job)[number] for number in "01")
    assert {first[0], second[0]} <= {f"Starts on gpu{n}." for n in range(1, 5)}
    assert first[0] != second[0]
    assert (first[1], second[1]) == ("0 of 2", "1 of 2")
    assert len(first[2].split(",")) == len(second[2].split(",")) == 2
    names = {line.partition("=")[0] for line in second[3:]} - {"PWD", "SHLVL", "_", "OLDPWD"}
    assert names == {"PATH", "HOME", "LANG", "SEED", "FABRIEK_JOB", "FABRIEK_GPUS",
                     "FABRIEK_NODES", "FABRIEK_NODE", "FABRIEK_FIRST",
                     "FABRIEK_MEETING"}  # fmt: skip
    [address] = {line for line in first + second if line.startswith("FABRIEK_FIRST=")}
    assert re.fullmatch(r"FABRIEK_FIRST=[\d.]+", address)


def test_the_nodes_of_each_start_meet_in_a_file_of_that_start_alone(cluster):
    script = 'touch "$FABRIEK_MEETING"; echo "$FABRIEK_MEETING" >>meet; '
    job = cluster.submit("a", script + "until [ -e go ]; do sleep 0.05; done", **TWO)
    eventually(lambda: len(meetings(job)) == 2, within_s=20)
    said("scontrol", "requeue", *cluster.numbers())

    def met_again():
        cluster.hurry()
        return len(meetings(job)) == 4

    eventually(met_again, within_s=60)
    left = [str(path) for path in job.folder.glob(".meeting-*")]
    (job.folder / "go").touch()

    first, second = set(meetings(job)[:2]), set(meetings(job)[2:])
    assert cluster.ended().phase == Phase.SUCCEEDED
    assert len(first) == len(second) == 1
    assert first != second
    assert left == list(second)
    assert {Path(place).parent for place in second} == {job.folder}
    assert not list(job.folder.glob(".meeting-*"))


def test_hostile_words_stay_words_on_each_node(cluster):
    words = ("--output=/etc/passwd", "#SBATCH --hold", "\r\n", "$(id)", "'; id; '", "é", "\\")
    job = replace(
        cluster.job("a", "", **TWO),
        command=(
            "/bin/sh",
            "-c",
            'printf "%s|" "$EVIL" "$@" >"said-$FABRIEK_NODE"',
            "a",
            *words,
        ),
        environment=(("EVIL", "`id`\n'\""), ("FABRIEK_NODE", "9"), ("FABRIEK_FIRST", "evil:1")),
    )
    cluster.engine.submit(job)

    assert cluster.ended().phase == Phase.SUCCEEDED

    expected = "".join(f"{word}|" for word in ("`id`\n'\"", *words))
    for number in "01":
        assert (job.folder / f"said-{number}").read_bytes().decode() == expected


def test_a_command_too_long_for_a_word_of_linux_is_refused_for_several_nodes(cluster):
    job = replace(cluster.job("a", "", **TWO), command=("/bin/echo", "a" * 2**17))

    with pytest.raises(JobRejected) as refused:
        cluster.engine.submit(job)

    assert refused.value.code == "bad_command"


def test_the_exit_of_the_second_node_is_that_of_the_whole(cluster):
    script = "[ $FABRIEK_NODE = 1 ] && { echo wrong; exit 7; }; sleep 60"
    job = cluster.submit("a", script, **TWO)

    seen = cluster.ended()

    assert (seen.phase, seen.reason, seen.exit_code) == (Phase.FAILED, Reason.EXIT, 7)
    assert "1: wrong\n" in log(job)


def test_one_node_may_work_longer_than_the_others_however_short_a_site_waits(cluster):
    usual = CONF.read_text()
    try:
        CONF.write_text(f"{usual}WaitTime=1\n")
        cluster.submit("a", "[ $FABRIEK_NODE = 1 ] || sleep 5", **TWO)
        seen = cluster.ended()
    finally:
        CONF.write_text(usual)

    assert (seen.phase, seen.exit_code) == (Phase.SUCCEEDED, 0)


def test_cancelling_ends_what_runs_on_all_nodes(cluster):
    script = "echo $$ >pid-$FABRIEK_NODE; trap '' TERM; while :; do sleep 0.1; done"
    job = cluster.submit("a", script, **TWO)
    pids = [eventually(lambda n=n: pid_in(job, n), within_s=20) for n in "01"]

    cluster.engine.cancel(job.key)

    seen = cluster.ended()
    assert (seen.phase, seen.reason) == (Phase.CANCELLED, Reason.CANCELLED)
    eventually(lambda: not any(map(is_alive, pids)), within_s=20)


def test_on_all_nodes_a_checkpoint_may_be_written_before_the_time_is_up(cluster):
    job = learns(cluster, **TWO, timeout_s=16)

    seen = cluster.ended()

    assert (seen.phase, seen.reason) == (Phase.FAILED, Reason.TIMEOUT)
    for heard in lines_by_node(job)["0"], lines_by_node(job)["1"]:
        assert heard[1:] == ["from 0", "heard SIGUSR1", "heard SIGTERM"]
    assert 16 <= seen.elapsed_s < 60  # Slurm's own limit is a whole minute


def test_what_is_left_when_a_node_dies_goes_on_elsewhere_from_what_it_saved(cluster):
    script = "mkdir -p checkpoints; touch checkpoints/1; echo began >>times-$FABRIEK_NODE; "
    script += "until [ -e go ]; do sleep 0.05; done"
    job = cluster.submit("a", script, gpus=2, nodes=2)
    for number in "01":
        eventually((job.folder / f"times-{number}").exists, within_s=20)
    names = said("squeue", "--noheader", f"--name={job.key}", "--format=%N").strip()
    second = said("scontrol", "show", "hostnames", names).split()[1]
    try:
        part("stop", second)

        def again():
            cluster.hurry()
            return (job.folder / "times-1").read_text() == "began\nbegan\n"

        eventually(again, within_s=60)
    finally:
        mended()
    (job.folder / "go").touch()

    seen = ended_in_links(cluster)
    assert (seen.phase, seen.exit_code) == (Phase.SUCCEEDED, 0)
    assert seen.starts >= 2


def test_work_that_wants_to_start_again_goes_on_only_if_it_saved_something(cluster):
    saves = "mkdir -p checkpoints; [ -e checkpoints/1 ] && exit 0; touch checkpoints/1; exit 75"
    cluster.submit("saves", saves, **TWO)
    cluster.submit("saves-not", "exit 75", **TWO)

    saved, not_saved = (ended_in_links(cluster, name) for name in ("saves", "saves-not"))

    assert (saved.phase, saved.exit_code, saved.starts) == (Phase.SUCCEEDED, 0, 2)
    assert (not_saved.phase, not_saved.exit_code, not_saved.starts) == (Phase.FAILED, 75, 1)


def meetings(job):
    path = job.folder / "meet"
    return path.read_text().splitlines() if path.exists() else []


def pid_in(job, number):
    path = job.folder / f"pid-{number}"
    return path.exists() and int(path.read_text().strip() or 0)


# Longer than one job may be


def test_a_job_longer_than_the_wall_is_a_chain_that_is_one_run(cluster):
    cluster.engine = cluster.another(wall_s=WALL_S)
    job = learns(cluster, 100, timeout_s=300)

    seen = ended_in_links(cluster)

    assert (seen.phase, seen.reason, seen.exit_code) == (Phase.SUCCEEDED, "", 0)
    assert len(cluster.numbers()) == 1
    steps = [int(step) for step in re.findall(r"from (\d+)", log(job))]
    assert len(steps) == seen.starts >= 2
    assert steps == sorted(set(steps))
    assert log(job).count("heard SIGUSR1\nheard SIGTERM\nfrom") == len(steps) - 1
    records = usage(cluster, job, len(steps))
    assert sum(record.elapsed_s for record in records) == seen.elapsed_s
    assert max(record.elapsed_s for record in records) <= WALL_S + 1


def test_a_link_over_two_nodes_goes_on_as_well(cluster):
    cluster.engine = cluster.another(wall_s=WALL_S)
    job = learns(cluster, 95, **TWO, timeout_s=300)

    seen = ended_in_links(cluster)

    assert (seen.phase, seen.exit_code) == (Phase.SUCCEEDED, 0)
    assert log(job).count("0: from") == log(job).count("1: from") == seen.starts >= 2


def test_a_link_that_saved_nothing_new_is_the_last(cluster):
    cluster.engine = cluster.another(wall_s=WALL_LEAST_S)
    job = cluster.submit("a", "echo began; sleep 100", timeout_s=300)

    seen = ended_in_links(cluster)

    assert (seen.phase, seen.reason) == (Phase.FAILED, "no_progress")
    assert log(job) == "began\n"


def test_the_time_of_a_run_counts_over_its_whole_chain(cluster):
    cluster.engine = cluster.another(wall_s=WALL_S)
    job = learns(cluster, timeout_s=24)

    seen = ended_in_links(cluster)

    assert (seen.phase, seen.reason) == (Phase.FAILED, Reason.TIMEOUT)
    # The first link has 16 s; a second that knew nothing of it would have 24 more.
    assert 24 <= seen.elapsed_s < 16 + 24
    assert log(job).count("from") == seen.starts == 2


def test_the_wall_is_the_shortest_of_partition_and_qos_and_ours(cluster):
    said("scontrol", "update", "partitionname=narrow", "maxtime=3")
    try:
        narrow = cluster.another(partition="narrow")
        narrow.submit(cluster.job("a", "true", timeout_s=3600))
        said("sacctmgr", "-i", "modify", "qos", cluster.account, "set", "maxwall=2")
        shown = ("scontrol", "show", "assoc_mgr", "flags=qos", f"qos={cluster.account}")
        eventually(lambda: "MaxWallPJ=2\n" in said(*shown))
        cluster.another(partition="narrow").submit(cluster.job("b", "true", timeout_s=3600))
        cluster.another(wall_s=40).submit(cluster.job("c", "true", timeout_s=3600))
    finally:
        said("scontrol", "update", "partitionname=narrow", "maxtime=7-0")

    jobs = [said("scontrol", "show", "job", *cluster.numbers(name)) for name in "abc"]
    assert [re.search(r"TimeLimit=(\S+)", one)[1] for one in jobs] == [
        "00:03:00", "00:02:00", "00:01:00",
    ]  # fmt: skip


# Asked to make room


def test_a_job_that_must_make_room_saves_and_goes_on_from_there(cluster):
    jobs = [learns(cluster, name=name, gpus=4) for name in "abcd"]
    for job in jobs:
        eventually(lambda job=job: (job.folder / "log").exists() and "from" in log(job),
                   within_s=20)  # fmt: skip
    eventually(lambda: min(cluster.seen(name).elapsed_s for name in "abcd") >= 2, within_s=20)
    urgent = cluster.another(partition="urgent")
    urgent.submit(cluster.job("urgent", "sleep 1", gpus=4))

    assert cluster.ended("urgent").phase == Phase.SUCCEEDED
    for job in jobs:
        (job.folder / "go").touch()
    ends = {name: ended_in_links(cluster, name) for name in "abcd"}

    assert {end.phase for end in ends.values()} == {Phase.SUCCEEDED}
    [moved] = [job for job in jobs if log(job).count("from") == 2]
    start, again = (int(step) for step in re.findall(r"from (\d+)", log(moved)))
    assert (start, again > 0) == (0, True)
    assert "heard SIGTERM" in log(moved)


def test_what_starts_again_asks_for_no_more_budget_than_it_has_left(cluster):
    """Two minutes do not fit in the one that is left: Slurm would let it wait for ever."""
    job = learns(cluster, timeout_s=90)
    eventually(lambda: (job.folder / "log").exists() and "from" in log(job), within_s=20)
    eventually(lambda: cluster.seen().elapsed_s >= 2, within_s=20)
    cluster.tell(gpu_seconds=60)

    said("scontrol", "requeue", *cluster.numbers())
    (job.folder / "go").touch()

    assert ended_in_links(cluster, within_s=40).phase == Phase.SUCCEEDED
    assert "TimeLimit=00:01:00" in said("scontrol", "show", "job", *cluster.numbers())


def test_nodes_that_get_time_to_make_room_save_and_go_on_from_there(cluster):
    said("scontrol", "update", "partitionname=gpu", "gracetime=20")
    try:
        job = learns(cluster, gpus=16, nodes=4)
        eventually(lambda: (job.folder / "log").exists() and log(job).count("from") == 4,
                   within_s=20)  # fmt: skip
        eventually(lambda: cluster.seen().elapsed_s >= 2, within_s=20)
        urgent = cluster.another(partition="urgent")
        urgent.submit(cluster.job("urgent", "sleep 1", gpus=4))
        assert cluster.ended("urgent").phase == Phase.SUCCEEDED
    finally:
        said("scontrol", "update", "partitionname=gpu", "gracetime=0")
    (job.folder / "go").touch()

    assert ended_in_links(cluster).phase == Phase.SUCCEEDED
    assert log(job).count("heard SIGTERM") == 4
    steps = [int(step) for step in re.findall(r"0: from (\d+)", log(job))]
    assert (len(steps), steps[0], steps[1] > 0) == (2, 0, True)
