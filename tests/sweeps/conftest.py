"""A factory without a machine of its own, and a cache that forgets between tests."""

import pytest
from django.core.cache import cache

from fabriek.engines.fake import Fake
from tests.runs.world import a_world


@pytest.fixture(autouse=True)
def forgets():
    cache.clear()


@pytest.fixture
def engine():
    return Fake()


@pytest.fixture
def world(db):
    return a_world(gpu_seconds=100 * 3600)
