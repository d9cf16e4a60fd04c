"""A stopped or killed run goes on from its last checkpoint and ends the same, bit for bit."""

import fcntl
import os
import resource
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import torch

from fabriek_recipes.training import checkpoints
from fabriek_recipes.training.checkpoints import Checkpoint
from tests.recipes.conftest import TINY, Run, prepare

SRC = Path(__file__).parents[2] / "src"
KNOBS = {
    "epochs": 8,
    "lora_dropout": 0.1,
    "learning_rate": 0.01,
    "tokens_per_step": 256,
    "checkpoint_every_steps": 5,
}


def wait_for_checkpoint(run: Run, alive) -> None:
    pause = threading.Event()
    while not list((run.folder / "checkpoints").glob("step-*")):
        assert alive()
        pause.wait(0.01)  # leave the processor to the run we watch


def weights(run: Run) -> bytes:
    return (run.folder / "outputs" / "model" / "model.safetensors").read_bytes()


def steps(run: Run) -> list[int]:
    return [int(str(e.fields["step"])) for e in run.events if e.kind == "metrics"]


@pytest.fixture
def twins(tmp_path, base, dataset) -> tuple[Run, Run]:
    inputs = {"dataset": dataset, "model": base}
    one, other = (
        prepare(tmp_path / name, "finetune_lm", KNOBS, inputs) for name in ("one", "other")
    )
    return one, other


def imported(told: str) -> set[str]:
    return {line.rpartition("|")[2].strip() for line in told.splitlines()}


def test_a_killed_run_starts_lean_resumes_and_ends_as_if_nothing_happened(twins, tmp_path):
    whole, killed = twins
    told = {"PYTHONPROFILEIMPORTTIME": "1", "PYTHONPATH": str(SRC), "OMP_NUM_THREADS": "1"}
    with (tmp_path / "told").open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "fabriek_recipes.finetune_lm", str(killed.folder)],
            env={**os.environ, **told},
            stderr=errors,
        )
    wait_for_checkpoint(killed, lambda: process.poll() is None)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    assert not (killed.folder / "outputs" / "report.json").exists()
    (killed.folder / "checkpoints" / ".step-00000099.safetensors.part").write_bytes(b"half")
    # A second of processor time, for what no language model needs.
    found = imported((tmp_path / "told").read_text())
    assert "transformers.integrations.accelerate" in found
    assert not found & {"accelerate.utils", "PIL._imaging", "scipy.linalg"}

    assert killed.start() == 0
    assert whole.start() == 0

    assert weights(killed) == weights(whole)
    assert killed.report["scores"] == whole.report["scores"]
    assert killed.report["tokens_seen"] == whole.report["tokens_seen"]
    assert not (killed.folder / "checkpoints").exists()


def test_sigterm_saves_and_the_next_start_goes_on_from_there(tmp_path, corpus):
    knobs = {**TINY, "epochs": 10, "checkpoint_every_steps": 3}
    whole, stopped = (
        prepare(tmp_path / name, "pretrain_lm", knobs, {"dataset": corpus})
        for name in ("whole", "stopped")
    )

    def stop() -> None:
        wait_for_checkpoint(stopped, threading.main_thread().is_alive)
        os.kill(os.getpid(), signal.SIGTERM)

    watcher = threading.Thread(target=stop)
    watcher.start()
    first = stopped.start()
    watcher.join()
    so_far = steps(stopped)[-1]
    second = stopped.start()

    assert (first, second, whole.start()) == (143, 0, 0)
    assert steps(stopped) == steps(whole)
    assert so_far < steps(whole)[-1]
    assert weights(stopped) == weights(whole)


@pytest.mark.parametrize(("then_stop", "code"), [("0", 0), ("1", 143)])
def test_sigusr1_saves_and_goes_on_or_stops(tmp_path, corpus, monkeypatch, then_stop, code):
    monkeypatch.setenv("FABRIEK_STOP_AFTER_SIGNAL", then_stop)
    knobs = {**TINY, "epochs": 20, "checkpoint_every_steps": 100_000}
    run = prepare(tmp_path / "run", "pretrain_lm", knobs, {"dataset": corpus})
    saved = []

    def ask() -> None:
        pause = threading.Event()
        while not steps(run):
            pause.wait(0.01)
        os.kill(os.getpid(), signal.SIGUSR1)
        wait_for_checkpoint(run, threading.main_thread().is_alive)
        saved.extend((run.folder / "checkpoints").glob("step-*"))

    watcher = threading.Thread(target=ask)
    watcher.start()

    assert run.start() == code

    watcher.join()
    assert len(saved) == 1
    assert run.start() == 0
    assert steps(run)[-1] > int(saved[0].stem[5:])


def warnings(run: Run) -> list[str]:
    return [str(e.fields["text"]) for e in run.events if e.kind == "warning"]


def test_a_checkpoint_of_other_settings_is_not_resumed_from_and_that_is_told(tmp_path, corpus):
    knobs = {**TINY, "epochs": 1}
    run = prepare(tmp_path / "run", "pretrain_lm", knobs, {"dataset": corpus})
    (run.folder / "checkpoints").mkdir()
    save(run.folder / "checkpoints", 5)

    assert run.start() == 0

    assert steps(run)[0] == 1
    assert [said for said in warnings(run) if said.endswith("that the run begins anew.")]


def test_starting_a_finished_run_again_changes_nothing(tmp_path, corpus):
    knobs = {**TINY, "epochs": 1}
    run = prepare(tmp_path / "run", "pretrain_lm", knobs, {"dataset": corpus})
    assert run.start() == 0
    before = (weights(run), run.report, steps(run))

    assert run.start() == 0

    assert (weights(run), run.report, steps(run)) == before
    assert not (run.folder / "checkpoints").exists()


def test_a_second_process_keeps_out_of_a_folder_at_work(twins):
    run, _other = twins
    with (run.folder / "events.jsonl").open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)

        assert run.start() == 3

    assert run.events == []


def save(folder: Path, step: int) -> None:
    checkpoints.save(
        folder, Checkpoint(step, {"w": torch.full((64, 64), float(step))}, {"run": "a"})
    )


def kept(folder: Path) -> list[int]:
    return sorted(int(path.stem[5:]) for path in folder.iterdir())


def test_the_last_two_checkpoints_are_kept_and_three_spread_over_the_rest(tmp_path):
    for step in range(1, 21):
        save(tmp_path, step)

    assert len(kept(tmp_path)) == 5
    assert kept(tmp_path)[-2:] == [19, 20]
    first, second, third = kept(tmp_path)[:3]
    assert 3 <= first <= 8 <= second <= 13 <= third <= 18
    found = checkpoints.latest(tmp_path, {"run": "a"})
    assert found is not None
    assert (found.step, found.tensors["w"][0, 0].item()) == (20, 20.0)
    assert checkpoints.latest(tmp_path, {"run": "b"}) is None


def test_of_large_checkpoints_only_the_last_two_are_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoints, "EARLIER_BYTES_MAX", 10_000)  # one is 16 kB
    for step in (1, 2, 3):
        save(tmp_path, step)

    assert kept(tmp_path) == [2, 3]


def test_a_damaged_checkpoint_is_passed_over_for_the_one_before(tmp_path):
    save(tmp_path, 1)
    save(tmp_path, 2)
    newest = tmp_path / "step-00000002.safetensors"
    newest.write_bytes(newest.read_bytes()[:-100])

    passed_over: list[int] = []
    found = checkpoints.latest(tmp_path, {"run": "a"}, passed_over)

    assert found is not None
    assert (found.step, passed_over) == (1, [2])


def test_a_full_disk_never_costs_the_last_good_checkpoint(tmp_path):
    save(tmp_path, 1)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, before[1]))

    try:
        with pytest.raises(Exception, match="os error 27|File too large"):
            save(tmp_path, 2)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)

    found = checkpoints.latest(tmp_path, {"run": "a"})
    assert found is not None
    assert found.step == 1
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000001.safetensors"]
