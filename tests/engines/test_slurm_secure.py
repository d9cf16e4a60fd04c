"""Which partition a job is sent to, and how long it may be there.

The commands of Slurm are scripts here that note what they were asked.
"""

import json
import os
import sys

import pytest

from fabriek.engines.base import Job, JobRejected
from fabriek.engines.slurm import Site, Slurm
from fabriek.engines.slurm_home import FOLDER
from fabriek.engines.slurm_wall import KEPT, kept_gpus, kept_s

NOTES = """#!{python}
import json, sys
from pathlib import Path
with Path({notes!r}).open("a") as file:
    file.write(json.dumps(sys.argv) + "\\n")
print({says!r})
"""
PARTITIONS = (
    "PartitionName=gpu Default=YES MaxTime=02:00:00 TRES=cpu=64,node=4,gres/gpu=16\n"
    "PartitionName=safe MaxTime=00:05:00"
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


def test_what_cannot_go_on_as_another_job_is_refused_where_one_is_too_short(asked, tmp_path):
    engine = a_site(tmp_path, partition="gpu")

    with pytest.raises(JobRejected) as refused:
        engine.submit(a_job(tmp_path, is_whole=True, timeout_s=7201))
    engine.submit(a_job(tmp_path, is_whole=True, timeout_s=7200))

    assert refused.value.code == "too_long_at_once"
    assert len(asked("sbatch")) == 1


@pytest.mark.parametrize(("ours_s", "told"), [(0, (7200, 300)), (600, (600, 300))])
def test_how_long_a_job_may_be_is_kept_for_who_asks_no_cluster(asked, tmp_path, ours_s, told):
    engine = a_site(tmp_path, partition="gpu", secure_partition="safe", wall_s=ours_s)

    engine.note_walls()
    engine.note_walls()

    kept = [kept_s(tmp_path / "home", is_secure=secure) for secure in (False, True)]
    assert tuple(kept) == told
    gpus = [kept_gpus(tmp_path / "home", is_secure=secure) for secure in (False, True)]
    assert gpus == [16, 0]
    assert len(asked("scontrol")) == 2  # once for each partition: QOSes it has none
    for unknown in ('{"outside_s": Infinity}', "[" * 100_000, "[]"):
        (tmp_path / "home" / FOLDER / KEPT).write_text(unknown)
        assert kept_s(tmp_path / "home", is_secure=False) == 0
