"""The packages of own code: what the base has, and beside it what an environment file asks for.

What is installed is kept, one folder for each list of packages and for each case: the folder
above belongs to the account of the case, which installs in a job. Nothing is installed by the
portal. An environment lies over the base one, so that torch need not be installed again.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import BinaryIO

from fabriek_recipes.script import wanted
from fabriek_recipes.script.kept import READY, held, tidy
from fabriek_recipes.script.place import WAIT_S, Node, wait_for
from fabriek_recipes.script.wanted import Line
from fabriek_recipes.words import Failed, _

INDEX, HOME = "FABRIEK_PACKAGE_INDEX", "FABRIEK_ENVIRONMENTS"
# Whom pip trusts beside the system, and a pip that it starts to build a package.
AUTHORITIES = "REQUESTS_CA_BUNDLE"
INSTALL_WITHIN_S = 3_600
# The first node may first wait for another run that installs the same, in vain.
INSTALLED_WITHIN_S = 2 * INSTALL_WITHIN_S + WAIT_S
SAID_CHARACTERS = 300
LIST = "import importlib.metadata as m, json, sys; print(json.dumps(sorted({(d.metadata['Name'] or '', d.version) for d in m.distributions()})))"  # noqa: E501
# Whose versions a model's papers tell, where nothing was asked for by name.
TOLD = ("torch", "transformers", "numpy", "scikit-learn", "safetensors", "lightgbm", "pandas")


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """A Python: that of the factory, or one over it in `folder`."""

    folder: Path | None = None
    asked: tuple[str, ...] = ()
    in_use: BinaryIO | None = field(default=None, compare=False, repr=False)
    """While this is open, nobody takes the folder away."""

    def told(self, given: Mapping[str, str]) -> dict[str, str]:
        """Give the variables by which a program, and what it starts, finds its packages.

        PYTHONPATH as well as PATH: torchrun and its like start the Python that they came with.
        """
        if self.folder is None:
            return {}
        path = given.get("PATH", os.defpath)
        return {
            "PATH": f"{self.folder / 'bin'}:{path}",
            "VIRTUAL_ENV": str(self.folder),
            "PYTHONPATH": str(_packages_in(self.folder)),
        }

    @property
    def python(self) -> str:
        """Name its Python."""
        return str(self.folder / "bin" / "python") if self.folder else sys.executable


def of(lines: tuple[Line, ...], *, node: Node, is_over: Callable[[], bool]) -> Environment:
    """Give the environment that has all of these: the base, where that is enough.

    Raises:
        Failed: nothing can be installed here, or it did not succeed, or `is_over`.
    """
    asked = tuple(one.name for one in lines)
    lacks = wanted.lacking(lines)
    if not lacks:
        return Environment(asked=asked)
    index, home = os.environ.get(INDEX, ""), os.environ.get(HOME, "")
    if not index or not home:
        raise wanted.refusal(lacks)
    if loose := wanted.unpinned(lacks):
        raise loose
    folder = Path(home) / _digest(lines)
    in_use = None
    while in_use is None:  # else it was taken away at that very moment
        if node.leads:
            _make(folder, lines, index=index)
        else:
            wait_for(folder / READY, within_s=INSTALLED_WITHIN_S, is_over=is_over)
        in_use = held(folder / READY)
    return Environment(folder=folder, asked=asked, in_use=in_use)


def frozen(python: str) -> dict[str, str]:
    """List what is installed there, as {name: version}; nothing where it cannot be asked."""
    with suppress(OSError, ValueError, subprocess.SubprocessError):
        said = subprocess.run(
            [python, "-c", LIST], capture_output=True, check=True, timeout=60, env=_plain()
        )
        return {name: version for name, version in json.loads(said.stdout) if name}
    return {}


def versions(found: Mapping[str, str], asked: Iterable[str]) -> dict[str, str]:
    """Choose whose versions are told: what was asked for first, then what makes models."""
    known = {_plain_name(name): (name, version) for name, version in found.items()}
    names = dict.fromkeys(map(_plain_name, (*asked, *TOLD)))
    return dict(known[name] for name in names if name in known)


def _make(folder: Path, lines: tuple[Line, ...], *, index: str) -> None:
    """Install it once, however many runs of the case want it at the same moment."""
    with _alone(folder):
        if not (folder / READY).exists():
            tidy(folder.parent)
            shutil.rmtree(folder, ignore_errors=True)
            _install(folder, lines, index=index)
            (folder / READY).touch()
        with suppress(OSError):
            os.utime(folder / READY)


def _install(folder: Path, lines: tuple[Line, ...], *, index: str) -> None:
    venv.create(folder, with_pip=False, symlinks=True)
    # Packages of the base are found after its own; that of a venv made from a venv is another.
    base = dict.fromkeys(sysconfig.get_paths()[name] for name in ("purelib", "platlib"))
    (_packages_in(folder) / "base.pth").write_text("".join(f"{one}\n" for one in base))
    asked = folder / "requirements.txt"
    asked.write_text("".join(f"{one.text}\n" for one in lines))
    words = [
        sys.executable,
        "-m",
        "pip",
        "--isolated",
        "--python",
        str(folder / "bin" / "python"),
    ]
    words += ["install", "--no-input", "--disable-pip-version-check", "--no-cache-dir"]
    words += ["--quiet", "--index-url", index, "-r", str(asked)]
    try:
        done = subprocess.run(
            words, capture_output=True, check=False, timeout=INSTALL_WITHIN_S, env=_plain()
        )
    except subprocess.TimeoutExpired as why:
        raise _failed("it took longer than an hour") from why
    if done.returncode:
        sys.stderr.buffer.write(done.stderr)
        raise _failed(_last_error(done.stderr.decode("utf-8", "replace")))


def _failed(said: str) -> Failed:
    text = _(
        "The packages of the environment file could not be installed: %(said)s. Mend the file, "
        "and start again."
    )
    return Failed("not_installed", text, said=said.rstrip("."))


def _last_error(said: str) -> str:
    errors = [line for line in said.splitlines() if line.startswith("ERROR: ")]
    return (errors[-1] if errors else said.strip()[-SAID_CHARACTERS:]).removeprefix("ERROR: ")[
        :SAID_CHARACTERS
    ]


def _plain() -> dict[str, str]:
    """Keep what the person set out of what we start ourselves."""
    given = {"PATH": os.defpath, "HOME": "/"}
    plain = {name: os.environ.get(name, value) for name, value in given.items()}
    authorities = os.environ.get(AUTHORITIES)
    return plain | ({AUTHORITIES: authorities} if authorities else {})


def _digest(lines: Iterable[Line]) -> str:
    """Name the environment by what was asked for and by the Python and packages below it."""
    told = hashlib.sha256(f"{sys.version}\n{sys.prefix}\n".encode())
    for one in sorted(lines, key=lambda line: line.text):
        told.update(f"{one.text}\n".encode())
    base = sorted((str(one.metadata["Name"]), one.version) for one in metadata.distributions())
    told.update(json.dumps(base).encode())
    return told.hexdigest()[:32]


def _packages_in(folder: Path) -> Path:
    return Path(sysconfig.get_path("purelib", "venv", vars={"base": str(folder)}))


def _plain_name(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f".{folder.name}.lock").open("w") as file:
        with suppress(OSError):  # a file system without locks: then two may do it twice
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
