"""A case with GPU-hours, in a factory that offers interactive work."""

import pytest
from django.core.cache import cache

from fabriek.engines.fake import Fake
from fabriek.runs.models import Run
from fabriek.runs.states import RunState
from fabriek_recipes.lab.knobs import READY
from tests.runs.world import a_world


@pytest.fixture(autouse=True)
def forgets():
    cache.clear()


@pytest.fixture
def engine():
    return Fake()


@pytest.fixture
def offered(settings):
    settings.LAB = True
    settings.LAB_URL = "https://*.lab.example.org"
    return settings


@pytest.fixture
def world(db, offered):
    return a_world(gpu_seconds=360_000)


@pytest.fixture
def opened():
    """Let a run be one that people can go into, as the loop would have found it."""

    def as_open(run):
        Run.objects.filter(pk=run.pk).update(state=RunState.RUNNING, stage=READY)
        return Run.objects.select_related("case", "allocation").get(pk=run.pk)

    return as_open
