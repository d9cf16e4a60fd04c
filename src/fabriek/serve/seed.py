"""What a factory starts with: rows from the data files of each stage."""

from django.db import transaction

from fabriek.access.seed import seed_modes
from fabriek.allocations.seed import seed_shares
from fabriek.cases.seed import seed_sectors


@transaction.atomic
def seed_all() -> None:
    """Fill the tables from the files; which modes are open stays as the factory decided."""
    seed_sectors()
    seed_modes()
    seed_shares()
