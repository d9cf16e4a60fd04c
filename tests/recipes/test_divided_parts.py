"""What a divided run keeps and begins with, as one process sees it."""

import json
import os
import shutil
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch.distributed import DistBackendError

from fabriek_recipes.training import checkpoints, tensor_file
from fabriek_recipes.training.base import hollow, kinds_of, load
from fabriek_recipes.training.checkpoints import Checkpoint
from fabriek_recipes.training.together import _is_of_the_wire

CPU = torch.device("cpu")
KINDS = (torch.float32, torch.bfloat16, torch.float16)


def resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


@pytest.fixture
def tensors() -> dict[str, torch.Tensor]:
    made = {f"{kind}": torch.randn(3, 5).to(kind) for kind in KINDS}
    return {**made, "empty": torch.zeros(0, 4), "één": torch.arange(7.0)}


def test_a_file_written_tensor_by_tensor_is_read_by_the_library(tmp_path, tensors):
    tensor_file.write(tmp_path / "a", tensors, iter(tensors.values()), {"step": "3"})

    found = load_file(tmp_path / "a")
    assert found.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert found[name].dtype == tensor.dtype
        assert torch.equal(found[name], tensor)
    with safe_open(tmp_path / "a", framework="pt") as file:
        assert file.metadata() == {"step": "3"}


@pytest.mark.parametrize("values", [[], [torch.zeros(2)], [torch.zeros(1), torch.zeros(1)]])
def test_values_that_are_not_what_was_said_are_no_file(tmp_path, values):
    with pytest.raises(ValueError, match=r"is not|shorter|longer"):
        tensor_file.write(tmp_path / "a", {"one": torch.zeros(1)}, values, {})


def test_a_checkpoint_that_is_brought_is_the_one_that_lies_there(tmp_path, tensors):
    kept = Checkpoint(4, tensors, {"run": "x"})

    checkpoints.save(tmp_path, kept, iter(tensors.values()))

    found = checkpoints.latest(tmp_path, {"run": "x"})
    assert found is not None
    assert (found.step, found.state) == (4, {"run": "x"})
    assert all(torch.equal(found.tensors[name], tensors[name]) for name in tensors)


def test_a_disk_that_fills_up_halfway_leaves_the_checkpoint_before(tmp_path, tensors):
    def until_full():
        yield from list(tensors.values())[:2]
        raise OSError(28, "No space left on device")

    checkpoints.save(tmp_path, Checkpoint(1, tensors, {}), iter(tensors.values()))

    with pytest.raises(OSError, match="No space"):
        checkpoints.save(tmp_path, Checkpoint(2, tensors, {}), until_full())

    assert [path.name for path in tmp_path.iterdir()] == ["step-00000001.safetensors"]


def test_a_model_without_weights_has_the_shape_of_the_loaded_one(base):
    loaded = load(base, CPU, frozen=True)

    empty = hollow(base, kinds_of(loaded))

    shapes = {name: (w.shape, w.dtype) for name, w in loaded.model.named_parameters()}
    assert {n: (w.shape, w.dtype) for n, w in empty.model.named_parameters()} == shapes
    assert empty.stops == loaded.stops
    assert empty.model.get_output_embeddings().weight is empty.model.model.embed_tokens.weight
    kept = dict(loaded.model.named_buffers())
    assert kept
    assert all(torch.equal(kept[name], found) for name, found in empty.model.named_buffers())


def test_a_model_without_weights_takes_no_memory(tmp_path, base):
    shutil.copytree(base, tmp_path / "large")
    config = json.loads((base / "config.json").read_text())
    large = config | {"hidden_size": 1024, "intermediate_size": 8192, "num_hidden_layers": 8}
    (tmp_path / "large/config.json").write_text(json.dumps(large))
    names = kinds_of(hollow(tmp_path / "large", AnyKind()))
    before = resident_bytes()

    made = hollow(tmp_path / "large", names)

    assert sum(weight.nbytes for weight in made.model.parameters()) > 700 * 2**20
    assert resident_bytes() - before < 80 * 2**20


class AnyKind(dict):
    def __missing__(self, _name: str) -> str:
        return "float32"


@pytest.mark.parametrize(
    ("why", "is_gone"),
    [
        (RuntimeError("[/gloo/transport/tcp/pair.cc:553] Connection closed by peer"), True),
        (DistBackendError("NCCL error"), True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
    ],
)
def test_a_fault_of_ours_is_not_taken_for_a_lost_process(why, is_gone):
    assert _is_of_the_wire(why) is is_gone
