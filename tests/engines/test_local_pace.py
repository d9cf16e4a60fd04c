"""How fast a core is: measured at rest, now and then, and the best of a day counts."""

import json
import subprocess
import time

import pytest
import time_machine

from fabriek.engines import local_pace, local_probe, local_proc

NOON = "2026-11-27 12:00:00+00:00"
HOUR_S = 3600


def probes(*told):
    """Stand in for the probe: each time the next of these; an error is raised."""
    left = list(told)

    def probed():
        found = left.pop(0)
        if isinstance(found, Exception):
            raise found
        return found

    return probed


def measured(home, *told, every_s=HOUR_S + 1):
    """Measure once for each, with so long between, and tell what is kept then."""
    probed, found = probes(*told), []
    with time_machine.travel(NOON, tick=False) as clock:
        for _one in told:
            local_pace.measure(home, probed)
            found.append(local_pace.kept(home))
            clock.shift(every_s)
    return found


def test_a_disturbed_reading_takes_nothing_away_until_the_good_one_is_a_day_old(tmp_path):
    assert measured(tmp_path, 9e10, 4e10, 1.2e11) == [9e10, 9e10, 1.2e11]
    assert measured(tmp_path / "slowed", 9e10, 4e10, every_s=25 * HOUR_S) == [9e10, 4e10]


def test_it_is_measured_once_an_hour_and_not_while_a_job_runs(tmp_path):
    assert local_pace.kept(tmp_path) is None
    assert measured(tmp_path, 9e10, 1.2e11, every_s=60) == [9e10, 9e10]
    (tmp_path / "live" / "000000000001-a").touch()

    local_pace.measure(tmp_path, probes())  # at another hour: it would ask, and fail

    assert local_pace.kept(tmp_path) == 9e10


def test_a_machine_that_cannot_be_measured_is_not_asked_at_each_pass(tmp_path, caplog):
    none = subprocess.CalledProcessError(1, "probe")

    assert measured(tmp_path, none, 9e10, every_s=60) == [None, None]
    assert "The machine's pace was not measured" in caplog.text


SPOILED = ["", "[]", '{"readings": [3]}', "[" * 100_000]


@pytest.mark.parametrize("written", SPOILED, ids=["empty", "list", "number", "deep"])
def test_what_cannot_be_read_tells_nothing(tmp_path, written):
    (tmp_path / "pace.json").write_text(written)

    assert local_pace.kept(tmp_path) is None


@pytest.mark.parametrize("pace", ["NaN", "Infinity", "-5.0", "9" * 400])
def test_what_no_pace_can_be_is_dropped_and_measured_anew(tmp_path, pace):
    said = {"boot": local_pace.boot_id(), "readings": [[time.time(), 5]]}
    (tmp_path / "pace.json").write_text(json.dumps(said).replace("5]]", f"{pace}]]"))

    assert local_pace.kept(tmp_path) is None
    local_pace.measure(tmp_path, probes(9e10))
    assert local_pace.kept(tmp_path) == 9e10


def test_two_that_measure_at_once_do_not_write_in_the_same_file(tmp_path):
    def probed():
        local_pace.measure(tmp_path, probes(4e10))  # somebody else did meanwhile
        (tmp_path / "pace.json.part").mkdir()  # and still writes
        return 9e10

    local_pace.measure(tmp_path, probed)

    assert local_pace.kept(tmp_path) == 9e10


@pytest.mark.parametrize(
    ("quota", "counted"),
    [("max 100000", 3), ("250000 100000", 2), ("50000 100000", 1), ("900000 100000", 3)],
)
def test_no_more_cores_are_counted_than_a_container_may_use(
    tmp_path, monkeypatch, quota, counted
):
    monkeypatch.setattr("os.sched_getaffinity", lambda _pid: {0, 1, 5})
    (tmp_path / "cpu.max").write_text(f"{quota}\n")

    assert local_proc.cores(tmp_path) == counted
    assert local_proc.cores(tmp_path / "none") == 3


def test_a_sample_is_as_long_as_a_quota_is_counted_over():
    assert local_probe.SAMPLE_S >= 0.1


def test_readings_of_another_start_of_the_machine_do_not_count(tmp_path, monkeypatch):
    local_pace.measure(tmp_path, probes(9e10))
    monkeypatch.setattr(local_pace, "boot_id", lambda: "another")

    assert local_pace.kept(tmp_path) is None
