"""Fill the sectors from the factory's data file; safe to repeat."""

import json
from pathlib import Path
from typing import TypedDict

from fabriek.cases.models import Sector

SECTORS = Path(__file__).parent / "data" / "sectors.json"


class InTwoLanguages(TypedDict):
    nl: str
    en: str


class SectorRow(TypedDict):
    code: str
    order: int
    name: InTwoLanguages
    description: InTwoLanguages


def seed_sectors(path: Path = SECTORS) -> None:
    """Bring the sectors in line with the file; those it no longer names are kept, unoffered."""
    rows: list[SectorRow] = json.loads(path.read_text(encoding="utf-8"))["sectors"]
    for row in rows:
        Sector.objects.update_or_create(
            code=row["code"],
            defaults={
                "name_nl": row["name"]["nl"],
                "name_en": row["name"]["en"],
                "description_nl": row["description"]["nl"],
                "description_en": row["description"]["en"],
                "position": row["order"],
                "is_offered": True,
            },
        )
    Sector.objects.exclude(code__in=[row["code"] for row in rows]).update(is_offered=False)
