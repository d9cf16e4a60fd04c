"""A local engine whose jobs are ended when their test is."""

import json
import shutil
import socket
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from fabriek.engines.base import Job
from fabriek.engines.local import Local
from tests.engines.cluster import CONF, skip_unless_asked_for
from tests.engines.waiting import ended, eventually
from tests.server import free_port


def pytest_collection_modifyitems(config, items):
    skip_unless_asked_for(config, items)


class Machine:
    """One home with its engine, and the ways in which these tests hurt it."""

    def __init__(self, folder):
        self.folder = folder
        self.home = folder / "home"
        self.engine = self.with_gpus(1)

    def with_gpus(self, count, *, grace_s=5):
        self.engine = Local(self.home, gpus=count, grace_s=grace_s, beat_s=0.1)
        return self.engine

    def job(self, key, script, **more):
        run = self.folder / f"run-{key}"
        run.mkdir(exist_ok=True)
        wish = {"account": "eu-1", "gpus": 1, "timeout_s": 20} | more
        return Job(key=key, folder=run, command=("/bin/sh", "-c", script), **wish)

    def submit(self, key, script, **more):
        job = self.job(key, script, **more)
        self.engine.submit(job)
        return job

    def seen(self, key):
        return self.engine.look([key])[key]

    def was_launched(self, key):
        """Whether a supervisor was ever started for it, even if that has done nothing yet."""
        return (self.home / "jobs" / key / "trouble").exists()

    def last_beat_s(self, key):
        said = (self.home / "jobs" / key / "beat").read_text()
        return float(said or 0)

    def ended(self, key):
        return ended(self.engine, key)

    def started(self, key):
        """Wait for what is written when the job begins."""
        path = self.home / "jobs" / key / "start.json"
        return json.loads(eventually(lambda: path.exists() and path.read_text()))

    def pid(self, job, name="pid"):
        """Wait for the number that a job writes into a file of its folder."""
        path = job.folder / name
        return int(eventually(lambda: path.exists() and path.read_text().strip()))

    def clear(self):
        for waiting in (self.home / "queue").glob("*"):
            if not self.was_launched(waiting.name.partition("-")[2]):
                waiting.unlink(missing_ok=True)
        for key in [one.parent.name for one in (self.home / "jobs").glob("*/trouble")]:
            self.engine.cancel(key)
            self.ended(key)


@pytest.fixture
def machine(tmp_path):
    machine = Machine(tmp_path)
    yield machine
    machine.clear()


@pytest.fixture
def login_node(tmp_path):
    """Start an SSH server of our own; gives the name under which ssh finds it."""
    if not shutil.which("sshd", path="/usr/sbin"):
        pytest.skip("no SSH server is installed")
    folder = tmp_path / "ssh"
    folder.mkdir(mode=0o700)
    for name in ("host", "id"):
        subprocess.run(
            ["ssh-keygen", "-qt", "ed25519", "-N", "", "-f", folder / name], check=True
        )
    (folder / "keys").write_text((folder / "id.pub").read_text())
    Path("/run/sshd").mkdir(exist_ok=True)
    port = free_port()
    server = ["/usr/sbin/sshd", "-D", "-f", "/dev/null", "-p", str(port)]
    for option in ("ListenAddress=127.0.0.1", f"HostKey={folder}/host", "StrictModes=no",
                   f"AuthorizedKeysFile={folder}/keys", "PermitRootLogin=yes",
                   f"PidFile={folder}/pid", f"SetEnv=SLURM_CONF={CONF}"):  # fmt: skip
        server += ["-o", option]
    process = subprocess.Popen(server, stderr=subprocess.DEVNULL)
    bin_folder = folder / "bin"
    bin_folder.mkdir()
    ssh = bin_folder / "ssh"
    ssh.write_text(
        f"#!/bin/sh\nexec /usr/bin/ssh -F /dev/null -p {port} -i {folder}/id "
        f'-o UserKnownHostsFile={folder}/known -o StrictHostKeyChecking=accept-new "$@"\n'
    )
    ssh.chmod(0o700)
    eventually(lambda: _answers(port))
    yield bin_folder
    process.kill()
    process.wait()


def _answers(port):
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False
