"""Home: a welcome for visitors, one's own things for who is signed in."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from fabriek.kernel.errors import Text
from fabriek.kernel.steps import NextStep
from fabriek.pages import queries
from fabriek.people.models import Person


def home(request: HttpRequest) -> HttpResponse:
    person = request.user
    if not isinstance(person, Person):
        return render(request, "pages/welcome.html")
    tasks = queries.tasks(person)
    context = {
        "steps": first_steps(person, tasks),
        "tasks": tasks[1:] if tasks else [],
        "running": queries.running(person),
        "ending": queries.ending(person),
        "cases": queries.newest_cases(person),
    }
    return render(request, "pages/home.html", context)


def first_steps(person: Person, tasks: list[queries.Task]) -> list[NextStep]:
    """One sentence of what to do next, for everybody, also on the very first day."""
    if tasks:
        first = tasks[0]
        return [_go("task", first.label, first.sentence, first.url)]
    if person.sees_all_cases:
        return []
    if person.is_funder and not person.roles:
        return [
            _go(
                "reports",
                _("See the figures"),
                _("See what your money did: reach, GPU-hours and results."),
                reverse("reports:list"),
            )
        ]
    if not person.roles:
        return [
            _go(
                "register",
                _("Register your organisation"),
                _("Welcome. Tell us first which organisation you work for."),
                reverse("people:organisation_new"),
            )
        ]
    return [
        _go(
            "propose",
            _("Describe a case"),
            _("Describe what you want to build with AI. We advise you what fits."),
            reverse("cases:new"),
        )
    ]


def _go(name: str, label: Text, sentence: Text, url: str) -> NextStep:
    return NextStep(name=name, label=label, sentence=sentence, url=url, method="get")
