"""Pages of reports: who asks, about which funder and period; show, or send as a table."""

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render

from fabriek.kernel.periods import Period
from fabriek.kernel.sheets import csv_file
from fabriek.people.http import SignedIn
from fabriek.reports import aid, periods, queries, rules, units
from fabriek.reports.figures import Payer

FIGURE_COLUMNS = ("funder", "from", "until", "key", "label", "value", "unit", "definition")
AID_COLUMNS = ("undertaking", "aid_of_this_funder_eur", "aid_of_all_eur", "room_eur", "on")
MOST_UNDERTAKINGS = 15


@login_required
def list_(request: SignedIn) -> HttpResponse:
    rules.require_any(request.user)
    funders = list(queries.funders_for(request.user))
    if len(funders) == 1 and not request.user.is_factory_staff:
        return redirect("reports:funder", funders[0].code)
    return render(request, "reports/list.html", {"funders": funders})


@login_required
def funder(request: SignedIn, code: str) -> HttpResponse:
    payer, period = _asked(request, code)
    report = queries.report(payer, period)
    context = {
        "report": report,
        "period": period,
        "funder": payer.funder,
        "undertakings": report.undertakings[:MOST_UNDERTAKINGS],
        "undertakings_more": max(len(report.undertakings) - MOST_UNDERTAKINGS, 0),
        "dates": f"?from={period.first}&until={period.last}",
    }
    return render(request, "reports/funder.html", context)


@login_required
def figures_csv(request: SignedIn, code: str) -> StreamingHttpResponse:
    payer, period = _asked(request, code)
    figures = queries.report(payer, period).figures
    start = (code, period.first, period.last)
    rows = (
        (*start, one.key, str(one.label), one.value, units.name(one.unit), str(one.definition))
        for one in figures
    )
    return csv_file(f"figures-{code}-{period.last}", FIGURE_COLUMNS, rows)


@login_required
def allocations_csv(request: SignedIn, code: str) -> StreamingHttpResponse:
    payer, period = _asked(request, code)
    rows = queries.allocation_rows(payer, period)
    return csv_file(f"allocations-{code}-{period.last}", queries.COLUMNS, rows)


@login_required
def aid_csv(request: SignedIn, code: str) -> StreamingHttpResponse:
    payer, period = _asked(request, code)
    rows = (
        (
            one.name,
            one.own_eur_cents / 100,
            one.all_eur_cents / 100,
            one.room_eur_cents / 100,
            period.last,
        )
        for one in aid.undertakings(payer, period)
    )
    return csv_file(f"aid-{code}-{period.last}", AID_COLUMNS, rows)


def _asked(request: SignedIn, code: str) -> tuple[Payer, Period]:
    payer = queries.payer(code)
    rules.require_read(request.user, payer.funder)
    period = periods.read(request.GET.get("from", ""), request.GET.get("until", ""))
    return payer, period
