"""A case with GPU-hours whose account no other test on the cluster has."""

import pytest

from fabriek.runs.engine import engine
from tests.engines.cluster import ROOT, Cluster, skip_unless_asked_for
from tests.runs.test_with_local_engine import program  # noqa: F401
from tests.runs.world import a_world


def pytest_collection_modifyitems(config, items):
    skip_unless_asked_for(config, items)


@pytest.fixture
def cluster(tmp_path):
    cluster = Cluster(tmp_path)
    yield cluster
    cluster.clear()


@pytest.fixture
def world(db, cluster):
    world = a_world()
    world.allocation.account = cluster.account
    world.allocation.save()
    return world


@pytest.fixture
def machine(settings, cluster):
    """Give the engine that the settings name."""
    settings.ENGINE = "slurm"
    settings.SLURM_CONF = str(cluster.conf)
    settings.SLURM_ACCOUNT = ROOT
    settings.SLURM_DEVICE = "cpu"
    return engine()
