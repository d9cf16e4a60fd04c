"""The shares a factory starts with."""

import pytest

from fabriek.allocations.models import Funder, Share
from fabriek.allocations.seed import seed_shares

pytestmark = pytest.mark.django_db


def test_a_new_factory_starts_with_three_funders_that_share_the_whole_machine():
    seed_shares()

    assert list(Funder.objects.values_list("code", flat=True)) == [
        "eurohpc",
        "nij_begun",
        "state",
    ]
    shares = Share.objects.values_list("code", "funder__code", "target_percent", "is_state_aid")
    assert list(shares) == [
        ("eu", "eurohpc", 50, False),
        ("nij_begun", "nij_begun", 23, True),
        ("nl", "state", 27, True),
    ]


def test_seeding_again_leaves_what_the_factory_changed_and_adds_what_is_missing():
    seed_shares()
    Share.objects.filter(code="nl").update(tariff_eur_cents=275, target_percent=30)
    Share.objects.filter(code="eu").delete()

    seed_shares()

    kept = Share.objects.get(code="nl")
    assert (kept.tariff_eur_cents, kept.target_percent) == (275, 30)
    assert list(Share.objects.values_list("code", flat=True)) == ["eu", "nij_begun", "nl"]
