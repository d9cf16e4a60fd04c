"""A real training inside a run, on data that it loads from the facility as from the Hub."""

import sys

import pytest
from pytest_django.live_server_helper import LiveServer

from fabriek.engines.local import Local
from fabriek.runs import folders
from fabriek.runs.states import RunState
from fabriek.store import actions as store
from tests.factories import a_repository
from tests.runs.world import a_world, over, pushed

# A person's own program, as they would bring it to another machine: not a word of us in it.
TRAINS = """
import os, sys, json, time, pathlib
import torch
from datasets import load_dataset
from transformers import BertConfig, BertForSequenceClassification

ours, others = sys.argv[2:4]
data = load_dataset(ours, split="train")
streamed = next(iter(load_dataset(ours, split="train", streaming=True)))
assert streamed == data[0], streamed
try:
    load_dataset(others)
except Exception as error:
    print("refused", type(error).__name__)

torch.manual_seed(1)
shape = {"hidden_size": 16, "intermediate_size": 16, "num_attention_heads": 2}
model = BertForSequenceClassification(
    BertConfig(vocab_size=128, num_hidden_layers=1, max_position_embeddings=32, **shape)
)
optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
ids = torch.tensor([[ord(sign) % 128 for sign in text.ljust(16)[:16]] for text in data["text"]])
labels = torch.tensor(data["label"])
losses = []
for step in range(30):
    loss = model(input_ids=ids, labels=labels).loss
    loss.backward(); optimizer.step(); optimizer.zero_grad()
    losses.append(float(loss))
with open(pathlib.Path(sys.argv[1]) / "events.jsonl", "a") as file:
    scores = {"loss_before": losses[0], "loss_after": losses[-1]}
    for kind in ({"kind": "stage", "name": "Learning"}, {"kind": "result", "scores": scores}):
        file.write(json.dumps({"at": time.time(), **kind}) + "\\n")
print("rows", len(data), "token in the environment:", "HF_TOKEN" in os.environ)
"""


@pytest.fixture
def portal(transactional_db, settings):
    """Serve this very database, once the folders of the test are its own."""
    server = LiveServer("127.0.0.1:0")
    settings.FACTORY_URL = server.url
    yield server
    server.stop()


@pytest.mark.slow
def test_a_run_trains_on_what_load_dataset_gives(portal, monkeypatch, tmp_path):
    world, stranger = a_world(), a_world()
    rows = "text,label\n" + "".join(f"{'ab'[n % 2] * 9},{n % 2}\n" for n in range(64))
    ours = a_named(world, rows)
    theirs = a_named(stranger, rows)
    names = (ours.repo_id, theirs.repo_id)
    monkeypatch.setattr(
        "fabriek.runs.jobs.command_of",
        lambda run: (sys.executable, "-c", TRAINS, str(run.folder), *names),
    )
    machine = Local(tmp_path / "engine", gpus=1, grace_s=2, beat_s=0.1)
    run = world.ask()

    ended = over(machine, run, within_s=120)

    said = folders.log_tail(ended)
    assert ended.state == RunState.SUCCEEDED, said
    assert "rows 64 token in the environment: False" in said
    assert "refused DatasetNotFoundError" in said
    assert ended.scores["loss_after"] < ended.scores["loss_before"] / 10
    assert sorted(path.name for path in (run.folder / "hub").iterdir()) == ["datasets", "hub"]


def a_named(world, rows):
    repository = a_repository(case=world.case)
    store.name_repository(repository, code=f"D26-{repository.pk:04d}", title="rows")
    pushed(repository, {"train.csv": rows}, world.person)
    return repository
