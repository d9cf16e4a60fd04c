"""Which partition a job is sent to; the commands of Slurm are scripts here that note it."""

import json
import os
import sys

import pytest

from fabriek.engines.base import Job, JobRejected
from fabriek.engines.slurm import Site, Slurm

NOTES = """#!{python}
import json, sys
from pathlib import Path
with Path({notes!r}).open("a") as file:
    file.write(json.dumps(sys.argv) + "\\n")
print({says!r})
"""
PARTITIONS = (
    "PartitionName=gpu Default=YES MaxTime=02:00:00\nPartitionName=safe MaxTime=00:05:00"
)
SAYS = {"sbatch": "7", "scontrol": PARTITIONS, "squeue": "", "sacct": "", "sinfo": ""}


@pytest.fixture
def asked(tmp_path, monkeypatch):
    """Give what was asked of a command so far, as lists of words."""
    notes, programs = tmp_path / "notes", tmp_path / "bin"
    programs.mkdir()
    for name, says in SAYS.items():
        program = programs / name
        program.write_text(NOTES.format(python=sys.executable, notes=str(notes), says=says))
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")

    def told(name):
        lines = [json.loads(line) for line in notes.read_text().splitlines()]
        return [words[1:] for words in lines if words[0].endswith(f"/{name}")]

    return told


def a_job(folder, **more):
    wish = {"account": "eu-1", "gpus": 1, "timeout_s": 3600} | more
    return Job(key="run-1", folder=folder, command=("/bin/true",), **wish)


def a_site(tmp_path, **more):
    return Slurm(tmp_path / "home", Site(**more))


def named(words, option):
    return [word.partition("=")[2] for word in words if word.startswith(f"--{option}=")]


@pytest.mark.parametrize("partition", ["gpu", ""])
@pytest.mark.parametrize("nodes", [1, 2])
def test_a_secure_job_goes_to_the_secure_partition_and_by_its_limits(
    asked, tmp_path, partition, nodes
):
    engine = a_site(tmp_path, partition=partition, secure_partition="safe")

    engine.submit(a_job(tmp_path, is_secure=True, gpus=2, nodes=nodes))

    (words,) = asked("sbatch")
    assert (named(words, "partition"), named(words, "time")) == (["safe"], ["5"])


@pytest.mark.parametrize(("partition", "told"), [("gpu", ["gpu"]), ("", [])])
def test_no_other_job_is_sent_there(asked, tmp_path, partition, told):
    engine = a_site(tmp_path, partition=partition, secure_partition="safe")

    engine.submit(a_job(tmp_path))

    (words,) = asked("sbatch")
    assert (named(words, "partition"), named(words, "time")) == (told, ["60"])


def test_without_a_secure_partition_nothing_is_submitted(asked, tmp_path):
    engine = a_site(tmp_path, partition="gpu")

    with pytest.raises(JobRejected) as refused:
        engine.submit(a_job(tmp_path, is_secure=True))
    engine.submit(a_job(tmp_path))

    assert refused.value.code == "no_secure_part"
    assert len(asked("sbatch")) == 1  # the other one: its key was not taken


@pytest.mark.parametrize(
    ("partition", "nodes_of"), [("gpu", ["gpu,safe"]), ("", [])], ids=["named", "all"]
)
def test_the_machine_tells_of_the_nodes_of_both(asked, tmp_path, partition, nodes_of):
    a_site(tmp_path, partition=partition, secure_partition="safe").machine()

    (words,) = asked("sinfo")
    assert named(words, "partition") == nodes_of
