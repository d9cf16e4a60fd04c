"""Our ledger told to the engine: what was granted, whether it is open, and who may use it.

Never read back: what the engine has counts for nothing here. What was told is remembered only
when the engine took it, so that a pass which dies is made good by the next.
"""

import hashlib
import logging
import time
from collections.abc import Collection

from django.core.cache import cache
from django.db.models import QuerySet
from django.utils import timezone

from fabriek.agreements import secure_part
from fabriek.allocations import queries, told
from fabriek.allocations.models import Allocation, Share
from fabriek.allocations.told import Told
from fabriek.cases import queries as cases
from fabriek.engines.base import Budget, BudgetsHeldUp, Engine, JobHeldUp
from fabriek.engines.slurm import Slurm
from fabriek.engines.slurm_difference import Difference
from fabriek.engines.slurm_use import Use
from fabriek.kernel.errors import Refused
from fabriek.runs import accounts
from fabriek.runs.engine import engine as chosen
from fabriek.runs.models import SECURE, Run, account_of
from fabriek.runs.states import RunState

log = logging.getLogger(__name__)

# Who may use a budget follows from four tables: it is compared now and then, in 0.2 s for
# 3,000 open allocations, and not at each pass.
COMPARED = "fabriek.budgets.compared"
COMPARE_EVERY_S = 60
STUCK = "fabriek.budgets.stuck"
# Making Unix accounts may take the site's hook a second each: the rest follows in later passes.
ACCOUNTS_S = 10
COLUMNS = (
    "account",
    "case__code",
    "case__organisation_id",
    "starts_on",
    "ends_on",
    "gpu_seconds_granted",
    "gpu_seconds_held",
    "gpu_seconds_spent",
    "gpu_seconds_expired",
    "told_as",
)


def tell_budgets(engine: Engine) -> None:
    """Tell in one call all that the engine does not know yet; nothing when it knows all.

    Raises: EngineDown; then nothing is remembered as told.
    """
    untold = _with_budgets(queries.untold())
    if cache.add(COMPARED, value=True, timeout=COMPARE_EVERY_S):
        untold |= _changed(Allocation.objects.filter(queries.letting_jobs_in()))
    stuck = cache.get(STUCK, frozenset()) if untold else frozenset()
    until = time.monotonic() + ACCOUNTS_S
    ready = {
        one: budget
        for one, budget in untold.items()
        if budget.account not in stuck and time.monotonic() < until and _is_ready(one, budget)
    }
    if ready:
        refused = _refused(engine, list(ready.values()))
        told.note(_told(*one) for one in ready.items() if one[1].account not in refused)


def all_budgets() -> list[Budget]:
    """Give every budget there ever was, as the engine must have it."""
    return list(_with_budgets(Allocation.objects.all()).values())


def drift() -> list[Difference]:
    """Tell where Slurm differs from our books.

    Raises: Refused, when the engine is not Slurm; EngineDown.
    """
    return slurm().budgets.drift(all_budgets())


def mend() -> list[Difference]:
    """Make Slurm as our books are; gives what could not be mended.

    Raises: Refused, when the engine is not Slurm; EngineDown.
    """
    return slurm().budgets.mend(all_budgets())


def use(account: str) -> Use | None:
    """Tell what Slurm counts against one account now; None: its controller knows it not.

    Raises: Refused, when the engine is not Slurm; EngineDown.
    """
    return slurm().budgets.use(account)


def slurm() -> Slurm:
    made = chosen()
    if not isinstance(made, Slurm):
        raise Refused(
            "This factory does not run on Slurm: set FABRIEK_ENGINE=slurm.", code="not_slurm"
        )
    return made


def _refused(engine: Engine, budgets: list[Budget]) -> frozenset[str]:
    """Tell them; give the accounts that were not taken, which are left alone for a minute."""
    try:
        engine.tell_budgets(budgets)
    except BudgetsHeldUp as trouble:
        log.error("Runs of %s wait: %s", ", ".join(sorted(trouble.accounts)), trouble)  # noqa: TRY400
        cache.set(STUCK, trouble.accounts, timeout=COMPARE_EVERY_S)
        return trouble.accounts
    return frozenset()


def _with_budgets(rows: QuerySet[Allocation]) -> dict[Allocation, Budget]:
    found = list(rows.select_related("case").only(*COLUMNS))
    if not found:
        return {}
    shares = queries.main_shares(rows)
    logins = cases.cluster_logins({one.case_id: one.case.organisation_id for one in found})
    accounts_of = _accounts(rows, found)
    return {
        one: _budget(one, shares.get(one.pk), {*logins.get(one.case_id, ()), *accounts_of[one]})
        for one in found
    }


def _budget(allocation: Allocation, share: Share | None, users: set[str]) -> Budget:
    return Budget(
        account=allocation.account,
        gpu_seconds=allocation.gpu_seconds_granted,
        is_open=allocation.lets_jobs_in_on(timezone.localdate()),
        share=share.code if share else "",
        share_percent=share.target_percent if share else None,
        users=tuple(sorted(users)),
    )


def _accounts(
    rows: QuerySet[Allocation], found: Collection[Allocation]
) -> dict[Allocation, list[str]]:
    """Name the Unix accounts that jobs of each run as; none where that is the engine's.

    Those of runs kept apart are there from the first such run on.
    """
    endings = dict.fromkeys(["", *([SECURE] if secure_part.exists() else [])])
    apart = Run.objects.filter(allocation__in=rows).exclude(apart="").order_by("apart")
    theirs: dict[int, list[str]] = {}
    for allocation_id, ending in apart.values_list("allocation", "apart").distinct():
        theirs.setdefault(allocation_id, []).append(ending)
    return {
        one: list(filter(None, (account_of(one.case, ending) for ending in all_of)))
        for one in found
        if (all_of := [*endings, *theirs.get(one.pk, [])])
    }


def _changed(rows: QuerySet[Allocation]) -> dict[Allocation, Budget]:
    compared = _with_budgets(rows).items()
    return {one: budget for one, budget in compared if one.told_as != _digest(budget)}


def _is_ready(allocation: Allocation, budget: Budget) -> bool:
    """Make sure that the case has its Unix accounts: Slurm knows no user that came later."""
    if not budget.is_open:
        return True
    try:
        row = Allocation.objects.filter(pk=allocation.pk)
        for account in _accounts(row, [allocation])[allocation]:
            accounts.ensure(account)
    except JobHeldUp as trouble:
        log.info("The budget of %s is not told yet. %s", allocation.account, trouble)
        told.forget(allocation.pk)
        held_up = Run.objects.filter(allocation=allocation, state=RunState.WAITING)
        held_up.exclude(waiting_reason=trouble.code).update(waiting_reason=trouble.code)
        return False
    return True


def _told(allocation: Allocation, budget: Budget) -> Told:
    return Told(
        allocation_id=allocation.pk,
        gpu_seconds=budget.gpu_seconds,
        is_open=budget.is_open,
        digest=_digest(budget),
    )


def _digest(budget: Budget) -> str:
    return hashlib.sha256(repr(budget).encode()).hexdigest()[:32]
