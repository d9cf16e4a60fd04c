"""`fabriek slurm show ACCOUNT`: one budget by Slurm and by our ledger, side by side."""

import sys

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from fabriek.allocations.models import Allocation
from fabriek.engines.base import EngineDown
from fabriek.engines.slurm_difference import MINUTE_S
from fabriek.engines.slurm_use import Use
from fabriek.kernel.errors import Refused
from fabriek.kernel.units import gpu_hours
from fabriek.runs import budgets
from fabriek.runs.management.commands.slurm_diff import UNKNOWN

UNKNOWN_THERE = "not known"
NAMES = (
    "new jobs",
    "granted, in GPU-hours",
    "used, in GPU-hours",
    "kept for jobs, in GPU-hours",
    "expired, in GPU-hours",
    "jobs that wait or run",
    "stands below",
)
ROW = "{:<30}{:>18}{:>18}"


class Command(BaseCommand):
    help = "Show limit and use of one account, by Slurm's controller and by our ledger."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("account", help="such as a26-0007")

    def handle(self, *_args: object, account: str, **_options: object) -> None:
        try:
            used = budgets.use(account)
        except (Refused, EngineDown) as trouble:
            raise CommandError(str(trouble), returncode=UNKNOWN) from trouble
        ours = Allocation.objects.filter(account=account).first()
        if ours is None and used is None:
            raise CommandError(f"Neither our ledger nor Slurm knows an account {account}.")
        self.stdout.write(ROW.format(account, "Slurm", "our ledger"))
        for row in zip(NAMES, _by_slurm(used), _by_ledger(ours), strict=True):
            self.stdout.write(ROW.format(*row))
        if used is None or ours is None:
            self.stdout.write("Only one side knows it: see fabriek slurm diff.")
            sys.exit(1)


def _by_slurm(used: Use | None) -> list[str]:
    if used is None:
        return [UNKNOWN_THERE] * len(NAMES)
    limit = used.gpu_minutes_limit
    return [
        "refused" if used.is_closed else "let in",
        "no limit" if limit is None else _hours(limit * MINUTE_S),
        _hours(used.gpu_minutes_used * MINUTE_S),
        _hours(used.gpu_minutes_promised * MINUTE_S),
        "-",
        str(used.jobs),
        used.parent,
    ]


def _by_ledger(ours: Allocation | None) -> list[str]:
    if ours is None:
        return [UNKNOWN_THERE] * len(NAMES)
    return [
        "let in" if ours.lets_jobs_in_on(timezone.localdate()) else "refused",
        _hours(ours.gpu_seconds_granted),
        _hours(ours.gpu_seconds_spent),
        _hours(ours.gpu_seconds_held),
        _hours(ours.gpu_seconds_expired),
        "-",
        "-",
    ]


def _hours(gpu_seconds: int) -> str:
    return f"{gpu_hours(gpu_seconds):,.2f}"
