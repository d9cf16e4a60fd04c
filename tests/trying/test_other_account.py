"""Where jobs have an account of their own: it reads what is asked, and changes nothing."""

import json
import os
import pwd
import subprocess
import sys

import pytest

from fabriek.engines.base import JobHeldUp
from fabriek.runs import walls
from fabriek.trying import actions, exchange
from tests.trying.world import given

THERE = next(one for one in pwd.getpwall() if one.pw_uid not in {0, os.geteuid()})
pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(os.geteuid() != 0, reason="Only root can become another account."),
]
# What a job does, hostile or not: by the open folder, as the way to it is closed in tests.
JOB = """
import json, os, sys
place = os.open(sys.argv[1], os.O_RDONLY | os.O_DIRECTORY)
os.setgroups([])
os.setgid(int(sys.argv[3]))
os.setuid(int(sys.argv[2]))
told = {}
def tries(name, does):
    try:
        told[name] = does()
    except OSError as error:
        told[name] = type(error).__name__
def opened(name, how):
    return os.open(name, how, 0o640, dir_fd=place)
tries("read", lambda: os.read(opened("questions.jsonl", os.O_RDONLY), 9000).decode())
tries("write", lambda: opened("questions.jsonl", os.O_WRONLY | os.O_APPEND))
tries("remove", lambda: os.unlink("questions.jsonl", dir_fd=place))
tries("swap", lambda: os.rename("questions.jsonl", "q", src_dir_fd=place, dst_dir_fd=place))
line = {"at": 1, "kind": "piece", "number": 1, "side": "model", "kept": 0, "text": "Jansen"}
answers = opened("answers.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
os.write(answers, (json.dumps(line) + "\\n").encode())
print(json.dumps(told))
"""


def test_a_job_reads_what_is_asked_and_cannot_change_or_replace_it(world):
    run = world.opened()
    try:
        walls.let_in(run.folder, THERE.pw_name)
    except JobHeldUp as trouble:
        pytest.skip(str(trouble))
    actions.ask(run, given("Wie belt er?"), by=world.member)

    words = [sys.executable, "-c", JOB, run.folder, THERE.pw_uid, THERE.pw_gid]
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert json.loads(told.pop("read"))["prompt"] == "Wie belt er?"
    assert set(told.values()) == {"PermissionError"}
    assert exchange.read(run).said[1]["model"].text == "Jansen"
    exchange.forget(run)
    assert {path.name for path in run.folder.iterdir()} & {
        "questions.jsonl",
        "answers.jsonl",
    } == (set())
