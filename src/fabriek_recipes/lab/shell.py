"""The shell of a terminal: set up as at a login, with the lab's own Python before any other.

Left to itself Jupyter starts a login shell, which sets PATH anew: `python3` is then the
system's, without our packages, and `python` often nothing at all.
"""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path

BIN, RC, OWNER_ONLY = "bin", "bashrc", 0o700
# What a login shell of bash reads: `module` of a cluster is set up there. Of the last three
# the first that is there.
AT_LOGIN = """\
[ -r /etc/profile ] && . /etc/profile
if [ -r ~/.bash_profile ]; then . ~/.bash_profile
elif [ -r ~/.bash_login ]; then . ~/.bash_login
elif [ -r ~/.profile ]; then . ~/.profile
elif [ -r ~/.bashrc ]; then . ~/.bashrc
fi
"""


def command(place: Path) -> list[str]:
    """Say what a terminal starts; what it reads is laid in `place`, which goes with the lab."""
    bash = shutil.which("bash")
    if bash is None:
        return [shutil.which("sh") or "sh"]  # no login: it keeps the PATH that it is given
    rc = place / RC
    rc.write_text(f"{AT_LOGIN}export PATH={shlex.quote(path_in(place))}:$PATH\n")
    return [bash, "--rcfile", str(rc)]


def path_in(place: Path) -> str:
    """Name the folders where `python` is the lab's own, as are the commands beside it."""
    beside = Path(sys.executable).parent
    if (beside / "python").exists():
        return str(beside)
    # No link: a Python that is reached by one does not find its packages.
    own = place / BIN / "python"
    own.parent.mkdir(exist_ok=True)
    own.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n')
    own.chmod(OWNER_ONLY)
    return f"{own.parent}:{beside}"
