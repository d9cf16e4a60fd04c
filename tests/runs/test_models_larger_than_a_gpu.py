"""A model that does not fit on one GPU: the price says what it takes, and how many would do."""

import pytest

from fabriek.runs import memory
from fabriek_recipes.kinds import Facts
from fabriek_recipes.recipe import catalogue

RECIPE = catalogue()["finetune_lm"]
BILLION = 10**9


@pytest.fixture(autouse=True)
def gpus_of_80_gb(settings):
    settings.ENGINE, settings.SLURM_DEVICE, settings.GPU_MEMORY_GB = "slurm", "cuda", 80


def note(billions: int, *, gpus: int = 1, **knobs: object) -> str:
    facts = Facts(
        rows=1_000,
        text_bytes=4_000_000,
        base_parameters=billions * BILLION,
        gpus=gpus,
        gpu_memory_bytes=memory.of_gpu_bytes(),
    )
    return memory.too_little(RECIPE, RECIPE.knobs(**knobs), facts)


def test_it_says_over_how_many_gpus_the_weights_would_have_to_be_divided():
    assert note(8, method="full").endswith(
        "Ask for 4 GPUs: the weights are then divided over them."
    )
    assert note(8, method="full", gpus=4) == ""


def test_one_copy_on_each_is_helped_by_no_number_of_gpus():
    said = note(8, method="full", gpus=4, weights_held="copies")

    assert said.endswith("Choose as method “A small addition (LoRA)”.")


def test_what_no_number_of_gpus_holds_is_told_so():
    assert note(5_000, method="full").endswith("choose a smaller model.")


def test_without_gpus_or_without_knowing_their_memory_nothing_is_divided(settings):
    settings.SLURM_DEVICE = "cpu"
    assert memory.of_gpu_bytes() == 0

    settings.SLURM_DEVICE, settings.GPU_MEMORY_GB = "cuda", 0
    assert memory.of_gpu_bytes() == 0
    assert note(8, method="full") == ""
