"""A job trusts the factory's own authority, and beside it all that others trust."""

import ssl

import httpx
import pytest

from fabriek.engines.fake import Fake
from fabriek.kernel.environment import Environment, ImproperlyConfigured
from fabriek.runs import jobs
from fabriek.runs.states import RunState
from tests import tls
from tests.runs.world import a_world, followed

pytestmark = pytest.mark.django_db


@pytest.fixture
def job(settings):
    """Give what a job is told of whom to trust, with or without an authority of our own."""

    def told(ca):
        settings.CA_FILE = ca
        run = followed(Fake(), a_world().ask(), RunState.QUEUED)
        names = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
        return {k: v for k, v in jobs.job_of(run).environment if k in names}

    return told


def test_a_job_calls_a_factory_of_its_own_authority(job, tmp_path):
    with tls.serving(tmp_path) as (address, ca):
        told = job(ca)
        trusting = ssl.create_default_context(cafile=told["SSL_CERT_FILE"])
        answer = httpx.get(address, verify=trusting)

    assert answer.status_code == 200
    assert set(told) == {"SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"}
    assert len(set(told.values())) == 1
    everybody = httpx.create_ssl_context(trust_env=False).cert_store_stats()["x509_ca"]
    assert trusting.cert_store_stats()["x509_ca"] == everybody + 1


def test_without_one_a_job_is_told_nothing_of_it(job):
    assert job(None) == {}


def test_what_would_give_jobs_the_key_of_the_host_is_refused(tmp_path):
    with tls.serving(tmp_path) as (_address, ca):
        pair = tmp_path / "pair.pem"

    told = Environment({"GOOD": str(ca), "KEY": str(pair), "NONE": str(tmp_path / "none")})

    assert (told.certificates("GOOD"), told.certificates("")) == (ca, None)
    with pytest.raises(ImproperlyConfigured, match="holds a private key"):
        told.certificates("KEY")
    with pytest.raises(ImproperlyConfigured, match="name a PEM file"):
        told.certificates("NONE")
