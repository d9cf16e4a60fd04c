"""Pages of looks: parse, call one action, show."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from fabriek.datasets import branches
from fabriek.datasets.models import Dataset
from fabriek.kernel.errors import Refused
from fabriek.people.http import SignedIn
from fabriek.quality import actions, finding, queries, rules, said, show, sights
from fabriek.quality.findings import columns_of, to_carry_out
from fabriek.quality.forms import DecisionForm, SeveralForm
from fabriek.quality.models import Errand, Look
from fabriek.quality.parsed import first_rows
from fabriek.quality.states import UNFINISHED, ErrandState
from fabriek.store.models import MAIN, Revision

REFRESH = "HX-Refresh"
TABS = ["datasets/_tabs.html", "quality/_tabs.html"]


@login_required
def dataset(request: SignedIn, code: str, number: int | None = None) -> HttpResponse:
    found = finding.readable(code, request.user)
    revision = finding.revision_or_none(found, number)
    about = {"dataset": found, "tabs": TABS, "is_ours": rules.may_look(request.user, found)}
    if revision is None:
        return render(request, "quality/look.html", about)
    look = queries.latest_look(found, revision)
    done = look
    if look and look.state != ErrandState.DONE:
        done = queries.last_done(found, revision)
    context = {
        **about,
        "revision": revision,
        "look": look,
        "numbers": _numbers(found),
        **_running(look),
        **(_result(found, revision, done) if done else {}),
    }
    return render(request, "quality/look.html", context)


@login_required
def progress(request: SignedIn, code: str, number: int) -> HttpResponse:
    """Give the part that changes while a worker works; when it is over, the page anew."""
    found = finding.readable(code, request.user)
    revision = finding.revision_or_none(found, number)
    look = queries.latest_look(found, revision) if revision else None
    if look is None or look.state not in UNFINISHED:
        return HttpResponse(headers={REFRESH: "true"})
    context = {"dataset": found, "revision": revision, "look": look, **_running(look)}
    context["is_ours"] = rules.may_look(request.user, found)
    return render(request, "quality/_progress.html", context)


@login_required
@require_POST
def start(request: SignedIn, code: str, number: int) -> HttpResponse:
    found = finding.dataset(code, request.user)
    revision = get_object_or_404(found.repository.revisions, number=number)
    all_names = request.POST.get("all_names") == "yes"
    actions.ask_look(found, revision, by=request.user, all_names=all_names)
    messages.success(request, _("The data are looked at. You may leave this page meanwhile."))
    return redirect(_address("quality:revision", found, revision))


@login_required
@require_POST
def stop(request: SignedIn, code: str, number: int) -> HttpResponse:
    found = finding.dataset(code, request.user)
    revision = get_object_or_404(found.repository.revisions, number=number)
    look = get_object_or_404(
        Look.objects.select_related("dataset__case", "revision"),
        revision=revision,
        state__in=UNFINISHED,
    )
    actions.cancel(look, by=request.user)
    messages.info(request, _("The look is called off."))
    return redirect(_address("quality:revision", found, revision))


@login_required
def personal(request: SignedIn, code: str, number: int | None = None) -> HttpResponse:
    found = finding.dataset(code, request.user)
    context = _personal(request, found, number)
    if request.htmx and not context.get("is_running"):
        return HttpResponse(headers={REFRESH: "true"})  # it was made: the page is another now
    return render(request, "quality/personal.html", context)


@login_required
@require_POST
def decide(request: SignedIn, code: str, number: int) -> HttpResponse:
    """Take one decision; a mistake is shown beside its field, and nothing typed is lost."""
    found = finding.dataset(code, request.user)
    revision = get_object_or_404(found.repository.revisions, number=number)
    column = request.POST.get("column", "")
    prefix = request.POST.get("prefix", "")[:20]
    form = DecisionForm(request.POST, prefix=prefix)
    if _is_taken(
        form,
        lambda given: actions.decide(found, revision, column, by=request.user, **given),
    ):
        messages.success(request, _("What to do with this column is written down."))
        return redirect(_address("quality:personal_of", found, revision))
    context = _personal(request, found, number, wrong={column: form})
    return render(request, "quality/personal.html", context | {"form": form}, status=422)


@login_required
@require_POST
def decide_several(request: SignedIn, code: str, number: int) -> HttpResponse:
    """Take the same decision about each column that is ticked, or about none."""
    found = finding.dataset(code, request.user)
    revision = get_object_or_404(found.repository.revisions, number=number)
    context = _personal(request, found, number)
    form = SeveralForm.of([row["column"] for row in context["rows"]], request.POST)
    if _is_taken(
        form,
        lambda given: actions.decide_several(found, revision, by=request.user, **given),
    ):
        count = len(form.cleaned_data["columns"])
        said_so = ngettext(
            "What to do with %(count)d column is written down.",
            "What to do with %(count)d columns is written down.",
            count,
        )
        messages.success(request, said_so % {"count": count})
        return redirect(_address("quality:personal_of", found, revision))
    context |= {"several": form, "form": form}
    return render(request, "quality/personal.html", context, status=422)


def _is_taken(form: DecisionForm, take: Callable[[dict[str, Any]], object]) -> bool:
    """Act on what is filled in; what is refused about a field is shown beside it."""
    if not form.is_valid():
        return False
    try:
        take(form.cleaned_data)
    except Refused as refused:
        if not refused.fields:
            raise
        for field, sentence in refused.fields.items():
            form.add_error(field, str(sentence))
        return False
    return True


@login_required
@require_POST
def treat(request: SignedIn, code: str, number: int) -> HttpResponse:
    found = finding.dataset(code, request.user)
    revision = get_object_or_404(found.repository.revisions, number=number)
    actions.treat(found, revision, by=request.user)
    messages.success(request, _("The new revision is being made. It appears on this page."))
    return redirect(_address("quality:personal_of", found, revision))


def _numbers(found: Dataset) -> list[int]:
    """Name the revisions that can be chosen, the newest first."""
    rows = branches.leading_to(found.repository)
    return list(rows.values_list("number", flat=True)[:20])


def _address(name: str, found: Dataset, revision: Revision) -> str:
    return reverse(name, args=[found.code, revision.number])


def _running(errand: Errand | None) -> dict[str, Any]:
    if errand is None:
        return {}
    told = errand.progress or {}
    done, of = int(told.get("done") or 0), int(told.get("of") or 0)
    return {
        "is_running": errand.state in UNFINISHED,
        "doing": said.doing(told) or _waits(errand),
        "percent": 100 * done / of if of > 1 else None,
        "trouble": said.trouble(errand.trouble, errand.facts) if errand.trouble else "",
    }


def _waits(errand: Errand) -> str:
    if errand.state == ErrandState.RUNNING:
        return str(_("The files are made ready to be read."))
    return str(_("It waits for its turn."))


def _result(found: Dataset, revision: Revision, look: Look) -> dict[str, Any]:
    columns = columns_of(look, queries.decisions_of(found))
    return {
        "done": look,
        "facts": show.facts(look, queries.previous_done(found, revision)),
        "problems": show.problems(look),
        "wrong": sum(told["severity"] == "wrong" for told in look.result.get("problems", [])),
        "problem_count": look.result.get("problem_count", 0),
        "files": show.files(look),
        "file_count": len(look.result.get("files", [])),
        "columns": columns,
        "undecided": sum(not column.is_decided for column in columns),
        "names": look.result.get("names", ""),
        "held": look.result.get("held", {}),
        "preview": first_rows(revision, columns, look.result.get("files", [])),
        "pictures": sights.pictures(revision, look.result),
        "sounds": sights.sounds(revision, look.result),
    }


def _personal(
    request: SignedIn,
    found: Dataset,
    number: int | None,
    wrong: dict[str, DecisionForm] | None = None,
) -> dict[str, Any]:
    revision = finding.revision_or_none(found, number)
    done = queries.last_done(found, revision) if revision else None
    decisions = list(queries.decisions_of(found)) if done else []
    columns = columns_of(done, decisions) if done else []
    treatment = queries.latest_treatment(found)
    newest = found.revision or 0  # type: ignore[attr-defined]
    is_old = revision is not None and revision.branch == MAIN and revision.number < newest
    return {
        "dataset": found,
        "tabs": TABS,
        "revision": revision,
        "done": done,
        "rows": [_row(at, column, wrong or {}) for at, column in enumerate(columns)],
        "undecided": sum(not column.is_decided for column in columns),
        "is_old": is_old,
        "wanted": to_carry_out(columns, treatment, revision.pk if revision else None),
        "may_decide": rules.may_decide(request.user, found),
        "several": SeveralForm.of(columns) if len(columns) > 1 else None,
        "treatment": treatment,
        "names": done.result.get("names", "") if done else "",
        "history": decisions[:50],
        **_running(treatment),
    }


def _row(at: int, column: Any, wrong: dict[str, DecisionForm]) -> dict[str, Any]:  # noqa: ANN401
    prefix = f"column-{at}"
    places = [
        {
            "kind": said.kind(place.kind),
            "path": place.path,
            "count": place.count,
            "rows": _("every filled row")
            if place.by == "column"
            else said.rows(place.rows, place.count),
            "by": place.by,
            "is_estimate": place.is_estimate,
        }
        for place in column.places
    ]
    return {
        "column": column,
        "prefix": prefix,
        "kinds": ", ".join(map(said.kind, column.kinds)),
        "places": places,
        "form": wrong.get(column.name) or DecisionForm.showing(column.decision, prefix),
    }
