"""A dry run: some steps, what they took, and nothing else; and energy by a counter."""

import json
import sys
from dataclasses import replace
from types import SimpleNamespace

from fabriek_recipes.run_folder import read_manifest, write_manifest
from fabriek_recipes.training.energy import Meter
from tests.recipes.conftest import TINY, prepare, rows, write_rows


def measured(run):
    return [event.fields["figures"] for event in run.events if event.kind == "measured"]


def dry(tmp_path, steps):
    texts = [{"text": row["prompt"]} for row in rows(200)]
    data = write_rows(tmp_path / "data", texts)
    run = prepare(tmp_path / "run", "pretrain_lm", TINY | {"epochs": 3}, {"dataset": data})
    manifest = read_manifest(run.folder)
    limits = replace(manifest.limits, steps_max=steps)
    write_manifest(run.folder, replace(manifest, limits=limits))
    return run


def test_a_dry_run_does_its_steps_says_what_they_took_and_leaves_no_model(tmp_path):
    run = dry(tmp_path, 3)

    code = run.start()

    (figures,) = measured(run)
    assert code == 0
    assert figures["steps"] == 3
    assert figures["seconds_per_step"] > 0
    assert 0 < figures["tokens_per_step"] <= 256
    assert figures["memory_bytes"] > 100_000_000
    assert run.report["dry_run"] == figures
    assert [path.name for path in (run.folder / "outputs").iterdir()] == ["report.json"]
    assert not (run.folder / "checkpoints").exists()
    assert "Scoring after" not in [event.fields.get("name") for event in run.events]


def test_a_manifest_of_before_dry_runs_is_read_as_no_dry_run(tmp_path):
    run = dry(tmp_path, 0)
    told = json.loads((run.folder / "run.json").read_text())
    del told["limits"]["steps_max"]
    (run.folder / "run.json").write_text(json.dumps(told))

    assert read_manifest(run.folder).limits.steps_max == 0


class Counters(SimpleNamespace):
    """Stands for NVIDIA's library: each look at a GPU finds 500 joules more."""

    NVMLError = type("NVMLError", (Exception,), {})

    def nvmlInit(self):  # noqa: N802
        self.drawn = {}

    def nvmlDeviceGetCount(self):  # noqa: N802
        return 2

    def nvmlDeviceGetHandleByIndex(self, number):  # noqa: N802
        return number

    def nvmlDeviceGetTotalEnergyConsumption(self, gpu):  # noqa: N802
        self.drawn[gpu] = self.drawn.get(gpu, 0) + 500_000
        return self.drawn[gpu]


def test_energy_is_the_difference_of_the_counters_of_the_gpus_given(monkeypatch):
    monkeypatch.setitem(sys.modules, "pynvml", Counters())
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")

    one = Meter().measured()
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    both = Meter().measured()

    assert one == {"energy_joules": 500.0, "energy_gpus": 1}
    assert both == {"energy_joules": 1000.0, "energy_gpus": 2}


def test_part_of_a_gpu_has_no_counter_of_its_own(monkeypatch):
    monkeypatch.setitem(sys.modules, "pynvml", Counters())
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "MIG-3eb87630")

    assert Meter().measured() == {}


def test_without_the_library_nothing_is_measured(monkeypatch):
    monkeypatch.setitem(sys.modules, "pynvml", None)

    assert Meter().measured() == {}


def test_a_dry_run_of_fine_tuning_scores_nothing_and_saves_nothing(tmp_path, base, dataset):
    knobs = {"tokens_per_step": 256, "tokens_per_row_max": 64}
    run = prepare(tmp_path / "run", "finetune_lm", knobs, {"dataset": dataset, "model": base})
    manifest = read_manifest(run.folder)
    write_manifest(run.folder, replace(manifest, limits=replace(manifest.limits, steps_max=2)))

    code = run.start()

    assert code == 0
    assert measured(run)[0]["steps"] == 2
    assert [path.name for path in (run.folder / "outputs").iterdir()] == ["report.json"]
    assert not [event for event in run.events if event.kind in {"sample", "result"}]
