"""A case with a model, in a factory without a machine of its own."""

import pytest
from django.core.cache import cache

from tests.trying.world import a_world


@pytest.fixture(autouse=True)
def forgets():
    cache.clear()


@pytest.fixture
def world(db, tmp_path):
    return a_world(tmp_path)
