"""A line of sacct, and a command whose answer is read as it comes."""

import os
import sys
import time

import pytest

from fabriek.engines import sacct, slurm_pipe
from fabriek.engines.base import EngineDown, Phase
from fabriek.engines.slurm_words import gpus

FIELDS = {
    "JobIDRaw": "17",
    "Cluster": "snellius",
    "User": "alice",
    "Account": "a26-0001",
    "State": "COMPLETED",
    "Submit": "1700000000",
    "Start": "1700000600",
    "End": "1700004200",
    "ElapsedRaw": "3600",
    "NNodes": "2",
    "AllocTRES": "billing=18,cpu=18,gres/gpu=8,node=2",
    "ConsumedEnergyRaw": "",
    "JobName": "fabriek-1",
}


def test_a_line_is_read_whole():
    record = sacct.record(FIELDS)

    assert record.identity == "snellius:17:1700000000:1700000600"
    assert (record.number, record.key, record.user, record.account) == (
        "17",
        "fabriek-1",
        "alice",
        "a26-0001",
    )
    assert (record.nodes, record.gpus, record.gpu_seconds) == (2, 8, 28_800)
    assert (record.phase, record.state) == (Phase.SUCCEEDED, "COMPLETED")


@pytest.mark.parametrize(
    ("state", "phase"),
    [
        ("CANCELLED by 1000", Phase.CANCELLED),
        ("TIMEOUT", Phase.FAILED),
        ("REQUEUED", Phase.FAILED),  # of the stretch, not of the job
        ("SOMETHING_NEW", Phase.FAILED),
    ],
)
def test_a_stretch_that_did_not_end_well_has_failed(state, phase):
    assert sacct.record(FIELDS | {"State": state}).phase == phase


@pytest.mark.parametrize(
    ("raw", "tres", "joules"),
    [
        ("1234", "cpu=1", 1234),
        ("0", "cpu=1", None),
        ("", "cpu=1", None),
        ("18446744073709551614", "cpu=1", None),  # what Slurm says for "not known"
        ("0", "cpu=1,energy=77,node=1", 77),
        ("1.5K", "cpu=1", None),
    ],
)
def test_energy_is_what_was_measured_or_nothing(raw, tres, joules):
    record = sacct.record(FIELDS | {"ConsumedEnergyRaw": raw, "AllocTRES": tres})

    assert record.energy_j == joules
    assert record.energy_method == ("measured" if joules else "")


@pytest.mark.parametrize(
    ("tres", "count"),
    [
        ("cpu=8,gres/gpu=4,gres/gpu:h200=4", 4),
        ("gres/gpu:h200=4,gres/gpu:a100=2", 6),  # a site that counts by kind alone
        ("cpu=8,mem=10G", 0),
        ("gres/gpumem=80G", 0),
    ],
)
def test_gpus_are_counted_once(tres, count):
    assert gpus(tres) == count


def lines(source, *, patience_s=20.0):
    command = [sys.executable, "-c", source]
    return slurm_pipe.lines(command, environment=dict(os.environ), patience_s=patience_s)


def test_lines_come_before_the_command_has_ended():
    told = lines("import time; print('first', flush=True); time.sleep(600)")

    began = time.monotonic()
    assert next(told) == "first"
    told.close()

    assert time.monotonic() - began < 60


def test_a_line_cut_by_a_piece_and_one_without_an_end_are_whole():
    told = list(lines("print('x' * 100_000); print('é', end='')"))

    assert told == ["x" * 100_000, "é"]


def test_a_command_that_ends_badly_says_so_after_its_lines():
    told = lines("import sys; print('one'); sys.exit('it broke')")

    assert next(told) == "one"
    with pytest.raises(EngineDown, match="it broke"):
        next(told)


def test_a_command_that_is_silent_for_too_long_is_ended():
    with pytest.raises(EngineDown, match="No answer"):
        list(lines("import time; time.sleep(600)", patience_s=0.2))


def test_a_line_without_an_end_does_not_fill_the_memory():
    with pytest.raises(EngineDown, match="too long"):
        list(lines("import sys\nwhile True: sys.stdout.write('x' * 65536)"))


def test_a_command_that_is_not_there_says_so():
    told = slurm_pipe.lines(["/no/such/sacct"], environment={}, patience_s=1)

    with pytest.raises(EngineDown, match="cannot be run"):
        next(told)
