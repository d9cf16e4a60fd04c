"""Pages of persons and organisations: parse, call one action, show."""

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from fabriek.people import actions, queries, rules
from fabriek.people.countries import COUNTRIES
from fabriek.people.forms import (
    InviteForm,
    OrganisationEditForm,
    OrganisationForm,
    RoleForm,
    TokenForm,
)
from fabriek.people.http import SignedIn
from fabriek.people.models import Invitation, Membership, Organisation, Token
from fabriek.people.size_words import size_of


@login_required
def me(request: SignedIn) -> HttpResponse:
    context = {
        "memberships": queries.memberships_of(request.user),
        "invitations": queries.invitations_for(request.user),
        "duties": request.user.duty_set.all(),
    }
    return render(request, "people/me.html", context)


@login_required
def organisation_new(request: SignedIn) -> HttpResponse:
    form = OrganisationForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        organisation = actions.register_organisation(by=request.user, **form.cleaned_data)
        messages.success(request, _("Your organisation is registered, and you are its lead."))
        return redirect(organisation)
    context = {"form": form, "invitations": queries.invitations_for(request.user)}
    return render(request, "people/organisation_new.html", context)


@login_required
def organisation(request: SignedIn, pk: int) -> HttpResponse:
    return _show(request, _organisation(request, pk), InviteForm())


@login_required
def organisation_edit(request: SignedIn, pk: int) -> HttpResponse:
    thing = _organisation(request, pk)
    rules.require("edit", request.user, thing)
    columns = OrganisationEditForm.Meta.fields
    now = {column: getattr(thing, column) for column in columns}
    known_by = Organisation(foreign_number=thing.foreign_number)
    form = OrganisationEditForm(request.POST or None, initial=now, instance=known_by)
    if request.method == "POST" and form.is_valid():
        actions.edit_organisation(thing, by=request.user, **form.cleaned_data)
        messages.success(request, _("The details are saved."))
        return redirect(thing)
    context = {"form": form, "organisation": thing}
    return render(request, "people/organisation_edit.html", context)


@login_required
@require_POST
def invite(request: SignedIn, pk: int) -> HttpResponse:
    thing = _organisation(request, pk)
    form = InviteForm(request.POST)
    if not form.is_valid():
        return _show(request, thing, form)
    invitation = actions.invite_member(
        thing,
        form.cleaned_data["email"],
        role=form.cleaned_data["role"],
        by=request.user,
    )
    said = _("%(email)s is invited. The invitation waits for them when they sign in.")
    messages.success(request, said % {"email": invitation.email})
    return redirect(thing)


@login_required
@require_POST
def member_role(request: SignedIn, pk: int, member: int) -> HttpResponse:
    membership = _membership(request, pk, member)
    # A role that does not exist is refused by the action itself.
    form = RoleForm(request.POST)
    role = form.cleaned_data["role"] if form.is_valid() else ""
    actions.change_role(membership, role, by=request.user)
    messages.success(request, _("The role is changed."))
    return redirect(membership.organisation)


@login_required
def member_remove(request: SignedIn, pk: int, member: int) -> HttpResponse:
    membership = _membership(request, pk, member)
    if request.method != "POST":
        rules.demand("remove", rules.may_remove(request.user, membership))
        return render(request, "people/member_remove.html", {"membership": membership})
    actions.remove_member(membership, by=request.user)
    messages.success(request, _("The person no longer belongs to the organisation."))
    if request.user.belongs_to(pk):
        return redirect(membership.organisation)
    return redirect("people:me")


@login_required
@require_POST
def invitation_accept(request: SignedIn, pk: int) -> HttpResponse:
    invitation = _own_invitation(request, pk)
    actions.accept_invitation(invitation, by=request.user)
    said = _("You now belong to %(organisation)s.")
    messages.success(request, said % {"organisation": invitation.organisation})
    return redirect(invitation.organisation)


@login_required
@require_POST
def invitation_decline(request: SignedIn, pk: int) -> HttpResponse:
    actions.decline_invitation(_own_invitation(request, pk), by=request.user)
    messages.success(request, _("You declined the invitation."))
    return redirect("people:me")


@login_required
@require_POST
def invitation_withdraw(request: SignedIn, pk: int) -> HttpResponse:
    ours = Organisation.objects.visible_to(request.user)
    invitation = get_object_or_404(
        Invitation.objects.select_related("organisation").filter(organisation__in=ours), pk=pk
    )
    actions.withdraw_invitation(invitation, by=request.user)
    messages.success(request, _("The invitation is withdrawn."))
    return redirect(invitation.organisation)


@login_required
@never_cache
def tokens(request: SignedIn) -> HttpResponse:
    """List the tokens; a new one is answered at once, as its key is shown only here."""
    form = TokenForm(request.POST or None)
    made, key = None, ""
    if request.method == "POST" and form.is_valid():
        made, key = actions.make_token(by=request.user, **form.cleaned_data)
        form = TokenForm()
    context = {
        "form": form,
        "made": made,
        "key": key,
        "tokens": queries.tokens_of(request.user),
        "login_command": f"fabriek login --url {settings.FACTORY_URL}",
    }
    return render(request, "people/tokens.html", context)


@login_required
@require_POST
def token_revoke(request: SignedIn, pk: int) -> HttpResponse:
    token = get_object_or_404(Token.objects.filter(person=request.user), pk=pk)
    actions.revoke_token(token, by=request.user)
    messages.success(request, _("The token is revoked: no program can use it any more."))
    return redirect("people:tokens")


def _organisation(request: SignedIn, pk: int) -> Organisation:
    return get_object_or_404(Organisation.objects.visible_to(request.user), pk=pk)


def _membership(request: SignedIn, pk: int, member: int) -> Membership:
    rows = _organisation(request, pk).memberships.select_related("person", "organisation")
    return get_object_or_404(rows, pk=member)


def _own_invitation(request: SignedIn, pk: int) -> Invitation:
    rows = Invitation.objects.select_related("organisation")
    return get_object_or_404(rows.filter(email=request.user.email.lower()), pk=pk)


def _show(request: SignedIn, thing: Organisation, form: InviteForm) -> HttpResponse:
    manages = rules.may_manage_members(request.user, thing)
    context = {
        "organisation": thing,
        "country": COUNTRIES.get(thing.country, thing.country),
        "size": size_of(thing),
        "next_steps": rules.next_steps(request.user, thing),
        "members": queries.members_of(thing),
        "invitations": queries.open_invitations(thing) if manages else [],
        "manages": manages,
        "form": form,
    }
    return render(request, "people/organisation.html", context)
