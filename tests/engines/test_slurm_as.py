"""Becoming another account, in words; tests/engines/test_slurm_isolation.py does it."""

import pwd
import subprocess

import pytest

from fabriek.engines import slurm_as
from fabriek.engines.base import EngineDown, JobHeldUp
from fabriek.engines.slurm_shell import Shell

WARNS = "sudo: unable to resolve host portal: Name or service not known\n"
THERE = next(one for one in pwd.getpwall() if one.pw_uid)


def test_root_becomes_an_account_with_its_own_groups_and_no_sudo(monkeypatch):
    monkeypatch.setattr(slurm_as.os, "geteuid", lambda: 0)

    words = slurm_as.as_user(THERE.pw_name, ("sbatch", "-x"), {"A": "b"})

    ids = [f"--reuid={THERE.pw_uid}", f"--regid={THERE.pw_gid}", "--init-groups"]
    assert words == ["setpriv", *ids, "--", "sbatch", "-x"]


def test_root_says_that_there_is_no_such_account(monkeypatch):
    monkeypatch.setattr(slurm_as.os, "geteuid", lambda: 0)

    with pytest.raises(JobHeldUp) as trouble:
        slurm_as.as_user("fab-c26-9999", ("sbatch",), {})

    assert trouble.value.code == "account_missing"


def test_others_ask_sudo_which_is_told_the_environment_again(monkeypatch):
    monkeypatch.setattr(slurm_as.os, "geteuid", lambda: 1000)

    words = slurm_as.as_user("fab-c26-0001", ("sbatch",), {"SLURM_CONF": "/a b"})

    clean = ["/usr/bin/env", "-i", "SLURM_CONF=/a b", "sbatch"]
    assert words[4:] == ["sudo", "-n", "-u", "fab-c26-0001", "--", *clean]
    assert words[:3] == ["/bin/sh", "-c", '"$@"; exit $?']  # it keeps the lock that sudo closes


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("fabriek: no way to /srv/runs/a\n", "account_cannot_reach"),
        ("sudo: a password is required\n", "account_not_ours"),
        ("sh: 4: sudo: not found\n", "account_not_ours"),
        (
            "id: 'fab-c26-0001': no such user\nsetpriv: failed to parse reuid\n",
            "account_not_ours",
        ),
    ],
)
def test_what_stands_in_the_way_is_understood(said, code):
    with pytest.raises(JobHeldUp) as trouble:
        slurm_as.refuse_held_up("fab-c26-0001", 1, said)

    assert trouble.value.code == code


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (1, ""),
        (1, f"{WARNS}sbatch: error: Batch job submission failed: x\n"),
        (1, "sbatch: error: Unable to contact slurm controller\n"),
        (1, WARNS),
        (1, "fabriek: here\nsudo: a password is required\n"),
        (0, WARNS),
        (124, "sudo: a password is required\n"),
        (137, "sudo: a password is required\n"),
    ],
)
def test_what_sbatch_says_is_not_taken_for_that(code, said):
    """It may have submitted the job all the same."""
    slurm_as.refuse_held_up("fab-c26-0001", code, said)


def test_a_folder_or_program_out_of_reach_keeps_the_command_from_running(tmp_path):
    def told(folder, program):
        words = slurm_as.reaching(str(folder), program, ("echo", "ran"))
        return subprocess.run(words, capture_output=True, text=True, check=False)

    ran = told(tmp_path, "sh")
    assert (ran.stdout, slurm_as.without_mark(ran.stderr)) == ("ran\n", "")
    assert ran.stderr == "fabriek: here\n"
    assert (
        told(tmp_path / "not there", "sh").stderr
        == f"fabriek: no way to {tmp_path}/not there\n"
    )
    assert told(tmp_path, "/no/python").stderr == "fabriek: no way to /no/python\n"
    assert told(tmp_path, "-v").stdout == ""


def test_a_host_without_sudo_holds_up_the_job_and_not_the_engine(monkeypatch, tmp_path):
    monkeypatch.setattr(slurm_as.os, "geteuid", lambda: 1000)
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(JobHeldUp) as trouble:
        Shell(tmp_path).ask("sbatch", user="fab-c26-0001")

    assert trouble.value.code == "account_not_ours"
    with pytest.raises(EngineDown):
        Shell(tmp_path).ask("sbatch")
