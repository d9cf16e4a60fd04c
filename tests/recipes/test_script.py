"""Own code as a job: started without a shell, told what it needs, stopped, resumed, ended."""

import errno
import json
import signal
import subprocess
import sys
import threading
import time
from functools import partial
from http.server import SimpleHTTPRequestHandler
from pathlib import Path

import pytest

from fabriek_recipes.events import read_events
from fabriek_recipes.run_folder import InputRef, Limits, Manifest, write_manifest
from fabriek_recipes.script import command, ending, wanted
from fabriek_recipes.script.knobs import Knobs, environment_problems, knob_checks
from fabriek_recipes.words import Failed
from tests import tls

SRC = Path(__file__).parents[2] / "src"
ENDS_WITHIN_S = 300  # only a test that fails waits so long
TRAINS = """
import json, os, pathlib, signal, sys
import numpy as np

state = pathlib.Path(os.environ["FABRIEK_CHECKPOINTS"]) / "state.json"
done, weight = json.loads(state.read_text()) if state.exists() else (0, 0.0)
stop = []
signal.signal(signal.SIGTERM, lambda *_: stop.append(1))
rows = np.loadtxt(os.path.join(os.environ["FABRIEK_DATA"], "rows.csv"), delimiter=",")
x, y = rows[:, 0], rows[:, 1]
steps = int(sys.argv[1])
with open(os.environ["FABRIEK_FIGURES"], "a", buffering=1) as figures:
    for step in range(done, steps):
        error = x * weight - y
        weight -= 0.1 * float((error * x).mean())
        print(json.dumps({"step": step, "loss": float((error ** 2).mean())}), file=figures)
        state.write_text(json.dumps([step + 1, weight]))
        if stop:
            sys.exit(0)
        if len(sys.argv) > 2 and not done:
            signal.sigtimedwait([], float(sys.argv[2]))
out = pathlib.Path(os.environ["FABRIEK_OUTPUT"])
(out / "metrics.json").write_text(json.dumps({"slope": weight}))
print("slope", weight, "began at", done)
"""


class Job:
    def __init__(self, folder, *, started="python train.py 20", environment="", files=None):
        self.folder = folder
        code = folder / "inputs" / "code"
        code.mkdir(parents=True)
        for name, text in ({"train.py": TRAINS} if files is None else files).items():
            (code / name).parent.mkdir(parents=True, exist_ok=True)
            (code / name).write_text(text)
        data = folder / "inputs" / "dataset"
        data.mkdir()
        (data / "rows.csv").write_text("1,2\n2,4\n-1,-2\n")
        refs = {
            "code": InputRef(kind="code", revision="P26-0001@1", path="inputs/code"),
            "dataset": InputRef(kind="dataset", revision="D26-0001@1", path="inputs/dataset"),
        }
        write_manifest(
            folder,
            Manifest(
                key="fabriek-0123",
                recipe="script",
                knobs={"command": started, "environment": environment},
                inputs=refs,
                seed=7,
                limits=Limits(gpus=1, timeout_s=600),
                code_version="1",
            ),
        )

    def begin(self, **environment):
        """Start it as an engine does: its output in `log`, and nothing of ours around it."""
        given = {
            "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
            "HOME": str(self.folder),
            "LANG": "C.UTF-8",
            "PYTHONPATH": str(SRC),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "fabriek_recipes.script", str(self.folder)],
                env=given | environment,
                stdout=log,
                stderr=log,
                cwd=self.folder,
            )

    def run(self, **environment):
        return self.begin(**environment).wait(ENDS_WITHIN_S)

    @property
    def log(self):
        return (self.folder / "log").read_text()

    def told(self, kind):
        return [
            one.fields
            for one in read_events(self.folder / "events.jsonl")[0]
            if one.kind == kind
        ]

    @property
    def failure(self):
        return self.told("failure")[-1]

    @property
    def report(self):
        return json.loads((self.folder / "outputs" / "report.json").read_text())


def wait_for(ask):
    pause = threading.Event()
    until = time.monotonic() + ENDS_WITHIN_S
    while not ask():
        assert time.monotonic() < until
        pause.wait(0.02)


# --- it works --------------------------------------------------------------------------
def test_a_program_learns_and_its_figures_and_scores_are_told(tmp_path):
    job = Job(tmp_path)

    assert job.run() == 0

    assert [one["step"] for one in job.told("metrics")] == list(range(20))
    [result] = job.told("result")
    assert result["scores"]["slope"] == pytest.approx(2.0, abs=0.1)
    assert job.report["command"] == "python train.py 20"
    assert {"torch", "numpy"} <= set(job.report["versions"])
    assert "numpy==" in (tmp_path / "outputs" / "environment.txt").read_text()
    assert not (tmp_path / "checkpoints").exists()
    assert not (tmp_path / "outputs" / "model").exists()  # it left none, and need not


def test_stopped_it_saves_and_the_next_start_goes_on_from_there(tmp_path):
    job = Job(tmp_path, started="python train.py 20 0.5")
    process = job.begin()
    wait_for(lambda: len(job.told("metrics")) > 3)

    process.send_signal(signal.SIGTERM)

    assert process.wait(ENDS_WITHIN_S) == 143
    assert not (tmp_path / "outputs" / "report.json").exists()
    done = json.loads((tmp_path / "checkpoints" / "state.json").read_text())[0]
    assert 3 < done < 20
    assert job.run() == 0
    assert f"began at {done}" in job.log
    assert [one["step"] for one in job.told("metrics")] == list(range(20))


def test_a_run_that_ended_well_is_not_done_again(tmp_path):
    job = Job(tmp_path, files={"one.py": "print('once')"}, started="python one.py")

    assert (job.run(), job.run()) == (0, 0)

    assert job.log.count("once") == 1


def test_what_it_is_told_and_what_not(tmp_path):
    shows = "import json, os; print(json.dumps(dict(os.environ)))"
    job = Job(tmp_path, files={"shows.py": shows}, started="python shows.py")
    (tmp_path / "hub-key").write_text("fbr_secret\n")

    code = job.run(
        HF_ENDPOINT="https://factory.example.org",
        FABRIEK_PACKAGE_INDEX="https://index.example.org/simple",
        FABRIEK_ENVIRONMENTS="/nowhere",
        FABRIEK_GPUS="0",
    )

    found = json.loads(job.log.splitlines()[0])
    assert code == 0
    assert found["FABRIEK_DATA"] == str(tmp_path / "inputs" / "dataset")
    assert found["FABRIEK_OUTPUT"] == str(tmp_path / "outputs")
    assert found["FABRIEK_MODEL"] == str(tmp_path / "outputs" / "model")
    assert found["FABRIEK_CHECKPOINTS"] == str(tmp_path / "checkpoints")
    assert (found["FABRIEK_SEED"], found["FABRIEK_RUN"]) == ("7", "fabriek-0123")
    assert (found["PET_NNODES"], found["PET_NPROC_PER_NODE"]) == ("1", "1")
    assert found["MLFLOW_TRACKING_URI"] == "https://factory.example.org"
    assert (found["MLFLOW_TRACKING_TOKEN"], found["MLFLOW_RUN_ID"]) == ("fbr_secret", "0123")
    assert not {"FABRIEK_PACKAGE_INDEX", "FABRIEK_ENVIRONMENTS"} & set(found)


def test_it_works_in_a_copy_and_the_store_s_own_files_stay(tmp_path):
    writes = "import pathlib; pathlib.Path('train.txt').write_text('mine')"
    files = {"writes.py": writes, "train.txt": "theirs"}
    job = Job(tmp_path, files=files, started="python writes.py")

    assert job.run() == 0

    assert (tmp_path / "inputs" / "code" / "train.txt").read_text() == "theirs"
    assert (tmp_path / "code" / "train.txt").read_text() == "mine"


def test_a_script_that_says_what_reads_it_is_started_itself(tmp_path):
    job = Job(tmp_path, files={"go.sh": "#!/bin/sh\necho went"}, started="./go.sh")

    assert (job.run(), job.log) == (0, "went\n")


# --- without a shell -------------------------------------------------------------------
def test_words_reach_the_program_as_they_stand(tmp_path):
    shows = "import sys; print(sys.argv[1:])"
    job = Job(tmp_path, files={"a.py": shows}, started="python a.py '*' 'a b' --x='$HOME'")

    job.run()

    assert job.log == "['*', 'a b', '--x=$HOME']\n"


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("", "Write the command"),
        ("python 'train.py", "quote"),
        ("python train.py && rm x", "“&&” is for a shell"),
        ("python train.py > out", "“>” is for a shell"),
        ("python train.py $FABRIEK_DATA", "is for a shell"),
        ("SEED=1 python train.py", "Put “env” before"),
        ("python other.py", "no such file"),
        ("./other.sh", "no such file"),
        ("bash -c 'python train.py && ls > x'", ""),
        ("torchrun train.py", ""),
        ("python -m other", ""),
        ("python ../../etc/passwd", ""),  # nobody looks whether that is there
    ],
)
def test_a_command_is_looked_at_before_it_costs_anything(tmp_path, typed, said):
    (tmp_path / "train.py").write_text("")

    found = knob_checks(Knobs(command=typed), {"code": tmp_path})

    assert bool(found) == bool(said)
    assert said in "".join(found)


def test_a_shell_is_used_where_it_is_asked_for(tmp_path):
    job = Job(
        tmp_path, files={"a": ""}, started="bash -c 'echo $FABRIEK_SEED > seen && cat seen'"
    )

    assert (job.run(), job.log) == (0, "7\n")


# --- how it ends badly -----------------------------------------------------------------
@pytest.mark.parametrize(
    ("program", "code", "word", "status"),
    [
        ("import nosuchthing.deeper", "module_missing", "nosuchthing", 1),
        ("import sys; sys.exit(7)", "program_failed", "code 7", 7),
        ("raise ValueError('no rows')", "program_failed", "ValueError: no rows", 1),
        ("raise MemoryError", "out_of_memory", "more memory", 1),
        ("import os; os.kill(os.getpid(), 9)", "killed", "SIGKILL", 137),
        ("import os; os.kill(os.getpid(), 11)", "ended_by_signal", "SIGSEGV", 139),
        ("import sys; sys.exit(75)", "program_failed", "code 75", 1),
    ],
)
def test_an_end_is_told_in_plain_words(tmp_path, program, code, word, status):
    job = Job(tmp_path, files={"a.py": program}, started="python a.py")

    assert job.run() == status

    assert job.failure["code"] == code
    assert word in job.failure["text"]
    assert not (tmp_path / "outputs" / "report.json").exists()


@pytest.mark.parametrize(
    ("started", "files", "code"),
    [
        ("nosuchprogram --x", {"a": ""}, "command_not_found"),
        ("./a", {"a": "echo"}, "not_startable"),
        ("bash -c nosuchprogram", {"a": ""}, "command_not_found"),
    ],
)
def test_what_cannot_be_started_is_named(tmp_path, started, files, code):
    job = Job(tmp_path, files=files, started=started)

    assert job.run() != 0

    assert job.failure["code"] == code


def test_the_reader_that_is_named_is_that_of_the_file():
    why = PermissionError(errno.EACCES, "no")

    said = [str(ending.not_started(why, name).sentence) for name in ("./a.py", "./a")]

    assert [one.split(": ")[1] for one in said] == ["python ./a.py.", "bash ./a."]


def test_processes_left_behind_end_with_it(tmp_path):
    leaves = """
import subprocess, sys
far = "import os, time; os.setsid(); print(os.getpid(), flush=True); time.sleep(600)"
child = subprocess.Popen([sys.executable, "-c", far], stdout=subprocess.PIPE, text=True)
print(child.stdout.readline().strip())
"""
    job = Job(tmp_path, files={"a.py": leaves}, started="python a.py")

    assert job.run() == 0

    assert not Path(f"/proc/{job.log.strip()}").exists()


def test_of_a_shell_what_it_started_hears_of_the_stop_too(tmp_path):
    saves = (
        "import os, pathlib, signal, sys, time\n"
        "place = pathlib.Path(os.environ['FABRIEK_CHECKPOINTS'])\n"
        "def save(*_):\n"
        "    (place / 'saved').touch()\n"
        "    sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, save)\n"
        "(place / 'ready').touch()\n"
        "time.sleep(60)\n"
    )
    started = "bash -c 'python a.py; echo after'"
    job = Job(tmp_path, files={"a.py": saves}, started=started)
    process = job.begin()
    wait_for((tmp_path / "checkpoints" / "ready").exists)

    process.send_signal(signal.SIGTERM)

    assert process.wait(ENDS_WITHIN_S) == 143
    assert (tmp_path / "checkpoints" / "saved").exists()


# --- hostile ---------------------------------------------------------------------------
def test_lines_that_are_no_figures_are_told_once_and_harm_nobody(tmp_path):
    writes = """
import os
with open(os.environ["FABRIEK_FIGURES"], "w") as file:
    file.write('nonsense\\n[1]\\n{"step": 1, "loss": "x"}\\n{"step": -1, "loss": 1}\\n')
    file.write('{"step": 1, "loss": NaN}\\n' + '[' * 30000 + '\\n' + 'x' * 100000 + '\\n')
    file.write('{"done": 3, "total": 10}\\n{"stage": "Looking"}\\n{"loss": 0.5}')
"""
    job = Job(tmp_path, files={"a.py": writes}, started="python a.py")

    assert job.run() == 0

    assert [one["code"] for one in job.told("warning")] == ["bad_figures"]
    assert [one["values"] for one in job.told("metrics")] == [{"loss": None}, {"loss": 0.5}]
    assert job.told("progress")[-1] == {"done": 3, "total": 10, "unit": "steps"}
    assert "Looking" in [one["name"] for one in job.told("stage")]
    assert job.told("result") == [{"scores": {"loss": 0.5}}]


def test_figures_behind_a_link_are_not_read(tmp_path):
    secret = tmp_path / "elsewhere"
    secret.write_text('{"step": 1, "loss": 1}\n')
    links = f"import os; os.symlink({str(secret)!r}, os.environ['FABRIEK_FIGURES'])"
    job = Job(tmp_path / "run", files={"a.py": links}, started="python a.py")

    assert job.run() == 0

    assert job.told("metrics") == []


def test_a_second_process_in_the_folder_leaves_at_once(tmp_path):
    job = Job(tmp_path, files={"a.py": "import time; time.sleep(60)"}, started="python a.py")
    first = job.begin()
    wait_for(lambda: "Your program runs" in [one["name"] for one in job.told("stage")])

    second = job.run()
    first.kill()
    first.wait()

    assert second == 3


def test_on_several_nodes_the_first_lays_out_and_tells_for_all(tmp_path):
    says = (
        "import json, os, sys\n"
        "node = os.environ['FABRIEK_NODE']\n"
        "named = ('PET_NNODES', 'PET_NODE_RANK', 'PET_MASTER_ADDR', 'PET_MASTER_PORT')\n"
        "told = [os.environ[name] for name in named]\n"
        "place = os.path.join(os.environ['FABRIEK_OUTPUT'], node + '.json')\n"
        "json.dump(told, open(place, 'w'))\n"
        "print(json.dumps({'loss': 1}), file=open(os.environ['FABRIEK_FIGURES'], 'a'))\n"
    )
    job = Job(tmp_path, files={"a.py": says}, started="python a.py")
    given = {"FABRIEK_NODES": "2", "FABRIEK_FIRST": "10.0.0.1", "FABRIEK_MEETING": "/x/m1"}

    second = job.begin(FABRIEK_NODE="1", **given)
    first = job.begin(FABRIEK_NODE="0", **given)

    assert (first.wait(ENDS_WITHIN_S), second.wait(ENDS_WITHIN_S)) == (0, 0)
    told = [json.loads((tmp_path / "outputs" / f"{node}.json").read_text()) for node in (0, 1)]
    assert [one[:3] for one in told] == [["2", "0", "10.0.0.1"], ["2", "1", "10.0.0.1"]]
    assert told[0][3] == told[1][3]
    stages = [one["name"] for one in job.told("stage")]
    assert stages == ["Starting", "Your program runs"]


# --- its environment -------------------------------------------------------------------
def test_what_the_base_has_is_installed_nowhere(tmp_path):
    lines = "numpy>=1.0  # the base has it\n\ntorch\nwindows-only; sys_platform == 'win32'\n"
    files = {"a.py": "import numpy; print('ok')", "requirements.txt": lines}
    job = Job(tmp_path, files=files, started="python a.py", environment="requirements.txt")

    assert (job.run(), job.log) == (0, "ok\n")


def test_without_an_index_it_is_said_what_lacks(tmp_path):
    files = {"a.py": "", "requirements.txt": "nosuchpackage==1.0\nnumpy==0.1\n"}
    job = Job(tmp_path, files=files, started="python a.py", environment="requirements.txt")

    assert job.run() == 2

    assert job.failure["code"] == "packages_missing"
    assert "nosuchpackage==1.0, numpy==0.1 (it has " in job.failure["text"]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("r.txt", "-r other.txt", "is an option"),
        ("r.txt", "--extra-index-url https://x", "is an option"),
        ("r.txt", "thing @ https://example.org/x.whl", "comes from an address"),
        ("r.txt", "git+https://example.org/x", "names no package"),
        ("e.yml", "dependencies:\n  - cudatoolkit=11", "is for conda"),
        ("e.yml", "dependencies:\n  - python=2.7", "is for conda"),
        ("e.yml", "a: &a [1]\nb: *a", "no YAML"),
        ("e.yml", "name: x", "no list"),
        ("../r.txt", "", "outside"),
        ("nothing.txt", None, "not there"),
    ],
)
def test_what_cannot_stand_in_an_environment_file_is_refused(tmp_path, name, text, said):
    if text is not None:
        (tmp_path / Path(name).name).write_text(text)

    knobs = Knobs(command="true", environment=name)
    [found] = environment_problems(knobs, tmp_path, index="https://index.example.org")

    assert said in found


def test_of_conda_the_part_of_pip_is_read(tmp_path):
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    text = (
        f"dependencies:\n  - python={version}\n  - pip\n  - pip:\n    - numpy\n    - lacks==1\n"
    )
    (tmp_path / "environment.yml").write_text(text)

    found = wanted.read(tmp_path / "environment.yml")

    assert [one.name for one in found] == ["numpy", "lacks"]
    assert [one.name for one in wanted.lacking(found)] == ["lacks"]


def test_a_package_without_a_version_is_no_promise(tmp_path):
    (tmp_path / "r.txt").write_text("lacks>=1\n")
    knobs = Knobs(command="true", environment="r.txt")

    [found] = environment_problems(knobs, tmp_path, index="https://index.example.org")

    assert "Without a version are: lacks>=1" in found


def test_a_hash_goes_along_to_pip(tmp_path):
    digest = "a" * 64
    (tmp_path / "r.txt").write_text(f"lacks==1 \\\n    --hash=sha256:{digest}\n")

    [found] = wanted.read(tmp_path / "r.txt")

    assert found.is_pinned
    assert found.text.endswith(f"--hash=sha256:{digest}")


def test_a_file_that_is_far_too_long_is_not_read_whole(tmp_path):
    (tmp_path / "r.txt").write_text("numpy\n" * 200_000)

    with pytest.raises(Failed, match="far too long"):
        wanted.read(tmp_path / "r.txt")


def test_packages_are_installed_once_and_kept_for_the_case(tmp_path, index):
    uses = "import tinything; print(tinything.SAID); import numpy"
    files = {"a.py": uses, "r.txt": "tinything==1.0\nnumpy\n"}
    given = {"FABRIEK_PACKAGE_INDEX": index, "FABRIEK_ENVIRONMENTS": str(tmp_path / "kept")}
    first, second = (
        Job(tmp_path / name, files=files, started="python a.py", environment="r.txt")
        for name in ("one", "two")
    )

    assert (first.run(**given), first.log) == (0, "from the index\n")
    [kept] = (tmp_path / "kept").glob("*/ready")
    made_at = kept.parent.stat().st_ctime
    assert (second.run(**given), second.log) == (0, "from the index\n")

    assert kept.parent.stat().st_ctime == made_at
    assert second.report["versions"]["tinything"] == "1.0"


class Folder(SimpleHTTPRequestHandler):
    def log_message(self, *_words):
        """Tell nothing."""


def test_packages_come_from_an_index_of_the_factory_s_own_authority(tmp_path, index):
    files = {"a.py": "from tinything import SAID; print(SAID)", "r.txt": "tinything==1.0\n"}
    job = Job(tmp_path / "run", files=files, started="python a.py", environment="r.txt")
    home = str(tmp_path / "kept")

    with tls.serving(tmp_path, answers=partial(Folder, directory=tmp_path / "index")) as served:
        address, ca = served
        code = job.run(
            FABRIEK_PACKAGE_INDEX=address,
            FABRIEK_ENVIRONMENTS=home,
            REQUESTS_CA_BUNDLE=str(ca),
        )

    assert (code, job.log) == (0, "from the index\n")


def test_a_package_that_the_index_has_not_is_told(tmp_path, index):
    files = {"a.py": "", "r.txt": "tinything==9.9\n"}
    job = Job(tmp_path / "run", files=files, started="python a.py", environment="r.txt")

    code = job.run(FABRIEK_PACKAGE_INDEX=index, FABRIEK_ENVIRONMENTS=str(tmp_path / "kept"))

    assert (code, job.failure["code"]) == (2, "not_installed")
    assert "tinything==9.9" in job.failure["text"]
    assert list((tmp_path / "kept").glob("*/ready")) == []


def test_words_are_split_as_a_shell_does():
    assert command.words_of("""python "a b.py" --x='1 2' """) == ["python", "a b.py", "--x=1 2"]
    with pytest.raises(ValueError, match="nothing"):
        command.words_of("  ")
