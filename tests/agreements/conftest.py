"""What the tests of agreements share."""

import pytest
from django.core.cache import cache


@pytest.fixture(autouse=True)
def _nothing_tried_before():
    cache.clear()
