"""A tiny model and its base, asked through the pages, answered by a job of the local engine."""

import re

import pytest
import torch

from fabriek.engines.local import Local
from fabriek.runs.models import Run
from fabriek.runs.states import RunState
from fabriek.trying import following
from fabriek_recipes.conversations import Message
from fabriek_recipes.training.base import load
from fabriek_recipes.training.encoding import context_of
from fabriek_recipes.training.writing import Manner, asked, written
from fabriek_recipes.try_model.knobs import READY
from tests.engines.waiting import eventually
from tests.recipes.conftest import base, corpus  # noqa: F401  fixtures
from tests.recipes.tuned import taught
from tests.registry.worlds import a_consortium
from tests.runs.world import over, passes, seen_again
from tests.trying.real import registered

pytestmark = [pytest.mark.django_db, pytest.mark.slow]
PROMPT = "Er brandt iets bij de sluis, huis 2."
READY_WITHIN_S = 180
ANSWERED_WITHIN_S = 60


@pytest.fixture(scope="module")
def tuned(tmp_path_factory, base):  # noqa: F811
    return taught(tmp_path_factory.mktemp("tuned"), base)


@pytest.fixture
def machine(tmp_path):
    return Local(tmp_path / "engine", gpus=1, grace_s=5, beat_s=0.1)


def said(folder, *before):
    """Say what this model answers, by itself."""
    found = load(folder, torch.device("cpu"), frozen=True)
    messages = [Message(*one) for one in (*before, ("user", PROMPT))]
    prompt = asked(found, messages)
    most = min(24, context_of(found) - len(prompt))  # a conversation fills what it can look at
    ids = written(found.model, prompt, stops=found.stops, manner=Manner(tokens_max=most))
    return found.tokenizer.decode(list(ids), skip_special_tokens=True).strip()


def ready(machine, run):
    def reached():
        passes(machine)
        found = seen_again(run)
        assert found.is_unfinished, (found.state, found.reason, found.failure)
        return found.stage == READY

    eventually(reached, within_s=READY_WITHIN_S)


def shown(client, run):
    """Give the two answers as the page tells them once both are whole, without scripts."""

    def whole():
        page = client.get(f"/try/{run.code}/").content.decode()
        return page if "aria-busy" not in page and "turn__asked" in page else None

    page = eventually(whole, within_s=ANSWERED_WITHIN_S)
    newest = page.split('<article class="turn"')[1]
    return re.findall(r'<p class="wrote" dir="auto">([^<]*)</p>', newest)


def answers(client, run, **changes):
    client.post(f"/try/{run.code}/ask", typed(**changes))
    return shown(client, run)


def typed(**changes):
    settings = {"tokens_max": "24", "temperature": "0", "seed": "1", "system": ""}
    return {"prompt": PROMPT} | settings | changes


def test_a_model_and_its_base_answer_side_by_side_and_leave_no_word(
    tmp_path,
    base,  # noqa: F811
    tuned,
    machine,
    browser,
    monkeypatch,
):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    case, _lead, member = a_consortium()
    model = registered(case, base=base, tuned=tuned, aside=tmp_path)
    client = browser(member)
    account = model.run.allocation.account

    client.post(f"/try/new?model={model.code}", {"allocation": account, "minutes": "15"})
    run = Run.objects.get(recipe="try_model")
    ready(machine, run)
    both, again = answers(client, run), answers(client, run)
    on = answers(client, run, goes_on="on")
    client.post(f"/try/{run.code}/ask", typed(tokens_max="2048", temperature="2"))
    client.post(f"/try/{run.code}/stop")
    shown(client, run)
    client.post(f"/try/{run.code}/end")
    ended = over(machine, run, within_s=60)
    following.tick()

    assert both == again == [said(tuned), said(base)]
    assert both[0] != both[1]
    # Each goes on from what it answered itself.
    assert on == [
        said(folder, ("user", PROMPT), ("assistant", answer))
        for folder, answer in zip((tuned, base), again, strict=True)
    ]
    assert ended.state == RunState.CANCELLED
    assert 0 < ended.gpu_seconds_used < 900
    left = [path for path in run.folder.rglob("*") if path.is_file()]
    assert {path.name for path in left} >= {"log", "events.jsonl"}
    for path in left:
        if "inputs" not in path.parts:
            assert b"brandt" not in path.read_bytes(), path
    page = client.get(f"/try/{run.code}/").content.decode()
    assert "brandt" not in page
