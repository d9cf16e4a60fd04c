"""Run folders as a recipe leaves them, with a model of a few bytes."""

import json
import shutil

from django.utils import timezone

from fabriek.runs.models import RunInput
from fabriek.runs.states import RunState
from tests.factories import (
    a_case,
    a_dataset,
    a_person,
    a_revision,
    a_run,
    an_allocation,
    an_organisation,
)

SCORES = {
    "exact_match_before": 0.042,
    "exact_match_after": 0.917,
    "loss_before": 3.2101,
    "loss_after": 0.1234,
}
REPORT = {
    "scores": SCORES,
    "rows_trained": 810,
    "rows_held_out": 90,
    "tokens_seen": 123_456,
    "parameters_trained": 1_000,
    "parameters_total": 8,
    "flop_estimate": 1.5e12,
    "wrong": [{"prompt": "Mevrouw Jansen belt", "expected": "a", "answer": "b"}],
    "versions": {"torch": "2"},
}


def weights(*, shape=(2, 4)):
    """Write a safetensors file by the format's own description."""
    size = 4 * shape[0] * shape[1]
    header = {"w": {"dtype": "F32", "shape": list(shape), "data_offsets": [0, size]}}
    head = json.dumps(header).encode()
    return len(head).to_bytes(8, "little") + head + b"\0" * size


def plain_model(folder):
    folder.mkdir(parents=True)
    (folder / "config.json").write_text('{"model_type": "llama"}')
    (folder / "model.safetensors").write_bytes(weights())
    (folder / "tokenizer.json").write_text("{}")
    return folder


def a_finished_run(*, case=None, recipe="finetune_lm", data=(), base=None, **fields):
    """Make a run that succeeded, with its folder; `data` are datasets, `base` a model."""
    defaults = {"state": RunState.SUCCEEDED, "scores": SCORES, "ended_at": timezone.now()}
    allocation = an_allocation(case=case or a_case())
    run = a_run(
        allocation=allocation,
        recipe=recipe,
        gpu_seconds_used=360,
        **defaults | fields,
    )
    for number, dataset in enumerate(data):
        RunInput.objects.create(
            run=run, name=f"dataset{number or ''}", revision=a_revision(dataset.repository)
        )
    if base:
        RunInput.objects.create(run=run, name="model", revision=base.revision)
    plain_model(run.folder / "outputs/model")
    (run.folder / "run.json").write_text("{}")
    (run.folder / "outputs/report.json").write_text(json.dumps(REPORT))
    return run


def some_data(case, *, code="D26-9001", **fields):
    dataset = a_dataset(case=case, **{"title": "Messages to the desk"} | fields)
    dataset.repository.code, dataset.repository.title = code, dataset.title
    dataset.repository.save()
    return dataset


def a_consortium():
    """Make an open case with a lead and a member of its organisation."""
    lead, member = a_person(), a_person()
    organisation = an_organisation(lead=lead, member=member)
    return a_case(lead=lead, organisation=organisation), lead, member


def empty(folder):
    shutil.rmtree(folder)
    folder.mkdir()
