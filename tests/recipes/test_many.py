"""Several processes do one run as one process would; all of them end together."""

import math
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.recipes.conftest import TINY, Run, prepare, rows, write_rows

pytestmark = [pytest.mark.slow, pytest.mark.many]

SRC = Path(__file__).parents[2] / "src"
CLOSE = 1e-4
FULL = {
    "method": "full",
    "epochs": 40,
    "learning_rate": 0.003,
    "tokens_per_step": 512,
    "checkpoint_every_steps": 100_000,
}


class Started:
    """Processes that torchrun started, on one machine."""

    def __init__(self, run: Run, *words: str, beside: Path = SRC, **more: str):
        recipe = ["-m", f"fabriek_recipes.{run.recipe}", str(run.folder)]
        words = words or ("--nproc-per-node=2",)
        self.run = run
        self.complained = ""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "fabriek_recipes.torchrun", *words, *recipe],
            env={
                **os.environ,
                "PYTHONPATH": f"{beside}:{SRC}",
                "OMP_NUM_THREADS": "1",
                **more,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> "Started":
        return self

    def __exit__(self, *_error) -> None:
        if self.process.poll() is None:
            for process in self.children():
                os.kill(process, signal.SIGKILL)
            self.process.kill()
        self.process.communicate()

    def ended(self) -> int:
        said, self.complained = self.process.communicate(timeout=120)
        sys.stdout.write(self.complained)  # shown where the test then fails
        assert said == ""
        return self.process.returncode

    def rank(self, number: int) -> int:
        """Give the process number of a rank."""
        mark = f"\0RANK={number}\0".encode()
        return next(
            pid for pid in self.children() if mark in Path(f"/proc/{pid}/environ").read_bytes()
        )

    def wait(self, done) -> None:
        pause = threading.Event()
        while not done():
            assert self.process.poll() is None, self.process.stderr.read()
            pause.wait(0.01)

    def wait_for_step(self, number: int) -> None:
        self.wait(lambda: any(step >= number for step in losses(self.run)))

    def children(self) -> list[int]:
        pid = self.process.pid
        return [
            int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        ]


def losses(run: Run) -> dict[int, float]:
    return {
        int(str(event.fields["step"])): event.fields["values"]["loss"]
        for event in run.events
        if event.kind == "metrics" and "loss" in event.fields["values"]
    }


def saved_steps(run: Run) -> list[int]:
    return sorted(int(path.stem[5:]) for path in (run.folder / "checkpoints").glob("step-*"))


def failures(run: Run) -> list[str]:
    return [str(event.fields["code"]) for event in run.events if event.kind == "failure"]


def assert_equal(many: Run, one: Run) -> None:
    assert losses(many).keys() == losses(one).keys()
    assert losses(many) == pytest.approx(losses(one), abs=CLOSE)
    assert in_nats(many) == pytest.approx(in_nats(one), abs=CLOSE)
    assert many.report["tokens_seen"] == one.report["tokens_seen"]


def in_nats(run: Run) -> dict[str, float]:
    """Give the scores; perplexities are losses to the power of e."""
    return {
        name: math.log(value) if "perplexity" in name else value
        for name, value in run.report["scores"].items()
    }


@pytest.fixture(scope="module")
def inputs(tmp_path_factory, base) -> dict[str, Path]:
    data = write_rows(tmp_path_factory.mktemp("data"), rows(60))
    return {"dataset": data, "model": base}


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory, inputs) -> Run:
    """Do a fine-tuning run by one process, to hold others against."""
    run = prepare(tmp_path_factory.mktemp("whole") / "run", "finetune_lm", FULL, inputs)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        assert run.start() == 0
    return run


@pytest.fixture
def two_machines(tmp_path) -> list[dict[str, str]]:
    """Say what an engine says on each of two machines."""
    told = {
        "FABRIEK_NODES": "2",
        "FABRIEK_FIRST": "127.0.0.1",
        "FABRIEK_MEETING": str(tmp_path / ".meeting-1"),
    }
    return [{**told, "FABRIEK_NODE": number} for number in "01"]


def test_pretraining_by_two_is_that_of_one_also_in_steps_of_one_row(tmp_path, corpus):
    knobs = {**TINY, "tokens_per_step": 64, "epochs": 2}
    one, many = (
        prepare(tmp_path / name, "pretrain_lm", knobs, {"dataset": corpus})
        for name in ("one", "many")
    )

    with Started(many) as started:
        assert started.ended() == 0
    assert one.start() == 0

    assert_equal(many, one)
    stages = [event.fields["name"] for event in many.events if event.kind == "stage"]
    assert stages == [event.fields["name"] for event in one.events if event.kind == "stage"]
    assert not (many.folder / "checkpoints").exists()


def test_two_machines_learn_a_small_addition_as_one_does(tmp_path, inputs, two_machines):
    knobs = {"epochs": 4, "learning_rate": 0.01, "tokens_per_step": 768}
    one, many = (
        prepare(tmp_path / name, "finetune_lm", knobs, inputs) for name in ("one", "many")
    )
    one_each = "--nproc-per-node=1"
    here, there = two_machines

    with Started(many, one_each, **here) as first, Started(many, one_each, **there) as second:
        assert (first.ended(), second.ended()) == (0, 0)
    assert one.start() == 0

    assert_equal(many, one)
    assert (many.folder / "outputs/adapter/adapter_model.safetensors").is_file()


def test_one_process_finishes_what_two_began(tmp_path, inputs, uninterrupted):
    run = prepare(tmp_path / "run", "finetune_lm", FULL, inputs)

    with Started(run) as started:
        started.wait_for_step(3)
        started.process.send_signal(signal.SIGUSR1)
        started.wait(lambda: saved_steps(run))
        (saved,) = saved_steps(run)
        started.wait_for_step(saved + 2)
        os.kill(started.rank(1), signal.SIGTERM)
        code = started.ended()
    stopped_at = max(losses(run))

    assert code == 143
    assert saved_steps(run)[-1] == stopped_at > saved
    assert failures(run) == []
    assert run.start() == 0
    assert_equal(run, uninterrupted)


# The killed one or its neighbour, whichever torchrun sees first; who broke is lost.
@pytest.mark.parametrize(
    ("sign", "codes"),
    [
        (signal.SIGKILL, {128 + signal.SIGKILL, os.EX_TEMPFAIL}),
        (signal.SIGABRT, {os.EX_TEMPFAIL}),
    ],
)
def test_a_killed_process_ends_the_others_and_leaves_a_folder_that_resumes(
    tmp_path, inputs, uninterrupted, sign, codes
):
    run = prepare(tmp_path / "run", "finetune_lm", FULL, inputs)

    with Started(run) as started:
        started.wait_for_step(3)
        os.kill(started.rank(1), signal.SIGUSR1)
        started.wait(lambda: saved_steps(run))
        os.kill(started.rank(1), sign)
        code = started.ended()  # within minutes, though torchrun gives who saves an hour

    assert code in codes
    assert ("Fatal Python error: Aborted" in started.complained) == (sign == signal.SIGABRT)
    assert failures(run) == ["process_lost"]
    assert run.start() == 0
    assert_equal(run, uninterrupted)


def test_a_failure_of_one_process_is_that_of_all_and_told_once(tmp_path, inputs, two_machines):
    run = prepare(tmp_path / "run", "finetune_lm", FULL, inputs)
    spoilt = {**inputs, "dataset": write_rows(tmp_path / "data", [*rows(3), {"prompt": "a"}])}
    elsewhere = prepare(tmp_path / "elsewhere", "finetune_lm", FULL, spoilt)
    one_each = "--nproc-per-node=1"
    here, there = two_machines

    with (
        Started(run, one_each, **here) as first,
        Started(elsewhere, one_each, **there) as second,
    ):
        assert (first.ended(), second.ended()) == (2, 2)

    assert run.failure == "rows.jsonl: Line 4 has no completion; add it."
    assert failures(run) == ["bad_row"]
    assert not (elsewhere.folder / "events.jsonl").exists()


def test_a_failure_of_all_processes_is_told_once(tmp_path, inputs):
    run = prepare(tmp_path / "run", "finetune_lm", {"epochs": 0}, inputs)

    with Started(run) as started:
        assert started.ended() == 2

    assert failures(run) == ["bad_knob"]
