"""A model that a real recipe made is loaded from the store, as a company would do it."""

import json
import shutil

import pytest

from fabriek.registry import actions
from fabriek.store import actions as store
from fabriek_recipes.pretrain_lm.knobs import Knobs
from fabriek_recipes.run_folder import InputRef, Limits, Manifest, write_manifest
from tests.registry.worlds import a_finished_run

pytestmark = [pytest.mark.django_db, pytest.mark.slow]

TINY = {
    "size": "tiny",
    "vocabulary": 320,
    "context_tokens": 64,
    "tokens_per_step": 256,
    "epochs": 1,
}


def train(folder):
    """Let the recipe do its work in the folder of a run."""
    from fabriek_recipes.training.process import main  # noqa: PLC0415  torch takes seconds

    rows = [{"prompt": f"Melding {n} bij de brug", "completion": "laag"} for n in range(60)]
    data = folder / "inputs/dataset"
    data.mkdir(parents=True)
    (data / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    shutil.rmtree(folder / "outputs")
    manifest = Manifest(
        key="run-1",
        recipe="pretrain_lm",
        knobs=TINY,
        inputs={"dataset": InputRef(kind="dataset", revision="r1", path="inputs/dataset")},
        seed=7,
        limits=Limits(gpus=0, timeout_s=60),
        code_version="test",
    )
    write_manifest(folder, manifest)
    return main("pretrain_lm", Knobs, [str(folder)])


def test_a_registered_model_loads_from_the_store(tmp_path, monkeypatch):
    from transformers import AutoModelForCausalLM, AutoTokenizer  # noqa: PLC0415

    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    run = a_finished_run(recipe="pretrain_lm", knobs=TINY)
    assert train(run.folder) == 0

    model = actions.register(run)
    store.materialise(model.revision, tmp_path / model.code)

    loaded = AutoModelForCausalLM.from_pretrained(tmp_path / model.code)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / model.code)
    ids = tokenizer("Melding bij de brug", return_tensors="pt")["input_ids"]
    assert loaded.generate(ids, max_new_tokens=2, do_sample=False).shape[1] > ids.shape[1]
    total = sum(weight.numel() for weight in loaded.parameters())
    assert model.facts["parameters_total"] == total
    assert (tmp_path / model.code / "README.md").read_text() == model.card
