"""Answering and scoring by several processes: each row once, in order, the same to the bit."""

import json
import os
import signal
from pathlib import Path

import pytest

from tests.recipes.conftest import Run, prepare, rows, write_rows
from tests.recipes.test_many import Started

pytestmark = [pytest.mark.slow, pytest.mark.many]

# Seven parts of eight rows and one of four.
KNOBS = {"answer_tokens_max": 6, "rows_per_file": 8, "writing": "drawn"}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory, base) -> dict[str, Path]:
    data = write_rows(tmp_path_factory.mktemp("data"), rows(60))
    return {"dataset": data, "model": base}


@pytest.fixture(scope="module")
def alone(tmp_path_factory, inputs) -> Run:
    run = prepare(tmp_path_factory.mktemp("alone") / "run", "batch_predict", KNOBS, inputs)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        assert run.start() == 0
    return run


def contents(run: Run) -> dict[str, bytes]:
    return {
        path.name: path.read_bytes()
        for path in sorted((run.folder / "outputs" / "answers").iterdir())
    }


def finished(run: Run) -> list[Path]:
    return list((run.folder / "checkpoints").glob("parts-*/part-*.json"))


def lines(run: Run) -> list[int]:
    return [
        json.loads(line)["line"]
        for part in contents(run).values()
        for line in part.splitlines()
    ]


def test_several_processes_answer_as_one_does(tmp_path, inputs, alone):
    run = prepare(tmp_path / "run", "batch_predict", KNOBS, inputs)

    with Started(run, "--nproc-per-node=3") as started:
        assert started.ended() == 0

    assert contents(run) == contents(alone)
    assert lines(run) == list(range(1, 61))


def test_one_process_goes_on_with_what_two_began(tmp_path, inputs, alone):
    run = prepare(tmp_path / "run", "batch_predict", KNOBS, inputs)

    with Started(run) as started:
        started.wait(lambda: finished(run))
        os.kill(started.rank(1), signal.SIGTERM)
        code = started.ended()
    begun = {path.name: path.stat().st_mtime_ns for path in finished(run)}

    assert code == 143
    assert 0 < len(begun) < 8
    assert run.start() == 0
    assert contents(run) == contents(alone)
    assert lines(run) == list(range(1, 61))


def test_three_processes_go_on_with_what_one_began_and_was_killed(tmp_path, inputs, alone):
    run = prepare(tmp_path / "run", "batch_predict", KNOBS, inputs)

    with Started(run, "--nproc-per-node=1") as started:
        started.wait(lambda: finished(run))
        os.kill(started.children()[0], signal.SIGKILL)
        started.process.wait(timeout=30)
    assert not (run.folder / "outputs" / "report.json").exists()

    with Started(run, "--nproc-per-node=3") as started:
        assert started.ended() == 0
    assert contents(run) == contents(alone)


def test_two_processes_score_as_one_does(tmp_path, inputs):
    one, many = (
        prepare(tmp_path / name, "evaluate", {"answer_tokens_max": 6}, inputs)
        for name in ("one", "many")
    )

    with Started(many) as started:
        assert started.ended() == 0
    assert one.start() == 0

    assert many.report["scores"] == one.report["scores"]
    assert many.report["worst"] == one.report["worst"]
