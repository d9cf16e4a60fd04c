"""Lines of a machine's accounting, as an engine gives them."""

import itertools
from dataclasses import replace
from datetime import timedelta

from django.utils import timezone

from fabriek.engines.base import Phase, UsageRecord

_numbers = itertools.count(4711)


def a_record(*, account, ended=timedelta(minutes=1), elapsed_s=60, gpus=1, **fields):
    """Make a job that ended `ended` ago; another number each time."""
    number = str(next(_numbers))
    ended_at = float(int((timezone.now() - ended).timestamp()))
    made = UsageRecord(
        identity=f"fabriek:{number}:1",
        number=number,
        key="training.sh",
        user="alice",
        account=account,
        gpus=gpus,
        submitted_at=ended_at - elapsed_s - 30,
        started_at=ended_at - elapsed_s,
        ended_at=ended_at,
        elapsed_s=elapsed_s,
        phase=Phase.SUCCEEDED,
        state="COMPLETED",
        tres=f"billing=1,cpu=1,gres/gpu={gpus}",
    )
    return replace(made, **fields)
