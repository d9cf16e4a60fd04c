"""What own code keeps while others work: its report, its other nodes, its packages."""

import fcntl
import json
import os
import signal
import threading
import time

import pytest

from fabriek_recipes.script import environment, kept, place, wanted
from fabriek_recipes.words import Failed
from tests.recipes.test_script import ENDS_WITHIN_S, Job, wait_for

REPORTS = """
import json, os, pathlib, signal, sys

out = pathlib.Path(os.environ["FABRIEK_OUTPUT"])
kept = pathlib.Path(os.environ["FABRIEK_CHECKPOINTS"]) / "done"
done = int(kept.read_text()) if kept.exists() else 0
stop = []
signal.signal(signal.SIGTERM, lambda *_: stop.append(1))
while not (out.parent / "may-end").exists():
    done += 1
    kept.write_text(str(done))
    (out / "report.json").write_text(json.dumps({"mine": done}))
    signal.sigtimedwait([], 0.05)
    if stop:
        sys.exit(0)
print("all done")
"""
DAY_S = 86_400


def never():
    return False


# --- a report of its own ---------------------------------------------------------------
def test_a_report_of_the_program_s_own_is_kept_beside_ours(tmp_path):
    writes = (
        "import os, pathlib\n"
        "out = pathlib.Path(os.environ['FABRIEK_OUTPUT'])\n"
        "(out / 'report.json').write_text('mine')\n"
        "(out / 'report.user.json').write_text('mine too')\n"
    )
    job = Job(tmp_path, files={"a.py": writes}, started="python a.py")

    assert job.run() == 0

    assert job.report["command"] == "python a.py"
    assert (tmp_path / "outputs" / "report.user.json").read_text() == "mine too"
    assert (tmp_path / "outputs" / "report.user-2.json").read_text() == "mine"
    [said] = job.told("warning")
    assert (said["code"], said["values"]["kept"]) == ("report_moved", "report.user-2.json")


def test_a_report_of_the_program_s_own_does_not_end_the_run_half_way(tmp_path):
    job = Job(tmp_path, files={"a.py": REPORTS}, started="python a.py")
    process = job.begin()
    wait_for((tmp_path / "outputs" / "report.json").exists)
    process.send_signal(signal.SIGTERM)
    assert process.wait(ENDS_WITHIN_S) == 143

    (tmp_path / "may-end").touch()
    codes = (job.run(), job.run())

    assert codes == (0, 0)
    assert job.log.count("all done") == 1
    assert "mine" in json.loads((tmp_path / "outputs" / "report.user.json").read_text())
    assert "mine" not in job.report


# --- one node takes longer -------------------------------------------------------------
def test_the_first_node_waits_for_one_that_has_more_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(place, "WAIT_S", 0.1)
    monkeypatch.setattr(place, "LOOK_EVERY_S", 0.02)
    second = place.Node(number=1, count=2)
    ends = threading.Timer(0.6, place.end_together, (tmp_path, second), {"is_over": never})
    ends.start()

    place.end_together(tmp_path, place.Node(number=0, count=2), is_over=never)

    ends.join()
    assert list(tmp_path.iterdir()) == []


def test_stopped_while_it_waits_for_another_node_it_ends_as_stopped(tmp_path):
    # Without a line end it is told only once the program has ended.
    says = """import os; open(os.environ["FABRIEK_FIGURES"], "w").write('{"loss": 1}')"""
    job = Job(tmp_path, files={"a.py": says}, started="python a.py")
    first = job.begin(FABRIEK_NODES="2", FABRIEK_NODE="0", FABRIEK_MEETING="/x/m1")
    wait_for(lambda: job.told("metrics"))

    first.send_signal(signal.SIGTERM)
    try:
        assert first.wait(ENDS_WITHIN_S) == 143
    finally:
        first.kill()

    assert (tmp_path / "checkpoints").is_dir()
    assert job.told("failure") == []


def test_other_nodes_wait_for_as_long_as_packages_may_take(tmp_path, monkeypatch):
    (tmp_path / "r.txt").write_text("lacks==1\n")
    lines = wanted.read(tmp_path / "r.txt")
    monkeypatch.setenv("FABRIEK_PACKAGE_INDEX", "https://index.example.org/simple")
    monkeypatch.setenv("FABRIEK_ENVIRONMENTS", str(tmp_path / "kept"))
    waited_s = []
    monkeypatch.setattr(time, "monotonic", lambda: sum(waited_s))
    monkeypatch.setattr(time, "sleep", lambda pause_s: waited_s.append(100 * pause_s))

    with pytest.raises(Failed, match="did not find each other"):
        environment.of(lines, node=place.Node(number=1, count=2), is_over=never)

    assert sum(waited_s) > environment.INSTALL_WITHIN_S + 600


def test_other_nodes_wait_no_longer_once_the_run_is_to_stop(tmp_path, monkeypatch):
    (tmp_path / "r.txt").write_text("lacks==1\n")
    lines = wanted.read(tmp_path / "r.txt")
    monkeypatch.setenv("FABRIEK_PACKAGE_INDEX", "https://index.example.org/simple")
    monkeypatch.setenv("FABRIEK_ENVIRONMENTS", str(tmp_path / "kept"))
    monkeypatch.setattr(time, "sleep", lambda _pause_s: pytest.fail("it waits"))

    with pytest.raises(Failed):
        environment.of(lines, node=place.Node(number=1, count=2), is_over=lambda: True)


# --- its packages ----------------------------------------------------------------------
def kept_environment(home, name, *, days_ago):
    folder = home / name
    (folder / "bin").mkdir(parents=True)
    ready = folder / "ready"
    ready.touch()
    at = time.time() - days_ago * DAY_S
    os.utime(ready, (at, at))
    return folder


def test_packages_of_a_run_at_work_stay_while_others_install(tmp_path, index):
    works = (
        "import os, pathlib, time\n"
        "place = pathlib.Path(os.environ['FABRIEK_OUTPUT']).parent\n"
        "(place / 'begun').touch()\n"
        "while not (place / 'may-end').exists():\n"
        "    time.sleep(0.05)\n"
        "import tinything\n"
    )
    files = {"a.py": works, "r.txt": "tinything==1.0\n"}
    home = tmp_path / "kept"
    job = Job(tmp_path / "run", files=files, started="python a.py", environment="r.txt")
    process = job.begin(FABRIEK_PACKAGE_INDEX=index, FABRIEK_ENVIRONMENTS=str(home))
    wait_for((tmp_path / "run" / "begun").exists)
    [ready] = home.glob("*/ready")
    os.utime(ready, (1, 1))  # it began long ago

    kept.tidy(home)

    assert ready.exists()
    (tmp_path / "run" / "may-end").touch()
    assert process.wait(ENDS_WITHIN_S) == 0
    kept.tidy(home)  # what nobody uses goes
    assert list(home.glob("*/ready")) == []
    assert not ready.parent.exists()


def test_of_too_many_the_oldest_go_but_for_those_in_use(tmp_path):
    for number in range(kept.KEPT_MAX):
        kept_environment(tmp_path, f"new{number}", days_ago=0)
    used = kept_environment(tmp_path, "used", days_ago=3)
    unused = kept_environment(tmp_path, "unused", days_ago=3)

    with kept.held(used / "ready"):
        kept.tidy(tmp_path)

    assert used.exists()
    assert sorted(path.name for path in tmp_path.iterdir() if path.name[:3] != "new") == [
        "used"
    ]
    assert not unused.exists()


def test_without_locks_what_was_begun_with_lately_stays(tmp_path, monkeypatch):
    def no_locks(_file, _how):
        raise OSError(37, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    for number in range(kept.KEPT_MAX):
        kept_environment(tmp_path, f"new{number}", days_ago=0)
    lately = kept_environment(tmp_path, "lately", days_ago=7)
    before = kept_environment(tmp_path, "before", days_ago=9)
    kept.held(lately / "ready").close()

    kept.tidy(tmp_path)

    assert (lately.exists(), before.exists()) == (True, False)


def test_what_one_that_was_killed_left_goes_and_what_is_gone_is_held_by_nobody(tmp_path):
    one = kept_environment(tmp_path, "one", days_ago=0)
    kept_environment(tmp_path, f"{kept.GONE}two-1", days_ago=0)

    kept.tidy(tmp_path)

    assert list(tmp_path.iterdir()) == [one]
    assert kept.held(tmp_path / "two" / "ready") is None


def test_an_environment_taken_away_while_a_run_begins_is_not_taken_for_ready(
    tmp_path, monkeypatch
):
    folder = kept_environment(tmp_path, "one", days_ago=0)
    lock = fcntl.flock

    def taken_away_first(file, how):
        folder.rename(tmp_path / f"{kept.GONE}one-1")
        lock(file, how)

    monkeypatch.setattr(fcntl, "flock", taken_away_first)

    assert kept.held(folder / "ready") is None
