"""From the question to the dataset: a real run answers, and the loop saves what it wrote."""

import json

import pytest

from fabriek.engines.local import Local
from fabriek.runs import folders, saving
from fabriek.runs.saved_in import SavedIn
from fabriek.runs.states import RunState
from fabriek.store import actions as store
from tests.factories import a_repository
from tests.recipes.bigram import a_bigram_model
from tests.runs.test_saving import destination, files_of
from tests.runs.world import over, pushed

pytestmark = [pytest.mark.django_db, pytest.mark.slow]


def test_a_run_answers_and_its_answers_become_a_dataset(world, tmp_path):
    model = a_repository(case=world.case, kind="model", code="M26-8301", title="Letters")
    data = a_repository(case=world.case, code="D26-8301", title="Questions")
    asked = "".join(json.dumps({"prompt": f"Vraag {number}"}) + "\n" for number in range(5))
    inputs = {
        "dataset": pushed(data, {"rows.jsonl": asked}, world.person),
        "model": store.commit(
            model,
            {
                path.name: store.adopt(model, path, by=world.person)
                for path in a_bigram_model(tmp_path / "model").iterdir()
            },
            message="made",
            by=world.person,
        ),
    }
    knobs = {"answer_tokens_max": 8, "rows_per_file": 2, "stop_at": "."}
    run = world.ask(
        recipe="batch_predict",
        knobs=knobs,
        inputs=inputs,
        saved_in=SavedIn(title="Answered"),
    )

    ended = over(Local(tmp_path / "engine", gpus=1, grace_s=2, beat_s=0.1), run, within_s=240)
    saving.tick()

    assert ended.state == RunState.SUCCEEDED, folders.log_tail(ended)
    files = files_of(destination(run).dataset)
    assert sorted(files) == [f"{run.code}/part-0000{number}.jsonl" for number in range(3)]
    rows = [json.loads(line) for name in sorted(files) for line in files[name].splitlines()]
    assert [row["messages"][0]["content"] for row in rows] == [f"Vraag {n}" for n in range(5)]
    assert all(row["messages"][-1]["role"] == "assistant" for row in rows)
    assert "." not in "".join(row["messages"][-1]["content"] for row in rows)
