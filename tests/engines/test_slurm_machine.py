"""Slurm's words for computers and their GPUs; needs no cluster."""

import pytest

from fabriek.engines.base import EngineDown, NodeState
from fabriek.engines.local_proc import gpu_kind
from fabriek.engines.slurm_machine import gpus_of, machine_of, node_state
from fabriek.engines.slurm_shell import Answer


@pytest.mark.parametrize(
    ("told", "gpus_used", "expected"),
    [
        ("idle", 0, NodeState.FREE),
        ("idle~", 0, NodeState.FREE),
        ("planned", 0, NodeState.FREE),
        ("mixed", 0, NodeState.FREE),
        ("mixed", 2, NodeState.BUSY),
        ("allocated", 4, NodeState.BUSY),
        ("completing", 1, NodeState.BUSY),
        ("powering_up#", 1, NodeState.BUSY),
        ("draining", 3, NodeState.DRAINING),
        ("drained", 0, NodeState.DRAINING),
        ("maint", 0, NodeState.DRAINING),
        ("reserved", 0, NodeState.DRAINING),
        ("reboot@", 0, NodeState.DRAINING),
        ("down", 0, NodeState.DOWN),
        ("down*", 0, NodeState.DOWN),
        ("mixed*", 4, NodeState.DOWN),
        ("drained*", 0, NodeState.DOWN),
        ("powering_down", 0, NodeState.DOWN),
        ("levitating", 0, NodeState.UNKNOWN),
        ("", 0, NodeState.UNKNOWN),
    ],
)
def test_every_state_of_a_node_is_known_and_no_other_concludes_anything(
    told, gpus_used, expected
):
    assert node_state(told, gpus_used) is expected


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ("gpu:h200:4", (4, "h200")),
        ("gpu:4", (4, "")),
        ("gpu:h200:4(S:0-1)", (4, "h200")),
        ("gpu:h200:2(IDX:0,3)", (2, "h200")),
        ("gpu:h200:0(IDX:N/A)", (0, "h200")),
        ("gpu:a100:4(S:0-1),gpu:h100:2(S:0),mps:h100:200", (6, "a100, h100")),
        ("shard:8,gpu:1g.10gb:7", (7, "1g.10gb")),
        ("craynetwork:4", (0, "")),
        ("(null)", (0, "")),
        ("", (0, "")),
    ],
)
def test_the_gpus_of_a_node_are_counted_and_named(told, expected):
    assert gpus_of(told) == expected


class Told:
    """What Slurm's commands say, with the mark that was asked for behind each field."""

    def __init__(self, *, nodes=(), jobs=(), code=0):
        self.said = {"sinfo": nodes, "squeue": jobs}
        self.code = code
        self.asked = []

    def ask(self, *words):
        self.asked.append(words)
        mark = words[-1].rpartition(":")[2]
        lines = ["".join(f"{field}{mark}" for field in row) for row in self.said[words[0]]]
        return Answer(self.code, "\n".join(lines), "no answer")


def test_two_commands_tell_all_and_a_node_of_many_partitions_counts_once():
    gpu2 = ("gpu2", "idle", "gpu:h200:4", "gpu:h200:0", "none")
    gpu10 = ("gpu10", "drained", "gpu:h200:4", "gpu:h200:0", "hot")
    cpu1 = ("cpu1", "idle", "(null)", "(null)", "none")
    jobs = [
        ("PENDING", "cpu=1,gres/gpu=8"),
        ("PENDING", "cpu=64"),
        ("RUNNING", "cpu=1,gres/gpu=2"),
        ("COMPLETING", "cpu=1,gres/gpu=2"),
    ]
    shell = Told(nodes=[gpu10, gpu2, gpu2, cpu1, gpu2], jobs=jobs)

    machine = machine_of(shell)

    assert [node.name for node in machine.nodes] == ["gpu2", "gpu10"]
    assert [node.reason for node in machine.nodes] == ["", "hot"]
    assert (machine.gpus, machine.gpus_free, machine.gpus_out) == (8, 4, 4)
    assert (machine.jobs_waiting, machine.gpus_waited_for, machine.jobs_running) == (1, 8, 1)
    assert [words[0] for words in shell.asked] == ["sinfo", "squeue"]


def test_a_partition_of_ours_limits_the_nodes_and_not_the_jobs():
    shell = Told()

    machine_of(shell, "gpu")

    nodes, jobs = shell.asked
    assert ("--partition=gpu" in nodes, "--all" in nodes) == (True, False)
    assert not any(word.startswith("--partition") for word in jobs)


def test_a_command_that_fails_tells_nothing():
    with pytest.raises(EngineDown):
        machine_of(Told(code=1))


def test_the_driver_names_the_gpus_of_this_machine(tmp_path):
    for number, model in enumerate(["NVIDIA H100 80GB HBM3", "NVIDIA H100 80GB HBM3"]):
        (tmp_path / str(number)).mkdir()
        told = f"Model: \t\t {model}\nIRQ:   \t\t 87\nGPU UUID: \t GPU-1\n"
        (tmp_path / str(number) / "information").write_text(told)

    assert gpu_kind(tmp_path) == "NVIDIA H100 80GB HBM3"
    assert gpu_kind(tmp_path / "nowhere") == ""
