"""Home: a welcome for visitors, one's own things for who is signed in."""

from collections.abc import Iterator
from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from fabriek.kernel.errors import Text
from fabriek.kernel.steps import NextStep
from fabriek.pages import queries
from fabriek.people.models import Person


@dataclass(frozen=True, kw_only=True, slots=True)
class First:
    """The one thing to do next, and what it is about."""

    step: NextStep
    about: str = ""


def home(request: HttpRequest) -> HttpResponse:
    person = request.user
    if not isinstance(person, Person):
        return render(request, "pages/welcome.html")
    tasks = queries.tasks(person)
    lines = queries.case_lines(person)
    first = next(first_things(person, tasks, lines), None)
    context = {
        "steps": [first.step] if first else [],
        "about": first.about if first else "",
        "tasks": tasks[1:],
        "running": queries.running(person),
        "ending": queries.ending(person),
        "lines": lines,
    }
    return render(request, "pages/home.html", context)


def terms(request: HttpRequest) -> HttpResponse:
    """Stand in for terms that the factory has not published (FABRIEK_TERMS_URL)."""
    return render(request, "pages/terms.html")


def first_things(
    person: Person, tasks: list[queries.Task], lines: list[queries.CaseLine]
) -> Iterator[First]:
    """Give what to do next, the most urgent first; also on the very first day."""
    for task in tasks[:1]:
        step = _go("task", task.label, task.sentence, task.url)
        yield First(step=step, about=task.about)
    for line in sorted(lines, key=lambda line: not line.is_for_us):
        if line.step:
            yield First(step=line.step, about=str(line.case.title))
    if not person.roles:
        yield from _without_organisation(person)
    elif not lines:
        yield First(step=_propose())


def _without_organisation(person: Person) -> Iterator[First]:
    if person.sees_all_cases:
        return
    if person.is_funder:
        yield First(
            step=_go(
                "reports",
                _("See the figures"),
                _("See what your money did: reach, GPU-hours and results."),
                reverse("reports:list"),
            )
        )
        return
    yield First(
        step=_go(
            "register",
            _("Register your organisation"),
            _("Welcome. Tell us first which organisation you work for."),
            reverse("people:organisation_new"),
        )
    )


def _propose() -> NextStep:
    return _go(
        "propose",
        _("Describe a case"),
        _("Describe what you want to build with AI. We advise you what fits."),
        reverse("cases:new"),
    )


def _go(name: str, label: Text, sentence: Text, url: str) -> NextStep:
    return NextStep(name=name, label=label, sentence=sentence, url=url, method="get")
