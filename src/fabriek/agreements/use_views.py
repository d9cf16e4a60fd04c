"""Pages on the use of data: who used it, what waits for a look, what was deleted at the end."""

from datetime import datetime
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from fabriek.agreements import made as made_of
from fabriek.agreements import reasons, reviews, statements, use_queries
from fabriek.agreements.traces import Inherited, Statement
from fabriek.kernel import numbers
from fabriek.kernel.errors import Invalid
from fabriek.kernel.paging import paginate
from fabriek.people.http import SignedIn
from fabriek.store import queries as store

TO_MEND = 422


@login_required
@require_safe
def of_dataset(request: SignedIn, code: str) -> HttpResponse:
    """Show the owner who used the data, and everybody else their own use of it."""
    repository = use_queries.repository_seen(code, request.user)
    is_owner = use_queries.is_owner(request.user, repository)
    refused = "refused" in request.GET
    rows = use_queries.on(repository, request.user, is_owned=is_owner, refused=refused)
    page = paginate(rows, request.GET.get("page", "1"))
    context = {
        "repository": repository,
        "is_owner": is_owner,
        "page": page,
        "lines": [use_queries.line(row) for row in page.items],
        "refused": refused,
        "note": reasons.LOG_NOTE,
    }
    return render(request, "agreements/decisions.html", context)


@login_required
@require_safe
def mine(request: SignedIn) -> HttpResponse:
    refused = "refused" in request.GET
    rows = use_queries.of(request.user, refused=refused)
    page = paginate(rows, request.GET.get("page", "1"))
    context = {
        "page": page,
        "lines": [use_queries.line(row) for row in page.items],
        "refused": refused,
        "note": reasons.LOG_NOTE,
    }
    return render(request, "agreements/my_decisions.html", context)


@login_required
@require_safe
def to_review(request: SignedIn) -> HttpResponse:
    page = paginate(reviews.shown_to(request.user), request.GET.get("page", "1"))
    return render(request, "agreements/reviews.html", {"page": page})


@login_required
def review(request: SignedIn, number: int) -> HttpResponse:
    """Show one result, and take the answer of a lead of the owner."""
    result = get_object_or_404(reviews.shown_to(request.user), pk=number)
    wrong, typed = "", result.note
    if request.method == "POST":
        typed = request.POST.get("note", "")
        try:
            _judge(request, result)
        except Invalid as refusal:
            wrong = str(refusal)
        else:
            return redirect("data_use:reviews")
    context = {
        "result": result,
        "may_judge": reviews.may_judge(request.user, result),
        "newest": store.last_number(result.repository),
        "wrong": wrong,
        "typed": typed,
    }
    return render(request, "agreements/review.html", context, status=TO_MEND if wrong else 200)


@login_required
@require_safe
def statement(request: SignedIn, code: str) -> HttpResponse:
    made = use_queries.statement_of(code, request.user)
    facts = made.facts
    context = {
        "statement": made,
        "facts": facts,
        "agreement": made.agreement,
        "is_genuine": statements.is_genuine(made),
        "remains": [statements.REMAINS.get(word, word) for word in facts["remains"]],
        "removed": [_with_moment(row) for row in facts["removed"]],
        "files": sum(row["files"] for row in facts["removed"]),
        "made": made_of.told(facts.get("made", ()), request.user),
    }
    return render(request, "agreements/statement.html", context)


def _with_moment(row: dict[str, Any]) -> dict[str, Any]:
    """Bring along when it was removed, as a page shows it; empty where that is not known."""
    at = row["removed_at"]
    return {**row, "at": datetime.fromisoformat(at) if at else ""}


@login_required
@require_safe
def statement_file(request: SignedIn, code: str) -> HttpResponse:
    """Hand over the very text that was hashed; the hash and the seal stand in the headers."""
    made = use_queries.statement_of(code, request.user)
    return _as_file(made)


def _as_file(made: Statement) -> HttpResponse:
    response = HttpResponse(
        statements.text_of(made.facts), content_type="application/json; charset=utf-8"
    )
    name = f"deletion-{made.agreement.code}.json"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["X-Content-Type-Options"] = "nosniff"
    response["Fabriek-Sha256"] = made.sha256
    response["Fabriek-Seal"] = made.seal
    return response


def _judge(request: SignedIn, result: Inherited) -> None:
    seen = request.POST.get("revision", "")
    reviews.judge(
        result,
        by=request.user,
        verdict=request.POST.get("verdict", ""),
        note=request.POST.get("note", ""),
        revision=_looked_at(seen) if seen else None,
    )
    said = (
        _("It may go out. Its makers see this on the page of the result.")
        if result.verdict == Inherited.Verdict.RELEASED
        else _("It is held back. Its makers read why.")
    )
    messages.success(request, said)


def _looked_at(seen: str) -> int:
    """Read a number; what is none is no revision, so that the look is asked for once more."""
    number = numbers.read(seen)
    return -1 if number is None else number
