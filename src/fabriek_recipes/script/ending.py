"""Why own code ended badly, in one sentence that says what to do."""

from __future__ import annotations

import errno
import re
import signal
from contextlib import suppress
from pathlib import Path

from fabriek_recipes.words import Failed, _

TAIL_BYTES = 16 * 1024
SAID_CHARACTERS = 300
NOT_FOUND = 127
SIGNAL_BASE = 128
# A status that asks the engine to start the job again, which is not the program's to say.
AGAIN = 75
MODULE = re.compile(r"ModuleNotFoundError: No module named '([A-Za-z0-9_.]{1,100})'")
MEMORY = re.compile(
    r"\bOutOfMemoryError\b|CUDA out of memory|^MemoryError|can't allocate memory", re.MULTILINE
)
RAISED = re.compile(r"^[A-Za-z_][\w.]*(?:Error|Exception|Exit|Interrupt)\b.*", re.ASCII)
# What is imported and what is installed have other names for some.
PACKAGES = {
    "cv2": "opencv-python-headless",
    "PIL": "pillow",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
    "bs4": "beautifulsoup4",
    "skimage": "scikit-image",
}


def not_started(why: OSError, command: str) -> Failed:
    """Say why the system could not start it."""
    reader = "python" if command.endswith(".py") else "bash"
    if why.errno == errno.ENOEXEC:
        text = _(
            "“%(command)s” is no program that the machine can start. Begin its first line with "
            "#!, or write what reads it: %(reader)s %(command)s."
        )
        return Failed("not_startable", text, command=command[:100], reader=reader)
    if why.errno == errno.EACCES:
        text = _(
            "“%(command)s” may not be started. Write what reads it: %(reader)s %(command)s."
        )
        return Failed("not_startable", text, command=command[:100], reader=reader)
    text = _(
        "There is no program “%(command)s” on the machine, nor in what you sent. Correct the "
        "command, or name the package it comes from in the environment file."
    )
    return Failed("command_not_found", text, command=command[:100])


def told(code: int, *, log: str, memory_ran_out: bool) -> Failed:
    """Say why the program ended with this code; minus the number of the signal that did."""
    # The system's count is of all that runs on the machine.
    was_killed = code in {-signal.SIGKILL, SIGNAL_BASE + signal.SIGKILL}
    if (memory_ran_out and was_killed) or MEMORY.search(log):
        text = _(
            "Your program took more memory than there is. Let it work on less at once, such as "
            "a smaller batch, or ask for more GPUs."
        )
        return Failed("out_of_memory", text)
    if found := MODULE.findall(log):
        return _no_module(found[-1])
    if code < 0 or code > SIGNAL_BASE:
        return _by_signal(code)
    if code == NOT_FOUND:
        text = _(
            "A shell in your command did not find a program (code 127). Read the end of the "
            "log for its name."
        )
        return Failed("command_not_found", text)
    return _by_itself(code, last_words(log))


def status(code: int) -> int:
    """Give the status with which the job ends: that of the program, as a shell tells it."""
    if code < 0:
        return SIGNAL_BASE - code
    return 1 if code == AGAIN else min(code, 255)


def last_words(log: str) -> str:
    """Give the line in which Python says what went wrong; empty where there is none."""
    for line in reversed(log.splitlines()):
        if RAISED.match(line):
            return line.strip()[:SAID_CHARACTERS]
    return ""


def log_since(path: Path, offset: int) -> str:
    """Read the end of what the program said, as far as it is its own."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(offset, size - TAIL_BYTES))
            return file.read(TAIL_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""


def memory_kills() -> int:
    """Count how often the system ended something here for want of memory."""
    return _counted(Path("/sys/fs/cgroup") / _own_group() / "memory.events") + _counted(
        Path("/proc/vmstat")
    )


def _own_group() -> str:
    with suppress(OSError):
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            if line.startswith("0::/"):
                return line.removeprefix("0::/")
    return "."


def _counted(path: Path) -> int:
    with suppress(OSError, ValueError):
        for line in path.read_text().splitlines():
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    return 0


def _no_module(name: str) -> Failed:
    top = name.partition(".")[0]
    text = _(
        "Your program imports “%(name)s”, which is not there. Send that file along, or name "
        "%(package)s in the environment file."
    )
    return Failed("module_missing", text, name=name, package=PACKAGES.get(top, top))


def _by_signal(code: int) -> Failed:
    number = -code if code < 0 else code - SIGNAL_BASE
    try:
        name = signal.Signals(number).name
    except ValueError:
        name = str(number)
    if number == signal.SIGKILL:
        text = _(
            "Your program was ended from outside (SIGKILL), most often because memory ran out. "
            "Let it work on less at once, and start again."
        )
        return Failed("killed", text)
    text = _("Your program ended by the signal %(name)s. Read the end of the log.")
    return Failed("ended_by_signal", text, name=name)


def _by_itself(code: int, said: str) -> Failed:
    if said:
        text = _(
            "Your program stopped with code %(status)s: “%(said)s”. Mend it, and send it again."
        )
        return Failed("program_failed", text, status=code, said=said)
    text = _("Your program stopped with code %(status)s. Read the end of the log, and mend it.")
    return Failed("program_failed", text, status=code)
