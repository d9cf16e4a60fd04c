"""The libraries that people have, as they are, against a factory that runs."""

import json
import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.server import Running

pytestmark = pytest.mark.slow
HERE = Path(__file__).parent
FLOWS = HERE / "flows.py"
SEED = HERE.parent / "hub_clients" / "seed.py"
LIMIT_S = 300


@pytest.fixture(scope="module")
def factory(tmp_path_factory):
    with Running(tmp_path_factory.mktemp("factory")) as running:
        environment = running.environment | {"PYTHONPATH": str(HERE.parents[1])}
        done = subprocess.run(
            [sys.executable, SEED, "fill"], env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        yield running, json.loads(done.stdout)


@pytest.fixture
def flow(factory, tmp_path):
    """Run a flow of `flows.py` as somebody in an open case."""
    running, told = factory
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("HF_")
    } | {
        "HF_ENDPOINT": running.url,
        "HF_TOKEN": told["token"],
        "HF_HOME": str(tmp_path / "hf"),
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_XET": "1",
        "HF_UPDATE_DOWNLOAD_COUNTS": "0",
        "HUB_CASE": told["case"],
    }

    def run(name):
        command = [sys.executable, str(FLOWS), name]
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=LIMIT_S
        )
        assert done.returncode == 0, done.stdout + done.stderr

    return run


@pytest.mark.parametrize("name", ["pairs", "tables", "resumed"])
def test_datasets_are_pushed_and_read(flow, name):
    flow(name)


def test_a_model_is_pushed_loaded_and_pushed_again(flow, factory):
    flow("model")

    running, told = factory
    answer = httpx.get(
        f"{running.url}/api/models/",
        headers={"Authorization": f"Bearer {told['token']}"},
        timeout=60,
    )
    assert [model["title"] for model in answer.json()["items"]] == ["tiny"]
