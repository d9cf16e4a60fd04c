"""A model divided over processes learns what one process would, and is left whole."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from fabriek_recipes.kinds import Facts
from fabriek_recipes.recipe import catalogue
from tests.recipes.conftest import KNOBS, TINY, Run, prepare, rows, write_rows
from tests.recipes.test_many import (
    CLOSE,
    FULL,
    SRC,
    Started,
    assert_equal,
    failures,
    losses,
    saved_steps,
)

DIVIDED = {**FULL, "weights_held": "shards", "epochs": 20}
LORA = {
    "epochs": 20,
    "learning_rate": 0.02,
    "tokens_per_step": 768,
    "stop_after_looks": 1,
    "held_out_percent": 50,
    "weights_held": "shards",
}
GB = 10**9


@pytest.fixture(scope="module")
def inputs(tmp_path_factory, base) -> dict[str, Path]:
    data = write_rows(tmp_path_factory.mktemp("data"), rows(60))
    return {"dataset": data, "model": base}


@pytest.fixture(scope="module")
def by_one(tmp_path_factory, inputs) -> Run:
    """Do a run by one process, which divides nothing."""
    run = prepare(tmp_path_factory.mktemp("one") / "run", "finetune_lm", DIVIDED, inputs)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        assert run.start() == 0
    return run


@pytest.fixture(scope="module")
def by_two(tmp_path_factory, inputs) -> Run:
    """Do it divided over two, from beginning to end."""
    run = prepare(tmp_path_factory.mktemp("two") / "run", "finetune_lm", DIVIDED, inputs)
    with Started(run) as started:
        assert started.ended() == 0
    return run


@pytest.fixture(scope="module")
def told(tmp_path_factory) -> dict:
    """Divide a tiny model over two processes in all the ways a run may."""
    out = tmp_path_factory.mktemp("divided") / "told.json"
    script = str(Path(__file__).with_name("divided.py"))
    done = subprocess.run(
        [sys.executable, "-m", "fabriek_recipes.torchrun", "--nproc-per-node=2", script, out],
        env={**os.environ, "PYTHONPATH": str(SRC), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(out.read_text())


def weights(run: Run) -> dict[str, torch.Tensor]:
    return load_file(run.folder / "outputs/model/model.safetensors")


def assert_same_weights(one: Run, other: Run, *, apart: float = 0.0) -> None:
    mine, theirs = weights(one), weights(other)
    assert mine.keys() == theirs.keys()
    for name, weight in mine.items():
        torch.testing.assert_close(weight, theirs[name], atol=apart, rtol=0)


def warnings(run: Run) -> dict[str, str]:
    return {
        str(event.fields["code"]): str(event.fields["text"])
        for event in run.events
        if event.kind == "warning"
    }


def samples(run: Run) -> dict[object, list[str]]:
    """Give what the model wrote, by when; how often in between depends on the clock."""
    found: dict[object, list[str]] = {}
    for event in run.events:
        if event.kind == "sample":
            found.setdefault(event.fields["when"], []).append(str(event.fields["answer"]))
    return found


@pytest.mark.slow
@pytest.mark.many
@pytest.mark.parametrize(
    "way",
    ["every weight", "tied", "an addition", "recomputed", "compiled", "both", "own logits"],
)
def test_a_step_of_divided_weights_is_that_of_one_process(told, way):
    assert told[way]["learning"] == 1.0
    assert told[way]["gradients"] < 1e-6
    assert told[way]["norm"] < 1e-6
    # The first step of Adam follows the sign of a gradient, however small it is.
    assert told[way]["weights"] < CLOSE
    # Some weights have an odd number of rows.
    assert 0.49 < told[way]["share"] < 0.55


@pytest.mark.slow
@pytest.mark.many
@pytest.mark.parametrize("way", ["gpu", "gpu, an addition"])
def test_in_the_numbers_of_a_gpu_a_step_is_nearly_the_same(told, way):
    assert told[way]["learning"] == 1.0
    assert told[way]["gradients"] < 0.003
    assert told[way]["norm"] < 0.005


@pytest.mark.slow
@pytest.mark.many
def test_one_process_may_let_the_model_write_and_each_may_ask_it_more_often(told):
    found = told["answers"]

    assert found["written"]
    assert found["shared"] < 1e-4
    assert found["put_back"]
    assert found["whole"]
    assert found["kind"] == "LlamaForCausalLM"


@pytest.mark.slow
@pytest.mark.many
def test_no_number_in_one_process_is_seen_by_all(told):
    assert told["spoilt"]


@pytest.mark.slow
@pytest.mark.many
def test_two_with_half_of_each_weight_learn_as_one_with_all(by_one, by_two):
    assert_equal(by_two, by_one)
    assert_same_weights(by_two, by_one, apart=CLOSE)
    mine, theirs = samples(by_two), samples(by_one)
    assert mine.keys() - {"before", "after"}
    assert all(mine[when] == theirs[when] for when in mine.keys() & theirs.keys())
    assert "weights_divided" in warnings(by_two)
    assert "weights_divided" not in warnings(by_one)
    model = AutoModelForCausalLM.from_pretrained(by_two.folder / "outputs/model")
    assert type(model).__name__ == "LlamaForCausalLM"
    assert not (by_two.folder / "checkpoints").exists()


# peft still asks transformers by a name that transformers is giving up.
@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")
@pytest.mark.slow
@pytest.mark.many
def test_a_divided_addition_is_that_of_one_and_peft_reads_it(tmp_path, inputs):
    one, two = (prepare(tmp_path / name, "finetune_lm", LORA, inputs) for name in ("1", "2"))

    with Started(two) as started:
        assert started.ended() == 0
    assert one.start() == 0

    assert_equal(two, one)
    assert_same_weights(two, one, apart=CLOSE)
    # It was stopped early, and the best weights were put back in everyone's part.
    assert "best_taken" in warnings(two)
    assert warnings(two).keys() - {"weights_divided"} == warnings(one).keys()
    from_base = AutoModelForCausalLM.from_pretrained(inputs["model"])
    added = PeftModel.from_pretrained(from_base, two.folder / "outputs/adapter").eval()
    whole = AutoModelForCausalLM.from_pretrained(two.folder / "outputs/model").eval()
    ids = torch.tensor([[5, 6, 7, 8]])
    with torch.no_grad():
        torch.testing.assert_close(added(ids).logits, whole(ids).logits, atol=1e-4, rtol=0)


@pytest.mark.slow
@pytest.mark.many
def test_pretraining_divided_in_steps_of_one_row_is_that_of_one(tmp_path, corpus):
    knobs = {**TINY, "tokens_per_step": 64, "epochs": 1, "weights_held": "shards"}
    one, two = (
        prepare(tmp_path / name, "pretrain_lm", knobs, {"dataset": corpus}) for name in "12"
    )

    with Started(two) as started:
        assert started.ended() == 0
    assert one.start() == 0

    assert_equal(two, one)


@pytest.mark.slow
@pytest.mark.many
def test_a_divided_run_that_was_stopped_goes_on_to_the_last_bit_or_with_one_process(
    tmp_path, inputs, by_two, by_one
):
    run = prepare(tmp_path / "run", "finetune_lm", DIVIDED, inputs)

    with Started(run) as started:
        started.wait_for_step(5)
        os.kill(started.rank(1), signal.SIGTERM)
        code = started.ended()
    stopped_at = max(losses(run))
    shutil.copytree(run.folder, tmp_path / "alone")
    alone = Run(tmp_path / "alone", run.recipe)
    with Started(run) as started:
        resumed = started.ended()

    assert code == 143
    assert saved_steps(alone) == [stopped_at]
    assert stopped_at < max(losses(by_two))
    assert failures(run) == []
    assert resumed == 0
    assert losses(run) == losses(by_two)
    assert_same_weights(run, by_two)
    assert alone.start() == 0
    assert_equal(alone, by_one)
    assert_same_weights(alone, by_one, apart=CLOSE)


@pytest.mark.slow
@pytest.mark.many
def test_a_divided_run_ends_soon_when_one_is_killed_and_passes_by_half_a_checkpoint(
    tmp_path, inputs, by_two
):
    run = prepare(
        tmp_path / "run", "finetune_lm", {**DIVIDED, "checkpoint_every_steps": 4}, inputs
    )

    with Started(run) as started:
        started.wait_for_step(10)
        os.kill(started.rank(1), signal.SIGKILL)
        code = started.ended()  # within minutes, though torchrun gives who saves an hour
    newest = max((run.folder / "checkpoints").glob("step-*"))
    newest.write_bytes(newest.read_bytes()[: newest.stat().st_size // 2])
    with Started(run) as started:
        resumed = started.ended()

    assert code in {128 + signal.SIGKILL, os.EX_TEMPFAIL}
    assert failures(run) == ["process_lost"]
    assert resumed == 0
    assert_same_weights(run, by_two)


def estimated(gpus: int, **knobs: object):
    facts = Facts(
        rows=1_000,
        text_bytes=4_000_000,
        longest_row_bytes=4_000,
        base_parameters=8_000_000_000,
        gpus=gpus,
        gpu_memory_bytes=80 * GB,
    )
    return catalogue()["finetune_lm"].estimate(KNOBS["finetune_lm"](**knobs), facts)


def test_a_model_that_does_not_fit_on_one_gpu_is_divided_over_many_and_the_price_says_so():
    one, eight = estimated(1, method="full"), estimated(8, method="full")

    assert one.memory_bytes > 130 * GB
    assert eight.memory_bytes < 40 * GB
    assert not any("divided" in why for why in one.why)
    assert eight.why[-1] == (
        "With a copy of the weights the run takes about 131.1 GB and one GPU has 80.0 GB, so "
        "they are divided over the 8 GPUs: about 25.5 GB on each."
    )


def test_what_fits_is_copied_unless_asked_otherwise():
    lora, asked = estimated(8), estimated(8, weights_held="shards")
    kept = estimated(8, method="full", weights_held="copies")

    assert lora.memory_bytes < 40 * GB
    assert not any("divided" in why for why in lora.why)
    assert asked.memory_bytes < lora.memory_bytes
    assert "As was asked" in asked.why[-1]
    assert kept.memory_bytes > 130 * GB
