"""Fill funders and their shares from the factory's data file; safe to repeat."""

import json
from pathlib import Path
from typing import TypedDict

from django.db import transaction

from fabriek.allocations.models import Funder, Share

SHARES = Path(__file__).parent / "data" / "shares.json"


class InTwoLanguages(TypedDict):
    nl: str
    en: str


class FunderRow(TypedDict):
    code: str
    name: InTwoLanguages


class ShareRow(TypedDict):
    code: str
    funder: str
    name: InTwoLanguages
    target_percent: int
    tariff_eur_cents_per_gpu_hour: int
    state_aid: bool
    legal_basis: str
    de_minimis_ceiling_eur_cents: int | None


class SharesFile(TypedDict):
    funders: list[FunderRow]
    shares: list[ShareRow]


@transaction.atomic
def seed_shares(path: Path = SHARES) -> None:
    """Add the funders and shares that are missing; those there are stay as they are.

    Tariffs and targets are agreed with funders, so the file never overrules the factory.
    """
    written: SharesFile = json.loads(path.read_text(encoding="utf-8"))
    funders = {row["code"]: _seed_funder(row) for row in written["funders"]}
    for row in written["shares"]:
        _seed_share(row, funders[row["funder"]])


def _seed_funder(row: FunderRow) -> Funder:
    names = {"name_nl": row["name"]["nl"], "name_en": row["name"]["en"]}
    return Funder.objects.get_or_create(code=row["code"], defaults=names)[0]


def _seed_share(row: ShareRow, funder: Funder) -> None:
    Share.objects.get_or_create(
        code=row["code"],
        defaults={
            "funder": funder,
            "name_nl": row["name"]["nl"],
            "name_en": row["name"]["en"],
            "target_percent": row["target_percent"],
            "tariff_eur_cents": row["tariff_eur_cents_per_gpu_hour"],
            "is_state_aid": row["state_aid"],
            "legal_basis": row["legal_basis"],
            "aid_ceiling_eur_cents": row["de_minimis_ceiling_eur_cents"],
        },
    )
