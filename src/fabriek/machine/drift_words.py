"""What the machine says and what the ledger says, in words, each with what to do."""

from collections.abc import Callable
from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from fabriek.kernel import words
from fabriek.kernel.paging import addresses
from fabriek.machine.drift import Finding, Kind, Report

RUNS = frozenset({Kind.DIFFERS, Kind.UNRECORDED, Kind.CORRECTED})
ACCOUNTS = frozenset({Kind.TOTALS, Kind.NO_SUCH_RUN, Kind.NOT_CHARGED, Kind.AROUND})


@dataclass(frozen=True, kw_only=True, slots=True)
class Said:
    """One finding for a reader; figures in GPU-hours, empty where there is no such figure."""

    what: str
    mend: str
    machine: str
    ledger: str
    when: str
    url: str


def said(finding: Finding) -> Said:
    return Said(
        what=WHAT[finding.kind](finding),
        mend=MEND[finding.kind](finding),
        machine=_hours(finding.machine_gpu_seconds),
        ledger=_hours(finding.ledger_gpu_seconds),
        when=words.when(finding.at) if finding.at else "",
        url=_address(finding),
    )


def summary(report: Report) -> str:
    drifting = sum(finding.is_drift for finding in report.findings)
    if not drifting:
        return _("The machine's accounting and the ledger agree.")
    return ngettext(
        "The machine's accounting and the ledger differ in one thing.",
        "The machine's accounting and the ledger differ in %(count)d things.",
        drifting,
    ) % {"count": drifting}


def _silent(finding: Finding) -> str:
    if finding.at is None:
        return _("The machine's accounting was never heard.")
    return _("The machine's accounting was last heard %(when)s.") % {
        "when": words.when(finding.at)
    }


def _totals(finding: Finding) -> str:
    return _("The totals of %(account)s are not the sum of its lines.") % _named(finding)


def _differs(finding: Finding) -> str:
    return _("The bill of %(run)s is not what the machine counted.") % _named(finding)


def _unrecorded(finding: Finding) -> str:
    return _("The machine's accounting knows nothing of %(run)s.") % _named(finding)


def _no_such_run(finding: Finding) -> str:
    return ngettext(
        "A job of %(user)s under %(account)s has the name of a run, but is not that run.",
        "%(count)d jobs of %(user)s under %(account)s have the name of a run, but are not that "
        "run.",
        finding.count,
    ) % _named(finding)


def _unknown_account(finding: Finding) -> str:
    return ngettext(
        "%(user)s ran a job under %(account)s, an account that this factory did not open.",
        "%(user)s ran %(count)d jobs under %(account)s, an account that this factory did not "
        "open.",
        finding.count,
    ) % _named(finding)


def _not_charged(finding: Finding) -> str:
    return ngettext(
        "A job that %(user)s submitted under %(account)s around the portal is not billed yet.",
        "%(count)d jobs that %(user)s submitted under %(account)s around the portal are not "
        "billed yet.",
        finding.count,
    ) % _named(finding)


def _around(finding: Finding) -> str:
    return ngettext(
        "%(user)s submitted a job under %(account)s around the portal.",
        "%(user)s submitted %(count)d jobs under %(account)s around the portal.",
        finding.count,
    ) % _named(finding)


def _corrected(finding: Finding) -> str:
    return _("The bill of %(run)s was corrected to what the machine counted.") % _named(finding)


def _look_at_loop(_finding: Finding) -> str:
    return _("See whether the loop runs and whether the machine answers: fabriek doctor.")


def _report_mistake(_finding: Finding) -> str:
    return _("This is a mistake in the software. Report it, with the lines of the ledger.")


def _reconcile(_finding: Finding) -> str:
    return _("It is corrected by night. To do it now: fabriek slurm reconcile.")


def _draw_again(_finding: Finding) -> str:
    return _(
        "If the accounting was late, draw it again: fabriek slurm reconcile --days 35. If it "
        "was switched off or cleaned, the bill stays as it is."
    )


def _ask_origin(finding: Finding) -> str:
    return _(
        "It is billed to %(account)s. See whether the database was put back from an older "
        "copy; if not, ask %(user)s."
    ) % _named(finding)


def _find_maker(finding: Finding) -> str:
    return _(
        "Nobody is billed for this. Find out who made the account: sacctmgr show account "
        "%(account)s."
    ) % _named(finding)


def _ask_for_portal(finding: Finding) -> str:
    return _(
        "It is billed to %(account)s. Ask %(user)s to start runs in the portal: only there are "
        "GPU-hours set aside first."
    ) % _named(finding)


def _nothing(_finding: Finding) -> str:
    return _("You need to do nothing.")


WHAT: dict[Kind, Callable[[Finding], str]] = {
    Kind.SILENT: _silent,
    Kind.TOTALS: _totals,
    Kind.DIFFERS: _differs,
    Kind.UNRECORDED: _unrecorded,
    Kind.NO_SUCH_RUN: _no_such_run,
    Kind.UNKNOWN_ACCOUNT: _unknown_account,
    Kind.NOT_CHARGED: _not_charged,
    Kind.AROUND: _around,
    Kind.CORRECTED: _corrected,
}
MEND: dict[Kind, Callable[[Finding], str]] = {
    Kind.SILENT: _look_at_loop,
    Kind.TOTALS: _report_mistake,
    Kind.DIFFERS: _reconcile,
    Kind.UNRECORDED: _draw_again,
    Kind.NO_SUCH_RUN: _ask_origin,
    Kind.UNKNOWN_ACCOUNT: _find_maker,
    Kind.NOT_CHARGED: _look_at_loop,
    Kind.AROUND: _ask_for_portal,
    Kind.CORRECTED: _nothing,
}


def _named(finding: Finding) -> dict[str, object]:
    return {
        "run": finding.subject,
        "account": finding.subject,
        "user": finding.detail or _("Somebody"),
        "count": finding.count,
    }


def _hours(gpu_seconds: int | None) -> str:
    return "" if gpu_seconds is None else words.gpu_hours_number(gpu_seconds)


def _address(finding: Finding) -> str:
    if finding.kind in RUNS and finding.subject:
        return addresses("runs:detail")(finding.subject)
    if finding.kind in ACCOUNTS:
        return addresses("allocations:detail")(finding.subject)
    return ""
