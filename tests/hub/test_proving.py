"""What rotted on the disk is not given to programs, which compare nothing themselves."""

from datetime import timedelta

import pytest
from django.utils import timezone

from fabriek.store import looking, proving
from fabriek.store.models import Blob, Damage
from tests.hub.calls import body, large
from tests.hub.test_files import BINARY, sent
from tests.store.test_scrub import spoil

pytestmark = pytest.mark.django_db
LONG_AGO = timedelta(days=8)


@pytest.fixture
def rotten(hub):
    """Give a file of its own that was sent long ago, and of which a byte turned since."""
    sent(hub, BINARY)
    hub.commit(large("data/big.bin", BINARY))
    Blob.objects.update(stored_at=timezone.now() - LONG_AGO)
    spoil(Blob.objects.get(), at=5)
    return hub


def test_a_file_that_rotted_is_refused_and_listed(rotten):
    refused = rotten.resolve("data/big.bin", headers={"Range": "bytes=0-9"})

    assert (refused.status_code, Damage.objects.get().what) == (503, "changed")
    assert rotten.resolve("data/big.bin").status_code == 503


def test_a_file_is_read_again_once_in_a_while_only(hub, monkeypatch):
    sent(hub, BINARY)
    hub.commit(large("data/big.bin", BINARY))
    looks = []
    look = looking.look
    monkeypatch.setattr(looking, "look", lambda *a, **k: looks.append(a) or look(*a, **k))

    fresh = body(hub.resolve("data/big.bin"))
    before = len(looks)
    Blob.objects.update(stored_at=timezone.now() - LONG_AGO)
    old = [body(hub.resolve("data/big.bin")) for _ in range(2)]

    assert (before, len(looks)) == (0, 1)
    assert fresh == old[0] == old[1] == BINARY
    assert Blob.objects.get().verified_at is not None


@pytest.mark.parametrize("without", ["days", "size"])
def test_what_would_take_too_long_or_is_not_wanted_is_sent_as_it_lies(
    rotten, settings, monkeypatch, without
):
    if without == "days":
        settings.PROVE_DAYS = 0
    else:
        monkeypatch.setattr(proving, "SIZE_BYTES_MAX", len(BINARY) - 1)

    assert body(rotten.resolve("data/big.bin"))[5:6] == b"X"
