"""The page on which one section is written: saved while typing, and never lost."""

import json

from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import time_format
from django.utils.translation import gettext as _

from fabriek.access import actions, answers, queries, rules, timing
from fabriek.access.definitions import Section
from fabriek.access.forms import SectionForm, posted
from fabriek.access.models import Answers, Application
from fabriek.access.refusals import overtaken_by
from fabriek.kernel.errors import Text
from fabriek.people.http import SignedIn

VERSION = "version_read"
# What somebody typed whose session had ended waits here until they have signed in again.
WAITING = "typed_while_signed_out"
MOST_WAITING_CHARACTERS = 100_000
MOST_DIGITS = 9


def section(request: SignedIn, code: str, section: str) -> HttpResponse:
    if not request.user.is_authenticated:
        return _sign_in_first(request)
    rows = queries.with_facts(Application.objects.visible_to(request.user))
    application = get_object_or_404(rows.select_related("form", "mode"), code=code)
    written = application.form.rules.section(section)
    if written is None:
        raise Http404
    rules.require("edit", request.user, application)
    page = _Page(request, application, written)
    if request.method == "POST":
        return page.save()
    if not timing.is_open("edit", application):
        return redirect(application)
    return page.show()


class _Page:
    """One section of one application, as one person has it before them."""

    def __init__(self, request: SignedIn, application: Application, section: Section) -> None:
        self.request, self.application, self.section = request, application, section
        rows = application.answers.select_related("saved_by")
        self.kept: Answers | None = rows.filter(section=section.key).first()
        self.version = self.kept.version if self.kept else 0

    def show(self) -> HttpResponse:
        saved = self.kept.values if self.kept else {}
        waiting = self.request.session.get(WAITING, {}).get(self.request.path)
        if waiting is None:
            return self._render(saved)
        sentence = _(
            "You were signed out while you typed. This is what you typed then; it is not saved "
            "yet. Press the button to save it."
        )
        return self._render(saved | posted(self.section, waiting), note=sentence)

    def save(self) -> HttpResponse:
        typed = posted(self.section, self.request.POST)
        typed = {key: answers.as_typed(text) for key, text in typed.items()}
        if not timing.is_open("edit", self.application):
            return self._refuse(typed, _closed(self.application))
        if self.kept and self._is_overtaken(self.kept, typed):
            return self._refuse(typed, overtaken_by(self.kept), theirs=self.kept)
        kept = actions.save_section(
            self.application,
            self.section.key,
            typed,
            version=self._version_read(),
            by=self.request.user,
        )
        self._forget_waiting()
        if self.request.htmx:
            context = {"version": kept.version, "saved_at": kept.saved_at}
            return render(self.request, "access/_kept.html", context)
        said = _("Saved at %(time)s.")
        now = time_format(timezone.localtime(kept.saved_at), "H:i")
        messages.success(self.request, said % {"time": now})
        return redirect(self._onward())

    def _is_overtaken(self, kept: Answers, typed: dict[str, str]) -> bool:
        is_new = kept.values | typed != kept.values
        return is_new and kept.version != self._version_read()

    def _version_read(self) -> int:
        read = self.request.POST.get(VERSION, "")
        return (
            int(read)
            if read.isascii() and read.isdecimal() and len(read) <= MOST_DIGITS
            else -1
        )

    def _refuse(
        self, typed: dict[str, str], sentence: Text, theirs: Answers | None = None
    ) -> HttpResponse:
        """Show the page again with all that was typed, and beside it what is saved."""
        differing = [
            (question.label, theirs.values.get(question.key, ""), typed[question.key])
            for question in self.section.fields
            if theirs
            and question.key in typed
            and typed[question.key] != theirs.values.get(question.key, "")
        ]
        saved = self.kept.values if self.kept else {}
        return self._render(saved | typed, refusal=sentence, differing=differing, status=409)

    def _render(
        self,
        typed: dict[str, str],
        *,
        note: str = "",
        refusal: Text = "",
        differing: object = (),
        status: int = 200,
    ) -> HttpResponse:
        form = SectionForm(self.section, self.application.mode.rules, typed)
        if "check" in self.request.GET:
            form.check()
        sections = self.application.form.rules.sections
        place = sections.index(self.section)
        context = {
            "application": self.application,
            "case": self.application.case,
            "section": self.section,
            "form": form,
            "version": self.version,
            "saved_at": self.kept.saved_at if self.kept and self.version else None,
            "number": place + 1,
            "count": len(sections),
            "is_last": place + 1 == len(sections),
            "before": self._url(place - 1) if place else "",
            "note": note,
            "refusal_sentence": refusal,
            "differing": differing,
            "is_writable": timing.is_open("edit", self.application),
        }
        return render(self.request, "access/section.html", context, status=status)

    def _onward(self) -> str:
        sections = self.application.form.rules.sections
        place = sections.index(self.section) + 1
        if "onward" not in self.request.POST or place == len(sections):
            return self.application.get_absolute_url()
        return self._url(place)

    def _url(self, place: int) -> str:
        key = self.application.form.rules.sections[place].key
        return reverse("access:section", args=[self.application.code, key])

    def _forget_waiting(self) -> None:
        waiting = self.request.session.get(WAITING, {})
        if waiting.pop(self.request.path, None) is not None:
            self.request.session[WAITING] = waiting


def _closed(application: Application) -> str:
    return _(
        "%(code)s stands at “%(state)s”, so its answers no longer change and your text was not "
        "saved. It is still below: copy it if you need it."
    ) % {"code": application.code, "state": application.get_state_display()}


def _sign_in_first(request: SignedIn) -> HttpResponse:
    """Keep what was typed in the anonymous session, which signing in carries over."""
    is_kept = request.method == "POST" and _keep_waiting(request)
    if not request.htmx:
        return redirect_to_login(request.path)
    context = {"is_kept": is_kept, "next": request.path}
    return render(request, "access/_signed_out.html", context, status=401)


def _keep_waiting(request: SignedIn) -> bool:
    typed = {
        key: answers.as_typed(text)
        for key, text in request.POST.items()
        if key not in ("csrfmiddlewaretoken", VERSION)
    }
    waiting = request.session.get(WAITING, {}) | {request.path: typed}
    if len(json.dumps(waiting)) > MOST_WAITING_CHARACTERS:
        return False
    request.session[WAITING] = waiting
    return True
