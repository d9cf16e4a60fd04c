"""Pages on which terms are proposed: fill in, read the text, sign and send."""

from collections.abc import Callable

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _

from fabriek.agreements import actions, queries, rules, wording
from fabriek.agreements.forms import AskForm, OfferForm
from fabriek.agreements.models import Agreement
from fabriek.agreements.states import AgreementState
from fabriek.kernel.errors import Invalid
from fabriek.people.http import SignedIn
from fabriek.store.models import Repository

Begin = Callable[..., Agreement]


@login_required
def offer(request: SignedIn, code: str) -> HttpResponse:
    repository = known_dataset(request, code)
    rules.demand("offer", rules.may_offer(request.user, repository))
    form = OfferForm(
        request.POST or None,
        repository=repository,
        person=request.user,
        replaces=_replaced(request, repository),
    )
    return _proposed(request, form, actions.offer, said=_("Your offer is sent."))


@login_required
def ask(request: SignedIn) -> HttpResponse:
    """Ask for the dataset of `?data=`; one that is not listed is as unknown as none."""
    asked = request.GET.get("data", "")
    if not asked:
        return render(request, "agreements/ask_which.html")
    repository = known_dataset(request, asked)
    form = AskForm(
        request.POST or None,
        repository=repository,
        person=request.user,
        replaces=_replaced(request, repository),
        case=request.GET.get("case", ""),
    )
    return _proposed(request, form, actions.ask, said=_("Your question is sent."))


def known_dataset(request: SignedIn, code: str) -> Repository:
    """Find a dataset that this person may know of; another is as unknown as none."""
    try:
        return queries.dataset_found(code, request.user)
    except Invalid as refusal:
        raise Http404 from refusal


def _proposed(
    request: SignedIn, form: OfferForm | AskForm, begin: Begin, *, said: str
) -> HttpResponse:
    """Show the form, then the text it makes; what is sent back with its hash is signed."""
    is_offer = isinstance(form, OfferForm)
    context: dict[str, object] = {"form": form, "dataset": form.repository}
    context |= {"replaces": form.replaces, "is_offer": is_offer}
    is_back = "back" in request.POST
    if not form.is_valid() or form.proposal is None or is_back:
        status = 422 if form.is_bound and not is_back else 200
        context["has_cases"] = is_offer or queries.own_open_cases(request.user).exists()
        return render(request, "agreements/propose.html", context, status=status)
    read = request.POST.get("text_sha256", "")
    if read == wording.sha256(form.text):
        made = begin(form.proposal, by=request.user, text_sha256=read)
        in_force = made.state == AgreementState.IN_FORCE
        messages.success(request, _("The agreement is in force.") if in_force else said)
        return redirect(made)
    context |= {
        "text": form.text,
        "sha256": wording.sha256(form.text),
        "language": form.proposal.in_language,
        "has_changed": bool(read),
        "signs": any(request.user.leads(party.pk) for party in form.proposal.subject.parties),
    }
    return render(request, "agreements/read.html", context)


def _replaced(request: SignedIn, repository: Repository) -> Agreement | None:
    code = request.GET.get("replaces", "")
    if not code:
        return None
    mine = Agreement.objects.of_parties(request.user).filter(repository=repository)
    rows = queries.whole(mine)
    return get_object_or_404(rows, code=queries.typed(code))
