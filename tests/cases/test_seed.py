import json

import pytest
from django.utils import translation

from fabriek.cases.models import Sector
from fabriek.cases.seed import seed_sectors
from tests.factories import a_case

pytestmark = pytest.mark.django_db


def test_seeding_twice_leaves_each_sector_once():
    seed_sectors()
    seed_sectors()

    assert list(Sector.objects.values_list("code", flat=True)) == [
        "mobility",
        "safety",
        "care",
        "other",
    ]
    with translation.override("nl"):
        assert str(Sector.objects.get(code="mobility")) == "Mobiliteit"


def test_a_sector_the_file_no_longer_names_is_kept_but_not_offered(tmp_path):
    case = a_case()
    name = {"nl": "Energie", "en": "Energy"}
    row = {"code": "energy", "order": 1, "name": name, "description": name}
    file = tmp_path / "sectors.json"
    file.write_text(json.dumps({"sectors": [row]}))

    seed_sectors(file)

    offered = list(Sector.objects.filter(is_offered=True).values_list("code", flat=True))
    assert offered == ["energy"]
    case.refresh_from_db()
    assert case.sector.code == "care"
