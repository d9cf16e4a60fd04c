"""What settings of a Slurm engine are refused; needs no cluster."""

import pytest
from django.core.exceptions import ImproperlyConfigured

from fabriek.engines.slurm import Slurm
from fabriek.runs.engine import device, engine


@pytest.fixture(autouse=True)
def slurm(settings):
    settings.ENGINE = "slurm"


def test_slurm_is_an_engine_that_computes_on_gpus_unless_told_otherwise(settings):
    assert isinstance(engine(), Slurm)
    assert engine() is engine()
    assert device() == "cuda"

    settings.SLURM_DEVICE = "cpu"
    assert device() == "cpu"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SLURM_SSH", "-oProxyCommand=id"),
        ("SLURM_SSH", "login; id"),
        ("SLURM_ACCOUNT", "a b"),
        ("SLURM_ACCOUNT", ""),
        ("SLURM_PARTITION", "gpu --uid=0"),
        ("SLURM_SECURE_PARTITION", "safe --uid=0"),
    ],
)
def test_a_setting_that_would_be_an_option_is_refused(settings, name, value):
    setattr(settings, name, value)

    with pytest.raises(ImproperlyConfigured):
        engine()


def test_a_secure_partition_needs_an_account_for_each_case(settings):
    settings.SLURM_SECURE_PARTITION = "safe"

    with pytest.raises(ImproperlyConfigured, match="FABRIEK_UNIX_ACCOUNTS=1"):
        engine()

    settings.UNIX_ACCOUNTS = True
    assert isinstance(engine(), Slurm)


def test_a_partition_for_all_is_not_the_secure_one(settings):
    settings.UNIX_ACCOUNTS = True
    settings.SLURM_PARTITION = "gpu,safe"
    settings.SLURM_SECURE_PARTITION = "safe,safer"

    with pytest.raises(ImproperlyConfigured, match="safe cannot be for all jobs"):
        engine()
