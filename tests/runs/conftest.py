"""A factory without a machine of its own, and a cache that forgets between tests."""

import pytest
from django.core.cache import cache

from fabriek.engines.fake import Fake
from fabriek.runs import behind_walls, learning
from tests.runs.world import a_world


@pytest.fixture(autouse=True)
def forgets():
    cache.clear()


@pytest.fixture(autouse=True)
def unhurried(monkeypatch):
    """Let workers behind walls take their time: who waits here does not look at a page."""
    for name, most_s in {"COUNT_S": 100, "WORK_S": 200, "WAIT_S": 300}.items():
        monkeypatch.setattr(behind_walls, name, most_s)
    monkeypatch.setattr(learning, "WAIT_S", 300)


@pytest.fixture
def engine():
    return Fake()


@pytest.fixture
def world(db):
    return a_world()
