"""The clients of the Hugging Face Hub that we hold us to, each in an environment of its own.

Made once and kept in `.hub-clients`. What is large and has nothing to do with the hub (torch,
pyarrow, pandas) is that of our own environment: a `.pth` file adds it behind the client's own.
"""

import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import environments

ROOT = Path(__file__).resolve().parent.parent
HOME = ROOT / ".hub-clients"
READY = "ready"
# Flows that need more than the client itself.
LOADING = "loading"


@dataclass(frozen=True, kw_only=True)
class HubClient:
    """`hub`: its version; empty is the newest. `alone`: installed without what they want."""

    name: str
    hub: str
    xet: str = ""
    alone: tuple[str, ...] = ()
    loads: bool = False

    @property
    def folder(self) -> Path:
        told = repr((self.hub, self.xet, self.alone, self.loads, sys.version_info[:2]))
        return HOME / f"{self.name}-{sha256(told.encode()).hexdigest()[:8]}"

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"


# Those after which the protocol changed, and the newest there is.
CLIENTS = (
    HubClient(
        name="0.36.2",
        hub="0.36.2",
        alone=("datasets==4.4.1", "transformers==4.57.3", "tokenizers==0.22.1"),
        loads=True,
    ),
    HubClient(name="1.19.0", hub="1.19.0"),
    HubClient(name="1.20.1", hub="1.20.1", xet="1.5.2"),
    HubClient(name="1.33.0", hub="1.33.0", loads=True),
    HubClient(name="newest", hub="", loads=True),
)


def ensure(client: HubClient) -> bool:
    """Make the environment unless it is there; tells whether it was made."""
    if (client.folder / READY).exists():
        return False
    shutil.rmtree(client.folder, ignore_errors=True)
    pip = environments.make(client.folder)
    _run(*pip, _pinned("huggingface_hub", client.hub), _pinned("hf_xet", client.xet))
    if client.alone:
        _run(*pip, "--no-deps", *client.alone)
    if client.loads:
        _lend_ours(client)
    (client.folder / READY).touch()
    return True


def forget_others() -> None:
    """Remove environments of clients that are asked for no more."""
    if HOME.is_dir():
        wanted = {client.folder for client in CLIENTS}
        for folder in set(HOME.iterdir()) - wanted:
            shutil.rmtree(folder)


def _lend_ours(client: HubClient) -> None:
    ours = sysconfig.get_paths()["purelib"]
    theirs = client.folder / "lib" / f"python3.{sys.version_info.minor}" / "site-packages"
    (theirs / "ours.pth").write_text(f"{ours}\n")


def _pinned(package: str, version: str) -> str:
    return f"{package}=={version}" if version else package


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stdout}\n{done.stderr}")
