"""Sentences are compared in English here, whatever language the factory speaks first."""

import pytest
from django.utils import translation


@pytest.fixture(autouse=True)
def english():
    with translation.override("en"):
        yield
