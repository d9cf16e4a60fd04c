"""Unix accounts for a test, made as a site's hook makes them and removed afterwards."""

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path

from fabriek.kernel import acl
from tests.engines.waiting import eventually

LIMIT = ("/usr/bin/timeout", "-k", "5", "20")
HOOK = Path(__file__).parents[2] / "src" / "fabriek" / "serve" / "hooks" / "unix-account"


def new_prefix():
    return f"t{secrets.token_hex(4)}-"


@contextmanager
def accounts(*names):
    """Let accounts of these names exist."""
    try:
        for name in names:
            subprocess.run([HOOK, "ensure", name], check=True, capture_output=True)
        yield names
    finally:
        for name in names:
            remove(name)


def remove(name):
    """Take an account away, after what a killed job may have left running."""

    def gone():
        for process in Path("/proc").iterdir():
            with suppress(OSError, KeyError):
                if process.name.isdigit() and process.stat().st_uid == uid(name):
                    os.kill(int(process.name), signal.SIGKILL)
        done = subprocess.run([HOOK, "remove", name], check=False, capture_output=True)
        return done.returncode == 0

    eventually(gone)


@contextmanager
def portal(name, hook=HOOK, limit=LIMIT):
    """Let there be an account for a portal that is not root, with the lines of docs/operate."""
    rules = Path(f"/etc/sudoers.d/{name}")
    subprocess.run(["useradd", "--system", "--no-create-home", name], check=True)
    try:
        rules.touch(mode=0o440)
        ended = " ".join(limit)
        rules.write_text(
            f"{name} ALL=(%fabriek-cases) NOPASSWD: ALL\n"
            f"{name} ALL=(root) NOPASSWD: {ended} {hook} *\n"
        )
        yield name
    finally:
        rules.unlink()
        subprocess.run(["userdel", name], check=True, capture_output=True)


@contextmanager
def open_place():
    """Give a folder that other accounts can pass; those of pytest are closed to them."""
    place = Path(tempfile.mkdtemp(prefix="fabriek-test-", dir="/tmp"))
    place.chmod(0o711)
    try:
        yield place
    finally:
        shutil.rmtree(place)


def uid(name):
    return pwd.getpwnam(name).pw_uid


def let_in(folder, name):
    """Prepare a folder as the portal does: its own, and one account may come in."""
    folder.mkdir(exist_ok=True)
    folder.chmod(0o1700)
    acl.admit(folder, uid(name))


def as_account(name, *words, **more):
    """Run a command on this host as `name`."""
    user = pwd.getpwnam(name)
    return subprocess.run(
        words,
        user=user.pw_uid,
        group=user.pw_gid,
        extra_groups=[],
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
        **more,
    )
