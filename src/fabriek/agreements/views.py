"""Pages of agreements: parse, call one action, show."""

from collections.abc import Callable
from dataclasses import dataclass

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from fabriek.agreements import actions, made, odrl, proposals, queries, rules, vocabulary
from fabriek.agreements.forms import MessageForm, ReasonForm
from fabriek.agreements.models import Agreement, Duty, Purpose
from fabriek.agreements.proposal_views import known_dataset
from fabriek.agreements.states import AgreementState
from fabriek.cases.rules import takes_part
from fabriek.cases.states import CaseState
from fabriek.kernel.errors import Text
from fabriek.kernel.paging import paginate
from fabriek.kernel.steps import NextStep
from fabriek.people.http import SignedIn
from fabriek.people.models import Person
from fabriek.store.models import Repository

JSON_LD = "application/ld+json"
FORMS: dict[str, type[forms.Form]] = {
    "say": MessageForm,
    "refuse": ReasonForm,
    "revoke": ReasonForm,
}
FILLED: dict[str, Callable[..., object]] = {"refuse": actions.refuse, "revoke": actions.revoke}


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenForm:
    """A form on the page of an agreement, for a step that is open to this person."""

    step: str
    form: forms.Form
    url: str
    label: Text
    sentence: Text
    is_danger: bool


@login_required
def list_all(request: SignedIn) -> HttpResponse:
    asked = {name: request.GET.get(name, "") for name in ("q", "state")}
    page = paginate(queries.listing(request.user, **asked), request.GET.get("page", "1"))
    context = asked | {
        "page": page,
        "rows": [(row, _purposes(row)) for row in page.items],
        "states": AgreementState.choices,
        "is_filtered": any(asked.values()),
    }
    return render(request, "agreements/list.html", context)


@login_required
def of_dataset(request: SignedIn, code: str) -> HttpResponse:
    """Show the agreements on one dataset: its tab."""
    repository = known_dataset(request, code)
    rows = queries.listing(request.user, dataset=repository.code or "")
    page = paginate(rows, request.GET.get("page", "1"))
    context = {
        "repository": repository,
        "page": page,
        "rows": [(row, _purposes(row)) for row in page.items],
        "is_own": repository.case and takes_part(request.user, repository.case),
        "may_offer": rules.may_offer(request.user, repository) and not repository.is_open,
    }
    return render(request, "agreements/dataset.html", context)


def terms(request: HttpRequest) -> HttpResponse:
    """Explain our own words of ODRL, to anybody: their addresses lead here."""
    wants = request.GET.get("format") or request.headers.get("Accept", "")
    if "json" in wants and "html" not in wants:
        return JsonResponse(vocabulary.as_json_ld(), content_type=JSON_LD)
    context = {"words": vocabulary.WORDS, "namespace": odrl.namespace()}
    return render(request, "agreements/terms.html", context)


@login_required
def detail(request: SignedIn, code: str) -> HttpResponse:
    return _show(request, _agreement(request, code))


@login_required
def policy(request: SignedIn, code: str) -> HttpResponse:
    """Give the agreement as ODRL."""
    agreement = _agreement(request, code)
    answer = JsonResponse(odrl.policy_of(agreement), content_type=JSON_LD)
    answer["Content-Disposition"] = f'attachment; filename="{agreement.code}.jsonld"'
    return answer


@login_required
def step(request: SignedIn, code: str, step: str) -> HttpResponse:
    """Take one step. What must be filled in or confirmed is asked first."""
    if step not in rules.MAY:
        raise Http404
    agreement = _agreement(request, code)
    rules.require(step, request.user, agreement)
    if request.method != "POST":
        if step != "withdraw":
            return redirect(f"{agreement.get_absolute_url()}#{step}")
        return render(request, "agreements/withdraw.html", {"agreement": agreement})
    if step in FORMS:
        return _fill_in(request, agreement, step)
    if step == "withdraw":
        actions.withdraw(agreement, by=request.user)
        messages.success(request, _("It is taken back. The other side is told."))
        return redirect(agreement)
    read = request.POST.get("text_sha256", "")
    signed = actions.sign(agreement, by=request.user, text_sha256=read)
    in_force = signed.state == AgreementState.IN_FORCE
    waits = _("You signed. The agreement is in force when the other parties have signed too.")
    messages.success(request, _("The agreement is in force.") if in_force else waits)
    return redirect(agreement)


def _fill_in(request: SignedIn, agreement: Agreement, step: str) -> HttpResponse:
    form = FORMS[step](request.POST)
    if not form.is_valid():
        return _show(request, agreement, (step, form), status=422)
    if step == "say":
        actions.say(agreement, form.cleaned_data["text"], by=request.user)
    else:
        FILLED[step](agreement, by=request.user, **form.cleaned_data)
    messages.success(request, _("Done. All parties see it on this page."))
    return redirect(agreement)


def _show(
    request: SignedIn,
    agreement: Agreement,
    wrong: tuple[str, forms.Form] | None = None,
    status: int = 200,
) -> HttpResponse:
    language = (get_language() or "")[:2]
    steps = rules.next_steps(request.user, agreement)
    signed = {each.organisation_id: each for each in agreement.signatures.all()}
    is_party = rules.is_party(request.user, agreement)
    open_steps = [each.name for each in steps]
    steps += _again(request.user, agreement)
    context = {
        "agreement": agreement,
        "users": _users(agreement),
        "steps": steps,
        "waiting": _waiting(agreement),
        "purposes": _purposes(agreement),
        "duties": [duty.label for duty in Duty if duty in agreement.duties],
        "parties": [(each, signed.get(each.pk)) for each in rules.parties_of(agreement)],
        "newer": queries.newer(agreement, request.user),
        "translation": proposals.translation(agreement, language),
        "translation_language": language,
        "is_party": is_party,
        "open_models": _open_models(agreement) if is_party else [],
        "signs": "sign" in open_steps,
        "forms": _forms(agreement, open_steps, wrong),
        "timeline": queries.timeline(agreement, request.user),
    }
    return render(request, "agreements/detail.html", context, status=status)


def _users(agreement: Agreement) -> str:
    """Name who leads the case; where that was left out, those that the data is lent to."""
    if agreement.with_leader:
        return agreement.case.organisation.name
    return ", ".join(one.name for one in rules.users_of(agreement))


def _open_models(agreement: Agreement) -> list[Repository]:
    """Name those that its being revoked leaves open, or would."""
    if agreement.state not in {AgreementState.IN_FORCE, AgreementState.REVOKED}:
        return []
    return list(made.open_models(agreement))


def _waiting(agreement: Agreement) -> str:
    """Say for whom it waits, to somebody who has nothing to do."""
    if agreement.state == AgreementState.IN_FORCE:
        return _("The agreement is in force. Nothing waits for you.")
    if agreement.state == AgreementState.REVOKED:
        return _("The owner revoked this agreement: nobody uses the data under it any more.")
    if agreement.state not in {AgreementState.ASKED, AgreementState.OFFERED}:
        return _("This is over; it stays here to be read.")
    if agreement.ends_at <= timezone.now():
        return _("Its last day is over, so nobody can sign it any more. Propose other terms.")
    names = ", ".join(party.name for party in rules.unsigned_of(agreement))
    return _("Not signed yet by: %(names)s") % {"names": names}


def _again(person: Person, agreement: Agreement) -> list[NextStep]:
    """Offer to ask anew for what held once, where this person could still ask for it."""
    if agreement.state not in {AgreementState.REVOKED, AgreementState.ENDED}:
        return []
    case, repository = agreement.case, agreement.repository
    may_ask = case.state == CaseState.OPEN and rules.may_ask(person, case)
    if not may_ask or not rules.may_find(person, repository):
        return []
    return [
        NextStep(
            name="ask_again",
            label=_("Ask for this data again"),
            sentence=_("Ask for it again: the owner reads your question and answers it."),
            url=f"{reverse('agreements:ask')}?data={repository.code}&case={case.code}",
            method="get",
        )
    ]


def _forms(
    agreement: Agreement, steps: list[str], wrong: tuple[str, forms.Form] | None
) -> list[OpenForm]:
    """Make the form of each step that is open to this person, the wrong one as it was typed."""
    return [
        OpenForm(
            step=step,
            form=wrong[1] if wrong and wrong[0] == step else FORMS[step](),
            url=reverse("agreements:step", args=[agreement.code, step]),
            label=rules.STEPS[step][0],
            sentence=rules.STEPS[step][1],
            is_danger=step in rules.DANGER,
        )
        for step in steps
        if step in FORMS
    ]


def _purposes(agreement: Agreement) -> list[Text]:
    return [purpose.label for purpose in Purpose if purpose in agreement.purposes]


def _agreement(request: SignedIn, code: str) -> Agreement:
    rows = queries.whole(Agreement.objects.visible_to(request.user))
    return get_object_or_404(rows, code=code)
